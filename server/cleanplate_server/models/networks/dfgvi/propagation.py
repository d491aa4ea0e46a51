"""How pixels travel along completed motion into holes, forwards and backwards, until none is left."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Flow, Mask

Picture = NDArray[np.uint8 | np.float32]
"""[H, W, 3] in R, G, B order; a shot's pictures are all of one type, and so is what comes of them."""
Stamps = NDArray[np.int32]
Value = TypeVar("Value", bound=np.generic)

Fallback = Callable[[int, Picture, Mask], NDArray[np.uint8 | np.floating]]
"""Fills what no frame shows: given the frame's number, the picture [H, W, 3] with 0 in its hole, and the hole, it gives
the picture filled; outside the hole nothing is taken from it."""

THRESHOLD_PX = 5.0
"""How far there-and-back may lead from home, as the paper has it; less means fewer wrong pixels and more fallback."""

_UNFILLED = -1


@dataclass(frozen=True, eq=False)
class Trace:
    """Where each pixel of one frame lies in its neighbour.

    Args:
        source: int32 [H, W], the flat index of the nearest pixel there; 0 where nothing corresponds.
        holds: bool [H, W], whether anything does.
    """

    source: NDArray[np.int32]
    holds: Mask

    def fetch(self, values: NDArray[Value], empty: int) -> NDArray[Value]:
        """The neighbour's values [H, W, ...] as this frame sees them; no two are mixed."""
        fetched = values.reshape(-1, *values.shape[2:])[self.source]
        fetched[~self.holds] = empty
        return fetched


@dataclass(frozen=True, eq=False)
class Carried:
    """What one direction brought to a frame.

    Args:
        colours: [H, W, 3], 0 where nothing came.
        stamps: int32 [H, W], the number of the frame each pixel is from, -1 where nothing came.
    """

    colours: Picture
    stamps: Stamps


def trace(from_there: Flow, to_there: Flow, threshold_px: float) -> Trace:
    """Follows motion from a frame to its neighbour, where the motion back agrees.

    Args:
        from_there: float32 [H, W, 2], the neighbour's motion to the frame.
        to_there: float32 [H, W, 2], the frame's motion to the neighbour.
        threshold_px: the two may not lead further than this from home.
    """
    height, width = to_there.shape[:2]
    home = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float64)
    there = to_there.astype(np.float64)
    place = home + there
    within = _within(np.floor(place), (height, width))
    back = _sample(from_there.astype(np.float64), np.where(within[..., None], place, 0.0))
    agrees = within & (np.hypot(*np.moveaxis(there + back, -1, 0)) < threshold_px)
    # both are estimates of one motion
    place = home + (there - back) / 2
    holds = agrees & _within(place, (height, width))
    x, y = np.moveaxis(np.rint(np.where(holds[..., None], place, 0.0)).astype(np.int32), -1, 0)
    return Trace(y * width + x, holds)


def carry(
    pictures: Sequence[Picture], holes: Sequence[Mask], frames: Sequence[int], traces: Sequence[Trace]
) -> Iterator[Carried]:
    """Carries pixels along a shot in one direction, from hole to hole.

    Args:
        pictures: [H, W, 3] of each frame, 0 in the holes.
        holes: bool [H, W] of each frame.
        frames: numbers in the order of travel.
        traces: from each of them but the first to the one before.

    Yields:
        What came to each, in that order; outside its hole a frame keeps its own pixels.
    """
    hole = holes[frames[0]]
    carried = Carried(pictures[frames[0]], np.where(hole, _UNFILLED, frames[0]).astype(np.int32))
    yield carried
    for frame, step in zip(frames[1:], traces, strict=True):
        colours = step.fetch(carried.colours, 0)
        stamps = step.fetch(carried.stamps, _UNFILLED)
        seen = ~holes[frame]
        colours[seen] = pictures[frame][seen]
        stamps[seen] = frame
        carried = Carried(colours, stamps)
        yield carried


def merge(frame: int, ahead: Carried, behind: Carried) -> tuple[Picture, Mask]:
    """Takes each pixel from the direction whose source is nearer in time, forwards if both are as near.

    Returns:
        The picture, and the hole that is left.
    """
    from_past, from_future = ahead.stamps >= 0, behind.stamps >= 0
    share = (frame - ahead.stamps) / np.maximum(behind.stamps - ahead.stamps, 1)
    future = from_future & (~from_past | (share > 0.5))
    colours = np.where(future[..., None], behind.colours, ahead.colours)
    return colours, ~(from_past | from_future)


