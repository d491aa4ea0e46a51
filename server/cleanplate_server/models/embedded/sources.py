"""Which frames a hole may be filled from, and their pixels around it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol

import numpy as np

from cleanplate_server.models.embedded.camera import Homography, move_places
from cleanplate_server.models.embedded.fields import Choice, Places, Points, gray
from cleanplate_server.models.embedded.pieces import Pieces, tiled
from cleanplate_server.models.embedded.target import Target
from cleanplate_server.models.protocols import RGB, Box, Luma, MaskedFrames

_SMALL_BYTES, _FULL_BYTES = 128 << 20, 384 << 20
_TILE_PX = 32
_PROBE_PX = 8
_LARGEST_CROP = 6.0
_BEYOND_PX = 3
"""How far a cubic looks beyond the place that it is asked for."""


class Reading(Protocol):
    """Gives pixels of a frame."""

    def __call__(self, frame: int, box: Box) -> tuple[RGB, Choice]:
        """float32 [h, w, 3] of the box, and where the frame has no hole."""


@dataclass(frozen=True)
class View:
    """A source's pixels where the target's box lies in it.

    Args:
        frame: of the source.
        distance: frames from the target.
        motion: from the target's full pixels to the source's.
        box: in the source, full pixels.
        rgb: float32 [h, w, 3] of the box, at working scale.
        free: uint8 [h, w], 255 where all that a working pixel covers has no hole.
        scale: working pixels for one full pixel.
        size: (height, width) of the source in full pixels.
        read: gives its full pixels.
    """

    frame: int
    distance: int
    motion: Homography
    box: Box
    rgb: RGB
    free: Choice
    scale: float
    size: tuple[int, int]
    read: Reading = field(repr=False)

    @cached_property
    def luma(self) -> Luma:
        """float32 [h, w]."""
        return gray(self.rgb)

    def places(self, target: Target, places: Places) -> Places:
        """Takes working pixels of the target to working pixels of this view."""
        s = self.scale
        here = np.array([[s, 0, (0.5 - self.box.x0) * s - 0.5], [0, s, (0.5 - self.box.y0) * s - 0.5], [0, 0, 1]])
        return move_places(here @ self.motion @ target.to_full, places)

    def full(self, points: Points) -> tuple[RGB, Choice, Points]:
        """Full pixels around points of the target, in its full pixels.

        Returns:
            float32 [h, w, 3], where these have no hole, and the points in them.
        """
        there = move_places(self.motion, points[None])[0]
        x, y = (np.clip(side, 0, end) for side, end in zip(there.T, self.size[::-1], strict=True))
        box = Box(int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1).grown(_BEYOND_PX, self.size)
        rgb, free = self.read(self.frame, box)
        return rgb, free, there - np.array([box.x0, box.y0], np.float32)


def ladder(frame: int, frames: range, direction: int, *, growth: float) -> Iterator[int]:
    """Frames to look at in one direction, close together near by, ever farther apart.

    Far ones lie on a grid of the whole shot, so that neighbouring targets ask for the same frames.

    Args:
        frame: the target.
        frames: of the shot.
        direction: 1 or -1.
        growth: ratio of one distance to the one before it.
    """
    distance, last = 1, 0
    while True:
        grid = 1 << max(0, int(np.log2(distance / 8))) if distance > 8 else 1
        source = frame + direction * distance
        source -= (source - frames.start) % grid
        if source not in frames:
            return
        if abs(source - frame) > last and (source - frame) * direction > 0:
            yield source
            last = abs(source - frame)
        distance = max(distance + 1, round(distance * growth))


class SourceReader:
    """Cuts views out of a shot's frames. Safe to use from several threads."""

    def __init__(self, shot: MaskedFrames) -> None:
        self._size = shot.size
        self._small, self._full = Pieces(shot, _SMALL_BYTES), Pieces(shot, _FULL_BYTES)

    def view(
        self, target: Target, frame: int, motion: Homography, *, places: Places, kept: View | None = None
    ) -> View | None:
        """Cuts out of a source what shows some of the target's places.

        Args:
            target: the hole and its surroundings.
            frame: of the source.
            motion: from the target's full pixels to the source's.
            places: float32 [h, w, 2], working pixels of the target.
            kept: an earlier view of the same target and source; given back if it shows the places too.

        Returns:
            The view; None where it lies outside the picture or is blown up too far.
        """
        # motion is smooth and the margin wide: a few of the places tell
        some = np.ascontiguousarray(places[::_PROBE_PX, ::_PROBE_PX])
        there = move_places(motion @ target.to_full, some)
        if not np.isfinite(there).all():
            return None
        margin = 16 / target.scale + 0.05 * max(target.box.size)
        x0, y0 = (int(v) for v in np.clip(there.min((0, 1)) - margin, 0, self._size[::-1]))
        x1, y1 = (int(v) for v in np.clip(there.max((0, 1)) + margin + 2, 0, self._size[::-1]))
        area, own = (x1 - x0) * (y1 - y0), target.box.size[0] * target.box.size[1]
        if min(x1 - x0, y1 - y0) < 8 or area > _LARGEST_CROP * own + 400**2:
            return None
        if kept is not None and kept.box.holds(Box(x0, y0, x1, y1)):
            return kept
        box = tiled(Box(x0, y0, x1, y1), self._size, target.scale, least_px=_TILE_PX)
        pieces = self._small if target.scale < 1 else self._full
        rgb, free = pieces.read(frame, box, target.scale)
        return View(
            frame=frame,
            distance=abs(frame - target.frame),
            motion=motion,
            box=box,
            rgb=rgb,
            free=free,
            scale=target.scale,
            size=self._size,
            read=self._read_full,
        )

    def _read_full(self, frame: int, box: Box) -> tuple[RGB, Choice]:
        return self._full.read(frame, box, 1.0)
