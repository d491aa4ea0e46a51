"""J, F and J&F as DAVIS defines them (Perazzi et al., CVPR 2016; Pont-Tuset et al., arXiv 1704.00675).

All on masks bool [H, W] at the truth's size. Of a sequence, the first and the last frame do not count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Values = NDArray[np.float64]

_BOUNDARY_SHARE = 0.008
"""Tolerance of the boundary measure as a share of the picture's diagonal."""
_RECALL_LEVEL = 0.5
_BIN_COUNT = 4
VOID = 255
"""A label in the truth that means nothing."""


@dataclass(frozen=True)
class Statistics:
    """Of one measure over the frames of one object.

    Args:
        mean: over frames, those without a value apart.
        recall: share of frames above one half.
        decay: mean of the first quarter less that of the last; positive when quality drops.
    """

    mean: float
    recall: float
    decay: float


def region(found: Mask, truth: Mask) -> float:
    """J: intersection over union, 1 when both are empty."""
    union = np.count_nonzero(found | truth)
    return np.count_nonzero(found & truth) / union if union else 1.0


def outline(mask: Mask) -> Mask:
    """Pixels that differ from their east, south or south-east neighbour; the last row and column look one way only."""
    padded = np.pad(mask, ((0, 1), (0, 1)))
    east, south, both = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    edge = (mask ^ east) | (mask ^ south) | (mask ^ both)
    edge[-1], edge[:, -1] = (mask ^ east)[-1], (mask ^ south)[:, -1]
    edge[-1, -1] = False
    return edge


def boundary(found: Mask, truth: Mask, *, share: float = _BOUNDARY_SHARE) -> float:
    """F: harmonic mean of boundary precision and recall, matched by dilation.

    Args:
        found, truth: bool [H, W].
        share: how far boundaries may lie apart, of the diagonal.
    """
    radius = int(np.ceil(share * np.hypot(*truth.shape)))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disk = (x * x + y * y <= radius * radius).astype(np.uint8)
    a, b = outline(found), outline(truth)
    if not a.any() or not b.any():
        return float(a.any() == b.any())
    near_a, near_b = (cv2.dilate(e.astype(np.uint8), disk) > 0 for e in (a, b))
    precision = np.count_nonzero(a & near_b) / np.count_nonzero(a)
    recall = np.count_nonzero(b & near_a) / np.count_nonzero(b)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def summarise(values: Sequence[float] | Values) -> Statistics:
    """Mean, recall and decay of a measure's values, one for each frame."""
    series = np.asarray(values, np.float64)
    # halves are rounded up, as the small addition has it
    edges = np.round(np.linspace(1, len(series), _BIN_COUNT + 1) + 1e-10).astype(int) - 1
    # neighbouring bins share a value
    bins = [series[edges[i] : edges[i + 1] + 1] for i in range(_BIN_COUNT)]
    return Statistics(
        float(np.nanmean(series)),
        float(np.mean(series > _RECALL_LEVEL)),
        float(np.nanmean(bins[0]) - np.nanmean(bins[-1])),
    )


def score_pair(
    found: Sequence[Mask], truth: Sequence[Mask], *, share: float = _BOUNDARY_SHARE
) -> tuple[Values, Values]:
    """J and F of one object on every frame but the first and the last; ``share`` as in ``boundary``."""
    pairs = list(zip(found, truth, strict=True))[1:-1]
    return np.array([region(f, t) for f, t in pairs]), np.array([boundary(f, t, share=share) for f, t in pairs])


def split_objects(
    found: Sequence[NDArray[np.uint8]], truth: Sequence[NDArray[np.uint8]]
) -> list[tuple[list[Mask], list[Mask]]]:
    """Makes masks (found, truth) of each object of label maps uint8 [H, W]; objects not found count as empty.

    Raises:
        ValueError: more objects were found than the first frame of the truth has.
    """
    clean = [np.where(label == VOID, 0, label) for label in truth]
    count = int(clean[0].max())
    most = max(int(label.max()) for label in found)
    if most > count:
        raise ValueError(
            f"label {most} was found, the first frame of the truth has {count} objects; relabel the result"
        )
    return [([f == k for f in found], [t == k for t in clean]) for k in range(1, count + 1)]


def region_and_boundary(objects: Sequence[tuple[Statistics, Statistics]]) -> float:
    """J&F: half of the mean J plus half of the mean F of all objects of all sequences, each object once."""
    regions, boundaries = zip(*objects, strict=True)
    return float(np.mean([j.mean for j in regions]) + np.mean([f.mean for f in boundaries])) / 2
