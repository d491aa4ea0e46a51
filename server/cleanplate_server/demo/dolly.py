"""A camera on a slider: it goes sideways and a little forward, and every plane in the picture moves by its depth.

Places are in metres: x to the right, height above the ground, z away from where the camera starts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.demo.canvas import OVERSAMPLING
from cleanplate_server.demo.shot import FRAME_COUNT, SIZE

_FOCAL_PX = 900.0
_CENTRE = (480.0, 250.0)
_EYE_HEIGHT = 1.6
_SIDEWAYS, _FORWARD = (-1.0, 1.0), (0.0, 0.6)
MARGIN_TOP = 40.0
"""Pixels above the picture that planes are drawn for."""

View = NDArray[np.float64]
"""3x3, from pixels to pixels."""


@dataclass(frozen=True)
class Camera:
    """Where the camera stands; it looks along z."""

    x: float
    z: float

    def project(self, x: float, height: float, z: float) -> tuple[float, float]:
        """Where a place is seen, in pixels of the picture."""
        scale = self.scale(z)
        return _CENTRE[0] + scale * (x - self.x), _CENTRE[1] + scale * (_EYE_HEIGHT - height)

    def scale(self, z: float) -> float:
        """Pixels for one metre at a depth."""
        return _FOCAL_PX / (z - self.z)


MIDDLE = Camera(0.0, 0.3)
"""The middle of the way, from which everything is drawn."""


@dataclass(frozen=True)
class Plane:
    """Something flat, drawn as it is seen from the middle of the way.

    Args:
        margin: pixels at each side that come into the picture on the way.
        depth: of something upright; None is the ground.
    """

    margin: float
    depth: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the canvas that it is drawn on, in final pixels."""
        return round(SIZE[0] + 2 * MARGIN_TOP), round(SIZE[1] + 2 * self.margin)

    def at(self, x: float, height: float, z: float | None = None) -> tuple[float, float]:
        """Where a place is on the canvas, in final pixels; only places on the ground need ``z``."""
        depth = self.depth if z is None else z
        assert depth is not None
        u, v = MIDDLE.project(x, height, depth)
        return u + self.margin, v + MARGIN_TOP

    def seen(self, number: int) -> View:
        """From the enlarged canvas to a frame."""
        camera = camera_at(number)
        places = [(-2.0, 0.0, 12.0), (2.0, 0.0, 12.0), (-1.5, 0.0, 6.0), (1.5, 0.0, 6.0)]
        if self.depth is not None:
            places = [(x, height, self.depth) for x, height in ((-1.0, 0.0), (1.0, 0.0), (-1.0, 1.0), (1.0, 1.0))]
        drawn = np.array([self.at(*place) for place in places], np.float32) * OVERSAMPLING
        shown = np.array([camera.project(*place) for place in places], np.float32)
        moved = cv2.getPerspectiveTransform(drawn, shown)
        if self.depth is not None:
            moved[2] = 0, 0, 1  # nothing upright is tilted; what is there is rounding
        return shake(number) @ moved


def camera_at(number: int) -> Camera:
    """The camera at a frame; it starts and stops softly."""
    time = number / (FRAME_COUNT - 1)
    way = time - 0.06 * float(np.sin(2 * np.pi * time))
    return Camera(_SIDEWAYS[0] + (_SIDEWAYS[1] - _SIDEWAYS[0]) * way, _FORWARD[0] + (_FORWARD[1] - _FORWARD[0]) * way)


def shake(number: int) -> View:
    """What the slider's rattle does to the whole picture."""
    turn = np.radians(0.12 * np.sin(number * 0.7))
    cos, sin = np.cos(turn), np.sin(turn)
    x, y = SIZE[1] / 2, SIZE[0] / 2
    about = np.array([[cos, -sin, x - cos * x + sin * y], [sin, cos, y - sin * x - cos * y], [0, 0, 1]])
    shift = np.array([[1, 0, 0.6 * np.sin(number * 1.7)], [0, 1, 0.9 * np.sin(number * 1.1)], [0, 0, 1]])
    return np.asarray(shift @ about, np.float64)
