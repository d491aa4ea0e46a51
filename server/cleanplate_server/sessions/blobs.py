"""Masks and probabilities as bytes: the box that holds something, as PNG."""

from __future__ import annotations

import hashlib
import struct

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Box, Mask
from cleanplate_server.stages.windows import bounding_box

_HEADER = struct.Struct("<6i")
_PNG = [cv2.IMWRITE_PNG_COMPRESSION, 1]

Codes = NDArray[np.uint8]


def pack(codes: Codes) -> bytes:
    """uint8 [H, W], 0 where there is nothing; the same codes give the same bytes."""
    box = bounding_box(codes > 0) or Box(0, 0, 1, 1)
    written, png = cv2.imencode(".png", codes[box.slices], _PNG)
    assert written
    return _HEADER.pack(*codes.shape, box.x0, box.y0, box.x1, box.y1) + png.tobytes()


def unpack(blob: bytes) -> Codes:
    """What ``pack`` was given: uint8 [H, W]."""
    height, width, x0, y0, x1, y1 = _HEADER.unpack_from(blob)
    out = np.zeros((height, width), np.uint8)
    crop = cv2.imdecode(np.frombuffer(blob, np.uint8, offset=_HEADER.size), cv2.IMREAD_GRAYSCALE)
    assert crop is not None
    out[Box(x0, y0, x1, y1).slices] = crop
    return out


def pack_mask(mask: Mask) -> bytes:
    """bool [H, W]."""
    return pack(mask.astype(np.uint8) * 255)


def unpack_mask(blob: bytes) -> Mask:
    """bool [H, W]."""
    return np.asarray(unpack(blob) >= 128, np.bool_)


def digest(blob: bytes) -> str:
    """Tells masks apart."""
    return hashlib.sha256(blob).hexdigest()[:16]


def encode_png(codes: Codes) -> bytes:
    """uint8 [H, W] as a PNG of one channel."""
    written, png = cv2.imencode(".png", codes, _PNG)
    assert written
    return png.tobytes()
