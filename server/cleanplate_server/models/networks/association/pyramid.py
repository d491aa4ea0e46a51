"""The maps that an encoder gives, and the parts that several encoders are made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Pyramid:
    """Features of one picture.

    Args:
        f4, f8, f16: float32 [n, C, h, w] at a quarter, an eighth, a sixteenth of the picture; the decoder's shortcuts.
        deep: at a sixteenth, what enters the transformer.
    """

    f4: Tensor
    f8: Tensor
    f16: Tensor
    deep: Tensor


@dataclass(frozen=True)
class Widths:
    """Channel counts of a `Pyramid`."""

    f4: int
    f8: int
    f16: int
    deep: int


class Encoder(nn.Module):
    """Picture to `Pyramid`; the base of all encoders."""

    widths: Widths

    def forward(self, picture: Tensor) -> Pyramid:
        """Encodes float32 [n, 3, H, W], RGB, normalised."""
        raise NotImplementedError


class FrozenBatchNorm(nn.Module):
    """Batch normalisation with constants that training left: [n, C, h, w] to the same."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(channels))
        self.register_buffer("bias", torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight * torch.rsqrt(self.running_var + 1e-5)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]
