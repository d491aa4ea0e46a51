"""How the background moves from one frame to the next, measured outside the holes alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.fields import Places, to_bytes
from cleanplate_server.models.protocols import Luma, Mask

Homography = NDArray[np.float64]
"""float64 [3, 3]: takes a point (x, y, 1) in pixels of one frame to its place in another."""

Gray = NDArray[np.uint8]

WORKING_HEIGHT = 360
_GROW_PX = 7
_POINT_COUNT = 600
_LEAST_POINTS = 12
_RANSAC_PX = 1.0
_RETURN_PX = 0.7
_WINDOW = (15, 15)
"""Points on the horizon go far away instead of nowhere."""


def shrink(luma: Luma, hole: Mask) -> tuple[Gray, Mask]:
    """Makes the small pictures that motion is measured on.

    Args:
        luma: float32 [H, W], nominal 0 to 1.
        hole: bool [H, W].

    Returns:
        uint8 [h, w] and bool [h, w] with h at most ``WORKING_HEIGHT``; the hole is grown by a few pixels.
    """
    height, width = luma.shape
    scale = min(1.0, WORKING_HEIGHT / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    cover = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    grown = cv2.dilate(cover.astype(np.uint8), np.ones((2 * _GROW_PX + 1,) * 2, np.uint8)) > 0
    # what lies above white is kept by scaling it down
    white = max(1.0, float(np.percentile(small, 99.5))) if small.max() > 1 else 1.0
    return to_bytes(np.asarray(small, np.float32), white), grown


def frame_motion(previous: Gray, current: Gray, *, previous_hole: Mask, current_hole: Mask) -> Homography:
    """Measures the background's motion between neighbouring frames.

    Corners outside the hole are followed there and back (pyramidal Lucas-Kanade, Bouguet 2000), and the plane that
    most of them agree on is taken (RANSAC). Where too little can be followed the motion is a shift, or none.

    Args:
        previous, current: uint8 [h, w].
        previous_hole, current_hole: bool [h, w], already grown.

    Returns:
        float64 [3, 3] from the previous frame's pixels to the current one's.
    """
    free = np.where(previous_hole, 0, 255).astype(np.uint8)
    if min(previous.shape) < 2 * _WINDOW[0]:
        return np.eye(3)
    corners = cv2.goodFeaturesToTrack(previous, _POINT_COUNT, 0.005, 6, mask=free)
    if corners is None or len(corners) < _LEAST_POINTS:
        return np.eye(3)
    start = np.asarray(corners, np.float32).reshape(-1, 2)
    there = _follow(previous, current, start)
    back = _follow(current, previous, there)
    height, width = previous.shape
    place = np.rint(there).astype(np.intp)
    inside = (place >= 0).all(1) & (place < (width, height)).all(1)
    column, row = np.clip(place, 0, (width - 1, height - 1)).T
    good = inside & ~current_hole[row, column] & (np.hypot(*(back - start).T) < _RETURN_PX)
    return _fit(start[good].astype(np.float64), there[good].astype(np.float64), (height, width))


def _follow(source: Gray, target: Gray, points: NDArray[np.float32]) -> NDArray[np.float32]:
    moved, _, _ = cv2.calcOpticalFlowPyrLK(source, target, points, points.copy(), winSize=_WINDOW, maxLevel=4)
    return np.asarray(moved, np.float32)


def _fit(start: NDArray[np.float64], end: NDArray[np.float64], size: tuple[int, int]) -> Homography:
    if len(start) < _LEAST_POINTS:
        return np.eye(3)
    cv2.setRNGSeed(1)
    found, agree = cv2.findHomography(start, end, cv2.RANSAC, _RANSAC_PX, maxIters=2000, confidence=0.999)
    if found is not None and int(agree.sum()) >= _LEAST_POINTS:
        motion = np.asarray(found, np.float64)
        if _is_plausible(motion, size):
            return motion
    shift = np.eye(3)
    shift[:2, 2] = np.median(end - start, axis=0)
    return shift


def _is_plausible(found: Homography, size: tuple[int, int]) -> bool:
    """A camera between two frames neither mirrors the picture nor throws a corner by more than half of it."""
    height, width = size
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]], np.float64).T
    moved = found @ corners
    if (moved[2] <= 0.2).any():
        return False
    shift = np.abs(moved[:2] / moved[2] - corners[:2])
    return bool(shift[0].max() < width / 2 and shift[1].max() < height / 2 and np.linalg.det(found[:2, :2]) > 0.25)


def enlarge(motion: Homography, small: tuple[int, int], full: tuple[int, int]) -> Homography:
    """Turns a motion between small pictures into one between full pictures.

    Args:
        motion: float64 [3, 3] in small pixels.
        small, full: (height, width).
    """
    sy, sx = full[0] / small[0], full[1] / small[1]
    up = np.array([[sx, 0, (sx - 1) / 2], [0, sy, (sy - 1) / 2], [0, 0, 1]])
    grown = up @ motion @ np.linalg.inv(up)
    return np.asarray(grown / grown[2, 2], np.float64)


def move_places(motion: Homography, places: Places) -> Places:
    """Takes points to their places in the other frame: float32 [h, w, 2], (x, y) in pixels.

    A point on the horizon itself goes to the corner.
    """
    return np.asarray(cv2.perspectiveTransform(places, motion), np.float32)
