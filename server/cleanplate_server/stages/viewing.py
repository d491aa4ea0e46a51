"""A plate as a picture to look at: 8 bit RGB in the media's own transfer, a band of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import ColorTags, PixelFormat, Plane
from cleanplate_server.models.protocols import RGB, Alpha, Box
from cleanplate_server.stages.color import to_rgb, to_small_rgb

Picture = NDArray[np.uint8]
"""uint8 [H, W, 3] RGB, full range."""

_BAND_ROWS = 256
"""Rows that are converted at once: the float values of a whole 8K picture would be 400 MB."""


def to_picture(planes: Sequence[Plane], format: PixelFormat, tags: ColorTags, max_height: int = 0) -> Picture:
    """The RGB that segmenters see, clipped and rounded to 8 bit; scene-linear floats by the sRGB curve.

    Args:
        planes: of one plate, as ``format`` says.
        max_height: rows of the picture at most; 0 is the plate's own size. Pictures are never enlarged.
    """
    height, width = planes[0].shape
    if 0 < max_height < height:
        size = (max_height, max(1, round(width * max_height / height)))
        return _rounded(to_small_rgb(planes, format, tags, size), format)
    picture = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, _BAND_ROWS):
        band = Box(0, top, width, min(height, top + _BAND_ROWS))
        picture[band.slices] = _rounded(to_rgb(planes, format, tags, band), format)
    return picture


def shrink(picture: Picture, max_height: int) -> Picture:
    """A picture of at most so many rows; 0 leaves it as it is, and none is enlarged."""
    height, width = picture.shape[:2]
    if not 0 < max_height < height:
        return picture
    size = (max(1, round(width * max_height / height)), max_height)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def lay_over(layer: Picture, alpha: Alpha, below: Picture) -> Picture:
    """A layer with straight alpha, float32 [H, W], over a picture of the same size."""
    mixed = below + (layer.astype(np.float32) - below) * alpha[..., None]
    return np.asarray(np.rint(mixed), np.uint8)


def write_picture(file: Path, picture: Picture) -> None:
    """Writes a picture as PNG."""
    written, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert written
    file.write_bytes(png.tobytes())


def _rounded(rgb: RGB, format: PixelFormat) -> Picture:
    unit = np.clip(np.nan_to_num(rgb, nan=0.0, posinf=1.0, neginf=0.0), 0, 1)
    if format.is_float:  # scene-linear by convention, which would look black
        unit = np.where(unit <= 0.0031308, unit * 12.92, 1.055 * np.power(unit, 1 / 2.4) - 0.055)
    return np.asarray(np.rint(unit * 255), np.uint8)
