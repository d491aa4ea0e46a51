"""What both networks are made of: gated convolutions, and the colours they were trained around."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)

_SLOPE = 0.2
_CONSTANTS = {"mean", "mean3d", "std"}
"""Entries of the files that hold the numbers above; some files lack them."""


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


class Colours(nn.Module):
    """The networks' colours: RGB [n, 3, H, W] from 0 to 1, less the mean, over the deviation."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def normalise(self, rgb: Tensor) -> Tensor:
        return (rgb - self.mean) / self.deviation

    def restore(self, normalised: Tensor) -> Tensor:
        return normalised * self.deviation + self.mean

    def put_mean(self, rgb: Tensor, hole: Tensor) -> Tensor:
        """The mean colour inside a hole [n, 1, H, W]."""
        return torch.where(hole > 0, self.mean, rgb)


def enlarge(maps: Tensor) -> Tensor:
    """Doubles both sides by nearest neighbour."""
    return functional.interpolate(maps, scale_factor=2.0, mode="nearest")


def without_constants(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A file's entries less the colour constants, which the networks have themselves."""
    return {name: value for name, value in state.items() if name.rpartition(".")[2] not in _CONSTANTS}
