"""What the demo's shots have in common: size, rate, what a frame holds, and what a person would point at."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.demo.canvas import Picture

SIZE = (540, 960)
RATE = Fraction(24000, 1001)
FRAME_COUNT = 48

_GRAIN = 0.004


@dataclass(frozen=True)
class ShotFrame:
    """One frame with its answer.

    Args:
        plate: float32 [H, W, 3] RGB in [0, 1], BT.709 as displayed.
        truth: the same without the object and its shadow; every other pixel is equal.
        body: bool [H, W]: what is seen of the object.
        shadow: bool [H, W]: the shadow, where it takes at least a quarter of its depth.
    """

    plate: Picture
    truth: Picture
    body: NDArray[np.bool_]
    shadow: NDArray[np.bool_]

    @property
    def object(self) -> NDArray[np.bool_]:
        """bool [H, W]: object and shadow, which is what must go."""
        return self.body | self.shadow


@dataclass(frozen=True)
class Pointing:
    """What a person would do for one thing; all places are relative to the object's foot, in pixels as drawn."""

    click: tuple[float, float]
    box: tuple[float, float, float, float]


class Shot(Protocol):
    """Renders a shot of ``FRAME_COUNT`` frames, the same on every run."""

    @property
    def name(self) -> str:
        """As ``--shot`` takes it."""

    @property
    def telling(self) -> str:
        """What is drawn, for a sentence."""

    @property
    def subject(self) -> str:
        """What is to be removed, for a sentence."""

    @property
    def prompt_frames(self) -> tuple[int, ...]:
        """The frames that a person would point at."""

    @property
    def pointings(self) -> tuple[Pointing, ...]:
        """One for each thing: the object, its shadow."""

    def frame(self, number: int) -> ShotFrame:
        """Renders one frame."""

    def on_screen(self, number: int, x: float, y: float) -> tuple[float, float]:
        """Where a point relative to the object's foot is seen in the frame, in pixels."""


def seen_from(picture: Picture, view: NDArray[np.float64]) -> Picture:
    """Draws a picture into a frame.

    Args:
        picture: float32 [h, w] or [h, w, c].
        view: 3x3, from the picture's pixels to the frame's.
    """
    size = SIZE[1], SIZE[0]
    if np.array_equal(view[2], (0, 0, 1)):
        return np.asarray(cv2.warpAffine(picture, view[:2], size, flags=cv2.INTER_LINEAR), np.float32)
    return np.asarray(cv2.warpPerspective(picture, view, size, flags=cv2.INTER_LINEAR), np.float32)


def grain(number: int) -> Picture:
    """The film's grain in a frame: float32 [H, W, 3]."""
    noise = np.random.default_rng(number).standard_normal((*SIZE, 3)).astype(np.float32)
    return np.asarray(noise * np.float32(_GRAIN), np.float32)
