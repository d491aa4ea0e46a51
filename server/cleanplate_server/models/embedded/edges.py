"""Labels that keep to the edges of a picture: a continuous cut and the guided filter."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Alpha

Picture = NDArray[np.float32]

_STEP = 0.35
"""Primal and dual step; their product times the gradient's squared norm (8) must stay below 1."""


def edge_weights(guide: Picture, *, floor: float = 0.03, sharpness: float = 1.0) -> tuple[Picture, Picture]:
    """Price of a border between horizontal and vertical neighbours: low across an edge.

    Args:
        guide: float32 [H, W, C].
        floor: least price.
        sharpness: 1 is GrabCut's contrast weight (Rother et al., SIGGRAPH 2004), more makes weak edges count.

    Returns:
        Two float32 [H, W] in [floor, 1]; the last column and the last row mean nothing.
    """
    across, down = np.zeros(guide.shape[:2], np.float32), np.zeros(guide.shape[:2], np.float32)
    across[:, :-1] = np.square(guide[:, 1:] - guide[:, :-1]).sum(-1)
    down[:-1] = np.square(guide[1:] - guide[:-1]).sum(-1)
    mean = float(across.mean() + down.mean()) / 2.0
    scale = -sharpness / (2.0 * max(mean, 1e-8))
    return tuple(floor + (1.0 - floor) * cv2.exp(d * scale) for d in (across, down))  # type: ignore[return-value]


def cut(evidence: Picture, weights: tuple[Picture, Picture], *, smoothness: float = 2.0, steps: int = 80) -> Alpha:
    """Finds the labelling of least cost, the continuous twin of a graph cut.

    Minimises ``smoothness * sum(weights * |grad u|) - sum(evidence * u)`` over u in [0, 1] (Chan, Esedoglu, Nikolova,
    SIAM J. Appl. Math. 2006) by the primal-dual steps of Chambolle and Pock (JMIV 2011). It takes any evidence, which
    OpenCV's own graph cut does not.

    Args:
        evidence: float32 [H, W], log odds of the object; the cut starts from their sigmoid.
        weights: as `edge_weights` gives them.
        smoothness: price of one pixel of border where nothing is seen.
        steps: iterations.

    Returns:
        float32 [H, W] in [0, 1], nearly hard.
    """
    return Cutter(weights, smoothness=smoothness).cut(evidence, steps=steps)


class Cutter:
    """Cuts one picture again and again under evidence that changes little by little.

    The border's forces are kept from one cut to the next, so that each needs fewer steps than the one before.

    Args:
        weights, smoothness: as for `cut`.
    """

    def __init__(self, weights: tuple[Picture, Picture], *, smoothness: float) -> None:
        most_x, most_y = ((smoothness / _STEP) * w for w in weights)
        most_x[:, -1], most_y[-1] = 0.0, 0.0
        self._size = most_x.shape
        self._most = most_x.ravel(), most_y.ravel()
        self._least = -self._most[0], -self._most[1]
        # Rows follow one another without a gap: what wraps around at the border is held at 0 by the limits there. The
        # duals are kept in parts of the step.
        self._duals = np.zeros_like(self._most[0]), np.zeros_like(self._most[1])

    def cut(self, evidence: Picture, *, steps: int) -> Alpha:
        """The labelling of least cost for some evidence.

        Args:
            evidence: float32 [H, W], log odds of the object.
            steps: iterations.

        Returns:
            float32 [H, W] in [0, 1], nearly hard.
        """
        u = (1.0 / (1.0 + cv2.exp(-np.clip(evidence, -20.0, 20.0)))).ravel()
        push = (np.float32(_STEP) * evidence).ravel()
        row = self._size[1]
        p, q = self._duals
        slope, ahead, before = np.zeros_like(u), u.copy(), np.empty_like(u)
        for _ in range(steps):
            for dual, most, least, gap in zip(self._duals, self._most, self._least, (1, row), strict=True):
                np.subtract(ahead[gap:], ahead[:-gap], out=slope[: len(u) - gap])
                dual += slope
                np.minimum(dual, most, out=dual)
                np.maximum(dual, least, out=dual)
            flux = np.add(p, q, out=slope)
            flux[1:] -= p[:-1]
            flux[row:] -= q[:-row]
            flux *= np.float32(_STEP * _STEP)
            flux += push
            before, u = u, before
            np.add(flux, before, out=u)
            np.clip(u, 0.0, 1.0, out=u)
            np.subtract(u, before, out=ahead)
            ahead += u
        return u.reshape(self._size)


def guided_lines(guide: Picture, values: Picture, *, radius_px: int, epsilon: float) -> tuple[Picture, Picture]:
    """Fits values as a line in the guide's colour in every window: guided image filtering (He et al., TPAMI 2013).

    Args:
        guide: float32 [H, W, 3], nominal 0 to 1.
        values: float32 [H, W].
        radius_px: windows are squares of ``2 * radius_px + 1``.
        epsilon: variance of the guide below which nothing is an edge.

    Returns:
        slopes float32 [H, W, 3] and offsets float32 [H, W], averaged over the windows that hold each pixel; the
        filtered values are ``(slopes * guide).sum(-1) + offsets``, at any resolution (He and Sun, 2015).
    """
    size = (2 * radius_px + 1, 2 * radius_px + 1)

    def mean(x: Picture) -> Picture:
        return np.asarray(cv2.blur(x, size, borderType=cv2.BORDER_REFLECT), np.float32)

    centre, level = mean(guide), mean(values)
    covariance = mean(guide * values[..., None]) - centre * level[..., None]
    r, g, b = (guide[..., i] for i in range(3))
    moments = mean(np.stack([r * r, r * g, r * b, g * g], -1)), mean(np.stack([g * b, b * b], -1))
    cr, cg, cb = (centre[..., i] for i in range(3))
    rr, gg, bb = (
        moments[0][..., 0] - cr * cr + epsilon,
        moments[0][..., 3] - cg * cg + epsilon,
        moments[1][..., 1] - cb * cb + epsilon,
    )
    rg, rb, gb = moments[0][..., 1] - cr * cg, moments[0][..., 2] - cr * cb, moments[1][..., 0] - cg * cb
    # The inverse of a symmetric 3x3 matrix by its cofactors, for all pixels at once.
    i00, i01, i02 = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    i11, i12, i22 = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = np.maximum(rr * i00 + rg * i01 + rb * i02, 1e-20)
    c0, c1, c2 = (covariance[..., i] / determinant for i in range(3))
    slopes = np.stack(
        [i00 * c0 + i01 * c1 + i02 * c2, i01 * c0 + i11 * c1 + i12 * c2, i02 * c0 + i12 * c1 + i22 * c2], -1
    )
    offsets = level - (slopes * centre).sum(-1)
    return mean(slopes), mean(offsets)


def guided_filter(guide: Picture, values: Picture, *, radius_px: int, epsilon: float) -> Picture:
    """Smooths values while keeping the guide's edges; arguments as for `guided_lines`. Gives float32 [H, W]."""
    slopes, offsets = guided_lines(guide, values, radius_px=radius_px, epsilon=epsilon)
    return np.asarray((slopes * guide).sum(-1) + offsets, np.float32)
