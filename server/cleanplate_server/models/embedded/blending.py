"""Many sources to one picture: colour fitted at the rim, the best ones mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.completion import spread
from cleanplate_server.models.embedded.fields import (
    Field,
    Points,
    Weight,
    bell,
    choice,
    choose,
    enlarge,
    half_size,
    halve,
    mean_of,
    sample,
    sample_free,
    take,
    weighted,
)
from cleanplate_server.models.embedded.registration import Registered
from cleanplate_server.models.embedded.target import Target
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask

_RIM_ERROR = 35.0
_DISAGREEMENT = 1.4
AGE = 0.004
_SOFTNESS = 0.04
_LARGEST_OFFSET = 0.12
_ALIKE = 0.06
_WORST = 0.3
_LEAST_SHARE = 0.01
_NO_SHARE = 0.002
_ROW = 256
_UNKNOWN = 0.25
_MISFIT, _GRAIN = 0.07, 2.0
"""Error at the rim, and times the plate's grain, beyond which a source shows something else than what is behind."""
_LIKE = 3
_NEVER = 9.0


@dataclass(frozen=True)
class Candidate:
    """A source's pixels moved into the hole with one layer's motion.

    Args:
        source: where they come from.
        layer: number of the layer.
        flow: float32 [h, w, 2], working pixels.
        rgb: float32 [h, w, 3], colour fitted.
        offset: float32 [h, w, 3], what was added for that.
        shown: bool [h, w], where it has pixels.
        seen: bool [h, w], where these fit around the hole.
        error: float32 [h, w], how badly it fits at the rim, continued inwards.
    """

    source: Registered
    layer: int
    flow: Field
    rgb: RGB
    offset: Field
    shown: Mask
    seen: Mask
    error: Luma


def candidate(target: Target, source: Registered, layer: int) -> Candidate | None:
    """Moves a source into the hole; None when nothing of the hole is seen in it.

    Only the part of the target's working picture that ``inner`` gives is made.
    """
    flow = np.ascontiguousarray(enlarge(source.carried, target.size)[target.inner])
    places = source.view.places(target, target.lattice[target.inner] + flow)
    shown = sample_free(source.view.free, places) > 0
    if not (shown & target.hole[target.inner]).any():
        return None
    rgb = sample(source.view.rgb, places)
    offset, error = _fit_colour(target, rgb, shown & target.known[target.inner])
    seen = shown & (error < _MISFIT + _GRAIN * target.grain)
    return Candidate(source, layer, flow, rgb + offset, offset, shown, seen, error)


def _fit_colour(target: Target, rgb: RGB, comparable: Mask) -> tuple[Field, Luma]:
    """The smooth offset that makes a source meet the rim, and how badly it still fits there."""
    difference = target.rgb[target.inner] - rgb
    error = mean_of(np.abs(difference))
    weight = target.rim[target.inner] * comparable
    alike = weight * bell(error, _ALIKE)
    known, like = halve(weight), halve(alike)
    clipped = np.clip(difference, -_LARGEST_OFFSET, _LARGEST_OFFSET)
    both = weighted(halve(weighted(clipped, alike)), 1 / np.maximum(like, np.float32(1e-6)))
    worse = halve(np.minimum(error, _WORST) * weight) / np.maximum(known, np.float32(1e-6))
    offset = spread(both, like, sigma_px=1.5)
    missed = spread(worse[..., None], known, sigma_px=2, keep=2)
    size = error.shape[0], error.shape[1]
    return enlarge(offset, size), enlarge(missed, size)


def shares(found: Sequence[Candidate]) -> list[Weight]:
    """How much of each candidate goes into each pixel.

    A candidate is good where it fits the rim, where other frames of its layer show the same, and when it is near in
    time; the good ones are mixed, so that noise goes down and no seam is hard.

    Returns:
        float32 [h, w] for each candidate, summing to 1, or to 0 where none has seen the pixel.
    """
    costs: list[Luma] = []
    unseen = np.ones(found[0].seen.shape, np.float32)
    for candidate, differs in zip(found, disagreement(found), strict=True):
        age = AGE * candidate.source.view.distance**0.7
        cost = np.asarray(cv2.addWeighted(candidate.error, _RIM_ERROR, differs, _DISAGREEMENT, age), np.float32)
        known = choose(candidate.seen, cost, unseen)
        costs.append(np.asarray(cv2.GaussianBlur(known, (0, 0), 1.5), np.float32))
    return weigh([candidate.seen for candidate in found], costs, softness=_SOFTNESS)


