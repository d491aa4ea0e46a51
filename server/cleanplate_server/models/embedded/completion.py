"""Smooth continuation of a field from where it is known to where it is not."""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate_server.models.embedded.fields import Field, Weight, channels, lattice, repeat, weighted

_MOST_PLACES = 500


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
    return _complete(np.ascontiguousarray(weighted(values, known)), known)


def _complete(known_values: Field, known: Weight) -> Field:
    """The same from values that are weighted already."""
    count = known_values.shape[2]
    rest = repeat(1 - known, count)
    if min(known.shape) <= 2:
        total = float(known.sum())
        mean = known_values.sum((0, 1)) / total if total > 0 else np.zeros(count, np.float32)
        return np.asarray(known_values + rest * mean, np.float32)
    amount = np.asarray(cv2.pyrDown(known), np.float32)
    coarse_known = np.minimum(amount * 2, np.float32(1))
    coarse = weighted(channels(cv2.pyrDown(known_values)), coarse_known / np.maximum(amount, np.float32(1e-6)))
    coarse = _complete(coarse, coarse_known)
    height, width = known.shape
    up = channels(cv2.pyrUp(coarse, dstsize=(width, height)))
    up *= rest
    up += known_values
    return up


def spread(values: Field, known: Weight, *, sigma_px: float, keep: float = 1.0) -> Field:
    """Smooths a field among its known places and continues it into the others.

    Args:
        values: float32 [h, w, c].
        known: float32 [h, w] in [0, 1].
        sigma_px: of the Gaussian that smooths.
        keep: above 1, fewer known neighbours are enough for the smoothed value to stand.
    """
    amount = np.asarray(cv2.GaussianBlur(known, (0, 0), sigma_px), np.float32)
    smooth = channels(cv2.GaussianBlur(weighted(values, known), (0, 0), sigma_px))
    sure = np.where(known > 0, np.minimum(amount * keep, 1), 0).astype(np.float32)
    return _complete(weighted(smooth, sure / np.maximum(amount, np.float32(1e-3))), sure)


def fit_affine(flow: Field, weight: Weight, *, rounds: int = 4) -> Field | None:
    """Fits an affine motion to a flow, far values counting ever less (iteratively reweighted least squares, Cauchy).

    Args:
        flow: float32 [h, w, 2] in pixels.
        weight: float32 [h, w] in [0, 1].
        rounds: of reweighting.

    Returns:
        float32 [h, w, 2], the fitted flow everywhere; None with too few places to fit.
    """
    height, width = weight.shape
    chosen = np.flatnonzero(weight > 0.02)
    if len(chosen) < 50:
        return None
    if len(chosen) > _MOST_PLACES:
        chosen = chosen[np.linspace(0, len(chosen) - 1, _MOST_PLACES).astype(np.intp)]
    rows, columns = np.divmod(chosen, width)
    design = np.stack([np.ones(len(chosen)), (columns - width / 2) / 100, (rows - height / 2) / 100], 1)
    wanted, trust = flow[rows, columns].astype(np.float64), weight[rows, columns].astype(np.float64)
    # all that a round sums up, side by side: each place's normal equations and their right sides
    terms = np.concatenate([design[:, :, None] * design[:, None], design[:, :, None] * wanted[:, None]], 2)
    terms = terms.reshape(len(chosen), -1)
    stiffness = np.diag([1e-3, 1, 1]) * trust.sum() * 1e-3
    now, middle = trust, len(chosen) // 2
    for _ in range(rounds):
        sums = (now @ terms).reshape(3, 5)
        parameters = np.linalg.solve(sums[:, :3] + stiffness, sums[:, 3:])
        off = design @ parameters - wanted
        error = np.hypot(off[:, 0], off[:, 1])
        now = trust / (1 + (error / max(float(np.partition(error, middle)[middle]), 0.3)) ** 2)
    constant, slopes = parameters[0], parameters[1:].T / 100
    shift = constant - slopes @ (width / 2, height / 2)
    return np.asarray(cv2.transform(lattice(height, width), np.column_stack([slopes, shift])), np.float32)
