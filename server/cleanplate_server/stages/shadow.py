"""An object's cast shadow: what beside it is a darker copy of the background that other frames show there.

The background is taken from frames before and after, moved by the camera; a shadow keeps its colour and takes light
away, lies against the object and goes along with it. Found at a small size, where it is soft anyway.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.camera import Homography
from cleanplate_server.models.embedded.survey import CameraPath
from cleanplate_server.models.protocols import RGB, Box, Mask, MaskedFrames
from cleanplate_server.stages.windows import bounding_box

_ROWS = 270
_OFFSETS = (3, 6, 9, 13, 18, 24)
"""Frames to each side that the background is taken from."""
_HELD = 2 * _OFFSETS[-1] + 8
_LEAST_SAMPLES = 3
_RANK = 0.65
"""Of the samples by brightness: above the middle, for the shadow itself lies on some of them."""
_DARKEST, _BRIGHTEST = 0.15, 0.90
_CHROMA = 0.14
_BLACK = 0.02
_STEADY = 2
"""Frames to each side that must agree, the object laid on itself."""
_AGREEING = 0.5
_TOUCH_PX = 5
_OPEN_PX = 3
_CLOSE_PX = 7
_PENUMBRA_PX = 3
_REACH = 1.2
"""How far a shadow may reach, in lengths of the object."""
_LARGEST = 1.5
"""How large it may be, in areas of the object."""


@dataclass(frozen=True, eq=False)
class _Small:
    """A frame at the small size: float16 [h, w, 3], and bool [h, w], the object and its rim."""

    rgb: NDArray[np.float16]
    object: Mask


class ShadowFinder:
    """Finds the shadow of what the masks of a shot hold.

    Args:
        shot: frames, and masks of the objects.
        camera: its motion over the shot.
    """

    def __init__(self, shot: MaskedFrames, camera: CameraPath) -> None:
        self._shot = shot
        self._camera = camera
        height, width = shot.size
        rows = min(_ROWS, height)
        self._size = rows, max(1, round(width * rows / height))
        sx, sy = width / self._size[1], height / self._size[0]
        self._up = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
        self._small: OrderedDict[int, _Small] = OrderedDict()
        self._shadows: OrderedDict[int, Mask] = OrderedDict()

    def shadow(self, frame: int) -> Mask:
        """bool [H, W]: the shadow, without the object; all False where none is found."""
        box = self._shot.hole_box(frame)
        empty = np.zeros(self._shot.size, np.bool_)
        own = self._frame(frame).object
        if box is None or not own.any():
            return empty
        found = self._steady(frame) & ~own
        if not found.any() or found.sum() > _LARGEST * own.sum():
            return empty
        grown = cv2.dilate(found.astype(np.float32), np.ones((_PENUMBRA_PX, _PENUMBRA_PX), np.uint8))
        large = cv2.resize(grown, self._shot.size[::-1], interpolation=cv2.INTER_LINEAR) >= 0.5
        return np.asarray(large & ~self._shot.mask(frame), np.bool_)

    def _steady(self, frame: int) -> Mask:
        """What is shadow in most of the frames around too, each laid so that the object covers itself."""
        here = _foot(self._frame(frame).object)
        votes, count = np.zeros(self._size, np.float32), 0
        for other in range(frame - _STEADY, frame + _STEADY + 1):
            if other not in self._shot.frames or not self._frame(other).object.any():
                continue
            there = _foot(self._frame(other).object)
            shift = np.array([[1, 0, here[0] - there[0]], [0, 1, here[1] - there[1]]], np.float64)
            found = self._touching(other).astype(np.float32)
            votes += cv2.warpAffine(found, shift, self._size[::-1], flags=cv2.INTER_LINEAR)
            count += 1
        return np.asarray(votes >= _AGREEING * count, np.bool_)

    def _touching(self, frame: int) -> Mask:
        """bool [h, w]: shade that lies against the object."""
        if frame not in self._shadows:
            self._shadows[frame] = _touching(self._find_shade(frame), self._frame(frame).object)
            while len(self._shadows) > 2 * _STEADY + 2:
                self._shadows.popitem(last=False)
        return self._shadows[frame]

    def _find_shade(self, frame: int) -> Mask:
        own = self._frame(frame)
        box = self._reach(own.object)
        background, known = self._background(frame, box)
        picture = cv2.GaussianBlur(own.rgb[box.slices].astype(np.float32), (0, 0), 1.0)
        background = np.asarray(cv2.GaussianBlur(background, (0, 0), 1.0), np.float32)
        darkest = cv2.erode(background, np.ones((3, 3), np.uint8))  # a pixel's error at an edge is no shade
        level = (picture.mean(axis=2) + _BLACK) / (np.asarray(darkest, np.float32).mean(axis=2) + _BLACK)
        ratio = (picture + _BLACK) / (background + _BLACK)
        tint = np.abs(ratio / np.maximum(ratio.mean(axis=2, keepdims=True), 1e-3) - 1).max(axis=2)
        shade = np.zeros(self._size, np.bool_)
        shade[box.slices] = known & (level < _BRIGHTEST) & (level > _DARKEST) & (tint < _CHROMA)
        return shade & ~own.object

    def _background(self, frame: int, box: Box) -> tuple[RGB, Mask]:
        """The box as other frames show it: float32 [h, w, 3], and bool [h, w], where enough of them do."""
        samples = []
        for offset in (way * distance for distance in _OFFSETS for way in (1, -1)):
            other = frame + offset
            if other in self._shot.frames:
                samples.append(self._moved(other, frame, box))
        if len(samples) < _LEAST_SAMPLES:
            return np.zeros((*box.size, 3), np.float32), np.zeros(box.size, np.bool_)
        stack = np.sort(np.stack(samples), axis=0)  # what is not known is not a number, and comes last
        count = np.isfinite(stack[..., 0]).sum(axis=0)
        place = np.clip(np.rint((count - 1) * _RANK), 0, None).astype(np.intp)
        chosen = np.take_along_axis(stack, place[None, ..., None], axis=0)[0]
        return np.nan_to_num(chosen).astype(np.float32), np.asarray(count >= _LEAST_SAMPLES, np.bool_)

    def _moved(self, source: int, target: int, box: Box) -> RGB:
        """A frame's pixels where another frame's box shows the same background; not a number where it hides it."""
        small = self._frame(source)
        motion = np.linalg.inv(self._up) @ self._camera.between(target, source) @ self._up
        from_box: Homography = motion @ np.array([[1, 0, box.x0], [0, 1, box.y0], [0, 0, 1]], np.float64)
        size, flags = box.size[::-1], cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        rgb = cv2.warpPerspective(small.rgb.astype(np.float32), from_box, size, flags=flags)
        free = cv2.warpPerspective((~small.object).astype(np.float32), from_box, size, flags=flags)
        return np.where(free[..., None] > 0.99, rgb, np.nan).astype(np.float32)

    def _frame(self, frame: int) -> _Small:
        if frame not in self._small:
            size = self._size[::-1]
            rgb = cv2.resize(self._shot.rgb(frame), size, interpolation=cv2.INTER_AREA)
            share = cv2.resize(self._shot.mask(frame).astype(np.float32), size, interpolation=cv2.INTER_AREA)
            grown = cv2.dilate((share > 0).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
            self._small[frame] = _Small(np.asarray(rgb, np.float16), np.asarray(grown, np.bool_))
            while len(self._small) > _HELD:
                self._small.popitem(last=False)
        self._small.move_to_end(frame)
        return self._small[frame]

    def _reach(self, own: Mask) -> Box:
        """Where the shadow of an object may lie."""
        box = bounding_box(own)
        assert box is not None
        return box.grown(round(_REACH * max(box.size)), self._size)


def _foot(own: Mask) -> tuple[float, float]:
    """Where an object stands: the middle of its columns, its lowest row."""
    rows, columns = np.nonzero(own)
    return float(columns.mean()), float(rows.max())


def _touching(shade: Mask, own: Mask) -> Mask:
    """The parts of a shade that lie against the object."""
    opened = cv2.morphologyEx(shade.astype(np.uint8), cv2.MORPH_OPEN, np.ones((_OPEN_PX, _OPEN_PX), np.uint8))
    closed = cv2.morphologyEx(opened, cv2.MORPH_CLOSE, np.ones((_CLOSE_PX, _CLOSE_PX), np.uint8))
    side = 2 * _TOUCH_PX + 1
    near = cv2.dilate(own.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    _, parts = cv2.connectedComponents(closed, connectivity=8)
    touching = np.setdiff1d(np.unique(parts[near]), [0])
    return np.asarray(np.isin(parts, touching) & ~own, np.bool_)
