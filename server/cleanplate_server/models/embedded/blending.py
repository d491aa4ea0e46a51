"""Many sources to one picture: colour fitted at the rim, the best ones mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.completion import Field, Weight, spread
from cleanplate_server.models.embedded.registration import Registered, sample_free
from cleanplate_server.models.embedded.sources import Target
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask

_RIM_ERROR = 5.0
_DISAGREEMENT = 0.7
AGE = 0.004
_SOFTNESS = 0.04
_LARGEST_OFFSET = 0.12
_WORST = 0.3
_LEAST_SHARE = 0.01
_NO_SHARE = 0.002
_ROW = 256
_UNKNOWN = 0.25
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
        seen: bool [h, w].
        error: float32 [h, w], how badly it fits at the rim, continued inwards.
    """

    source: Registered
    layer: int
    flow: Field
    rgb: RGB
    offset: Field
    seen: Mask
    error: Luma


def candidate(target: Target, source: Registered, layer: int) -> Candidate | None:
    """Moves a source into the hole; None when nothing of the hole is seen in it.

    Only the part of the target's working picture that ``inner`` gives is made.
    """
    flow = source.carried[target.inner]
    places = target.moved(source.carried)
    column, row = source.view.places(places[0][target.inner], places[1][target.inner])
    seen = sample_free(source.view.free, column, row) > 0
    if not (seen & target.hole[target.inner]).any():
        return None
    moved = cv2.remap(source.view.rgb, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    rgb = np.asarray(moved, np.float32)
    offset, error = _fit_colour(target, rgb, seen & target.known[target.inner])
    return Candidate(source, layer, flow, rgb + offset, offset, seen, error)


def _fit_colour(target: Target, rgb: RGB, comparable: Mask) -> tuple[Field, Luma]:
    """The smooth offset that makes a source meet the rim, and how badly it still fits there."""
    difference = target.rgb[target.inner] - rgb
    error = mean_size(difference)
    weight = np.where(comparable, target.rim[target.inner], 0).astype(np.float32)
    alike = weight * np.exp(error * error * np.float32(-1 / 0.06**2))
    height, width = weight.shape
    known, like = halve(weight), halve(alike)
    clipped = np.clip(difference, -_LARGEST_OFFSET, _LARGEST_OFFSET)
    both = halve(clipped * alike[..., None]) / np.maximum(like, np.float32(1e-6))[..., None]
    worse = halve(np.minimum(error, _WORST) * weight) / np.maximum(known, np.float32(1e-6))
    offset = spread(both, like, sigma_px=1.5)
    missed = spread(worse[..., None], known, sigma_px=2, keep=2)
    return enlarge(offset, (height, width)), enlarge(missed, (height, width))


def shares(found: Sequence[Candidate]) -> list[Weight]:
    """How much of each candidate goes into each pixel.

    A candidate is good where it fits the rim, where other frames of its layer show the same, and when it is near in
    time; the good ones are mixed, so that noise goes down and no seam is hard.

    Returns:
        float32 [h, w] for each candidate, summing to 1, or to 0 where none has seen the pixel.
    """
    costs: list[Luma] = []
    for candidate, differs in zip(found, disagreement(found), strict=True):
        cost = _RIM_ERROR * candidate.error + _DISAGREEMENT * differs
        cost = cost + np.float32(AGE * candidate.source.view.distance**0.7)
        known = np.where(candidate.seen, cost, 1).astype(np.float32)
        costs.append(np.asarray(cv2.GaussianBlur(known, (0, 0), 1.5), np.float32))
    return weigh([candidate.seen for candidate in found], costs, softness=_SOFTNESS)


def weigh(seen: Sequence[Mask], costs: Sequence[Luma], *, softness: float) -> list[Weight]:
    """Turns costs to shares: the cheapest gets most, one dearer by ``softness`` a third of that.

    Args:
        seen: bool [h, w] for each candidate; what has not seen a pixel gets nothing of it.
        costs: float32 [h, w] for each.
        softness: in units of cost.
    """
    known = [np.where(mask, cost, np.float32(_NEVER)) for mask, cost in zip(seen, costs, strict=True)]
    least = known[0].copy()
    for cost in known:
        np.minimum(least, cost, out=least)
    weights = [np.exp((least - cost) * np.float32(1 / softness)) * mask for cost, mask in zip(known, seen, strict=True)]
    total = np.full(least.shape, 1e-6, np.float32)
    for weight in weights:
        total += weight
    return [np.asarray(weight / total, np.float32) for weight in weights]


def disagreement(found: Sequence[Candidate]) -> list[Luma]:
    """Mean difference of each candidate to the three of its layer that are most like it; at half size."""
    height, width = found[0].seen.shape
    half = max(1, width // 2), max(1, height // 2)
    result = [np.full((height, width), _UNKNOWN, np.float32) for _ in found]
    for layer in {candidate.layer for candidate in found}:
        members = [i for i, candidate in enumerate(found) if candidate.layer == layer]
        if len(members) < 2:
            continue
        small = [halve(found[i].rgb) for i in members]
        unseen = [
            ~(cv2.resize(found[i].seen.astype(np.uint8), half, interpolation=cv2.INTER_NEAREST) > 0) for i in members
        ]
        count = min(_LIKE, len(members) - 1)
        alike = np.full((len(members), count, half[1], half[0]), _NEVER, np.float32)
        for a in range(len(members)):
            for b in range(a):
                differs = mean_size(small[a] - small[b])
                _keep_least(alike[a], np.where(unseen[b], np.float32(_UNKNOWN), differs))
                _keep_least(alike[b], np.where(unseen[a], np.float32(_UNKNOWN), differs))
        for index, member in enumerate(members):
            result[member] = enlarge(np.add.reduce(alike[index]) / np.float32(count), (height, width))
    return result


def _keep_least(kept: Field, value: Luma) -> None:
    """Puts values in among the least ones so far, which lie in order along the first axis; the greatest drops out."""
    for place in kept:
        greater = np.maximum(place, value)
        np.minimum(place, value, out=place)
        value = greater


def halve(field: Field) -> Field:
    """Half the size, each pixel the mean of those that it covers."""
    height, width = field.shape[:2]
    half = max(1, width // 2), max(1, height // 2)
    return np.asarray(cv2.resize(field, half, interpolation=cv2.INTER_AREA), np.float32)


def enlarge(field: Field, size: tuple[int, int]) -> Field:
    """Back to (height, width), smoothly; a last axis of length one is dropped."""
    return np.asarray(cv2.resize(field, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def mean_size(difference: Field) -> Luma:
    return np.asarray(cv2.transform(np.abs(difference), np.full((1, 3), 1 / 3, np.float32)), np.float32)


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
    row, column = (side.astype(np.float32) for side in np.nonzero(hole))
    row, column = row + np.float32(box.y0), column + np.float32(box.x0)
    work_x, work_y = target.working(column, row)
    total, mass = np.zeros((len(row), 3), np.float32), np.zeros(len(row), np.float32)
    near = target.hole[target.inner]
    most = [float(weight[near].max(initial=0)) for weight in weights]
    least = min(_LEAST_SHARE, max(most, default=0) / 2)
    for candidate, weight, share_at_most in zip(found, weights, most, strict=True):
        if share_at_most < least:
            continue
        shares = _at(weight, work_x, work_y)
        has = np.flatnonzero(shares > _NO_SHARE)
        if not len(has):
            continue
        view, x, y = candidate.source.view, work_x[has], work_y[has]
        flow = _at(candidate.flow, x, y) * target.step
        there_x, there_y = view.full_places(column[has] + flow[:, 0], row[has] + flow[:, 1])
        free = _at(view.full_free, there_x, there_y, how=cv2.INTER_NEAREST, beyond=cv2.BORDER_CONSTANT)
        share = np.where(free > 0, shares[has], np.float32(0))
        rgb = _at(view.full, there_x, there_y, how=cv2.INTER_CUBIC) + _at(candidate.offset, x, y)
        total[has] += share[:, None] * rgb
        mass[has] += share
    rgb, weight = np.zeros((*box.size, 3), np.float32), np.zeros(box.size, np.float32)
    rgb[hole], weight[hole] = total / np.maximum(mass, np.float32(1e-6))[:, None], mass
    return rgb, weight


def _at(
    field: cv2.typing.MatLike, x: Luma, y: Luma, *, how: int = cv2.INTER_LINEAR, beyond: int = cv2.BORDER_REPLICATE
) -> NDArray[np.float32]:
    """Values of a field [h, w] or [h, w, c] at places: float32 [n] each in, [n] or [n, c] out."""
    count = len(x)
    # OpenCV moves pictures, and none that is longer than 32767: the places are laid in rows
    rows = -(-count // _ROW)
    columns, lines = np.zeros((rows, _ROW), np.float32), np.zeros((rows, _ROW), np.float32)
    columns.ravel()[:count], lines.ravel()[:count] = x, y
    taken = cv2.remap(field, columns, lines, how, borderMode=beyond)
    return np.asarray(taken, np.float32).reshape(rows * _ROW, *field.shape[2:])[:count]
