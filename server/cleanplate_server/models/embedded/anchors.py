"""Invented background that stays put: made once on a frame and carried to the others by the camera's motion."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from cleanplate_server.models.embedded.camera import Homography, move_places
from cleanplate_server.models.embedded.completion import spread
from cleanplate_server.models.embedded.fields import lattice, take
from cleanplate_server.models.protocols import RGB, Box, Mask, MaskedFrames

_SPAN = 120
_FILE = "anchor-{:06d}.npz"


@dataclass(frozen=True)
class Anchor:
    """A filled piece of one frame.

    Args:
        frame: frame number.
        box: where it lies.
        rgb: float32 [h, w, 3], filled throughout.
    """

    frame: int
    box: Box
    rgb: RGB

    def save(self, folder: Path) -> None:
        """Writes beside the target and renames, so that a killed pass leaves no half file."""
        path = folder / _FILE.format(self.frame)
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(file, box=np.array([self.box.x0, self.box.y0, self.box.x1, self.box.y1]), rgb=self.rgb)
        part.replace(path)

    @classmethod
    def load(cls, folder: Path, frame: int) -> Anchor | None:
        path = folder / _FILE.format(frame)
        if not path.exists():
            return None
        with np.load(path, allow_pickle=False) as kept:
            return cls(frame, Box(*(int(side) for side in kept["box"])), kept["rgb"])


def anchor_frame(shot: MaskedFrames, frame: int) -> int:
    """The frame with a hole that lies nearest to the middle of this frame's stretch of the shot."""
    start = frame - (frame - shot.frames.start) % _SPAN
    stretch = range(start, min(start + _SPAN, shot.frames.stop))
    middle = stretch.start + len(stretch) // 2
    for candidate in sorted(stretch, key=lambda other: (abs(other - middle), other)):
        if shot.hole_box(candidate) is not None:
            return candidate
    return frame


def carry(anchor: Anchor, motion: Homography, *, box: Box, rgb: RGB, wanted: Mask) -> tuple[RGB, Mask]:
    """Takes wanted pixels from an anchor, their colour fitted to what lies around them.

    Args:
        anchor: the filled piece.
        motion: from the frame's pixels to the anchor's.
        box: of the frame.
        rgb: float32 [h, w, 3] of the box, good where nothing is wanted.
        wanted: bool [h, w].

    Returns:
        float32 [h, w, 3], and bool [h, w], the wanted pixels that the anchor could not give.
    """
    here = lattice(*box.size) + np.array([box.x0, box.y0], np.float32)
    there = move_places(motion, here) - np.array([anchor.box.x0, anchor.box.y0], np.float32)
    height, width = anchor.rgb.shape[:2]
    inside = ((there >= -0.5) & (there <= (width - 0.5, height - 0.5))).all(-1)
    moved = np.asarray(take(anchor.rgb, there, cv2.INTER_CUBIC, beyond=cv2.BORDER_REPLICATE), np.float32)
    around = (inside & ~wanted).astype(np.float32)
    if around.any():
        moved = moved + spread(np.clip(rgb - moved, -0.12, 0.12), around, sigma_px=4)
    taken = wanted & inside
    return np.where(taken[..., None], moved, rgb).astype(np.float32), wanted & ~inside
