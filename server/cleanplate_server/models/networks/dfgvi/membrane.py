"""Values stretched over a hole like a membrane: the first guess of motion behind it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Mask

Plane = NDArray[np.float64]

_PRECISION = 1e-10
"""What may be left of the equations, in relation to their right side."""


def stretch(values: NDArray[np.floating], hole: Mask) -> Plane:
    """Fills a hole with the solution of Laplace's equation: every pixel is the mean of its neighbours.

    Each has up to four of them, and those beyond the picture's edge do not count. Solved by conjugate gradients, which
    end after a few times as many steps as the hole is long.

    Args:
        values: [H, W]; those inside the hole are not looked at.
        hole: bool [H, W]. Where all is hole nothing is known, and the answer is 0.

    Returns:
        float64 [H, W].
    """
    known = np.where(hole, 0.0, values).astype(np.float64)
    neighbours = _sum_of_neighbours(np.ones_like(known))
    pull = np.where(hole, _sum_of_neighbours(known), 0.0)
    found = np.zeros_like(known)
    residual, enough = pull, _PRECISION**2 * _dot(pull, pull)
    step, weight = np.zeros_like(known), np.inf
    while _dot(residual, residual) > enough:
        eased = residual / neighbours
        heavier = _dot(residual, eased)
        step = eased + (heavier / weight) * step
        weight = heavier
        bent = np.where(hole, neighbours * step - _sum_of_neighbours(step), 0.0)
        length = weight / _dot(step, bent)
        found = found + length * step
        residual = residual - length * bent
    return known + found


def _sum_of_neighbours(plane: Plane) -> Plane:
    total = np.zeros_like(plane)
    total[1:] += plane[:-1]
    total[:-1] += plane[1:]
    total[:, 1:] += plane[:, :-1]
    total[:, :-1] += plane[:, 1:]
    return total


def _dot(one: Plane, other: Plane) -> float:
    return float(np.vdot(one, other))
