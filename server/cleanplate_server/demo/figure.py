"""Somebody drawn at one moment, and the shadow that goes with them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate_server.demo.canvas import OVERSAMPLING, Canvas, Picture

_SHADOW_DEPTH = 0.66
_SHADOW_SOFT_PX = 0.8
_BODY_SOFT_PX = 0.45


@dataclass(frozen=True)
class Figure:
    """A figure, ``OVERSAMPLING`` times larger than shown.

    Args:
        rgb: float32 [h, w, 3] in [0, 1].
        alpha: float32 [h, w]: the body.
        shade: float32 [h, w]: what the shadow takes away, 0 none.
    """

    rgb: Picture
    alpha: Picture
    shade: Picture

    @property
    def shadow(self) -> Picture:
        """float32 [h, w] in [0, 1]: 1 where the shadow is whole."""
        return np.asarray(self.shade / _SHADOW_DEPTH, np.float32)


def finish(canvas: Canvas, *, ground: float, lean: float, drop: float) -> Figure:
    """Softens what was drawn and gives it a shadow.

    Args:
        canvas: the body.
        ground: row that it stands on, in final pixels.
        lean: how far the shadow goes to the right for each pixel of height.
        drop: how far it comes down for each pixel of height.
    """
    alpha, rgb = _soft(canvas.alpha, _BODY_SOFT_PX), _soft(canvas.rgb, _BODY_SOFT_PX)
    row = ground * OVERSAMPLING
    lay = np.array([[1, -lean, lean * row], [0, -drop, (1 + drop) * row]], np.float32)
    silhouette = cv2.warpAffine(alpha, lay, alpha.shape[::-1], flags=cv2.INTER_LINEAR)
    soft = _soft(np.asarray(silhouette, np.float32), _SHADOW_SOFT_PX)
    return Figure(rgb, alpha, np.asarray(np.minimum(soft, 1) * _SHADOW_DEPTH, np.float32))


def _soft(picture: Picture, radius_px: float) -> Picture:
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), radius_px * OVERSAMPLING), np.float32)
