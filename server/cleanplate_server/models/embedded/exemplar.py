"""Fills what no frame shows with pieces of the picture around it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.completion import complete
from cleanplate_server.models.protocols import RGB, Mask

_RADIUS_PX = 3
_COARSE_DEPTH_PX = 5
_LEAST_SIDE_PX = 24
_LARGEST_PX = 320
_ROUNDS = 4
_REACHES = (1, 2, 4)

Places = NDArray[np.intp]
"""intp [n, 2]: (row, column) of the centres of patches."""


@dataclass
class _Level:
    """One size of the picture on the way from coarse to fine; ``rgb`` and ``match`` change.

    Args:
        rgb: float32 [h, w, 3].
        hole: bool [h, w].
        usable: bool [h, w], centres of patches that lie wholly outside the hole.
        match: intp [h, w, 2], (row, column) of the patch that each patch is like.
    """

    rgb: RGB
    hole: Mask
    usable: Mask
    match: NDArray[np.intp]


def fill_from_surroundings(rgb: RGB, hole: Mask) -> RGB:
    """Fills a hole so that every patch in it looks like a patch outside.

    Coarse to fine, patches of 7x7 are matched by propagation and random search and vote for the pixels that they
    cover (Wexler et al. 2007, Space-Time Completion of Video; Barnes et al. 2009, PatchMatch). At full size each pixel
    is taken whole from the best patch, so that grain stays.

    Args:
        rgb: float32 [h, w, 3].
        hole: bool [h, w].

    Returns:
        float32 [h, w, 3], a new array, equal to ``rgb`` outside the hole. A smooth fill where no patch can be used.
    """
    smooth = complete(np.where(hole[..., None], 0, rgb).astype(np.float32), (~hole).astype(np.float32))
    result = np.where(hole[..., None], smooth, rgb).astype(np.float32)
    if min(hole.shape) < _LEAST_SIDE_PX or not hole.any():
        return result
    generator = np.random.default_rng(7)
    level: _Level | None = None
    for size in _sizes(hole):
        following = _level(result, hole, size)
        if following.usable.sum() < 16:
            continue
        _start(following, level, generator)
        level = following
        for _ in range(_ROUNDS):
            _search(level, generator)
            _vote(level)
    if level is None:
        return result
    return np.where(hole[..., None], _take(rgb, hole, level), rgb).astype(np.float32)


def _sizes(hole: Mask) -> list[tuple[int, int]]:
    """(height, width) from the coarsest, where the hole is a few pixels deep, to the finest that is searched."""
    depth = float(cv2.distanceTransform(np.pad(hole, 1).astype(np.uint8), cv2.DIST_L2, 5).max())
    scale = min(1.0, _LARGEST_PX / max(hole.shape))
    sizes = []
    while True:
        sizes.append((max(1, round(hole.shape[0] * scale)), max(1, round(hole.shape[1] * scale))))
        if depth * scale <= _COARSE_DEPTH_PX or min(hole.shape) * scale / 2 < _LEAST_SIDE_PX:
            return sizes[::-1]
        scale /= 2


def _level(rgb: RGB, hole: Mask, size: tuple[int, int]) -> _Level:
    small = np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    cover = cv2.resize(hole.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0
    side = 2 * _RADIUS_PX + 1
    usable = cv2.dilate(cover.astype(np.uint8), np.ones((side, side), np.uint8)) == 0
    for edge in (np.s_[:_RADIUS_PX], np.s_[-_RADIUS_PX:]):
        usable[edge] = False
        usable[:, edge] = False
    return _Level(small, cover, usable, np.zeros((*size, 2), np.intp))


def _start(level: _Level, coarser: _Level | None, generator: np.random.Generator) -> None:
    """Matches from the coarser level, or random ones, and the picture that they give."""
    rows, columns = np.nonzero(level.usable)
    pick = generator.integers(0, len(rows), level.hole.shape)
    level.match = np.stack([rows[pick], columns[pick]], -1)
    if coarser is None:
        return
    height, width = level.hole.shape
    row, column = np.mgrid[0:height, 0:width]
    down, across = height / coarser.hole.shape[0], width / coarser.hole.shape[1]
    parent_row, parent_column = (row / down).astype(np.intp), (column / across).astype(np.intp)
    matched = coarser.match[parent_row, parent_column]
    guess_row = np.clip(np.rint((matched[..., 0] - parent_row) * down).astype(np.intp) + row, 0, height - 1)
    guess_column = np.clip(np.rint((matched[..., 1] - parent_column) * across).astype(np.intp) + column, 0, width - 1)
    guess = np.stack([guess_row, guess_column], -1)
    level.match = np.where(level.usable[guess[..., 0], guess[..., 1]][..., None], guess, level.match)
    _vote(level)


def _patches(rgb: RGB, places: Places) -> NDArray[np.float32]:
    """float32 [n, 49 * 3]: the patches around places, the picture continued beyond its edge by its own reflection."""
    height, width = rgb.shape[:2]
    offset = np.arange(-_RADIUS_PX, _RADIUS_PX + 1)
    rows = np.abs(places[:, 0, None] + offset)
    columns = np.abs(places[:, 1, None] + offset)
    rows, columns = (
        np.where(rows >= height, 2 * height - 2 - rows, rows),
        np.where(columns >= width, 2 * width - 2 - columns, columns),
    )
    return np.asarray(rgb[rows[:, :, None], columns[:, None, :]].reshape(len(places), -1), np.float32)


def _search(level: _Level, generator: np.random.Generator) -> None:
    """One round of PatchMatch over the patches that touch the hole: neighbours' matches, then random ones."""
    height, width = level.hole.shape
    side = 2 * _RADIUS_PX + 1
    touching = cv2.dilate(level.hole.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    places = np.stack(np.nonzero(touching), -1)
    own = _patches(level.rgb, places)
    best = level.match[places[:, 0], places[:, 1]]
    cost = ((own - _patches(level.rgb, best)) ** 2).sum(1)
    limit = np.array([height - 1, width - 1])

    def attempt(trial: Places) -> None:
        trial = np.clip(trial, 0, limit)
        allowed = np.nonzero(level.usable[trial[:, 0], trial[:, 1]])[0]
        trial_cost = ((own[allowed] - _patches(level.rgb, trial[allowed])) ** 2).sum(1)
        better = allowed[trial_cost < cost[allowed]]
        best[better], cost[better] = trial[better], trial_cost[trial_cost < cost[allowed]]

    for reach in _REACHES:
        for step in ((reach, 0), (-reach, 0), (0, reach), (0, -reach)):
            neighbour = np.clip(places + step, 0, limit)
            level.match[places[:, 0], places[:, 1]] = best
            attempt(level.match[neighbour[:, 0], neighbour[:, 1]] - (neighbour - places))
    span = max(height, width) // 2
    while span >= 1:
        attempt(best + generator.integers(-span, span + 1, best.shape))
        span //= 4
    level.match[places[:, 0], places[:, 1]] = best


def _vote(level: _Level) -> None:
    """Every pixel of the hole becomes the mean of what the patches over it want there, the alike ones counting more."""
    places = np.stack(np.nonzero(level.hole), -1)
    limit = np.array(level.hole.shape) - 1
    total, mass = np.zeros((len(places), 3), np.float32), np.zeros((len(places), 1), np.float32)
    centre = _patches(level.rgb, places)
    likeness = np.zeros(level.hole.shape, np.float32)
    matched = level.match[places[:, 0], places[:, 1]]
    difference = ((centre - _patches(level.rgb, matched)) ** 2).mean(1)
    likeness[places[:, 0], places[:, 1]] = np.exp(-difference / max(float(np.median(difference)), 1e-5))
    for row in range(-_RADIUS_PX, _RADIUS_PX + 1):
        for column in range(-_RADIUS_PX, _RADIUS_PX + 1):
            offset = np.array([row, column])
            at = np.clip(places + offset, 0, limit)
            source = np.clip(level.match[at[:, 0], at[:, 1]] - offset, 0, limit)
            weight = likeness[at[:, 0], at[:, 1]][:, None] + np.float32(1e-3)
            weight = weight * ~level.hole[source[:, 0], source[:, 1]][:, None]
            total += weight * level.rgb[source[:, 0], source[:, 1]]
            mass += weight
    voted = np.where(mass > 0, total / np.maximum(mass, 1e-9), level.rgb[places[:, 0], places[:, 1]])
    level.rgb[places[:, 0], places[:, 1]] = voted


def _take(rgb: RGB, hole: Mask, level: _Level) -> RGB:
    """Full-size pixels where the finest level's matches point; its own voted colours where they point into the hole."""
    height, width = hole.shape
    ratio = height / level.hole.shape[0], width / level.hole.shape[1]
    row, column = np.mgrid[0:height, 0:width]
    parent_row = np.minimum((row / ratio[0]).astype(np.intp), level.hole.shape[0] - 1)
    parent_column = np.minimum((column / ratio[1]).astype(np.intp), level.hole.shape[1] - 1)
    offset = level.match - np.moveaxis(np.indices(level.hole.shape), 0, -1)
    moved = offset[parent_row, parent_column]
    source_row = np.clip(np.rint(row + moved[..., 0] * ratio[0]).astype(np.intp), 0, height - 1)
    source_column = np.clip(np.rint(column + moved[..., 1] * ratio[1]).astype(np.intp), 0, width - 1)
    voted = cv2.resize(level.rgb, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.where(hole[source_row, source_column][..., None], voted, rgb[source_row, source_column]).astype(
        np.float32
    )
