"""What both networks are made of: gated convolutions."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

_SLOPE = 0.2
_CONSTANTS = {"mean", "mean3d", "std"}
"""Ends of the entries that hold ImageNet's colours, which the networks have themselves; some files lack them."""


class GatedConv(nn.Module):
    """Features times a gate from 0 to 1, both convolved from the same maps: [n, into, h, w] to [n, out, h', w'].

    Args:
        into, out: channel counts.
        kernel, stride, dilation: of both convolutions; zeros around the maps keep the size at stride 1.
        activates: whether features pass a leaky rectifier.
    """

    def __init__(
        self, into: int, out: int, *, kernel: int = 3, stride: int = 1, dilation: int = 1, activates: bool = True
    ) -> None:
        super().__init__()
        padding = dilation * (kernel // 2)
        self.input_conv = nn.Conv2d(into, out, kernel, stride, padding, dilation)
        self.gating_conv = nn.Conv2d(into, out, kernel, stride, padding, dilation)
        self.activates = activates

    def forward(self, maps: Tensor) -> Tensor:
        features: Tensor = self.input_conv(maps)
        if self.activates:
            features = functional.leaky_relu(features, _SLOPE)
        return features * torch.sigmoid(self.gating_conv(maps))


def enlarge(maps: Tensor) -> Tensor:
    """Doubles both sides by nearest neighbour."""
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


def without_constants(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's entries less the colour constants."""
    return {name: value for name, value in state.items() if name.rpartition(".")[2] not in _CONSTANTS}
