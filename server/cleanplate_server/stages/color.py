"""Code values of any plate format to float RGB and back, by ITU-T H.273.

The way to RGB and back is linear, so what an engine leaves as it was comes back as it was, up to rounding. Chroma
is interpolated linearly, and averaged back, at the place where the media says that its samples lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import ColorTags, PixelFormat, Plane
from cleanplate_server.errors import MediaError
from cleanplate_server.models.protocols import RGB, Box, Luma

FloatPlane = NDArray[np.float32]

_LUMA_WEIGHTS = {  # H.273 matrix code point: (Kr, Kb)
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
    10: (0.2627, 0.0593),
}
_UNSPECIFIED = 2
_LARGEST_HALF = 65504.0
_CHROMA_LEFT_COLUMN = {0, 1, 3, 5}
"""AVChromaLocation values whose samples lie on the even luma columns; unspecified is taken as left."""
_CHROMA_TOP_ROW = {3, 4}
_CHROMA_BOTTOM_ROW = {5, 6}


def luma_weights(tags: ColorTags, height: int) -> tuple[float, float]:
    """Kr and Kb of the media's matrix; untagged media is BT.601 up to 576 lines and BT.709 above, as players do.

    Raises:
        MediaError: a matrix that is not a weighting of R, G and B (YCgCo, ICtCp, constant luminance).
    """
    matrix = tags.matrix
    if matrix in (0, _UNSPECIFIED):
        matrix = _usual_matrix(height)
    if matrix not in _LUMA_WEIGHTS:
        raise MediaError(
            f"the media's colour matrix is H.273 number {matrix}, which is not supported;"
            " convert it to BT.709 or BT.2020 non-constant luminance"
        )
    return _LUMA_WEIGHTS[matrix]


def _usual_matrix(height: int) -> int:
    return 5 if height <= 576 else 1


def code_scale(format: PixelFormat, tags: ColorTags) -> tuple[float, float, float, float]:
    """(luma black, luma span, chroma zero, chroma span) in code values."""
    if format.is_float:
        return 0.0, 1.0, 0.0, 1.0
    full = tags.full_range if tags.full_range is not None else format.model != "yuv"
    if full:
        return 0.0, float(format.max_code), float(1 << (format.bit_depth - 1)), float(format.max_code)
    unit = float(1 << (format.bit_depth - 8))
    return 16 * unit, 219 * unit, 128 * unit, 224 * unit


def align_box(box: Box, format: PixelFormat, size: tuple[int, int]) -> Box:
    """Grows a box to whole chroma samples, within the picture."""
    step_x, step_y = 1 << format.chroma_shift[0], 1 << format.chroma_shift[1]
    return Box(
        box.x0 // step_x * step_x,
        box.y0 // step_y * step_y,
        min(size[1], -(-box.x1 // step_x) * step_x),
        min(size[0], -(-box.y1 // step_y) * step_y),
    )


def plane_slices(box: Box, format: PixelFormat, plane: int) -> tuple[slice, slice]:
    """Where an aligned box lies in plane number ``plane``."""
    if format.model != "yuv" or plane not in (1, 2):
        return box.slices
    shift_x, shift_y = format.chroma_shift
    return (
        slice(box.y0 >> shift_y, -(-box.y1 >> shift_y)),
        slice(box.x0 >> shift_x, -(-box.x1 >> shift_x)),
    )


def to_luma(planes: Sequence[Plane], format: PixelFormat, tags: ColorTags) -> Luma:
    """float32 [H, W], nominal 0 to 1, of planes in code values."""
    black, span, _, _ = code_scale(format, tags)
    if format.model == "rgb":
        kr, kb = luma_weights(tags, planes[0].shape[0])
        red, green, blue = (_unit(planes[i], black, span) for i in range(3))
        return np.asarray(kr * red + (1 - kr - kb) * green + kb * blue, np.float32)
    return _unit(planes[0], black, span)


def to_rgb(planes: Sequence[Plane], format: PixelFormat, tags: ColorTags, box: Box | None = None) -> RGB:
    """float32 [h, w, 3] RGB, nominal 0 to 1, finite but not clipped, of a box of the planes (all without one)."""
    height, width = planes[0].shape
    box = box or Box(0, 0, width, height)
    black, span, zero, chroma_span = code_scale(format, tags)
    if format.model == "gray":
        return np.repeat(_unit(planes[0][box.slices], black, span)[..., None], 3, axis=2)
    if format.model == "rgb":
        return np.stack([_unit(planes[i][box.slices], black, span) for i in range(3)], axis=2)
    margin = 4
    wide = align_box(box.grown(margin, (height, width)), format, (height, width))
    luma, *chroma = (planes[i][plane_slices(wide, format, i)].astype(np.float32) for i in range(3))
    ycc = cv2.merge([luma, *(_upsample(small, format, tags, wide.size) for small in chroma)])
    inner = slice(box.y0 - wide.y0, box.y1 - wide.y0), slice(box.x0 - wide.x0, box.x1 - wide.x0)
    units = _to_rgb_matrix(tags, height) / np.array([span, chroma_span, chroma_span])
    return _transform(np.asarray(ycc[inner], np.float32), np.column_stack([units, -units @ (black, zero, zero)]))


def to_small_rgb(planes: Sequence[Plane], format: PixelFormat, tags: ColorTags, size: tuple[int, int]) -> RGB:
    """float32 [h, w, 3] RGB averaged down to (height, width); much cheaper than ``to_rgb`` and a resize.

    At this size the chroma samples' exact places no longer matter.
    """
    planes_of_colour = planes[: 1 if format.model == "gray" else 3]
    small = [_averaged(plane, size) for plane in planes_of_colour]
    return to_rgb(small, replace(format, chroma_shift=(0, 0), has_alpha=False), with_matrix(tags, planes[0].shape[0]))


def _averaged(plane: Plane, size: tuple[int, int]) -> FloatPlane:
    return np.asarray(cv2.resize(_finite(plane), size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _finite(plane: Plane) -> FloatPlane:
    """A copy; float media may hold what is no number: engines and viewers get black, or the largest half."""
    out = plane.astype(np.float32)
    if np.issubdtype(plane.dtype, np.floating):
        np.nan_to_num(out, copy=False, nan=0.0, posinf=_LARGEST_HALF, neginf=0.0)
    return out


def with_matrix(tags: ColorTags, height: int) -> ColorTags:
    """Tags whose matrix is no longer left to the height of the picture."""
    return tags if tags.matrix != _UNSPECIFIED else replace(tags, matrix=_usual_matrix(height))


def from_rgb(rgb: RGB, format: PixelFormat, tags: ColorTags, picture_height: int) -> tuple[FloatPlane, ...]:
    """Float planes, in code values but neither rounded nor clipped, of an RGB picture; without alpha.

    Args:
        rgb: float32 [h, w, 3], nominal 0 to 1; its top left corner must lie on a chroma sample.
        picture_height: of the whole picture, which tells the matrix of untagged media.
    """
    black, span, zero, chroma_span = code_scale(format, tags)
    if format.model == "rgb":
        return tuple(rgb[..., i] * np.float32(span) + np.float32(black) for i in range(3))
    ycc = _transform(rgb, np.asarray(np.linalg.inv(_to_rgb_matrix(tags, picture_height)), np.float64))
    luma = ycc[..., 0] * np.float32(span) + np.float32(black)
    if format.model == "gray":
        return (luma,)
    chroma = (_downsample(ycc[..., i], format, tags) * np.float32(chroma_span) + np.float32(zero) for i in (1, 2))
    return (luma, *chroma)


def round_to_codes(plane: FloatPlane, like: np.dtype[np.generic], max_code: int) -> Plane:
    """Rounds once to the integer code values of a plane's dtype; float planes pass as they are."""
    if np.issubdtype(like, np.floating):
        return plane.astype(np.float32)
    return np.clip(np.rint(plane), 0, max_code).astype(np.uint8 if like == np.uint8 else np.uint16)


