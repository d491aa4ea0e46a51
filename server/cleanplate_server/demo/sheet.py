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
_RED = np.array([230, 40, 40], np.float32)


def write_sheet(path: Path, folder: Path, masks: Sequence[Path], frames: Sequence[int]) -> None:
    """Writes a PNG with a row for each frame.

    Args:
        path: of the PNG.
        folder: holds plate.mov, clean.mov and truth.mov.
        masks: PNG files, one for each frame of the shot.
        frames: which to show.

    Raises:
        OutputError: it cannot be written.
    """
    columns = [list(_pictures(folder / name, frames)) for name in ("plate.mov", "clean.mov", "truth.mov")]
    rows = [_labels(("before", "mask", "after", "truth"))]
    for number, (before, after, truth) in zip(frames, zip(*columns, strict=True), strict=True):
        tiles = (before, _tinted(before, masks[number]), after, truth)
        rows.append(np.hstack([_tile(tile) for tile in tiles]))
    sheet = np.vstack(rows)
    if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
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


def _tile(picture: Bytes) -> Bytes:
    small = cv2.resize(picture, (_TILE[1] - 4, _TILE[0] - 4), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.copyMakeBorder(small, 2, 2, 2, 2, cv2.BORDER_CONSTANT, value=(255, 255, 255)), np.uint8)


def _labels(words: Sequence[str]) -> Bytes:
    strip = np.full((_LABEL_ROWS, _TILE[1] * len(words), 3), 255, np.uint8)
    for number, word in enumerate(words):
        place = (number * _TILE[1] + 8, _LABEL_ROWS - 10)
        cv2.putText(strip, word, place, cv2.FONT_HERSHEY_SIMPLEX, 0.7, (30, 30, 30), 1, cv2.LINE_AA)
    return strip