def key_frames(pending: Sequence[bool]) -> list[int]:
    """Chooses frames for the fallback: the first and the last of every run of unfinished ones.

    Two pointers go from the shot's ends to its middle; a run that crosses the middle is not closed there.
    """
    keys: set[int] = set()
    left_open = right_open = False
    for left in range((len(pending) + 1) // 2):
        right = len(pending) - 1 - left
        if pending[left] != left_open:
            keys.add(left if pending[left] else left - 1)
        if pending[right] != right_open:
            keys.add(right if pending[right] else right + 1)
        left_open, right_open = pending[left], pending[right]
    return sorted(keys)


def propagate(
    pictures: Sequence[Picture],
    holes: Sequence[Mask],
    forward: Sequence[Flow],
    backward: Sequence[Flow],
    *,
    fallback: Fallback,
    threshold_px: float = THRESHOLD_PX,
) -> list[Picture]:
    """Fills the holes of all frames but the last, as the authors' program does.

    Args:
        pictures: [H, W, 3] of each frame.
        holes: bool [H, W] of each frame.
        forward: float32 [h, w, 2] from each frame but the last to the next, completed, of any size.
        backward: the same from each frame but the first to the one before.
        fallback: fills key frames with what no frame shows.
        threshold_px: of `trace`, in pixels of the pictures.

    Returns:
        One picture fewer than were given.
    """
    size = holes[0].shape[0], holes[0].shape[1]
    traces = [_trace_both_ways(*pair, size, threshold_px) for pair in zip(forward, backward, strict=True)]
    to_past, to_future = [past for past, _ in traces], [future for _, future in traces]
    done, left = [_emptied(*pair) for pair in zip(pictures, holes, strict=True)], list(holes)
    while True:
        done, left = _walk_both_ways(done, left, to_past, to_future)
        pending = [bool(hole.any()) for hole in left[:-1]]
        for key in key_frames(pending):
            done[key] = _completed(done[key], left[key], fallback(key, done[key].copy(), left[key]))
            left[key] = np.zeros_like(left[key])
            pending[key] = False
        if not any(pending):
            return done[:-1]


def propagate_all(
    pictures: Sequence[Picture],
    holes: Sequence[Mask],
    forward: Sequence[Flow],
    backward: Sequence[Flow],
    *,
    fallback: Fallback,
    threshold_px: float = THRESHOLD_PX,
) -> list[Picture]:
    """Fills the holes of all frames, the last one too: it is shown twice, so that it is not the last.

    Args and Returns are those of `propagate`, with as many pictures as were given.
    """
    still = np.zeros((1, 1, 2), np.float32)
    return propagate(
        [*pictures, pictures[-1]],
        [*holes, holes[-1]],
        [*forward, still],
        [*backward, still],
        fallback=fallback,
        threshold_px=threshold_px,
    )


def enlarge_flow(flow: Flow, size: tuple[int, int]) -> Flow:
    """Brings a flow [h, w, 2] to a size (height, width), in pixels of that size."""
    height, width = flow.shape[:2]
    resized = cv2.resize(flow, size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized * np.array([size[1] / width, size[0] / height], np.float32), np.float32)


def _trace_both_ways(forward: Flow, backward: Flow, size: tuple[int, int], threshold_px: float) -> tuple[Trace, Trace]:
    """Of two neighbours: from the later one to the earlier, and from the earlier to the later."""
    ahead, back = enlarge_flow(forward, size), enlarge_flow(backward, size)
    return trace(ahead, back, threshold_px), trace(back, ahead, threshold_px)


def _walk_both_ways(
    pictures: list[Picture], holes: list[Mask], to_past: Sequence[Trace], to_future: Sequence[Trace]
) -> tuple[list[Picture], list[Mask]]:
    """Goes through the shot once each way: the pictures and the holes left, the last frame's as they were."""
    frames = range(len(pictures))
    ahead = list(carry(pictures, holes, frames, to_past))
    filled, left = list(pictures), list(holes)
    for frame, behind in zip(frames[::-1], carry(pictures, holes, frames[::-1], to_future[::-1]), strict=True):
        if frame < len(pictures) - 1:
            filled[frame], left[frame] = merge(frame, ahead[frame], behind)
    return filled, left


def _emptied(picture: Picture, hole: Mask) -> Picture:
    return np.where(hole[..., None], np.zeros((), picture.dtype), picture)


def _completed(picture: Picture, hole: Mask, filled: NDArray[np.generic]) -> Picture:
    """The fallback's pixels inside the hole, cut to the pictures' type."""
    return np.where(hole[..., None], filled.astype(picture.dtype), picture)


def _within(place: NDArray[np.float64], size: tuple[int, int]) -> Mask:
    """Whether places [H, W, 2] have a pixel below and to the right of them."""
    x, y = np.moveaxis(place, -1, 0)
    return np.asarray((x >= 0) & (x < size[1] - 1) & (y >= 0) & (y < size[0] - 1))


def _sample(flow: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """A flow [H, W, 2] at places [H, W, 2] within it, bilinearly."""
    corner = np.floor(place).astype(np.int64)
    x, y = np.moveaxis(corner, -1, 0)
    right, down = np.moveaxis((place - corner)[..., None], -2, 0)
    above = flow[y, x] * (1 - right) + flow[y, x + 1] * right
    below = flow[y + 1, x] * (1 - right) + flow[y + 1, x + 1] * right
    return np.asarray(above * (1 - down) + below * down)
