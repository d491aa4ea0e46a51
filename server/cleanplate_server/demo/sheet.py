"""The demo's before and after picture: a few frames, each as it was, under its mask, as it is, and as it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.demo.scoring import read_mask
from cleanplate_server.errors import OutputError
from cleanplate_server.stages.color import to_rgb
from cleanplate_server.stages.decode import Decoder, probe

Bytes = NDArray[np.uint8]

_TILE = (270, 480)
_LABEL_ROWS = 34
_JPEG_QUALITY = 76
_RED = np.array([230, 40, 40], np.float32)


def write_sheet(
    path: Path, folder: Path, masks: Sequence[Path], frames: Sequence[int], *, tile: tuple[int, int] = _TILE
) -> None:
    """Writes a picture with a row for each frame.

    Args:
        path: of the picture; a PNG or a JPEG by its ending.
        folder: holds plate.mov, clean.mov and truth.mov.
        masks: PNG files, one for each frame of the shot.
        frames: which to show.
        tile: (height, width) of each.

    Raises:
        OutputError: it cannot be written.
    """
    columns = [list(_pictures(folder / name, frames)) for name in ("plate.mov", "clean.mov", "truth.mov")]
    rows = [_labels(("before", "mask", "after", "truth"), tile[1])]
    for number, (before, after, truth) in zip(frames, zip(*columns, strict=True), strict=True):
        tiles = (before, _tinted(before, masks[number]), after, truth)
        rows.append(np.hstack([_numbered(_tile(tiles[0], tile), number), *(_tile(other, tile) for other in tiles[1:])]))
    sheet = np.vstack(rows)
    quality = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY) if path.suffix == ".jpg" else ()
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), quality):
        raise OutputError(f"{path} cannot be written; choose another folder with -o")


def _pictures(path: Path, frames: Sequence[int]) -> Iterator[Bytes]:
    media = probe(path)
    with Decoder(media) as decoder:
        for number in frames:
            rgb = to_rgb(decoder.plate(number).planes, media.format, media.tags)
            yield np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def _tinted(picture: Bytes, mask_file: Path) -> Bytes:
    mask = read_mask(mask_file)[..., None]
    return np.where(mask, 0.35 * picture + 0.65 * _RED, picture).astype(np.uint8)


def _tile(picture: Bytes, size: tuple[int, int]) -> Bytes:
    small = cv2.resize(picture, (size[1] - 4, size[0] - 4), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)


def _numbered(tile: Bytes, number: int) -> Bytes:
    out: Bytes = tile.copy()
    for color, width in (((0, 0, 0), 3), ((255, 255, 255), 1)):
        cv2.putText(out, str(number), (8, 20), cv2.FONT_HERSHEY_SIMPLEX, 0.5, color, width, cv2.LINE_AA)
    return out


def _labels(words: Sequence[str], width: int) -> Bytes:
    strip = np.full((_LABEL_ROWS, width * len(words), 3), 255, np.uint8)
    for number, word in enumerate(words):
        place = (number * width + 8, _LABEL_ROWS - 10)
        cv2.putText(strip, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 1, cv2.LINE_AA)
    return strip
