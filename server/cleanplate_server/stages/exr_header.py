"""SMPTE timecode in the header of a finished OpenEXR image, which FFmpeg's encoder cannot write."""

from __future__ import annotations

import struct

from cleanplate_server.clip import Timecode


def with_timecode(image: bytes, timecode: Timecode) -> bytes:
    """Adds the standard ``timeCode`` attribute to a scan line image of one part.

    The attribute goes in front of the empty name that ends the header, so everything after it moves: the offsets of
    the line blocks are counted from the start of the file and are moved along.
    """
    attribute = b"timeCode\0timecode\0" + struct.pack("<iII", 8, _packed(timecode), 0)
    end, first_block = _header_end(image), 0
    table = end + 1
    (first_block,) = struct.unpack_from("<Q", image, table)
    count = (first_block - table) // 8
    offsets = struct.unpack_from(f"<{count}Q", image, table)
    moved = struct.pack(f"<{count}Q", *(offset + len(attribute) for offset in offsets))
    return image[:end] + attribute + b"\0" + moved + image[table + 8 * count :]


def _header_end(image: bytes) -> int:
    """Where the empty name that ends the attributes lies."""
    at = 8
    while image[at]:
        at = image.index(b"\0", image.index(b"\0", at) + 1) + 1
        (size,) = struct.unpack_from("<i", image, at)
        at += 4 + size
    return at


def _packed(timecode: Timecode) -> int:
    """Binary coded decimal as in SMPTE ST 12-1, frames lowest, bit 6 for drop-frame."""
    hours, minutes, seconds, frames = (int(part) for part in str(timecode).replace(";", ":").split(":"))
    digits = 0
    for value in (hours, minutes, seconds, frames):
        digits = digits << 8 | value // 10 << 4 | value % 10
    return digits | (0x40 if timecode.drop_frame else 0)
