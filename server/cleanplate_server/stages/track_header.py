"""The turn of a picture in a finished QuickTime or MP4 file (ISO/IEC 14496-12, 8.3.2), written in place."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from av.video.stream import VideoStream

_ONE, _W_ONE = 1 << 16, 1 << 30


def can_write_rotation(ending: str) -> bool:
    """Whether files of this ending can say how the picture is turned; Matroska needs PyAV 18 for it."""
    return ending in (".mov", ".mp4", ".m4v") or (ending == ".mkv" and hasattr(VideoStream, "set_display_rotation"))


def write_rotation(file: BinaryIO, degrees: int, size: tuple[int, int]) -> None:
    """Writes the matrix of every video track.

    Args:
        file: the whole file, open for reading and writing.
        degrees: clockwise, a multiple of 90.
        size: (height, width) of the stored picture.
    """
    end = file.seek(0, 2)
    for track in _named(file, "trak", *_one(file, "moov", 0, end)):
        media = _one(file, "mdia", *track)
        start, _ = _one(file, "hdlr", *media)
        file.seek(start + 8)
        if file.read(4) == b"vide":
            start, _ = _one(file, "tkhd", *track)
            file.seek(start)
            version = file.read(1)[0]
            file.seek(start + (52 if version else 40))
            file.write(struct.pack(">9i", *_matrix(degrees, size)))


def _matrix(degrees: int, size: tuple[int, int]) -> tuple[int, ...]:
    """a b u, c d v, x y w in 16.16 fixed point (2.30 for u, v, w); x and y bring the corner back to the origin."""
    height, width = size
    turns = {
        0: (1, 0, 0, 1, 0, 0),
        90: (0, 1, -1, 0, height, 0),
        180: (-1, 0, 0, -1, width, height),
        270: (0, -1, 1, 0, 0, width),
    }
    a, b, c, d, x, y = (value * _ONE for value in turns[degrees])
    return a, b, 0, c, d, 0, x, y, _W_ONE


def _named(file: BinaryIO, name: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(start, end) of the contents of each box of this name."""
    while start + 8 <= end:
        file.seek(start)
        length, kind = struct.unpack(">I4s", file.read(8))
        head = 8
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
            head = 16
        stop = end if length == 0 else start + length
        if kind == name.encode("ascii"):
            yield start + head, stop
        start = stop


def _one(file: BinaryIO, name: str, start: int, end: int) -> tuple[int, int]:
    found = next(_named(file, name, start, end), None)
    assert found, f"no {name} in the file just written"
    return found