def _unit(plane: Plane, zero: float, span: float) -> FloatPlane:
    """Code values to float32 in units of the span."""
    out = _finite(plane)
    out -= np.float32(zero)
    out *= np.float32(1 / span)
    return out


def _transform(picture: FloatPlane, matrix: NDArray[np.float64]) -> FloatPlane:
    return np.asarray(cv2.transform(np.ascontiguousarray(picture), matrix), np.float32)


def _to_rgb_matrix(tags: ColorTags, height: int) -> NDArray[np.float64]:
    """3x3 from Y, Cb, Cr to R, G, B. Matrix 0 in three Y'CbCr planes means G, B, R."""
    if tags.matrix == 0:  # as some 4:4:4 media keep RGB
        return np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    kr, kb = luma_weights(tags, height)
    kg = 1 - kr - kb
    return np.array(
        [
            [1, 0, 2 * (1 - kr)],
            [1, -2 * kb * (1 - kb) / kg, -2 * kr * (1 - kr) / kg],
            [1, 2 * (1 - kb), 0],
        ]
    )


def _upsample(small: FloatPlane, format: PixelFormat, tags: ColorTags, size: tuple[int, int]) -> FloatPlane:
    """Chroma to luma resolution by linear interpolation at the samples' true places."""
    out = small
    if format.chroma_shift[1]:
        out = _upsample_along(out, 1 << format.chroma_shift[1], row_phase(tags), axis=0)
    if format.chroma_shift[0]:
        phase = column_phase(tags)
        out = _upsample_along(out, 1 << format.chroma_shift[0], phase, axis=1)
    return out[: size[0], : size[1]]


