"""Which frames a hole may be filled from, and their pixels around it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.camera import Homography, move
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask, MaskedFrames

_CACHE_BYTES = 512 << 20
_CACHE_COUNT = 64
"""Pieces kept: twice what one frame looks at, so that its neighbours find them again and a long shot needs no more."""
_TILE_PX = 64
_VIEW_TILE_PX = 32
_PROBE_PX = 8
_HOLE_GROW_PX = 2
_LARGEST_CROP = 6.0
_RIM_PX = 24
_Value = TypeVar("_Value", bound=np.generic)


@dataclass(frozen=True)
class Target:
    """A frame's hole and its surroundings, at the scale that sources are compared at.

    Args:
        frame: frame number.
        box: in full pixels, the hole and its surroundings.
        scale: working pixels for one full pixel, at most 1.
        x, y: float32 [h, w], the full pixel at the centre of each working pixel.
        rgb: float32 [h, w, 3].
        hole: bool [h, w].
        known: bool [h, w], far enough outside the hole to be believed.
        near: float32 [h, w] in [0, 1], 1 at the hole, falling off with distance: weighs motion.
        rim: the same, falling off sooner: weighs colour.
    """

    frame: int
    box: Box
    scale: float
    x: Luma
    y: Luma
    rgb: RGB
    hole: Mask
    known: Mask
    near: Luma
    rim: Luma

    @cached_property
    def luma(self) -> Luma:
        """float32 [h, w]."""
        return gray(self.rgb)

    @property
    def step(self) -> NDArray[np.float32]:
        """float32 [2]: full pixels in one working pixel, (x, y)."""
        height, width = self.hole.shape
        return np.array([self.box.size[1] / width, self.box.size[0] / height], np.float32)

    @cached_property
    def inner(self) -> tuple[slice, slice]:
        """Rows and columns of the hole and the rim that colours are compared on."""
        rows, columns = np.nonzero(self.hole)
        top, left = max(0, int(rows.min()) - _RIM_PX), max(0, int(columns.min()) - _RIM_PX)
        return slice(top, int(rows.max()) + 1 + _RIM_PX), slice(left, int(columns.max()) + 1 + _RIM_PX)

    def moved(self, flow: NDArray[np.float32]) -> tuple[Luma, Luma]:
        """Full pixels (x, y) of the working pixels, each moved by a flow in working pixels."""
        sx, sy = self.step
        return self.x + flow[..., 0] * sx, self.y + flow[..., 1] * sy

    def working(self, x: Luma, y: Luma) -> tuple[Luma, Luma]:
        """Takes full pixels to working pixels of ``inner``."""
        sx, sy = self.step
        column = (x - self.box.x0 + np.float32(0.5)) / sx - np.float32(0.5 + self.inner[1].start)
        row = (y - self.box.y0 + np.float32(0.5)) / sy - np.float32(0.5 + self.inner[0].start)
        return column.astype(np.float32), row.astype(np.float32)


@dataclass(frozen=True)
class View:
    """A source's pixels where the target's box lies in it.

    Args:
        frame: of the source.
        distance: frames from the target.
        motion: from the target's full pixels to the source's.
        box: in the source, full pixels.
        full: float32 [H, W, 3] of the box.
        full_free: uint8 [H, W], 1 where the source has no hole.
        rgb: float32 [h, w, 3], the same at working scale.
        free: uint8 [h, w], the same at working scale.
        scale: working pixels for one full pixel, (x, y).
    """

    frame: int
    distance: int
    motion: Homography
    box: Box
    full: RGB
    full_free: NDArray[np.uint8]
    rgb: RGB
    free: NDArray[np.uint8]
    scale: tuple[float, float]

    @cached_property
    def luma(self) -> Luma:
        """float32 [h, w]."""
        return gray(self.rgb)

    def places(self, x: Luma, y: Luma) -> tuple[Luma, Luma]:
        """Takes full pixels of the target to working pixels of this view."""
        column, row = self.full_places(x, y)
        sx, sy = self.scale
        return (column + np.float32(0.5)) * sx - np.float32(0.5), (row + np.float32(0.5)) * sy - np.float32(0.5)

    def full_places(self, x: Luma, y: Luma) -> tuple[Luma, Luma]:
        """Takes full pixels of the target to full pixels of this view."""
        column, row = move(self.motion, x, y)
        return column - self.box.x0, row - self.box.y0


def gray(rgb: RGB) -> Luma:
    """float32 [h, w]: the weights of BT.601, near enough to compare pictures of any matrix."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def aim(shot: MaskedFrames, frame: int, *, largest_px: int) -> Target | None:
    """Cuts a frame's hole out with its surroundings; None when the frame has no hole.

    Args:
        shot: frames and holes.
        frame: frame number.
        largest_px: longest side at working scale.
    """
    tight = shot.hole_box(frame)
    mask = shot.mask(frame)
    if tight is None or not mask.any():
        return None
    margin = int(np.clip(max(tight.size) // 2, 40, max(128, max(shot.size) // 8)))
    box = grow(tight, margin, shot.size)
    scale = min(1.0, largest_px / max(box.size))
    height, width = (max(1, round(side * scale)) for side in box.size)
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    hole = cv2.resize(mask[box.slices].astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0
    grown = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    # a picture that is all hole has no distance to measure
    away = (
        cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
        if not hole.all()
        else np.zeros(hole.shape, np.float32)
    )
    return Target(
        frame=frame,
        box=box,
        scale=scale,
        x=(column + np.float32(0.5)) * np.float32(box.size[1] / width) + np.float32(box.x0 - 0.5),
        y=(row + np.float32(0.5)) * np.float32(box.size[0] / height) + np.float32(box.y0 - 0.5),
        rgb=_resize(shot.rgb(frame, box), (height, width)),
        hole=hole,
        known=~grown,
        near=np.exp(-away / 30).astype(np.float32),
        rim=np.exp(-away / 16).astype(np.float32),
    )


def grow(box: Box, margin: int, size: tuple[int, int]) -> Box:
    """Widens a box to all sides within a picture of (height, width)."""
    return Box(
        max(0, box.x0 - margin), max(0, box.y0 - margin), min(size[1], box.x1 + margin), min(size[0], box.y1 + margin)
    )


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


_Piece = tuple[Box, RGB, NDArray[np.uint8]]
"""Where in the frame, float32 [h, w, 3], and uint8 [h, w], 1 where the frame has no hole."""


class SourceReader:
    """Reads pieces of a shot's frames and keeps the latest in bounded memory. Safe to use from several threads."""

    def __init__(self, shot: MaskedFrames) -> None:
        self._shot = shot
        self._kept: OrderedDict[int, _Piece] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def view(
        self, target: Target, frame: int, motion: Homography, *, places: tuple[Luma, Luma], kept: View | None = None
    ) -> View | None:
        """Cuts out of a source what shows some of the target's places.

        Args:
            target: the hole and its surroundings.
            frame: of the source.
            motion: from the target's full pixels to the source's.
            places: float32 [h, w] each, full pixels (x, y) of the target.
            kept: an earlier view of the same target and source; given back if it shows the places too.

        Returns:
            The view; None where it lies outside the picture or is blown up too far.
        """
        # motion is smooth and the margin wide: a few of the places tell
        column, row = move(motion, *(np.ascontiguousarray(side[::_PROBE_PX, ::_PROBE_PX]) for side in places))
        margin = 16 / target.scale + 0.05 * max(target.box.size)
        bounds = (column.min() - margin, row.min() - margin, column.max() + margin + 2, row.max() + margin + 2)
        if not np.isfinite(bounds).all():
            return None
        height, width = self._shot.size
        x0, y0 = (int(np.clip(v, 0, side)) for v, side in zip(bounds[:2], (width, height), strict=True))
        x1, y1 = (int(np.clip(v, 0, side)) for v, side in zip(bounds[2:], (width, height), strict=True))
        area, own = (x1 - x0) * (y1 - y0), target.box.size[0] * target.box.size[1]
        if min(x1 - x0, y1 - y0) < 8 or area > _LARGEST_CROP * own + 400**2:
            return None
        if kept is not None and _holds(kept.box, Box(x0, y0, x1, y1)):
            return kept
        box = _tile(Box(x0, y0, x1, y1), self._shot.size, _VIEW_TILE_PX)
        with self._lock:
            full, free = self._read(frame, box)
        height, width = (max(1, round(side * target.scale)) for side in box.size)
        return View(
            frame=frame,
            distance=abs(frame - target.frame),
            motion=motion,
            box=box,
            full=full,
            full_free=free,
            rgb=_resize(full, (height, width)),
            free=_shrink_free(free, (height, width)),
            scale=(width / box.size[1], height / box.size[0]),
        )

    def _read(self, frame: int, box: Box) -> tuple[RGB, NDArray[np.uint8]]:
        kept = self._kept.get(frame)
        if kept is None or not _holds(kept[0], box):
            kept = self._fetch(frame, box, kept)
        self._kept.move_to_end(frame)
        outer, rgb, free = kept
        return part(rgb, outer, box), part(free, outer, box)

    def _fetch(self, frame: int, box: Box, kept: _Piece | None) -> _Piece:
        """A piece that holds the box and what was kept; what was kept is not made again."""
        outer = _tile(box if kept is None else _union(kept[0], box), self._shot.size, _TILE_PX)
        free = self._free(frame, outer)
        rgb = np.empty((*outer.size, 3), np.float32)
        if kept is not None:
            part(rgb, outer, kept[0])[:] = kept[1]
            self._drop(frame)
        for strip in [outer] if kept is None else _around(kept[0], outer):
            part(rgb, outer, strip)[:] = self._shot.rgb(frame, strip)
        piece = outer, rgb, free
        self._kept[frame] = piece
        self._bytes += rgb.nbytes + free.nbytes
        while (self._bytes > _CACHE_BYTES or len(self._kept) > _CACHE_COUNT) and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return piece

    def _free(self, frame: int, box: Box) -> NDArray[np.uint8]:
        wider = grow(box, _HOLE_GROW_PX, self._shot.size)  # a hole beyond the box grows into it
        side = 2 * _HOLE_GROW_PX + 1
        hole = cv2.dilate(self._shot.mask(frame)[wider.slices].astype(np.uint8), np.ones((side, side), np.uint8))
        return np.asarray(1 - part(hole, wider, box), np.uint8)

    def _drop(self, frame: int) -> None:
        _, rgb, free = self._kept.pop(frame)
        self._bytes -= rgb.nbytes + free.nbytes


def part(array: NDArray[_Value], outer: Box, box: Box) -> NDArray[_Value]:
    """The box in an array that covers ``outer``: a view."""
    return array[box.y0 - outer.y0 : box.y1 - outer.y0, box.x0 - outer.x0 : box.x1 - outer.x0]


def _around(inner: Box, outer: Box) -> list[Box]:
    """What ``outer`` has beyond ``inner``: above and below over the whole width, left and right between them."""
    strips = (
        Box(outer.x0, outer.y0, outer.x1, inner.y0),
        Box(outer.x0, inner.y1, outer.x1, outer.y1),
        Box(outer.x0, inner.y0, inner.x0, inner.y1),
        Box(inner.x1, inner.y0, outer.x1, inner.y1),
    )
    return [strip for strip in strips if min(strip.size) > 0]


def _holds(outer: Box, box: Box) -> bool:
    return outer.x0 <= box.x0 and outer.y0 <= box.y0 and outer.x1 >= box.x1 and outer.y1 >= box.y1


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _tile(box: Box, size: tuple[int, int], side: int) -> Box:
    """Widens a box to whole tiles of a picture of (height, width)."""
    return Box(
        box.x0 // side * side,
        box.y0 // side * side,
        min(size[1], -(-box.x1 // side) * side),
        min(size[0], -(-box.y1 // side) * side),
    )


def _shrink_free(free: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """1 where all that a working pixel covers is free."""
    if free.shape == size:
        return free
    cover = cv2.resize(free * np.uint8(255), size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cover == 255, np.uint8)


def _resize(rgb: RGB, size: tuple[int, int]) -> RGB:
    if rgb.shape[:2] == size:
        return rgb
    return np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
