"""Where the surroundings of a hole lie in other frames, to a part of a pixel."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.completion import Field, Weight, complete, fit_affine
from cleanplate_server.models.embedded.sources import Target, View, gray
from cleanplate_server.models.protocols import Luma

_ERROR_SCALE = 0.08
_LEAST_SIDE_PX = 24
_LEAST_OVERLAP = 0.05


@dataclass(frozen=True)
class Registered:
    """A view and the motion that the camera's own motion leaves over.

    Args:
        view: the source.
        direction: 1 when it comes after the target, else -1.
        flow: float32 [h, w, 2], working pixels of the target to where the source, moved by the camera, shows the same.
        trust: float32 [h, w] in [0, 1]; 0 inside the hole.
    """

    view: View
    direction: int
    flow: Field
    trust: Weight


def follow(target: Target, views: Iterable[View], direction: int) -> Iterator[Registered]:
    """Follows the surroundings of a hole from source to source away from the target.

    Dense inverse search (Kroeger et al. 2016, Fast Optical Flow using Dense Inverse Search) between the target and
    each source after the camera's motion is taken out, started from what the source before it gave. Inside the holes
    both pictures are given the other's pixels, so that what covers the background does not pull at the flow around it.

    Args:
        target: the hole and its surroundings.
        views: nearest first.
        direction: 1 or -1, which way they lead.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(1)
    flow = np.zeros((*target.hole.shape, 2), np.float32)
    distance = 0
    for view in views:
        column, row = view.places(target.x, target.y)
        picture = _sample(gray(view.rgb), column, row)
        free = sample_free(view.free, column, row)
        if free.mean() < _LEAST_OVERLAP:
            return
        if distance and view.distance <= 2 * distance:
            flow = flow * np.float32(view.distance / distance)
        distance = view.distance
        raw = _search(search, target, picture, free, flow)
        column, row = _grid(raw)
        error = cv2.GaussianBlur(np.abs(_sample(picture, column, row) - target.luma), (0, 0), 2)
        seen = sample_free(free, column, row) > 0
        trust = np.where(seen & target.known, np.exp(-((error / _ERROR_SCALE) ** 2)), 0).astype(np.float32)
        yield Registered(view, direction, raw, trust)
        flow = np.where(target.known[..., None], raw, carry_on(raw, trust, trust * target.near))


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


def _search(search: cv2.DISOpticalFlow, target: Target, picture: Luma, free: NDArray[np.uint8], start: Field) -> Field:
    if min(target.hole.shape) < _LEAST_SIDE_PX:
        return start
    column, row = _grid(start)
    own = np.where(target.known, target.luma, _sample(picture, column, row))
    column, row = _grid(-start)
    other = np.where(free > 0, picture, _sample(own, column, row))
    return np.asarray(search.calc(_to_bytes(own), _to_bytes(other), start.copy()), np.float32)


def _grid(flow: Field) -> tuple[Luma, Luma]:
    row, column = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
    return column + flow[..., 0], row + flow[..., 1]


def _sample(picture: Luma, column: Luma, row: Luma) -> Luma:
    return np.asarray(cv2.remap(picture, column, row, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _to_bytes(picture: Luma) -> NDArray[np.uint8]:
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)
