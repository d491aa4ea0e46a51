"""A fill that meets the picture around it: what its colours drift by at the rim is taken from the whole of it.

Networks are off by some code values, and each window by others. The difference at the rim goes on smoothly through the
hole and is added, so that gradients inside stay the network's and no edge is left (Perez, Gangnet, Blake: Poisson
Image Editing, 2003, as the membrane form of it). A network that meets the rim is left alone.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate_server.models.embedded.completion import spread
from cleanplate_server.models.protocols import RGB, Mask

RIM_PX = 12
"""How far around a hole, in pixels that the network saw, the picture and the fill are compared."""

_TINTED_PX = 2.0
"""So near a hole the object's colour is in the plate, where several pixels share one chroma sample."""
_LARGEST_DRIFT = 0.15
"""Of the range: what is farther off is another thing in the picture, and no drift."""
_SMOOTHING_PX = 3.0


def meet_rim(fill: RGB, plate: RGB, hole: Mask, *, scale: float) -> RGB:
    """Corrects the colours of a fill by what it is off at the rim.

    Args:
        fill: float32 [h, w, 3], what a network made, also around the hole.
        plate: float32 [h, w, 3] of the same box; not looked at inside the hole.
        hole: bool [h, w].
        scale: how many pixels stand for one that the network saw.

    Returns:
        float32 [h, w, 3]; as good as the fill where no rim is in the box.
    """
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    rim = (away > _TINTED_PX) & (away <= RIM_PX * scale) & np.isfinite(plate).all(axis=2)
    off = np.where(rim[..., None], np.clip(plate - fill, -_LARGEST_DRIFT, _LARGEST_DRIFT), 0).astype(np.float32)
    if not rim.any() or not off.any():
        return fill
    # the nearest rows of the rim say most of what the eye sees as an edge
    weight = np.where(rim, np.exp(-away / (RIM_PX * scale / 2)), 0).astype(np.float32)
    return np.asarray(fill + spread(off, weight, sigma_px=_SMOOTHING_PX * scale, keep=2), np.float32)
