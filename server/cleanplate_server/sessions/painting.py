"""The brush and the eraser: lines painted onto a mask exactly."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import cv2
import numpy as np

from cleanplate_server.models.protocols import Mask, Stroke

_FRACTION_BITS = 4
"""OpenCV draws at sixteenths of a pixel."""


def paint(mask: Mask, strokes: Iterable[Stroke]) -> Mask:
    """Adds and erases brush lines in order.

    Args:
        mask: bool [H, W]; stays as it is.
        strokes: in pixels of the mask.

    Returns:
        bool [H, W].
    """
    codes = mask.astype(np.uint8)
    for stroke in strokes:
        value = 1 if stroke.inside else 0
        radius = max(1, round(stroke.radius_px * (1 << _FRACTION_BITS)))
        places = [(round(x * (1 << _FRACTION_BITS)), round(y * (1 << _FRACTION_BITS))) for x, y in stroke.points]
        for place in places:
            cv2.circle(codes, place, radius, value, cv2.FILLED, shift=_FRACTION_BITS)
        thickness = max(1, round(2 * stroke.radius_px))
        for a, b in pairwise(places):
            cv2.line(codes, a, b, value, thickness, shift=_FRACTION_BITS)
    return np.asarray(codes > 0, np.bool_)
