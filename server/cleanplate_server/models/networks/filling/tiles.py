"""A long hole, such as a line of subtitles, filled in parts side by side where the whole would have to be seen smaller.

A part has the surroundings above and below it that fill it, at native resolution; what lies farther along the hole than
the hole is wide says little. Parts overlap and are mixed there.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Region, Size, plan_region
from cleanplate_server.models.protocols import Box

LONG = 3.0
"""Holes so many times as long as wide are long."""
_PART_LENGTH = 2.0
"""Of a part, in widths of the hole."""
_OVERLAP = 0.5
"""Of neighbouring parts, in widths of the hole."""
_GAIN = 1.1
"""Parts are taken where they are seen larger by so much."""


@dataclass(frozen=True)
class Tile:
    """A region, and the part of the hole that it counts for.

    Args:
        region: what the network sees.
        axis: 1 where parts lie beside each other, 0 where they lie below each other.
        start, stop: where the part begins and ends along the axis; infinite at the hole's ends.
        overlap_px: how far it reaches into its neighbours.
    """

    region: Region
    axis: int = 1
    start: float = -math.inf
    stop: float = math.inf
    overlap_px: float = 1.0

    def share(self, box: Box) -> NDArray[np.float32]:
        """How much it counts in each row or column of a box, float32 [h, 1] or [1, w]; all tiles' make 1."""
        low, high = (box.y0, box.y1) if self.axis == 0 else (box.x0, box.x1)
        place = np.arange(low, high, dtype=np.float32) + 0.5
        rising = np.clip((place - self.start) / self.overlap_px, 0, 1) if self.start > -math.inf else 1.0
        falling = np.clip((self.stop - place) / self.overlap_px, 0, 1) if self.stop < math.inf else 1.0
        share = np.broadcast_to(np.minimum(rising, falling), place.shape).astype(np.float32)
        return share[:, None] if self.axis == 0 else share[None]


def plan_whole(holes: Box, picture: Size, sizes: AcceptedSizes, *, fits: Callable[[Size], bool]) -> tuple[Tile, ...]:
    """One region for a window; see ``plan_tiles``."""
    return (Tile(plan_region(holes, picture, sizes, fits=fits)),)


def plan_tiles(holes: Box, picture: Size, sizes: AcceptedSizes, *, fits: Callable[[Size], bool]) -> tuple[Tile, ...]:
    """Chooses the regions for a window: one, or several where a long hole is seen larger in parts.

    Args are those of ``plan_region``.

    Raises:
        DeviceMemoryError: memory has no room for the smallest ones.
    """
    whole = plan_region(holes, picture, sizes, fits=fits)
    if whole.scale <= 1 or not is_long(holes):
        return (Tile(whole),)
    tiles = _part(holes, picture, sizes, fits=fits)
    seen_at = max(tile.region.scale for tile in tiles)
    return tiles if seen_at * _GAIN < whole.scale else (Tile(whole),)


def is_long(holes: Box) -> bool:
    """Whether a hole is one to be parted, if need be."""
    return max(holes.size) >= LONG * min(holes.size)


def _part(holes: Box, picture: Size, sizes: AcceptedSizes, *, fits: Callable[[Size], bool]) -> tuple[Tile, ...]:
    axis = int(holes.size[1] >= holes.size[0])
    length, width = holes.size[axis], holes.size[1 - axis]
    overlap = _OVERLAP * width
    count = math.ceil((length - overlap) / (_PART_LENGTH * width - overlap))
    step = (length - overlap) / count
    first = holes.x0 if axis else holes.y0
    tiles = []
    for place in range(count):
        start = first + place * step
        ends = math.floor(start), math.ceil(start + step + overlap)
        box = Box(ends[0], holes.y0, ends[1], holes.y1) if axis else Box(holes.x0, ends[0], holes.x1, ends[1])
        tiles.append(
            Tile(
                plan_region(_within(box, picture), picture, sizes, fits=fits),
                axis,
                start if place else -math.inf,
                start + step + overlap if place < count - 1 else math.inf,
                overlap,
            )
        )
    return tuple(tiles)


def _within(box: Box, picture: Size) -> Box:
    return Box(max(0, box.x0), max(0, box.y0), min(picture[1], box.x1), min(picture[0], box.y1))
