"""Where the surroundings of a hole lie in other frames, to a part of a pixel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate_server.models.embedded.completion import complete, fit_affine
from cleanplate_server.models.embedded.fields import (
    Field,
    Places,
    Weight,
    bell,
    choose,
    enlarge,
    half_size,
    halve,
    lattice,
    sample,
    sample_free,
    to_bytes,
)
from cleanplate_server.models.embedded.sources import View
from cleanplate_server.models.embedded.target import Target
from cleanplate_server.models.protocols import Luma

_ERROR_SCALE = 0.08
_LEAST_SIDE_PX = 24
_LEAST_OVERLAP = 0.05
_LEAST_TRUST_PX = 40
_LEAST_TRUST_SHARE = 0.02


Look = Callable[[int, Places], View | None]
"""Gives a frame's view that holds places of the target's working pixels, moved by the camera."""


@dataclass(frozen=True)
class Registered:
    """A view and the motion that the camera's own motion leaves over.

    Motions are in working pixels, and kept at half size: the search gives no detail that this would lose.

    Args:
        view: the source.
        direction: 1 when it comes after the target, else -1.
        flow: float32 [h, w, 2], from the target to where the source, moved by the camera, shows the same.
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
        layer: float32 [h, w] in [0, 1] at half size, the surroundings that are followed.
        velocity: float32 [h, w, 2], the layer's motion in working pixels a frame, to start from; none when None.
        finest: level that is searched last, see ``search_for``.
    """
    search = search_for(finest)
    flow = np.zeros((*target.near_halved.shape, 2), np.float32) if velocity is None else velocity
    least = min(_LEAST_TRUST_PX, _LEAST_TRUST_SHARE * float(target.known.sum())) / 4
    last = 0 if velocity is None else 1
    for frame in frames:
        distance, direction = abs(frame - target.frame), 1 if frame > target.frame else -1
        if last == 1 and velocity is not None and flow is velocity:
            flow = velocity * np.float32(direction * distance)
        elif last and distance <= 2 * last:
            flow = flow * np.float32(distance / last)
        last = distance
        places = target.lattice + enlarge(flow, target.size)
        view = look(frame, places)
        if view is None:
            return
        found = _register(search, target, view, flow, places)
        if found is None:
            return
        raw, trust = found
        trust = trust * layer
        near = trust * target.near_halved
        if float(near.sum()) < least and velocity is not None:
            return
        flow = carry_on(raw, trust, near)
        yield Registered(view, direction, raw, flow, trust)


def _register(
    search: cv2.DenseOpticalFlow, target: Target, view: View, start: Field, moved: Places
) -> tuple[Field, Weight] | None:
    """The flow from the target to a view and how well it fits; None when the view shows too little.

    Args:
        search: of dense flow.
        target: the hole and its surroundings.
        view: of a source.
        start: float32 [h, w, 2] at half size, the flow to begin with.
        moved: the target's pixels, moved by it.
    """
    places = view.places(target, moved)
    picture = sample(view.luma, places)
    free = sample_free(view.free, places)
    if cv2.countNonZero(free) < _LEAST_OVERLAP * free.size:
        return None
    own = choose(target.chosen, target.luma, picture)
    rest = find_rest(search, own, choose(free, picture, own))
    there = target.lattice + rest
    comparable = halve(np.asarray(sample_free(free, there) & target.chosen, np.float32)) * np.float32(1 / 255)
    error = cv2.GaussianBlur(halve(cv2.absdiff(sample(picture, there), target.luma)), (0, 0), 1)
    trust = bell(np.asarray(error, np.float32), _ERROR_SCALE) * comparable
    rest = halve(rest)
    height, width = target.size
    half = half_size(target.size)
    before = sample(start, lattice(*rest.shape[:2]) + rest * np.array([half[0] / width, half[1] / height], np.float32))
    return before + rest, trust


def carry_on(flow: Field, trust: Weight, shape: Weight) -> Field:
    """Continues a flow into the hole: an affine motion and, smoothly, what it leaves over.

    Args:
        flow: float32 [h, w, 2].
        trust: float32 [h, w] in [0, 1], 0 where the flow is unknown.
        shape: float32 [h, w] in [0, 1], what the affine motion is fitted to.
    """
    affine = fit_affine(flow, shape)
    return complete(flow, trust) if affine is None else affine + complete(flow - affine, trust)


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
    return np.asarray(search.calc(to_bytes(own, white), to_bytes(other, white), nothing), np.float32)
