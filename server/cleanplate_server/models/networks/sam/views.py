"""What the engines ask of a network of the family, whatever its generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Mask

Logits = NDArray[np.float32]
"""float32 [side, side], the network's own small form of a mask: above 0 is object."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What was said of an object, in the pixels of one view.

    Args:
        places: float64 [N, 2], x and y.
        sides: int64 [N], 1 inside the object, 0 outside.
        box: float64 [4]: x0, y0, x1, y1; or None.
        logits: an earlier mask; or None.
    """

    places: NDArray[np.float64]
    sides: NDArray[np.int64]
    box: NDArray[np.float64] | None = None
    logits: Logits | None = None

    @property
    def is_clear(self) -> bool:
        """Whether one thing must be meant; a single click may mean the part or the whole."""
        return len(self.places) > 1 or self.box is not None or self.logits is not None


@dataclass(frozen=True, eq=False)
class Answer:
    """A mask bool [H, W] of the view's size, the network's own score of it in [0, 1], and its small form."""

    mask: Mask
    score: float
    logits: Logits


class View(Protocol):
    """A picture that a network has looked at; further questions cost milliseconds."""

    @property
    def byte_count(self) -> int:
        """What it holds on the device."""

    def answer(self, evidence: Evidence) -> list[Answer]:
        """Answers, the best first; where one thing must be meant, that one and then three that differ in extent."""

    def shrink(self, mask: Mask) -> Logits:
        """The small form of a mask, bool [H, W] of the view's size, that the network did not make itself."""


class ViewingNetwork(Protocol):
    """A network with its weights, on its device."""

    @property
    def input_px(self) -> int:
        """Side of the square that it sees; larger pictures lose detail."""

    def look(self, picture: NDArray[np.uint8]) -> View:
        """Looks at a picture once: uint8 [H, W, 3] RGB."""


def enlarge(logits: Logits, size: tuple[int, int]) -> Mask:
    """The mask bool [height, width] of logits float32 [h, w]; on the CPU, where large pictures hinder nobody."""
    return np.asarray(cv2.resize(logits, size[::-1], interpolation=cv2.INTER_LINEAR) > 0, np.bool_)
