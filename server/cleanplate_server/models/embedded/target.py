"""A hole with its surroundings, as the sources that may fill it are compared with it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.camera import Homography, move_places
from cleanplate_server.models.embedded.fields import (
    Choice,
    Places,
    Weight,
    choice,
    gray,
    halve,
    lattice,
)
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask, MaskedFrames

_RIM_PX = 24
_PARTS = 8
_ROUGHNESS = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32) / 6
"""Of the standard deviation of white noise."""
_FROM_MEDIAN = 1.4826


@dataclass(frozen=True)
class Target:
    """A frame's hole and its surroundings, at the scale that sources are compared at.

    Args:
        frame: frame number.
        box: in full pixels, the hole and its surroundings.
        scale: working pixels for one full pixel, about; at most 1, see ``working_scale``.
        rgb: float32 [h, w, 3].
        hole: bool [h, w].
        known: bool [h, w], far enough outside the hole to be believed.
        near: float32 [h, w] in [0, 1], 1 at the hole, falling off with distance: weighs motion.
        rim: the same, falling off sooner: weighs colour.
    """

    frame: int
    box: Box
    scale: float
    rgb: RGB
    hole: Mask
    known: Mask
    near: Luma
    rim: Luma

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in working pixels."""
        return self.hole.shape[0], self.hole.shape[1]

    @cached_property
    def luma(self) -> Luma:
        """float32 [h, w]."""
        return gray(self.rgb)

    @cached_property
    def chosen(self) -> Choice:
        """Where it is known."""
        return choice(self.known)

    @cached_property
    def near_halved(self) -> Weight:
        """``near`` at half size, as motions are."""
        return halve(self.near)

    @cached_property
    def grain(self) -> float:
        """Standard deviation of the plate's noise at working scale, or more where all is texture.

        After Immerkaer, "Fast noise variance estimation", 1996, with a median that edges do not move.
        """
        rough = np.abs(cv2.filter2D(self.luma, cv2.CV_32F, _ROUGHNESS))[self.known]
        return float(np.median(rough)) * _FROM_MEDIAN if len(rough) else 0.0

    @cached_property
    def step(self) -> NDArray[np.float32]:
        """float32 [2]: full pixels in one working pixel, (x, y)."""
        height, width = self.size
        return np.array([self.box.size[1] / width, self.box.size[0] / height], np.float32)

    @cached_property
    def to_full(self) -> Homography:
        """Takes working pixels to full ones."""
        sx, sy = (float(side) for side in self.step)
        return np.array([[sx, 0, self.box.x0 + sx / 2 - 0.5], [0, sy, self.box.y0 + sy / 2 - 0.5], [0, 0, 1]])

    @property
    def lattice(self) -> Places:
        """Column and row of each working pixel."""
        return lattice(*self.size)

    @cached_property
    def inner(self) -> tuple[slice, slice]:
        """Rows and columns of the hole and the rim that colours are compared on."""
        rows, columns = np.nonzero(self.hole)
        top, left = max(0, int(rows.min()) - _RIM_PX), max(0, int(columns.min()) - _RIM_PX)
        return slice(top, int(rows.max()) + 1 + _RIM_PX), slice(left, int(columns.max()) + 1 + _RIM_PX)

    def working(self, places: Places) -> Places:
        """Takes full pixels to working pixels of ``inner``."""
        back = np.asarray(np.linalg.inv(self.to_full), np.float64)
        back[:2, 2] -= self.inner[1].start, self.inner[0].start
        return move_places(back, places)


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
    box = tight.grown(margin, shot.size)
    scale = _working_scale(min(1.0, largest_px / max(box.size)))
    height, width = (max(1, round(side * scale)) for side in box.size)
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
        rgb=np.asarray(cv2.resize(shot.rgb(frame, box), (width, height), interpolation=cv2.INTER_AREA), np.float32),
        hole=hole,
        known=~grown,
        near=np.exp(-away / 30).astype(np.float32),
        rim=np.exp(-away / 16).astype(np.float32),
    )


def _working_scale(scale: float) -> float:
    """The nearest of the scales that tiles of a frame are whole pixels at, so that neighbouring holes share them."""
    parts = _PARTS * 2.0 ** math.floor(-math.log2(scale))
    return max(_PARTS // 2, round(scale * parts)) / parts
