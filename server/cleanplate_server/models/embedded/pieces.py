"""Pieces of a shot's frames, at full size or smaller, the latest kept in bounded memory."""

from __future__ import annotations

import math
from collections import OrderedDict
from threading import Lock
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.fields import Choice
from cleanplate_server.models.protocols import RGB, Box, MaskedFrames

_MOST = 64
"""Pieces kept: twice what one frame looks at, so that its neighbours find them again and a long shot needs no more."""
_LOCKS = 16
_TILE_PX = 128
_HOLE_GROW_PX = 2
_Value = TypeVar("_Value", bound=np.generic)


class _Piece(NamedTuple):
    """float32 [h, w, 3] of a box, and uint8 [h, w], 255 where all that a pixel covers has no hole."""

    box: Box
    rgb: RGB
    free: Choice

    @property
    def bytes(self) -> int:
        return self.rgb.nbytes + self.free.nbytes


class Pieces:
    """Reads pieces of a shot's frames at some scale. Safe to use from several threads.

    What a pixel shows depends on its place in the frame and the scale alone, however the piece came together.

    Args:
        shot: frames and holes.
        limit_bytes: pieces beyond it are forgotten, the longest unused first; at least one is kept.
    """

    def __init__(self, shot: MaskedFrames, limit_bytes: int) -> None:
        self._shot = shot
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[tuple[int, float], _Piece] = OrderedDict()
        self._bytes = 0
        self._lock, self._busy = Lock(), [Lock() for _ in range(_LOCKS)]

    def read(self, frame: int, box: Box, scale: float) -> tuple[RGB, Choice]:
        """float32 [h, w, 3] of a box, and uint8 [h, w], 255 where all that a pixel covers has no hole: views.

        Args:
            frame: frame number.
            box: in full pixels; at a scale below 1 as ``tiled`` gives it.
            scale: of the pixels wanted, at most 1; a fraction of eighths of a power of two.
        """
        key = frame, scale
        with self._busy[hash(key) % _LOCKS]:  # nobody makes the same piece beside this one
            with self._lock:
                kept = self._kept.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
            if kept is None or not kept.box.holds(box):
                kept = self._made(frame, box, scale, kept)
                with self._lock:
                    self._keep(key, kept)
        outer, wanted = _scaled(kept.box, scale), _scaled(box, scale)
        return part(kept.rgb, outer, wanted), part(kept.free, outer, wanted)

    def _made(self, frame: int, box: Box, scale: float, kept: _Piece | None) -> _Piece:
        """A piece that holds the box and what was kept; what was kept is not made again."""
        outer = box if kept is None else _union(kept.box, box)
        outer = tiled(outer, self._shot.size, scale, least_px=_TILE_PX)
        there = _scaled(outer, scale)
        piece = _Piece(outer, np.empty((*there.size, 3), np.float32), np.empty(there.size, np.uint8))
        if kept is not None:
            for whole, old in ((piece.rgb, kept.rgb), (piece.free, kept.free)):
                part(whole, there, _scaled(kept.box, scale))[:] = old
        for strip in [outer] if kept is None else _around(kept.box, outer):
            small = _scaled(strip, scale)
            part(piece.rgb, there, small)[:] = _shrink(self._shot.rgb(frame, strip), scale)
            part(piece.free, there, small)[:] = _shrink(self._free(frame, strip), scale) // 255 * 255
        return piece

    def _keep(self, key: tuple[int, float], piece: _Piece) -> None:
        before = self._kept.pop(key, None)
        self._bytes += piece.bytes - (before.bytes if before else 0)
        self._kept[key] = piece
        while (self._bytes > self._limit_bytes or len(self._kept) > _MOST) and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].bytes

    def _free(self, frame: int, box: Box) -> Choice:
        wider = box.grown(_HOLE_GROW_PX, self._shot.size)  # a hole beyond the box grows into it
        side = 2 * _HOLE_GROW_PX + 1
        hole = cv2.dilate(self._shot.mask(frame)[wider.slices].astype(np.uint8), np.ones((side, side), np.uint8))
        return np.asarray(255 * (1 - part(hole, wider, box)), np.uint8)


def tiled(box: Box, size: tuple[int, int], scale: float, *, least_px: int) -> Box:
    """Widens a box to whole tiles of a picture of (height, width), which are whole pixels at the scale."""
    side = max(least_px, _parts(scale))
    return Box(
        box.x0 // side * side,
        box.y0 // side * side,
        min(size[1], -(-box.x1 // side) * side),
        min(size[0], -(-box.y1 // side) * side),
    )


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


def _union(a: Box, b: Box) -> Box:
    return Box(min(a.x0, b.x0), min(a.y0, b.y0), max(a.x1, b.x1), max(a.y1, b.y1))


def _scaled(box: Box, scale: float) -> Box:
    """A box of whole tiles at the scale; a pixel that the picture's end cuts off is one."""
    return Box(*(math.ceil(side * scale) for side in (box.x0, box.y0, box.x1, box.y1)))


def _shrink(picture: cv2.typing.MatLike, scale: float) -> cv2.typing.MatLike:
    if scale == 1:
        return picture
    height, width = picture.shape[:2]
    parts = _parts(scale)
    below, right = -height % parts, -width % parts  # a tile that the picture's end cuts off
    whole = cv2.copyMakeBorder(picture, 0, below, 0, right, cv2.BORDER_REPLICATE) if below or right else picture
    size = round(whole.shape[1] * scale), round(whole.shape[0] * scale)
    small = cv2.resize(whole, size, interpolation=cv2.INTER_AREA)
    return small[: math.ceil(height * scale), : math.ceil(width * scale)]


def _parts(scale: float) -> int:
    """Full pixels that are a whole number of pixels at the scale."""
    return float(scale).as_integer_ratio()[1]
