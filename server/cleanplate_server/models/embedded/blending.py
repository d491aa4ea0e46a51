"""Many sources to one picture: colour fitted at the rim, the best ones mixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate_server.models.embedded.completion import Field, Weight, spread
from cleanplate_server.models.embedded.registration import Registered, carry_on
from cleanplate_server.models.embedded.sources import Target
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask

_RIM_ERROR = 3.0
_DISAGREEMENT = 0.7
_AGE = 0.004
_SOFTNESS = 0.02
_LARGEST_OFFSET = 0.12
_WORST = 0.3
_LEAST_SHARE = 0.01


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


def candidates(target: Target, registered: Sequence[Registered], layers: Sequence[Weight]) -> list[Candidate]:
    """Moves every source into the hole, once with the motion of each layer."""
    found = []
    for number, layer in enumerate(layers):
        for source in registered:
            trust = source.trust * layer
            if (trust * target.near > 0.02).sum() >= 50 or len(layers) == 1:
                found.append(_candidate(target, source, number, trust))
    return [candidate for candidate in found if (candidate.seen & target.hole).any()]


def _candidate(target: Target, source: Registered, number: int, trust: Weight) -> Candidate:
    flow = carry_on(source.flow, trust, trust * target.near)
    sy, sx = target.box.size[0] / target.hole.shape[0], target.box.size[1] / target.hole.shape[1]
    x, y = target.x + flow[..., 0] * np.float32(sx), target.y + flow[..., 1] * np.float32(sy)
    column, row = source.view.places(x, y)
    rgb = cv2.remap(source.view.rgb, column, row, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    free = cv2.remap(source.view.free, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    seen = free > 0
    offset, error = _fit_colour(target, rgb, seen & target.known)
    return Candidate(source, number, flow, rgb + offset, offset, seen, error)


def _fit_colour(target: Target, rgb: RGB, comparable: Mask) -> tuple[Field, Luma]:
    """The smooth offset that makes a source meet the rim, and how badly it still fits there."""
    difference = target.rgb - rgb
    error = np.abs(difference).mean(-1)
    weight = np.where(comparable, target.rim, 0).astype(np.float32)
    alike = weight * np.exp(-((error / 0.06) ** 2)).astype(np.float32)
    offset = spread(np.clip(difference, -_LARGEST_OFFSET, _LARGEST_OFFSET), alike, sigma_px=3)
    missed = spread(np.minimum(error, _WORST)[..., None], weight, sigma_px=4, keep=2)[..., 0]
    return offset, missed


def shares(target: Target, found: Sequence[Candidate]) -> list[Weight]:
    """How much of each candidate goes into each pixel.

    A candidate is good where it fits the rim, where other frames of its layer show the same, and when it is near in
    time; the good ones are mixed, so that noise goes down and no seam is hard.

    Returns:
        float32 [h, w] for each candidate, summing to 1, or to 0 where none has seen the pixel.
    """
    disagreement = _disagreement(target, found)
    costs = []
    for candidate, differs in zip(found, disagreement, strict=True):
        cost = _RIM_ERROR * candidate.error + _DISAGREEMENT * differs
        cost = cost + _AGE * np.float32(candidate.source.view.distance**0.7)
        costs.append(cv2.GaussianBlur(np.where(candidate.seen, cost, 1).astype(np.float32), (0, 0), 1.5))
    least = np.min([np.where(c.seen, cost, 9) for c, cost in zip(found, costs, strict=True)], axis=0)
    weights = [
        np.where(candidate.seen, np.exp(-np.minimum((cost - least) / _SOFTNESS, 50)), 0).astype(np.float32)
        for candidate, cost in zip(found, costs, strict=True)
    ]
    total = np.maximum(np.sum(weights, axis=0), 1e-6)
    return [np.asarray(weight / total, np.float32) for weight in weights]


def _disagreement(target: Target, found: Sequence[Candidate]) -> list[Luma]:
    """Mean difference of each candidate to the three of its layer that are most like it."""
    result = [np.full(target.hole.shape, 0.25, np.float32) for _ in found]
    for layer in {candidate.layer for candidate in found}:
        members = [i for i, candidate in enumerate(found) if candidate.layer == layer]
        if len(members) < 2:
            continue
        pictures = np.stack([cv2.GaussianBlur(found[i].rgb, (0, 0), 1.0) for i in members])
        seen = np.stack([found[i].seen for i in members])
        count = min(3, len(members) - 1)
        for index, member in enumerate(members):
            apart = np.where(seen, np.abs(pictures - pictures[index]).mean(-1), 0.25).astype(np.float32)
            others = np.delete(apart, index, axis=0)
            result[member] = np.partition(others, count - 1, axis=0)[:count].mean(0)
    return result


def compose(target: Target, box: Box, found: Sequence[Candidate], weights: Sequence[Weight]) -> tuple[RGB, Weight]:
    """Mixes the candidates at full resolution, each sampled once from its source.

    Args:
        target: the hole and its surroundings.
        box: the part of the target's box to make, full pixels.
        found, weights: candidates and their shares.

    Returns:
        float32 [H, W, 3] of the box, and float32 [H, W] the weight behind it: 0 where no source has seen the pixel.
    """
    row, column = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float32)
    work_x = (column - target.box.x0 + 0.5) * (target.hole.shape[1] / target.box.size[1]) - 0.5
    work_y = (row - target.box.y0 + 0.5) * (target.hole.shape[0] / target.box.size[0]) - 0.5
    work_x, work_y = work_x.astype(np.float32), work_y.astype(np.float32)
    step = np.array([target.box.size[1] / target.hole.shape[1], target.box.size[0] / target.hole.shape[0]], np.float32)
    total, mass = np.zeros((*box.size, 3), np.float32), np.zeros(box.size, np.float32)
    for candidate, weight in zip(found, weights, strict=True):
        if float(weight[target.hole].max(initial=0)) < _LEAST_SHARE:
            continue
        view = candidate.source.view
        flow = _enlarge(candidate.flow, work_x, work_y) * step
        x, y = view.full_places(column + flow[..., 0], row + flow[..., 1])
        free = cv2.remap(view.full_free, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
        share = np.where(free > 0, _enlarge(weight, work_x, work_y), 0).astype(np.float32)
        rgb = cv2.remap(view.full, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        total += share[..., None] * (rgb + _enlarge(candidate.offset, work_x, work_y))
        mass += share
    return total / np.maximum(mass, 1e-6)[..., None], mass


def _enlarge(field: Field, x: Luma, y: Luma) -> Field:
    return np.asarray(cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
