"""A shot that takes no memory, for measurements."""

from __future__ import annotations

import numpy as np
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask


class MovingShot:
    """A shot that is made as it is asked for: a smooth picture that pans, and a round hole that crosses it."""

    def __init__(self, size: tuple[int, int], hole_px: int, *, count: int) -> None:
        self.size = size
        self.frames = range(count)
        self._hole_px = hole_px

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        part = box or Box(0, 0, self.size[1], self.size[0])
        y, x = np.mgrid[part.slices].astype(np.float32)
        x += 3 * frame
        planes = [0.5 + 0.2 * np.sin(x / a) * np.cos(y / b) for a, b in ((37, 53), (11, 71), (23, 17))]
        return np.stack(planes, -1).astype(np.float32)

    def luma(self, frame: int) -> Luma:
        return np.asarray(self.rgb(frame).mean(2), np.float32)

    def mask(self, frame: int) -> Mask:
        box, hole = self.hole_box(frame), np.zeros(self.size, np.bool_)
        y, x = np.mgrid[box.slices]
        radius = self._hole_px / 2
        hole[box.slices] = (y - box.y0 - radius) ** 2 + (x - box.x0 - radius) ** 2 < radius**2
        return hole

    def hole_box(self, frame: int) -> Box:
        left = (self.size[1] - self._hole_px) // 2 + 6 * (frame - len(self.frames) // 2)
        top = (self.size[0] - self._hole_px) // 2
        return Box(left, top, left + self._hole_px, top + self._hole_px)
