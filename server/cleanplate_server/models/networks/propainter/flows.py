"""Motion between the frames of a shot, both ways, and what it says of where pixels come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from cleanplate_server.models.networks.warping import warp

_TOLERANCE = 0.01
"""How much of both motions' squared lengths the way there and back may be off, squared."""
_TOLERANCE_PX = 0.5
"""What it may be off in any case, squared."""


@dataclass(frozen=True, eq=False)
class Flows:
    """Motion of n + 1 frames, (dx, dy) in pixels of the maps that it is of.

    Args:
        to_next: float32 [b, n, 2, H, W], from each frame but the last to the one after it.
        to_previous: float32 [b, n, 2, H, W], from each frame but the first to the one before it.
    """

    to_next: Tensor
    to_previous: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> Flows:
        """Both ways changed alike."""
        return Flows(change(self.to_next), change(self.to_previous))

    def backwards(self) -> list[tuple[Tensor, Tensor]]:
        """For each frame before the last, from there to the first: its motion to the next, and that one's to it."""
        return list(zip(self.to_next.unbind(1), self.to_previous.unbind(1), strict=True))[::-1]

    def forwards(self) -> list[tuple[Tensor, Tensor]]:
        """For each frame after the first, in order: its motion to the one before, and that one's to it."""
        return list(zip(self.to_previous.unbind(1), self.to_next.unbind(1), strict=True))


def agree(there: Tensor, back: Tensor) -> Tensor:
    """Says where the way there and back leads home.

    Args:
        there: [n, 2, h, w], from each place to the other frame.
        back: [n, 2, h, w], from the other frame's places to this one.

    Returns:
        bool [n, 1, h, w].
    """
    returned = warp(back, there)
    off = _squared(there + returned)
    return off < _TOLERANCE * (_squared(there) + _squared(returned)) + _TOLERANCE_PX


def fetch_nearest(maps: Tensor, flow: Tensor) -> Tensor:
    """Fetches for each place the one nearest to where the flow points, 0 beyond the edge.

    Args:
        maps: [n, C, h, w].
        flow: [n, 2, h, w], (dx, dy) in pixels.
    """
    height, width = maps.shape[2:]
    x = (torch.arange(width, device=flow.device) + flow[:, 0]).round()
    y = (torch.arange(height, device=flow.device)[:, None] + flow[:, 1]).round()
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    source = y.long().clamp(0, height - 1) * width + x.long().clamp(0, width - 1)
    found = maps.flatten(2).gather(2, source.flatten(1)[:, None].expand(-1, maps.shape[1], -1))
    return torch.where(within[:, None], found.reshape(maps.shape), torch.zeros_like(maps))


def _squared(flow: Tensor) -> Tensor:
    return (flow * flow).sum(1, keepdim=True)
