"""A second look: what the first mixture shows tells where each source is a little off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from cleanplate_server.models.embedded.blending import AGE, Candidate, disagreement, weigh
from cleanplate_server.models.embedded.completion import complete
from cleanplate_server.models.embedded.fields import (
    Weight,
    choose,
    gray,
    lattice,
    length,
    mean_of,
    sample,
    sample_free,
    weighted,
)
from cleanplate_server.models.embedded.registration import find_rest, search_for
from cleanplate_server.models.embedded.target import Target
from cleanplate_server.models.protocols import RGB, Luma

_SOFTNESS = 0.06
_RIM_ERROR = 1.0
_DISAGREEMENT = 0.3
_MOVED = 0.002
_LEAST_SHARE = 0.08


def refine(
    target: Target, found: Sequence[Candidate], weights: Sequence[Weight], *, finest: int = 1
) -> tuple[list[Candidate], list[Weight]]:
    """Registers every candidate to the mixture of all inside the hole too, and weighs anew.

    Flow continued from the rim is a guess inside the hole; the mixture is what most candidates agree on there, so the
    flow to it straightens the others and sharpens what they mix to.

    Args:
        target: the hole and its surroundings.
        found, weights: candidates and their shares; at least one.
        finest: level of the flow search, see ``search_for``.

    Returns:
        The candidates that had a share, and their new shares.
    """
    mixture = _mix(target, found, weights)
    hole = target.hole[target.inner]
    most = [float(weight[hole].max()) for weight in weights]
    least = min(_LEAST_SHARE, max(most) / 2)  # where very many share a pixel none has much
    found = [one for one, share in zip(found, most, strict=True) if share >= least]
    search = search_for(finest)
    refined, costs = [], []
    for candidate, differs in zip(found, disagreement(found), strict=True):
        moved, distance = _register(search, target, candidate, mixture)
        apart = np.asarray(cv2.GaussianBlur(mean_of(cv2.absdiff(moved.rgb, mixture)), (0, 0), 2), np.float32)
        age = AGE * moved.source.view.distance**0.7
        fit = cv2.addWeighted(moved.error, _RIM_ERROR, differs, _DISAGREEMENT, age)
        costs.append(apart + fit + distance * np.float32(_MOVED))
        refined.append(moved)
    return refined, weigh([moved.seen for moved in refined], costs, softness=_SOFTNESS)


def _mix(target: Target, found: Sequence[Candidate], weights: Sequence[Weight]) -> RGB:
    total = np.zeros((*found[0].seen.shape, 3), np.float32)
    for candidate, weight in zip(found, weights, strict=True):
        total += weighted(candidate.rgb, weight)
    known = target.known[target.inner]
    empty = ~known & (np.sum(weights, axis=0) < 0.01)
    mixture = choose(known, target.rgb[target.inner], total)
    return complete(mixture, (~empty).astype(np.float32)) if empty.any() else mixture


def _register(
    search: cv2.DenseOpticalFlow, target: Target, candidate: Candidate, mixture: RGB
) -> tuple[Candidate, Luma]:
    """The candidate with its flow corrected, and by how many working pixels."""
    own = gray(mixture)
    rest = find_rest(search, own, choose(candidate.seen, gray(candidate.rgb), own))
    flow = sample(candidate.flow, lattice(*own.shape) + rest) + rest
    view = candidate.source.view
    places = view.places(target, target.lattice[target.inner] + flow)
    rgb = sample(view.rgb, places) + candidate.offset
    seen = sample_free(view.free, places) > 0
    return replace(candidate, flow=flow, rgb=rgb, seen=seen), length(rest)