def column_phase(tags: ColorTags) -> float:
    """Where a chroma sample lies between the first (0) and the last (1) of the luma columns that it covers."""
    return 0.0 if tags.chroma_location in _CHROMA_LEFT_COLUMN else 0.5


def row_phase(tags: ColorTags) -> float:
    """Where a chroma sample lies between the first (0) and the last (1) of the luma rows that it covers."""
    if tags.chroma_location in _CHROMA_TOP_ROW:
        return 0.0
    return 1.0 if tags.chroma_location in _CHROMA_BOTTOM_ROW else 0.5


def _upsample_along(small: FloatPlane, factor: int, phase: float, *, axis: int) -> FloatPlane:
    edge = [(0, 0), (0, 0)]
    edge[axis] = (1, 1)
    padded = np.pad(small, edge, mode="edge")
    places = []
    for place in range(factor):
        offset = (place - phase * (factor - 1)) / factor
        start = 2 if offset > 0 else 0
        neighbour = padded[start : start + len(small)] if axis == 0 else padded[:, start : start + small.shape[1]]
        places.append(cv2.addWeighted(small, 1 - abs(offset), neighbour, abs(offset), 0) if offset else small)
    height, width = small.shape
    if axis == 0:
        return np.asarray(np.stack(places, axis=1), np.float32).reshape(height * factor, width)
    return np.asarray(cv2.merge(places), np.float32).reshape(height, width * factor)


def _downsample(full: FloatPlane, format: PixelFormat, tags: ColorTags) -> FloatPlane:
    """Chroma to its own resolution by the average around each sample's true place."""
    out = full
    if format.chroma_shift[1]:
        out = _downsample_rows(out, 1 << format.chroma_shift[1], row_phase(tags))
    if format.chroma_shift[0]:
        phase = column_phase(tags)
        out = _downsample_rows(np.ascontiguousarray(out.T), 1 << format.chroma_shift[0], phase).T
    return np.ascontiguousarray(out)


def _downsample_rows(full: FloatPlane, factor: int, phase: float) -> FloatPlane:
    """A triangle around co-sited samples, the plain mean around centred ones."""
    count = -(-full.shape[0] // factor)
    padded = np.pad(full, ((factor, count * factor - full.shape[0] + factor), (0, 0)), mode="edge")
    if phase == 0.5:
        taps = [(i, 1.0 / factor) for i in range(factor)]
    else:
        centre = 0 if phase == 0.0 else factor - 1
        taps = [(centre + i, (factor - abs(i)) / factor**2) for i in range(1 - factor, factor)]
    rows = [padded[factor + i : factor + i + count * factor : factor] * np.float32(w) for i, w in taps]
    return np.asarray(np.sum(rows, axis=0), np.float32)
