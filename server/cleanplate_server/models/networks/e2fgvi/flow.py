"""Optical flow by SPyNet (Ranjan, Black: Optical Flow Estimation using a Spatial Pyramid Network, CVPR 2017)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.frame_coding import by_clip
from cleanplate_server.models.networks.warping import warp

_LEVELS = 6
_STRIDE = 2 ** (_LEVELS - 1)
"""Sizes are multiples of this, so that every level halves evenly."""
_CHANNELS = (8, 32, 64, 32, 16, 2)
"""A picture, the other one warped, and the flow so far, to what is added to the flow."""
_MEAN = (0.485, 0.456, 0.406)
_DEVIATION = (0.229, 0.224, 0.225)


class SpyNet(nn.Module):
    """Flow from coarse to fine over six levels.

    The entries ``mean`` and ``std`` of a checkpoint are the pictures' usual mean and deviation.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN).reshape(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_DEVIATION).reshape(1, 3, 1, 1))
        self.basic_module = nn.ModuleList(Level() for _ in range(_LEVELS))

    def forward(self, source: Tensor, target: Tensor) -> Tensor:
        """Finds where each pixel of the source lies in the target.

        Args:
            source, target: [n, 3, h, w], RGB from 0 to 1, of any size.

        Returns:
            [n, 2, h, w]: (dx, dy) in pixels.
        """
        height, width = source.shape[2:]
        size = tuple(-(-side // _STRIDE) * _STRIDE for side in (height, width))
        sources, targets = self._pyramid(source, size), self._pyramid(target, size)
        flow = source.new_zeros(len(source), 2, *sources[0].shape[2:])
        for number, level in enumerate(self.basic_module):
            if number:
                flow = 2 * functional.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            warped = warp(targets[number], flow, outside="border")
            flow = flow + level(torch.cat([sources[number], warped, flow], 1))
        flow = functional.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
        return flow * flow.new_tensor([width / size[1], height / size[0]])[:, None, None]

    def _pyramid(self, picture: Tensor, size: tuple[int, ...]) -> list[Tensor]:
        """The picture, normalised, from the coarsest to the full size."""
        resized = functional.interpolate(picture, size, mode="bilinear", align_corners=False)
        levels = [(resized - self.mean) / self.std]
        for _ in range(_LEVELS - 1):
            levels.append(functional.avg_pool2d(levels[-1], 2))
        return levels[::-1]


class Level(nn.Module):
    """Five convolutions: [n, 8, h, w] to what is added to the flow, [n, 2, h, w]."""

    def __init__(self) -> None:
        super().__init__()
        last = len(_CHANNELS) - 2
        self.basic_module = nn.Sequential(
            *(Convolution(into, out, rectified=index < last) for index, (into, out) in enumerate(pairwise(_CHANNELS)))
        )

    def forward(self, maps: Tensor) -> Tensor:
        change: Tensor = self.basic_module(maps)
        return change


class Convolution(nn.Module):
    """A 7 x 7 convolution, with or without ReLU."""

    def __init__(self, into: int, out: int, *, rectified: bool) -> None:
        super().__init__()
        self._rectified = rectified
        self.conv = nn.Conv2d(into, out, 7, padding=3)

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.conv(maps)
        return functional.relu(out) if self._rectified else out


def estimate_flows(network: SpyNet, frames: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the flow between neighbours in both directions, at a quarter of the frames' size.

    Args:
        network: trained.
        frames: [b, t, 3, H, W], RGB from -1 to 1.

    Returns:
        [b, t - 1, 2, H / 4, W / 4] from each frame to the next, and from the next to it; in pixels of the quarter.
    """
    size = (frames.shape[3] // 4, frames.shape[4] // 4)
    small = functional.interpolate((frames.flatten(0, 1) + 1) / 2, size, mode="bilinear", align_corners=True)
    small = by_clip(small, frames)
    earlier, later = small[:, :-1], small[:, 1:]
    flow_next: Tensor = network(earlier.flatten(0, 1), later.flatten(0, 1))
    flow_previous: Tensor = network(later.flatten(0, 1), earlier.flatten(0, 1))
    return by_clip(flow_next, earlier), by_clip(flow_previous, earlier)
