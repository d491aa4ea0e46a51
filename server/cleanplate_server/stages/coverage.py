"""Before anything is filled: which hole pixels other frames show, as far as the camera's motion alone can tell.

An estimate at a small size: the background is taken for one plane that the camera moves over. What the fill then finds
is known exactly only after it.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.camera import Homography, move_places
from cleanplate_server.models.embedded.sources import ladder
from cleanplate_server.models.embedded.survey import CameraPath, walk
from cleanplate_server.models.protocols import CleanedFrames, Mask, MaskedFrames, Tick
from cleanplate_server.stages.windows import read_arrays, write_arrays

_ROWS = 108
"""Of the small pictures: the size of what is kept for each frame of a shot, and of what can be told apart."""
_GROWTH = 1.125
_CANDIDATES = 24
_LOOKED_AT = 200
_HALF = 0.5
_FAR_AWAY = 1e6
_PREFIX = "unseen-"

Bits = bytes
"""A small mask, packed: some hundred bytes, so that those of a whole shot may be held."""


@dataclass(frozen=True)
class Outlook:
    """What is expected of one shot.

    Args:
        size: (height, width) of the small pictures.
        hole_count: hole pixels of all frames, small ones.
        unseen: by frame, hole pixels that no frame is expected to show; frames without any are left out.
        best_frame: the frame that shows most of them once it is painted; None where all are seen.
        best_share: share of them that it would show.
    """

    size: tuple[int, int]
    hole_count: int
    unseen: dict[int, Bits]
    best_frame: int | None
    best_share: float

    @property
    def unseen_count(self) -> int:
        """Small hole pixels that no frame is expected to show."""
        return sum(int(_unpacked(bits, self.size).sum()) for bits in self.unseen.values())

    def mask(self, frame: int, size: tuple[int, int]) -> Mask:
        """What of a frame's hole no frame is expected to show, coarsely: bool [H, W] of (height, width)."""
        if frame not in self.unseen:
            return np.zeros(size, np.bool_)
        small = _unpacked(self.unseen[frame], self.size).astype(np.uint8)
        return np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_NEAREST) > 0, np.bool_)

    def save(self, file: Path) -> None:
        """Writes it beside its place and renames it."""
        best = -1 if self.best_frame is None else self.best_frame
        figures = np.array([*self.size, self.hole_count, best], np.int32)
        masks = {f"{_PREFIX}{frame}": np.frombuffer(bits, np.uint8) for frame, bits in self.unseen.items()}
        write_arrays(file, {"figures": figures, "share": np.array([self.best_share], np.float32), **masks})

    @classmethod
    def load(cls, file: Path) -> Outlook:
        """Reads what ``save`` wrote."""
        arrays = read_arrays(file)
        height, width, hole_count, best = (int(figure) for figure in arrays["figures"])
        frames = {int(name.removeprefix(_PREFIX)): name for name in arrays if name.startswith(_PREFIX)}
        unseen = {frame: arrays[name].tobytes() for frame, name in frames.items()}
        share = float(arrays["share"][0])
        return cls((height, width), hole_count, unseen, None if best < 0 else best, share)


def look_ahead(shot: MaskedFrames, folder: Path, tick: Tick) -> Outlook:
    """Walks a shot and estimates what its frames show of each other's holes.

    Args:
        shot: frames and holes.
        folder: of the shot's survey; the embedded inpainter finds the camera's motion there again.
        tick: called once for each frame walked.
    """
    places = _Places(shot, walk(shot, folder, tick))
    holed = [frame for frame in shot.frames if shot.hole_box(frame) is not None]
    unseen = {frame: bits for frame in holed if (bits := places.unseen(frame)) is not None}
    best, share = places.best_to_paint(unseen)
    return Outlook(places.size, sum(places.hole_count(frame) for frame in holed), unseen, best, share)


