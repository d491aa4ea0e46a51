"""Windows: runs of frames small enough to hold, and the files that finished ones are kept in.

Files are NumPy archives without pickles. Their bytes depend on their content alone, so that a window done twice is
the same file.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import BinaryIO, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import Plane
from cleanplate_server.models.protocols import Alpha, Box, Mask
from cleanplate_server.stages.composite import PlatePatch

Array = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]

WINDOW_FRAMES = 16
"""Frames in a window: at most so many are done again after a crash."""


def cut_windows(frames: range, length: int = WINDOW_FRAMES) -> list[range]:
    """Cuts a run of frames, in either direction, into windows of at most ``length``."""
    return [frames[i : i + length] for i in range(0, len(frames), length)]


def window_name(window: range) -> str:
    """A name by first and last frame, unique within a stage."""
    return f"{window[0]:06d}-{window[-1]:06d}"


def bounding_box(mask: Mask) -> Box | None:
    """The smallest box that holds every True, None without one."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not rows.size:
        return None
    columns = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def write_arrays(file: Path, arrays: Mapping[str, Array]) -> None:
    """Writes a window's file beside its place and renames it."""
    with _whole(file) as out:
        np.savez_compressed(out, allow_pickle=False, **arrays)


def write_bytes(file: Path, content: bytes) -> None:
    """Writes a file beside its place and renames it."""
    with _whole(file) as out:
        out.write(content)


@contextmanager
def _whole(file: Path) -> Iterator[BinaryIO]:
    """A file that is there whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f"{file.name}.partial")
    with partial.open("wb") as out:
        yield out
    partial.replace(file)


def read_arrays(file: Path) -> dict[str, Array]:
    """Reads a window's file."""
    with np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def pack_alpha(alpha: Alpha, name: str) -> dict[str, Array]:
    """A frame's alpha, float32 [H, W] in [0, 1], as an 8-bit crop; ``name`` tells it from others in the file."""
    codes = np.rint(alpha * 255).astype(np.uint8)
    box = bounding_box(codes > 0) or Box(0, 0, 0, 0)
    return {f"box-{name}": _corners(box), f"alpha-{name}": codes[box.slices]}


def unpack_alpha(arrays: Mapping[str, Array], name: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    """An alpha out of a window's file, as uint8 [H, W]."""
    out = np.zeros(size, np.uint8)
    out[_box(arrays, name).slices] = arrays[f"alpha-{name}"]
    return out


def pack_patches(patches: Iterable[PlatePatch]) -> dict[str, Array]:
    """Patches of frames, code values as they are."""
    arrays: dict[str, Array] = {}
    for patch in patches:
        arrays[f"box-{patch.frame}"] = _corners(patch.box)
        for i, plane in enumerate(patch.planes):
            arrays[f"plane-{i}-{patch.frame}"] = plane
    return arrays


def unpack_patches(file: Path) -> Iterator[PlatePatch]:
    """The patches of a window's file."""
    arrays = read_arrays(file)
    for name in arrays:
        if not name.startswith("box-"):
            continue
        frame = name.removeprefix("box-")
        planes: list[Plane] = []
        while (plane := arrays.get(f"plane-{len(planes)}-{frame}")) is not None:
            assert plane.dtype != np.int32
            planes.append(cast("Plane", plane))
        yield PlatePatch(int(frame), _box(arrays, frame), tuple(planes))


def write_mask(file: Path, mask: Mask) -> None:
    """Writes a mask as a PNG with 0 and 255."""
    file.parent.mkdir(parents=True, exist_ok=True)
    written, png = cv2.imencode(".png", mask.astype(np.uint8) * 255)
    assert written
    file.write_bytes(png.tobytes())


class MaskFiles:
    """Masks of a shot in window files (``stages.plates.MaskSource``). Safe to read from several threads.

    Only the boxes are held, and the few windows last used.

    Args:
        size: (height, width) of the masks.
    """

    _HELD_WINDOWS = 3

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._file_of: dict[int, Path] = {}
        self._boxes: dict[int, Box] = {}
        self._held: OrderedDict[Path, dict[str, Array]] = OrderedDict()
        self._lock = Lock()

    def add(self, window: range, file: Path) -> None:
        """Takes in a window's file."""
        arrays = self._arrays(file)
        for frame in window:
            self._file_of[frame] = file
            box = _box(arrays, str(frame))
            if box.x1 > box.x0:
                self._boxes[frame] = box

    def mask(self, frame: int) -> Mask:
        """bool [H, W]; all False for a frame that no window holds."""
        if frame not in self._boxes:
            return np.zeros(self._size, np.bool_)
        codes = unpack_alpha(self._arrays(self._file_of[frame]), str(frame), self._size)
        return np.asarray(codes >= 128, np.bool_)

    def box(self, frame: int) -> Box | None:
        """Bounding box of the mask, None where it is empty."""
        return self._boxes.get(frame)

    def write_pngs(self, folder: Path, frames: Iterable[int]) -> None:
        """Writes the masks as ``%05d.png`` with 0 and 255."""
        for frame in frames:
            write_mask(folder / f"{frame:05d}.png", self.mask(frame))

    def _arrays(self, file: Path) -> dict[str, Array]:
        with self._lock:
            if file not in self._held:
                self._held[file] = read_arrays(file)
                while len(self._held) > self._HELD_WINDOWS:
                    self._held.popitem(last=False)
            self._held.move_to_end(file)
            return self._held[file]


def _corners(box: Box) -> NDArray[np.int32]:
    return np.array([box.x0, box.y0, box.x1, box.y1], np.int32)


def _box(arrays: Mapping[str, Array], name: str) -> Box:
    x0, y0, x1, y1 = (int(v) for v in arrays[f"box-{name}"])
    return Box(x0, y0, x1, y1)