def weigh(seen: Sequence[Mask], costs: Sequence[Luma], *, softness: float) -> list[Weight]:
    """Turns costs to shares: the cheapest gets most, one dearer by ``softness`` a third of that.

    Args:
        seen: bool [h, w] for each candidate; what has not seen a pixel gets nothing of it.
        costs: float32 [h, w] for each.
        softness: in units of cost.
    """
    never = np.full(costs[0].shape, _NEVER, np.float32)
    known = [choose(mask, cost, never) for mask, cost in zip(seen, costs, strict=True)]
    least = never.copy()
    for cost in known:
        np.minimum(least, cost, out=least)
    weights = [np.asarray(cv2.exp((least - cost) * np.float32(1 / softness)), np.float32) for cost in known]
    total = np.full(least.shape, 1e-6, np.float32)
    for weight in weights:
        total += weight
    each = (least < never) / total
    return [weight * each for weight in weights]


def disagreement(found: Sequence[Candidate]) -> list[Luma]:
    """Mean difference of each candidate to the three of its layer that are most like it; at half size."""
    size = found[0].seen.shape[0], found[0].seen.shape[1]
    half = half_size(size)
    unknown = np.full(half[::-1], _UNKNOWN, np.float32)
    result = [np.full(size, _UNKNOWN, np.float32) for _ in found]
    for layer in {candidate.layer for candidate in found}:
        members = [i for i, candidate in enumerate(found) if candidate.layer == layer]
        if len(members) < 2:
            continue
        small = [halve(found[i].rgb) for i in members]
        seen = [
            np.asarray(cv2.resize(choice(found[i].seen), half, interpolation=cv2.INTER_NEAREST), np.uint8)
            for i in members
        ]
        count = min(_LIKE, len(members) - 1)
        alike = np.full((len(members), count, *half[::-1]), _NEVER, np.float32)
        for a in range(len(members)):
            for b in range(a):
                differs = mean_of(cv2.absdiff(small[a], small[b]))
                _keep_least(alike[a], choose(seen[b], differs, unknown))
                _keep_least(alike[b], choose(seen[a], differs, unknown))
        for index, member in enumerate(members):
            result[member] = enlarge(np.add.reduce(alike[index]) / np.float32(count), size)
    return result


def _keep_least(kept: Field, value: Luma) -> None:
    """Puts values in among the least ones so far, which lie in order along the first axis; the greatest drops out."""
    for place in kept[:-1]:
        greater = np.maximum(place, value)
        np.minimum(place, value, out=place)
        value = greater
    np.minimum(kept[-1], value, out=kept[-1])


def compose(
    target: Target, hole: Mask, box: Box, found: Sequence[Candidate], weights: Sequence[Weight]
) -> tuple[RGB, Weight]:
    """Mixes the candidates at full resolution, each sampled once from its source, where it has a share.

    Args:
        target: the hole and its surroundings.
        hole: bool [H, W], the pixels of ``box`` to make.
        box: full pixels, in the target's box.
        found, weights: candidates and their shares.

    Returns:
        float32 [H, W, 3] of the box, and float32 [H, W] the weight behind it: 0 where no source has seen the pixel,
        and outside the hole.
    """
    rows, columns = np.nonzero(hole)
    here = np.stack([columns + box.x0, rows + box.y0], 1).astype(np.float32)
    work = target.working(here[None])[0]
    total, mass = np.zeros((len(rows), 3), np.float32), np.zeros(len(rows), np.float32)
    near = target.hole[target.inner]
    most = [float(weight[near].max(initial=0)) for weight in weights]
    least = min(_LEAST_SHARE, max(most, default=0) / 2)
    for candidate, weight, share_at_most in zip(found, weights, most, strict=True):
        if share_at_most < least:
            continue
        shares = _at(weight, work)
        has = np.flatnonzero(shares > _NO_SHARE)
        if not len(has):
            continue
        places = work[has]
        there = here[has] + _at(candidate.flow, places) * target.step
        full, full_free, there = candidate.source.view.full(there)
        free = _at(full_free, there, how=cv2.INTER_NEAREST, beyond=cv2.BORDER_CONSTANT)
        share = np.where(free > 0, shares[has], np.float32(0))
        rgb = _at(full, there, how=cv2.INTER_CUBIC) + _at(candidate.offset, places)
        total[has] += share[:, None] * rgb
        mass[has] += share
    rgb, weight = np.zeros((*box.size, 3), np.float32), np.zeros(box.size, np.float32)
    rgb[hole], weight[hole] = total / np.maximum(mass, np.float32(1e-6))[:, None], mass
    return rgb, weight


def _at(
    field: cv2.typing.MatLike,
    points: Points,
    *,
    how: int = cv2.INTER_LINEAR,
    beyond: int = cv2.BORDER_REPLICATE,
) -> NDArray[np.float32]:
    """Values of a field [h, w] or [h, w, c] at points: float32 [n] or [n, c]."""
    count = len(points)
    # OpenCV moves pictures, and none that is longer than 32767: the points are laid in rows
    rows = -(-count // _ROW)
    places = np.zeros((rows, _ROW, 2), np.float32)
    places.reshape(-1, 2)[:count] = points
    taken = take(field, places, how, beyond=beyond)
    return np.asarray(taken, np.float32).reshape(rows * _ROW, *field.shape[2:])[:count]