class _Places:
    """Small pictures of all holes of a shot, and the way from any frame to any other."""

    def __init__(self, shot: MaskedFrames, camera: CameraPath) -> None:
        self._frames = shot.frames
        height, width = shot.size
        rows = min(_ROWS, height)
        self.size = rows, max(1, round(width * rows / height))
        self._step = width / self.size[1], height / self.size[0]
        self._cover = [self._shrink(shot.mask(frame)) for frame in shot.frames]
        given = shot.clean_frames if isinstance(shot, CleanedFrames) else ()
        self._always = sorted({*given, self._frames[0], self._frames[-1]})
        self._from_first = [np.eye(3)]
        for frame in shot.frames[1:]:
            self._from_first.append(_scaled(camera.between(frame - 1, frame) @ self._from_first[-1]))
        self._to_first = [np.asarray(np.linalg.pinv(motion), np.float64) for motion in self._from_first]

    def unseen(self, frame: int) -> Bits | None:
        """Hole pixels that no frame looked at shows; None where every one is seen."""
        missing = self._hole(frame)
        row, column = np.nonzero(missing)
        ways = (ladder(frame, self._frames, way, growth=_GROWTH) for way in (1, -1))
        near_first = (other for pair in zip_longest(*ways) for other in pair if other is not None)
        for other in chain(near_first, self._always):
            if not row.size:
                return None
            seen = self._seen_in(other, frame, column, row)
            missing[row[seen], column[seen]] = False
            row, column = row[~seen], column[~seen]
        return _packed(missing) if row.size else None

    def hole_count(self, frame: int) -> int:
        """Small hole pixels of a frame."""
        return int(self._hole(frame).sum())

    def best_to_paint(self, unseen: dict[int, Bits]) -> tuple[int | None, float]:
        """The frame that holds the places of most unseen pixels, the one in the middle among equals, and its share."""
        if not unseen:
            return None, 0.0
        frames = sorted(unseen)
        middle = frames[len(frames) // 2]
        looked_at = {frame: np.nonzero(_unpacked(unseen[frame], self.size)) for frame in _some(frames, _LOOKED_AT)}
        total = sum(rows.size for rows, _ in looked_at.values())
        shares = {
            painted: sum(self._held(painted, frame, place) for frame, place in looked_at.items()) / total
            for painted in {*_some(frames, _CANDIDATES), middle}
        }
        best = min(shares, key=lambda frame: (-round(shares[frame], 2), abs(frame - middle), frame))
        return best, shares[best]

    def _held(self, painted: int, frame: int, place: tuple[NDArray[np.intp], ...]) -> int:
        """How many places of a frame lie within the picture of another."""
        x, y = self._moved(frame, painted, place[1], place[0])
        return int(self._inside(x, y).sum())

    def _seen_in(self, other: int, frame: int, column: NDArray[np.intp], row: NDArray[np.intp]) -> Mask:
        x, y = self._moved(frame, other, column, row)
        free = ~_unpacked(self._cover[other - self._frames.start][1], self.size)
        height, width = self.size
        return self._inside(x, y) & free[np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)]

    def _inside(self, x: NDArray[np.intp], y: NDArray[np.intp]) -> Mask:
        return np.asarray((x >= 0) & (y >= 0) & (x < self.size[1]) & (y < self.size[0]), np.bool_)

    def _moved(
        self, frame: int, other: int, column: NDArray[np.intp], row: NDArray[np.intp]
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:  # fmt: skip
        """Small pixels of a frame to small pixels of another, which may lie outside it."""
        sx, sy = self._step
        places = np.stack([(column + _HALF) * sx - _HALF, (row + _HALF) * sy - _HALF], -1).astype(np.float32)
        first = self._frames.start
        motion = _scaled(self._from_first[other - first] @ self._to_first[frame - first])
        x, y = move_places(motion, places[None])[0].T
        return _whole((x + _HALF) / sx), _whole((y + _HALF) / sy)

    def _shrink(self, mask: Mask) -> tuple[Bits, Bits]:
        """Where most of a small pixel is hole, and where any of it is."""
        height, width = self.size
        share = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
        return _packed(share >= _HALF), _packed(share > 0)

    def _hole(self, frame: int) -> Mask:
        return _unpacked(self._cover[frame - self._frames.start][0], self.size)


def _some(frames: list[int], count: int) -> list[int]:
    return frames[:: 1 + len(frames) // count]


def _whole(place: NDArray[np.float32]) -> NDArray[np.intp]:
    """The small pixel that a place lies in; what is not a number lies far away."""
    near = np.nan_to_num(np.clip(place, -_FAR_AWAY, _FAR_AWAY), nan=-_FAR_AWAY)
    return np.floor(near).astype(np.intp)


def _scaled(motion: Homography) -> Homography:
    return np.asarray(motion / motion[2, 2] if abs(motion[2, 2]) > 1e-9 else motion, np.float64)


def _packed(mask: Mask) -> Bits:
    return zlib.compress(np.packbits(mask).tobytes(), 1)


def _unpacked(bits: Bits, size: tuple[int, int]) -> Mask:
    packed = np.frombuffer(zlib.decompress(bits), np.uint8)
    return np.unpackbits(packed, count=size[0] * size[1]).reshape(size).astype(np.bool_)
