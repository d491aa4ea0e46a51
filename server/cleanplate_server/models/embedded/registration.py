"""Where the surroundings of a hole lie in other frames, to a part of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.completion import Field, Weight, complete, fit_affine, grid
from cleanplate_server.models.embedded.sources import Target, View
from cleanplate_server.models.protocols import Luma

_ERROR_SCALE = 0.08
_LEAST_SIDE_PX = 24
_LEAST_OVERLAP = 0.05
_LEAST_TRUST_PX = 40
_LEAST_TRUST_SHARE = 0.02


Look = Callable[[int, Luma, Luma], View | None]
"""Gives a frame's view that holds the places (x, y) of the target's full pixels, moved by the camera."""


@dataclass(frozen=True)
class Registered:
    """A view and the motion that the camera's own motion leaves over.

    Args:
        view: the source.
        direction: 1 when it comes after the target, else -1.
        flow: float32 [h, w, 2], working pixels of the target to where the source, moved by the camera, shows the same.
        carried: float32 [h, w, 2], the flow of the layer that was followed, continued smoothly over all else.
        trust: float32 [h, w] in [0, 1], how well the flow fits in the layer that was followed; 0 inside the hole.
    """

    view: View
    direction: int
    flow: Field
    carried: Field
    trust: Weight


def follow(
    target: Target,
    look: Look,
    frames: Iterable[int],
    *,
    layer: Weight,
    velocity: Field | None = None,
    finest: int = 1,
) -> Iterator[Registered]:
    """Follows what moves alike around a hole from source to source away from the target.

    Each source is moved by the camera's motion and by what the source before it gave; dense inverse search (Kroeger et
    al. 2016, Fast Optical Flow using Dense Inverse Search) finds what is left. Inside the holes both pictures are
    given the other's pixels, so that what covers the background does not pull at the flow around it.

    Args:
        target: the hole and its surroundings.
        look: gives views.
        frames: sources in one direction, nearest first.
        layer: float32 [h, w] in [0, 1], the surroundings that are followed.
        velocity: float32 [h, w, 2], the layer's motion in working pixels a frame, to start from; none when None.
        finest: level that is searched last, see ``search_for``.
    """
    search = search_for(finest)
    flow = np.zeros((*target.hole.shape, 2), np.float32) if velocity is None else velocity
    last = 0 if velocity is None else 1
    for frame in frames:
        distance, direction = abs(frame - target.frame), 1 if frame > target.frame else -1
        if last == 1 and velocity is not None and flow is velocity:
            flow = velocity * np.float32(direction * distance)
        elif last and distance <= 2 * last:
            flow = flow * np.float32(distance / last)
        last = distance
        view = look(frame, *target.moved(flow))
        if view is None:
            return
        found = _register(search, target, view, flow)
        if found is None:
            return
        raw, trust = found
        trust = trust * layer
        least = min(_LEAST_TRUST_PX, _LEAST_TRUST_SHARE * float(target.known.sum()))
        if float((trust * target.near).sum()) < least and velocity is not None:
            return
        flow = carry_on(raw, trust, trust * target.near)
        yield Registered(view, direction, raw, flow, trust)


def _register(search: cv2.DenseOpticalFlow, target: Target, view: View, start: Field) -> tuple[Field, Weight] | None:
    """The flow from the target to a view and how well it fits; None when the view shows too little."""
    column, row = view.places(*target.moved(start))
    picture = _sample(view.luma, column, row)
    free = sample_free(view.free, column, row)
    if free.mean() < _LEAST_OVERLAP:
        return None
    own = np.where(target.known, target.luma, picture)
    rest = find_rest(search, own, np.where(free > 0, picture, own))
    column, row = _grid(rest)
    error = cv2.GaussianBlur(np.abs(_sample(picture, column, row) - target.luma), (0, 0), 2)
    seen = sample_free(free, column, row) > 0
    trust = np.where(seen & target.known, np.exp(-((error / _ERROR_SCALE) ** 2)), 0).astype(np.float32)
    before = cv2.remap(start, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(before + rest, np.float32), trust


def carry_on(flow: Field, trust: Weight, shape: Weight) -> Field:
    """Continues a flow into the hole: an affine motion and, smoothly, what it leaves over.

    Done at half size: a flow has no detail that this would lose.

    Args:
        flow: float32 [h, w, 2].
        trust: float32 [h, w] in [0, 1], 0 where the flow is unknown.
        shape: float32 [h, w] in [0, 1], what the affine motion is fitted to.
    """
    height, width = trust.shape
    half = max(1, width // 2), max(1, height // 2)
    weight = np.asarray(cv2.resize(trust, half, interpolation=cv2.INTER_AREA), np.float32)
    motion = np.asarray(cv2.resize(flow * trust[..., None], half, interpolation=cv2.INTER_AREA), np.float32)
    motion /= np.maximum(weight, np.float32(1e-6))[..., None]
    affine = fit_affine(motion, np.asarray(cv2.resize(shape, half, interpolation=cv2.INTER_AREA), np.float32))
    if affine is None:
        carried = complete(motion, weight)
    else:
        carried = affine + complete(np.where(weight[..., None] > 0, motion - affine, 0).astype(np.float32), weight)
    return np.asarray(cv2.resize(carried, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def sample_free(free: NDArray[np.uint8], column: Luma, row: Luma) -> NDArray[np.uint8]:
    """Samples a map of what is free of holes; what lies outside the picture is not."""
    taken = cv2.remap(free, column, row, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(taken, np.uint8)


def search_for(finest: int = 1) -> cv2.DenseOpticalFlow:
    """The flow search that all registration uses; half size and few rounds are enough for motion that is smooth.

    Args:
        finest: level that is searched last: 1 is half size, 2 a quarter.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(finest)
    search.setVariationalRefinementIterations(3)
    return search


def find_rest(search: cv2.DenseOpticalFlow, own: Luma, other: Luma) -> Field:
    """float32 [h, w, 2]: the flow from one picture to another; none where they are too small to tell."""
    nothing = np.zeros((*own.shape, 2), np.float32)
    if min(own.shape) < _LEAST_SIDE_PX:
        return nothing
    # what lies above white is kept by scaling it down
    white = max(1.0, float(np.percentile(own[::4, ::4], 99.5)) if own.max() > 1 else 1.0)
    one, two = _to_bytes(own / white), _to_bytes(other / white)
    return np.asarray(search.calc(one, two, nothing), np.float32)


def _grid(flow: Field) -> tuple[Luma, Luma]:
    column, row = grid(*flow.shape[:2])
    return column + flow[..., 0], row + flow[..., 1]


def _sample(picture: Luma, column: Luma, row: Luma) -> Luma:
    return np.asarray(cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _to_bytes(picture: Luma) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
