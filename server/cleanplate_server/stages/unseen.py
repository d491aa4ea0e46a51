"""What no frame shows: kept with each window, and on request written as pictures that an editor can look at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.errors import AccessError, OutputError
from cleanplate_server.models.protocols import CleanRegion, Mask
from cleanplate_server.stages.viewing import Picture
from cleanplate_server.stages.windows import Array, write_mask

OVERVIEW = "overview.png"
_MAP = re.compile(r"\d{5,}\.png")
_TILE_WIDTH = 640
_MOST_TILES = 12
_COLUMNS = 3
_MARK = np.array([255, 0, 255], np.float32)
_EDGE = (255, 255, 255)
_LABEL_ROWS = 24
COUNTS = "unseen"
"""In a window's file: unseen pixels and hole pixels of all its frames."""
_BITS = "unseen-bits-"
_BOX = "unseen-at-"


def pack_unseen(region: CleanRegion) -> dict[str, Array]:
    """A region's unseen pixels for a window's file; nothing where all were seen."""
    if not region.unseen.any():
        return {}
    box = np.array([region.box.x0, region.box.y0, region.box.x1, region.box.y1], np.int32)
    return {f"{_BOX}{region.frame}": box, f"{_BITS}{region.frame}": np.packbits(region.unseen)}


def unpack_unseen(arrays: Mapping[str, Array], frame: int, size: tuple[int, int]) -> Mask:
    """A frame's unseen pixels out of a window's file: bool [H, W] of (height, width)."""
    mask = np.zeros(size, np.bool_)
    bits = arrays.get(f"{_BITS}{frame}")
    if bits is not None:
        x0, y0, x1, y1 = (int(side) for side in arrays[f"{_BOX}{frame}"])
        inside = np.unpackbits(np.asarray(bits, np.uint8), count=(y1 - y0) * (x1 - x0))
        mask[y0:y1, x0:x1] = inside.reshape(y1 - y0, x1 - x0) > 0
    return mask


class UnseenFiles:
    """Unseen pixels in window files; only counts are held.

    Args:
        size: (height, width) of the picture.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._files: dict[int, Path] = {}
        self._counts: dict[int, int] = {}
        self.unseen_count = self.hole_count = 0

    def add(self, window: range, file: Path) -> None:
        """Takes in a window's file."""
        with np.load(file, allow_pickle=False) as archive:  # reads no more than what is asked for
            unseen, hole = archive[COUNTS]
            self.unseen_count += int(unseen)
            self.hole_count += int(hole)
            for frame in window:
                if f"{_BITS}{frame}" in archive.files:
                    self._files[frame] = file
                    self._counts[frame] = int(unpack_unseen(archive, frame, self._size).sum())

    def count(self, frame: int) -> int:
        """Unseen pixels of a frame."""
        return self._counts.get(frame, 0)

    def mask(self, frame: int) -> Mask:
        """bool [H, W]; all False where everything was seen."""
        if frame not in self._files:
            return np.zeros(self._size, np.bool_)
        with np.load(self._files[frame], allow_pickle=False) as archive:
            return unpack_unseen(archive, frame, self._size)


def check_maps_folder(folder: Path, *, overwrite: bool, output: Path) -> None:
    """Refuses a folder that maps cannot go into, before any work.

    Raises:
        OutputError: it holds something, is the output itself, or cannot be made there.
    """
    if folder == output or output.is_relative_to(folder):
        raise OutputError(
            f"the maps of what no frame shows cannot go to {folder}, which takes {output.name}; give another"
        )
    if not folder.parent.is_dir():
        raise OutputError(f"folder {folder.parent} does not exist; make it or choose another for the maps")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder for the maps of what no frame shows")
    held = _names_in(folder) if folder.exists() else []
    if not held:
        return
    if not (OVERVIEW in held and all(name == OVERVIEW or _MAP.fullmatch(name) for name in held)):
        raise OutputError(f"{folder} holds other files, such as {held[0]}; give an empty or a new folder for the maps")
    if not overwrite:
        raise OutputError(f"{folder} already holds maps; choose another or allow overwriting")


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except PermissionError:
        raise AccessError(f"folder {folder} may not be read; choose another or ask for permission") from None


@dataclass(frozen=True)
class Tile:
    """A frame for the overview.

    Args:
        frame: frame number.
        picture: uint8 [H, W, 3] RGB.
        hole, unseen: bool [H, W].
    """

    frame: int
    picture: Picture
    hole: Mask
    unseen: Mask


def partial_folder(folder: Path) -> Path:
    """Where maps are made before they are moved to their folder."""
    return folder.with_name(f".{folder.name}.partial")


def write_maps(
    folder: Path, frames: Iterable[int], mask_of: Callable[[int], Mask], tiles: Iterable[Tile], *,
    begun: Callable[[Path], None],
) -> None:  # fmt: skip
    """Writes a map for each frame (255 where no frame shows it) and the overview; all appear at once.

    Args:
        folder: as ``check_maps_folder`` allows it; older maps in it go.
        mask_of: bool [H, W] of a frame.
        tiles: for the overview.
        begun: is told the folder in the making.
    """
    partial = partial_folder(folder)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    begun(partial)
    for frame in frames:
        write_mask(partial / f"{frame:05d}.png", mask_of(frame))
    written, png = cv2.imencode(".png", cv2.cvtColor(draw_overview(list(tiles)), cv2.COLOR_RGB2BGR))
    assert written
    (partial / OVERVIEW).write_bytes(png.tobytes())
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)


def draw_overview(tiles: list[Tile]) -> Picture:
    """A sheet of frames with their hole outlined in white and what no frame shows marked magenta."""
    if not tiles:
        return np.zeros((_LABEL_ROWS, _TILE_WIDTH, 3), np.uint8)
    drawn = [_draw(tile) for tile in tiles[:_MOST_TILES]]
    height = max(picture.shape[0] for picture in drawn)
    columns = min(_COLUMNS, len(drawn))
    sheet = np.zeros((-(-len(drawn) // columns) * height, columns * _TILE_WIDTH, 3), np.uint8)
    for number, picture in enumerate(drawn):
        top, left = number // columns * height, number % columns * _TILE_WIDTH
        sheet[top : top + picture.shape[0], left : left + _TILE_WIDTH] = picture
    return sheet


def _draw(tile: Tile) -> Picture:
    marked = np.where(tile.unseen[..., None], 0.35 * tile.picture + 0.65 * _MARK, tile.picture)
    rows = max(1, round(tile.picture.shape[0] * _TILE_WIDTH / tile.picture.shape[1]))
    small = cv2.resize(marked.astype(np.float32), (_TILE_WIDTH, rows), interpolation=cv2.INTER_AREA)
    picture = np.ascontiguousarray(np.rint(np.clip(small, 0, 255)).astype(np.uint8))
    hole = cv2.resize(tile.hole.astype(np.uint8), (_TILE_WIDTH, rows), interpolation=cv2.INTER_NEAREST)
    outlines, _ = cv2.findContours(hole, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, _EDGE, 1)
    label: NDArray[np.uint8] = np.zeros((_LABEL_ROWS, _TILE_WIDTH, 3), np.uint8)
    share = tile.unseen.sum() / max(1, int(tile.hole.sum()))
    text = f"frame {tile.frame}: {share:.0%} of the hole seen in no frame"
    cv2.putText(label, text, (6, _LABEL_ROWS - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.5, _EDGE, 1, cv2.LINE_AA)
    return np.concatenate([picture, label])
