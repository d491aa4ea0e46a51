"""A picture to draw on, larger than it will be shown so that edges come out smooth."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Color = tuple[float, float, float]

OVERSAMPLING = 2
_SHIFT = 4


class Canvas:
    """A picture in units of the final pixels, drawn ``OVERSAMPLING`` times larger.

    Args:
        size: (height, width) in final pixels.
        color: RGB in [0, 1].

    Attributes:
        rgb: float32 [H * OVERSAMPLING, W * OVERSAMPLING, 3] in [0, 1], display-referred.
        alpha: float32 [H * OVERSAMPLING, W * OVERSAMPLING], 1 where something was drawn.
    """

    def __init__(self, size: tuple[int, int], color: Color = (0, 0, 0), *, opaque: bool = True) -> None:
        height, width = (length * OVERSAMPLING for length in size)
        self.size = size
        self.rgb: Picture = np.full((height, width, 3), color, np.float32)
        self.alpha: Picture = np.full((height, width), float(opaque), np.float32)

    def rectangle(self, x0: float, y0: float, x1: float, y1: float, color: Color) -> None:
        """Fills a rectangle."""
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)

    def polygon(self, points: Sequence[tuple[float, float]], color: Color) -> None:
        """Fills a polygon."""
        fixed = np.rint(np.array(points) * OVERSAMPLING * (1 << _SHIFT) - (1 << _SHIFT) / 2).astype(np.int32)
        cv2.fillPoly(self.rgb, [fixed], color, cv2.LINE_8, _SHIFT)
        cv2.fillPoly(self.alpha, [fixed], 1.0, cv2.LINE_8, _SHIFT)

    def ellipse(self, x: float, y: float, radius_x: float, radius_y: float, color: Color, turn: float = 0.0) -> None:
        """Fills an ellipse, turned by so many degrees."""
        arc = np.linspace(0, 2 * np.pi, 40, endpoint=False)
        across, down = radius_x * np.cos(arc), radius_y * np.sin(arc)
        cos, sin = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        ring = zip(x + across * cos - down * sin, y + across * sin + down * cos, strict=True)
        self.polygon([(float(a), float(b)) for a, b in ring], color)

    def line(self, start: tuple[float, float], end: tuple[float, float], width: float, color: Color) -> None:
        """Draws a line with round ends."""
        (x0, y0), (x1, y1) = start, end
        length = max(1e-6, float(np.hypot(x1 - x0, y1 - y0)))
        nx, ny = -(y1 - y0) / length * width / 2, (x1 - x0) / length * width / 2
        self.polygon([(x0 + nx, y0 + ny), (x1 + nx, y1 + ny), (x1 - nx, y1 - ny), (x0 - nx, y0 - ny)], color)
        for x, y in (start, end):
            self.ellipse(x, y, width / 2, width / 2, color)

    def shade(self, x0: float, y0: float, x1: float, y1: float, top: float, bottom: float) -> None:
        """Multiplies a rectangle by a ramp from top to bottom."""
        rows, columns = self._slice(y0, y1), self._slice(x0, x1)
        part = self.rgb[rows, columns]
        part *= np.linspace(top, bottom, part.shape[0], dtype=np.float32)[:, None, None]

    def texture(self, x0: float, y0: float, x1: float, y1: float, amount: float, rng: np.random.Generator) -> None:
        """Multiplies a rectangle by soft speckle of two grain sizes."""
        rows, columns = self._slice(y0, y1), self._slice(x0, x1)
        part = self.rgb[rows, columns]
        speckle = np.zeros(part.shape[:2], np.float32)
        for grain_px, share in ((2.5, 0.55), (9.0, 0.45)):
            noise = rng.standard_normal(part.shape[:2]).astype(np.float32)
            soft = cv2.GaussianBlur(noise, (0, 0), grain_px * OVERSAMPLING / 2)
            speckle += share * soft / max(1e-6, float(soft.std()))
        part *= 1 + amount * speckle[..., None]

    def _slice(self, start: float, stop: float) -> slice:
        return slice(max(0, round(start * OVERSAMPLING)), max(0, round(stop * OVERSAMPLING)))


def tinted(color: Color, factor: float) -> Color:
    """A colour made lighter or darker."""
    red, green, blue = (min(1.0, channel * factor) for channel in color)
    return red, green, blue
