"""Smooth continuation of a field from where it is known to where it is not."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""float32 [h, w, c], anything that varies over a picture."""

Weight = NDArray[np.float32]
"""float32 [h, w] in [0, 1]: how far a value is to be believed."""

_MOST_PLACES = 500


@lru_cache(maxsize=16)
def grid(height: int, width: int) -> tuple[Weight, Weight]:
    """Column and row of each pixel, float32 [h, w] each, read-only; kept, for the same sizes come again and again."""
    row, column = np.mgrid[0:height, 0:width].astype(np.float32)
    column.setflags(write=False)
    row.setflags(write=False)
    return column, row


def complete(values: Field, known: Weight) -> Field:
    """Continues a field smoothly (push-pull over a pyramid; Gortler et al. 1996, The Lumigraph).

    Where ``known`` is 1 the value stays, where it is 0 it comes from the coarsest level that has any, between the two
    are mixed.

    Args:
        values: float32 [h, w, c].
        known: float32 [h, w] in [0, 1].

    Returns:
        float32 [h, w, c]; zeros where nothing is known anywhere.
    """
    weighted = values * known[..., None]
    if min(known.shape) <= 2:
        total = float(known.sum())
        mean = weighted.sum((0, 1)) / total if total > 0 else np.zeros(values.shape[2], np.float32)
        return np.asarray(weighted + (1 - known[..., None]) * mean, np.float32)
    coarse_known = np.asarray(cv2.pyrDown(known), np.float32)
    coarse = _channels(cv2.pyrDown(weighted)) / np.maximum(coarse_known, np.float32(1e-6))[..., None]
    coarse = complete(coarse, np.minimum(coarse_known * 2, np.float32(1)))
    height, width = known.shape
    up = _channels(cv2.pyrUp(coarse, dstsize=(width, height)))
    return np.asarray(weighted + (1 - known[..., None]) * up, np.float32)


def spread(values: Field, known: Weight, *, sigma_px: float, keep: float = 1.0) -> Field:
    """Smooths a field among its known places and continues it into the others.

    Args:
        values: float32 [h, w, c].
        known: float32 [h, w] in [0, 1].
        sigma_px: of the Gaussian that smooths.
        keep: above 1, fewer known neighbours are enough for the smoothed value to stand.
    """
    amount = np.asarray(cv2.GaussianBlur(known, (0, 0), sigma_px), np.float32)
    smooth = _channels(cv2.GaussianBlur(values * known[..., None], (0, 0), sigma_px))
    smooth = smooth / np.maximum(amount, np.float32(1e-3))[..., None]
    return complete(smooth, np.where(known > 0, np.minimum(amount * keep, 1), 0).astype(np.float32))


def _channels(array: cv2.typing.MatLike) -> Field:
    """OpenCV drops a last axis of length one; this puts it back."""
    return np.asarray(array[..., None] if array.ndim == 2 else array, np.float32)


def fit_affine(flow: Field, weight: Weight, *, rounds: int = 4) -> Field | None:
    """Fits an affine motion to a flow, far values counting ever less (iteratively reweighted least squares, Cauchy).

    Args:
        flow: float32 [h, w, 2] in pixels.
        weight: float32 [h, w] in [0, 1].
        rounds: of reweighting.

    Returns:
        float32 [h, w, 2], the fitted flow everywhere; None with too few places to fit.
    """
    rows, columns = np.nonzero(weight > 0.02)
    if len(rows) < 50:
        return None
    if len(rows) > _MOST_PLACES:
        pick = np.linspace(0, len(rows) - 1, _MOST_PLACES).astype(np.intp)
        rows, columns = rows[pick], columns[pick]
    height, width = weight.shape
    x, y = (columns - width / 2) / 100, (rows - height / 2) / 100
    design = np.stack([np.ones(len(rows)), x, y], 1)
    wanted, trust = flow[rows, columns].astype(np.float64), weight[rows, columns].astype(np.float64)
    # all that a round sums up, side by side: each place's normal equations and their right sides
    terms = np.concatenate([design[:, :, None] * design[:, None], design[:, :, None] * wanted[:, None]], 2)
    stiffness = np.diag([1e-3, 1, 1]) * trust.sum() * 1e-3
    now, middle = trust, len(rows) // 2
    for _ in range(rounds):
        sums = (now @ terms.reshape(len(rows), -1)).reshape(3, 5)
        parameters = np.linalg.solve(sums[:, :3] + stiffness, sums[:, 3:])
        off = design @ parameters - wanted
        error = np.hypot(off[:, 0], off[:, 1])
        now = trust / (1 + (error / max(float(np.partition(error, middle)[middle]), 0.3)) ** 2)
    x, y = grid(height, width)
    x, y = (x - width / 2) / 100, (y - height / 2) / 100
    p = parameters.astype(np.float32)
    return np.asarray(p[0] + x[..., None] * p[1] + y[..., None] * p[2], np.float32)
