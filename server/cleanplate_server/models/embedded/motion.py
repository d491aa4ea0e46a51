"""Which motion is the camera's, which is an object's, and which pixel goes with which."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Flow, Mask

Picture = NDArray[np.float32]

_GRID_PX = 8
_LEAST_POINTS = 24
_AGREEMENT_PX = 1.0
_NOISE_PX = 0.7
_TELLING_PX = 2.0
"""How far an object's motion must be from the background's for a pixel's motion to tell them apart."""
_STRONGEST = 3.0


def camera_motion(motion: Flow, free: Mask) -> Flow:
    """Fits the plane motion that most of the background shares.

    Args:
        motion: float32 [h, w, 2], from this frame to the one before.
        free: bool [h, w], True where no object is expected.

    Returns:
        float32 [h, w, 2], the same for every pixel's background; the median shift where too little can be seen.
    """
    height, width = free.shape
    rows, columns = np.mgrid[_GRID_PX // 2 : height : _GRID_PX, _GRID_PX // 2 : width : _GRID_PX]
    usable = free[rows, columns]
    rows, columns = rows[usable], columns[usable]
    here = np.column_stack([columns, rows]).astype(np.float32)
    if len(here) < _LEAST_POINTS:
        return np.zeros_like(motion)
    there = here + motion[rows, columns]
    model, _ = cv2.findHomography(here, there, cv2.RANSAC, _AGREEMENT_PX)
    if model is None:
        return np.broadcast_to(np.median(there - here, axis=0).astype(np.float32), motion.shape)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([x, y], -1)
    return np.asarray(cv2.perspectiveTransform(places, model) - places, np.float32)


def local_motion(motion: Flow, weight: Picture, *, radius_px: int, otherwise: Flow) -> Flow:
    """Averages motion over the weighted pixels near each pixel.

    Args:
        motion, otherwise: float32 [h, w, 2]; ``otherwise`` counts where hardly a weighted pixel is near.
        weight: float32 [h, w].
        radius_px: how far "near" goes.
    """
    size = (2 * radius_px + 1, 2 * radius_px + 1)
    total = np.asarray(cv2.blur(motion * weight[..., None], size, borderType=cv2.BORDER_CONSTANT), np.float32)
    mass = np.asarray(cv2.blur(weight, size, borderType=cv2.BORDER_CONSTANT), np.float32)[..., None]
    least = np.float32(2e-2)
    return np.asarray((total + least * otherwise) / (mass + least), np.float32)


def motion_evidence(motion: Flow, *, own: Flow, backgrounds: tuple[Flow, ...]) -> Picture:
    """Says for each pixel how surely it belongs to the background because it moves as that does.

    Only where the object as a whole moves otherwise does this mean anything; a limb that moves in its own way is no
    sign of background.

    Args:
        motion, own, backgrounds: float32 [h, w, 2].

    Returns:
        float32 [h, w] log odds of the object, from a bound below 0 to 0.
    """
    from_rest = np.min([np.linalg.norm(motion - b, axis=-1) for b in backgrounds], axis=0)
    apart = np.min([np.linalg.norm(own - b, axis=-1) for b in backgrounds], axis=0)
    alike = np.exp(np.float32(-0.5) * np.square(from_rest / _NOISE_PX))
    telling = np.clip(apart / _TELLING_PX - np.float32(0.5), 0.0, 1.0)
    return np.asarray(-_STRONGEST * alike * telling, np.float32)
