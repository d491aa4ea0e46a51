"""Things around a hole that move apart from each other: ground, wall, a passer-by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cleanplate_server.models.embedded.completion import fit_affine
from cleanplate_server.models.embedded.fields import Field, Weight, bell, length, weighted
from cleanplate_server.models.embedded.registration import Registered
from cleanplate_server.models.embedded.target import Target

_NEAREST_FRAMES = 8
_APART_PX = 0.5
_APART_FIRST_PX = 1.5
_APART_THEN_PX = 0.6
_SMALLEST_SHARE = 0.1
_MOST = 3
_SAMPLES = 600
_LEAST_PLACES = 12


@dataclass(frozen=True)
class Layer:
    """What moves alike around a hole, at half the target's working size.

    Args:
        seen: float32 [h, w], 1 where it is seen.
        velocity: float32 [h, w, 2], its motion in working pixels a frame, everywhere.
    """

    seen: Weight
    velocity: Field


def split(target: Target, registered: Sequence[Registered]) -> list[Layer]:
    """Sorts the surroundings of a hole into layers that move alike over time.

    The motion of each place in pixels a frame, averaged over the nearest sources, is searched for its densest value;
    an affine motion is fitted to the places that share it; what is left is searched again.

    Args:
        target: the hole and its surroundings.
        registered: its sources.

    Returns:
        At least one layer.
    """
    velocity, trust = _velocity(target, registered)
    total = float(trust.sum())
    motions: list[Field] = []
    for apart_px in _APART_FIRST_PX, _APART_THEN_PX:
        rest = _without(trust, velocity, motions, apart_px)
        while len(motions) < _MOST and total > _LEAST_PLACES and rest.sum() > _SMALLEST_SHARE * total:
            motion = _densest(velocity, rest)
            if motion is None:
                break
            motions.append(motion)
            rest = _without(rest, velocity, [motion], apart_px)
    if motions:
        distances = np.stack([_apart(velocity, motion) for motion in motions])
        nearest = distances.argmin(0)
        near = [(nearest == i) & (distances[i] < 3 * _APART_PX) for i in range(len(motions))]
        layers = [Layer(seen.astype(np.float32), motion) for seen, motion in zip(near, motions, strict=True)]
        layers = [layer for layer in layers if (layer.seen * trust).sum() > _SMALLEST_SHARE / 2 * total]
        if layers:
            return layers
    return [Layer(np.ones_like(trust), np.zeros_like(velocity))]


def _velocity(target: Target, registered: Sequence[Registered]) -> tuple[Field, Weight]:
    total = np.zeros((*target.near_halved.shape, 2), np.float32)
    weight = np.full(target.near_halved.shape, 1e-6, np.float32)
    for source in registered:
        if source.view.distance <= _NEAREST_FRAMES:
            share = source.trust * np.float32(min(source.view.distance, 4))
            total += weighted(source.flow, share * np.float32(source.direction / source.view.distance))
            weight += share
    trust = np.where(weight > 0.5, np.minimum(weight, 1) * target.near_halved, 0)
    return weighted(total, np.float32(1) / weight), trust.astype(np.float32)


def _without(trust: Weight, velocity: Field, motions: Sequence[Field], apart_px: float) -> Weight:
    """The places that move otherwise than all these motions by so many pixels a frame."""
    rest = trust
    for motion in motions:
        rest = np.where(_apart(velocity, motion) < apart_px, 0, rest).astype(np.float32)
    return rest


def _densest(velocity: Field, weight: Weight) -> Field | None:
    rows, columns = np.nonzero(weight > 0.02)
    if not len(rows):
        return None
    pick = np.linspace(0, len(rows) - 1, min(len(rows), _SAMPLES)).astype(np.intp)
    values, trust = velocity[rows[pick], columns[pick]], weight[rows[pick], columns[pick]]
    squared = np.square(values[:, None, 0] - values[:, 0]) + np.square(values[:, None, 1] - values[:, 1])
    mode = values[(np.exp(squared * np.float32(-1 / _APART_PX**2)) * trust).sum(1).argmax()]
    alike = weight * bell(_apart(velocity, mode), _APART_PX)
    motion = None
    for _ in range(4):
        fitted = fit_affine(
            velocity, np.where(alike > 0.02, np.minimum(alike + 0.3, 1), 0).astype(np.float32), rounds=2
        )
        if fitted is None:
            return motion
        motion = fitted
        alike = weight * bell(_apart(velocity, motion), _APART_PX)
    return motion


def _apart(velocity: Field, motion: Field) -> Weight:
    return length(velocity - motion)
