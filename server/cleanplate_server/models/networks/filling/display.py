"""Between the plate's own levels and what networks were trained on: pictures for a screen, from 0 to 1.

Engines get RGB in the media's own transfer and are not told which one that is, and tags are often missing or wrong. So
the levels themselves decide, once for a shot: pictures that use the range from 0 to 1 as screens do stay as they are,
or are squeezed a little where they overshoot it; flat ones (log) are stretched; those whose levels crowd far below
their highlights (scene-linear light) are bent as well. PQ and HLG are made for the eye and need no bend. The curve is
one for R, G and B, so that grey stays grey; it rises everywhere and has a closed inverse, so that what comes back is in
the plate's own levels, however fine these are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import RGB

_SCREEN = (-0.1, 1.1)
"""Video overshoots black and white by 7 and 9 %."""
_OVERSHOOT_ROOM = 0.02
"""Left beyond an overshoot, which is otherwise clipped."""
_FULL_SPAN = 0.6
"""A picture that spans so much has the contrast of a screen's."""
_LEAST_SPAN = 0.5
"""Stretched no more than to this, so that a dark or flat picture does not become all noise."""
_ENDS = (0.01, 99.99)
"""Percentiles: single hot pixels are no highlights."""
_ROOM = 0.1
"""Share of the span left at both ends, since only some pixels are looked at and what lies beyond is clipped."""
_DARKEST_MEDIAN = 0.12
"""Of light that goes beyond a screen's white, a median below this share of the highlights is far too dark to see."""
_MEDIAN = 0.3
_STRONGEST = 1e6


@dataclass(frozen=True)
class DisplayCurve:
    """``log(1 + bend * u) / log(1 + bend)`` of ``u = (level - black) / (white - black)``; a straight line for bend 0.

    Below black it goes on straight, with the slope that it has there. The defaults change nothing.

    Args:
        black, white: levels that are shown as 0 and 1.
        bend: 0 or more.
    """

    black: float = 0.0
    white: float = 1.0
    bend: float = 0.0

    @property
    def is_plain(self) -> bool:
        """Whether levels are shown as they are."""
        return self == DisplayCurve()

    def show(self, rgb: RGB) -> RGB:
        """Levels [..., 3] to the screen's, not clipped."""
        if self.is_plain:
            return rgb
        unit = (rgb.astype(np.float64) - self.black) / (self.white - self.black)
        if self.bend:
            risen = np.log1p(self.bend * np.maximum(unit, 0)) + self.bend * np.minimum(unit, 0)
            unit = risen / math.log1p(self.bend)
        return unit.astype(np.float32)

    def restore(self, shown: RGB) -> RGB:
        """Undoes ``show``."""
        if self.is_plain:
            return shown
        unit = shown.astype(np.float64)
        if self.bend:
            grown = unit * math.log1p(self.bend)
            unit = (np.expm1(np.maximum(grown, 0)) + np.minimum(grown, 0)) / self.bend
        return (self.black + unit * (self.white - self.black)).astype(np.float32)


def fit_curve(levels: NDArray[np.float32]) -> DisplayCurve:
    """Chooses the curve for a shot.

    Args:
        levels: float32 [n, 3], some of its known pixels; what is not finite does not count.
    """
    finite = levels[np.isfinite(levels).all(axis=1)]
    if not finite.size:
        return DisplayCurve()
    low, high = (float(end) for end in np.percentile(finite, _ENDS))
    if low >= _SCREEN[0] and high <= _SCREEN[1] and high - low >= _FULL_SPAN:
        return _around_screen(low, high)
    room = _ROOM * (high - low) + max(0.0, _LEAST_SPAN - (high - low)) / 2
    black, white = low - room, high + room
    if low >= 0 and high <= 1:  # nominal black and white are ends enough for what lies between them
        shift = max(0.0, -black) - max(0.0, white - 1)
        black, white = max(0.0, black + shift), min(1.0, white + shift)
    bent = high > _SCREEN[1]
    return DisplayCurve(black, white, _bend((float(np.median(finite)) - black) / (white - black)) if bent else 0.0)


def _around_screen(low: float, high: float) -> DisplayCurve:
    """The levels of a screen as they are, squeezed a little where some lie beyond its black or white."""
    black = 0.0 if low >= 0 else low - _OVERSHOOT_ROOM
    white = 1.0 if high <= 1 else high + _OVERSHOOT_ROOM
    return DisplayCurve(black, white)


def _bend(median: float) -> float:
    """The bend that brings a median far too dark for a screen to an ordinary one; 0 for others."""
    if median >= _DARKEST_MEDIAN:
        return 0.0
    weak, strong = 1e-3, _STRONGEST
    for _ in range(60):
        bend = math.sqrt(weak * strong)
        if math.log1p(bend * max(median, 0.0)) / math.log1p(bend) < _MEDIAN:
            weak = bend
        else:
            strong = bend
    return bend
