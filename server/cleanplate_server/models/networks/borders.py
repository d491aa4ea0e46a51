"""Borders around pictures, so that a network's strides divide their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor
from torch.nn import functional

Filling = Literal["constant", "replicate", "reflect"]
"""What stands in a border: zeros, the nearest pixel, or the picture mirrored (narrower than the picture then)."""


@dataclass(frozen=True)
class Border:
    """Pixels added on each side of maps."""

    left: int = 0
    right: int = 0
    top: int = 0
    bottom: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.left or self.right or self.top or self.bottom)

    def add(self, maps: Tensor, filling: Filling) -> Tensor:
        """Puts the border around maps [n, C, H, W]."""
        if self.is_empty:
            return maps
        return functional.pad(maps, (self.left, self.right, self.top, self.bottom), mode=filling)

    def cut(self, maps: Tensor) -> Tensor:
        """Takes the border away from maps [..., H, W]."""
        height, width = maps.shape[-2:]
        return maps[..., self.top : height - self.bottom, self.left : width - self.right]


def border_to_multiple(size: tuple[int, int], step: int, *, least: int = 0) -> Border:
    """The border to the next multiple of a step, split between both sides; the larger half is right and below.

    Args:
        size: (height, width).
        step: what both sides are to be a multiple of.
        least: the smallest side wanted, itself a multiple of the step.
    """
    down, across = (max(least, -(-side // step) * step) - side for side in size)
    return Border(left=across // 2, right=across - across // 2, top=down // 2, bottom=down - down // 2)
