"""Fine texture for a fill that was made smaller than the picture, taken from the known pixels around the hole.

What a smaller picture cannot show is the difference between the plate and the plate seen as small. Each piece of the
fill gets that difference from the place near by that looks most like it when both are seen small (after Freeman,
Jones, Pasztor: Example-Based Super-Resolution, 2002). The fill keeps its own shapes and colours.

Pieces lie on a grid that the caller moves with the background, so that most of the texture stands still on it, whether
the camera pans or not; where it zooms or turns, or where things move otherwise, texture shimmers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import RGB, Box, Mask

PIECE_PX = 8
"""Side of a piece, as seen small."""
REACH_PX = 40
"""How far from a piece its like is looked for, as seen small."""

_STEP_PX = 6
"""From piece to piece: a little overlap hides the joints, much would average texture away."""
_FARTHER = 2e-5
"""What a pixel of distance costs: of places that look alike the nearest is taken."""
_UNUSABLE = 1e6

_Plane = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class _Small:
    """A picture as seen small, its size relative to the full one, and where pieces cannot be taken from."""

    rgb: RGB
    unusable: _Plane
    scale: tuple[float, float]


def add_texture(picture: RGB, hole: Mask, *, scale: float) -> RGB:
    """Adds to a soft fill the fine differences that the picture around it has.

    Args:
        picture: float32 [h, w, 3], the plate with the fill in its hole, and known surroundings.
        hole: bool [h, w].
        scale: how many pixels stand for one that the network saw.

    Returns:
        float32 [h, w, 3], changed inside the hole alone; as it was where no piece of the surroundings is whole.
    """
    if scale <= 1 or not hole.any() or min(hole.shape) < 2 * PIECE_PX * scale:
        return picture
    fine, small = _split(picture, hole, scale)
    total, power = np.zeros_like(picture), np.zeros(hole.shape, np.float32)
    for piece in _pieces(hole, small):
        like = _most_alike(small, piece)
        if like is not None:
            _copy(fine, small, piece=piece, like=like, total=total, power=power)
    # texture of two places is not alike, so that its strength adds up as squares do
    added = total / np.sqrt(np.maximum(power, np.float32(1e-6)))[..., None]
    return np.where((hole & (power > 0))[..., None], picture + added, picture).astype(np.float32)


def texture_grid(scale: float) -> int:
    """The grid that pictures for `add_texture` are to begin on, so that pieces lie alike in every frame."""
    return max(1, round(_STEP_PX * scale))


def _split(picture: RGB, hole: Mask, scale: float) -> tuple[RGB, _Small]:
    height, width = hole.shape
    scale = texture_grid(scale) / _STEP_PX  # whole steps of the grid are then whole pixels, and alike in every frame
    size = max(1, round(width / scale)), max(1, round(height / scale))
    rgb = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)
    soft = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    touched = cv2.resize(hole.astype(np.float32), size, interpolation=cv2.INTER_AREA) > 0
    # next to the hole the small picture is a mixture of both
    unusable = cv2.dilate(touched.astype(np.float32), np.ones((3, 3), np.uint8))
    return picture - soft, _Small(rgb, np.asarray(unusable, np.float32), (height / size[1], width / size[0]))


def _pieces(hole: Mask, small: _Small) -> Iterator[Box]:
    """Overlapping pieces of the small picture that hold some of the hole."""
    rows, columns = small.unusable.shape
    tops = sorted({min(y, rows - PIECE_PX) for y in range(0, rows, _STEP_PX)})
    lefts = sorted({min(x, columns - PIECE_PX) for x in range(0, columns, _STEP_PX)})
    for y in tops:
        for x in lefts:
            piece = Box(x, y, x + PIECE_PX, y + PIECE_PX)
            if hole[_full(piece, small).slices].any():
                yield piece


def _most_alike(small: _Small, piece: Box) -> tuple[int, int] | None:
    """Top and left of the known place that looks most like a piece; None where no place is wholly known."""
    around = piece.grown(REACH_PX, (small.unusable.shape[0], small.unusable.shape[1]))
    wanted, shown = small.rgb[piece.slices], small.rgb[around.slices]
    cost = np.asarray(cv2.matchTemplate(shown, wanted, cv2.TM_SQDIFF), np.float32) / wanted.size
    blocked = cv2.matchTemplate(small.unusable[around.slices], np.ones((PIECE_PX, PIECE_PX), np.float32), cv2.TM_CCORR)
    y, x = np.mgrid[: cost.shape[0], : cost.shape[1]]
    distance = np.hypot(y + around.y0 - piece.y0, x + around.x0 - piece.x0)
    cost = np.where(np.asarray(blocked) > 0.5, np.float32(_UNUSABLE), cost + np.float32(_FARTHER) * distance)
    row, column = np.unravel_index(int(cost.argmin()), cost.shape)
    if cost[row, column] >= _UNUSABLE:
        return None
    return around.y0 + int(row), around.x0 + int(column)


def _copy(
    fine: RGB, small: _Small, *, piece: Box, like: tuple[int, int], total: RGB, power: _Plane
) -> None:  # fmt: skip
    """Adds a piece's fine differences to the total, fading at its edges."""
    target = _full(piece, small)
    height, width = target.size
    y0 = min(round(like[0] * small.scale[0]), fine.shape[0] - height)
    x0 = min(round(like[1] * small.scale[1]), fine.shape[1] - width)
    fading = np.outer(_fading(height), _fading(width)).astype(np.float32)
    total[target.slices] += fine[y0 : y0 + height, x0 : x0 + width] * fading[..., None]
    power[target.slices] += fading**2


def _full(piece: Box, small: _Small) -> Box:
    down, across = small.scale
    return Box(round(piece.x0 * across), round(piece.y0 * down), round(piece.x1 * across), round(piece.y1 * down))


def _fading(length: int) -> _Plane:
    """1 in the middle, falling over the overlap on both sides, never quite to 0."""
    overlap = max(1.0, length * (PIECE_PX - _STEP_PX) / PIECE_PX)
    near = np.minimum(np.arange(length), np.arange(length)[::-1]) + 0.5
    return np.minimum(near / overlap, 1).astype(np.float32)
