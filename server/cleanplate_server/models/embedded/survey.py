"""The first pass over a shot: what it learns of the camera, kept on disk."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.camera import Gray, Homography, enlarge, frame_motion, shrink
from cleanplate_server.models.protocols import Mask, MaskedFrames, Tick

_BLOCK = 64
_FILE = "camera-{:06d}.npy"
_THREADS = 2
"""Motions measured at once; decoding goes on beside them."""


class CameraPath:
    """The background's motion between any two frames of a shot.

    Args:
        first_frame: number of the shot's first frame.
        steps: float64 [T, 3, 3]; step i takes a pixel of frame ``first_frame + i - 1`` to the next frame, step 0 is
            the identity. May be a memory map.
    """

    def __init__(self, first_frame: int, steps: NDArray[np.float64]) -> None:
        self._first = first_frame
        self._steps = steps

    def between(self, source: int, target: int) -> Homography:
        """float64 [3, 3] from pixels of the frame ``source`` to pixels of the frame ``target``."""
        low, high = sorted((source - self._first, target - self._first))
        motion: Homography = np.eye(3)
        for step in self._steps[low + 1 : high + 1]:
            motion = step @ motion
            motion /= motion[2, 2] if abs(motion[2, 2]) > 1e-9 else 1.0
        return motion if source <= target else np.asarray(np.linalg.pinv(motion), np.float64)


def walk(shot: MaskedFrames, folder: Path, tick: Tick) -> CameraPath:
    """Walks a shot once and measures the background's motion, going on where an earlier walk stopped.

    Args:
        shot: frames and holes.
        folder: where blocks of motions are kept; a finished block is never measured again.
        tick: called once for each frame.
    """
    frames = shot.frames
    blocks: list[NDArray[np.float64]] = []
    for start in range(0, len(frames), _BLOCK):
        block = frames[start : start + _BLOCK]
        path = folder / _FILE.format(block.start)
        if path.exists():
            for frame in block:
                tick(frame)
        else:
            _measure(shot, block, path, tick)
        blocks.append(np.load(path, mmap_mode="r", allow_pickle=False))
    return CameraPath(frames.start, np.concatenate(blocks) if blocks else np.zeros((0, 3, 3)))


def _measure(shot: MaskedFrames, block: range, path: Path, tick: Tick) -> None:
    steps = np.tile(np.eye(3), (len(block), 1, 1))
    first = max(shot.frames.start, block.start - 1)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="survey") as threads:
        begun: deque[tuple[int, Future[Homography]]] = deque()
        previous = None
        for frame in range(first, block.stop):
            current = _Small(*shrink(shot.luma(frame), shot.mask(frame)))
            if previous is not None:
                begun.append((frame, threads.submit(_motion, previous, current)))
            previous = current
            while begun and (len(begun) > _THREADS or frame == block[-1]):
                done, motion = begun.popleft()
                steps[done - block.start] = enlarge(motion.result(), current.grey.shape, shot.size)
                tick(done)
            if frame == shot.frames.start:
                tick(frame)
    _save(path, steps)


@dataclass(frozen=True, eq=False)
class _Small:
    """A frame as motion is measured on: uint8 [h, w], and its hole, bool [h, w]."""

    grey: Gray
    hole: Mask


def _motion(previous: _Small, current: _Small) -> Homography:
    return frame_motion(previous.grey, current.grey, previous_hole=previous.hole, current_hole=current.hole)


def _save(path: Path, array: NDArray[np.float64]) -> None:
    """Writes beside the target and renames, so that a killed walk leaves no half block."""
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.save(file, array, allow_pickle=False)
    part.replace(path)
