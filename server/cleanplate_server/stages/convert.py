"""A plate from one pixel format to another, when the codec of the target cannot hold the source's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import ColorTags, PixelFormat, Plane, Plate
from cleanplate_server.stages.color import code_scale, column_phase, from_rgb, round_to_codes, row_phase, to_rgb

FloatPlane = NDArray[np.float32]


def converts(
    plate: Plate,
    source_format: PixelFormat,
    target_format: PixelFormat,
    tags: ColorTags | None = None,
    target_tags: ColorTags | None = None,
    *,
    interlaced: bool = False,
) -> Plate:
    """Gives a plate in another pixel format; in the same one it is given back as it is.

    Between Y'CbCr formats luma is never mixed with chroma: a deeper video range is a shift, so every luma code value
    is exactly the source's times a power of two, and chroma is resampled where its samples lie. Full range is scaled.
    Between Y'CbCr and RGB the tags' matrix is used. Everything is computed in float32 and rounded once.

    Args:
        plate: planes of ``source_format``.
        tags: the source's; unspecified when None.
        target_tags: the target's (``delivery_tags`` gives them); by ``adapted_tags`` when None.
        interlaced: 4:2:0 chroma rows belong to their own field.
    """
    tags = tags or ColorTags()
    target_tags = target_tags or adapted_tags(tags, source_format, target_format)
    if _same_samples(source_format, target_format) and tags.full_range == target_tags.full_range:
        return plate
    source_planes, alpha = _split_alpha(plate.planes, source_format)
    if source_format.model == target_format.model:
        planes = _within_model(source_planes, source_format, target_format, (tags, target_tags), interlaced)
    else:
        rgb = to_rgb(source_planes, source_format, tags)
        floats = from_rgb(rgb, target_format, target_tags, rgb.shape[0])
        planes = tuple(_rounded(plane, target_format) for plane in floats)
    if target_format.has_alpha:
        planes = (*planes, _alpha(alpha, plate.planes[0].shape, source_format, target_format))
    for plane in planes:
        plane.setflags(write=False)
    return Plate(planes, plate.frame, plate.pts, plate.duration)


def adapted_tags(tags: ColorTags, source: PixelFormat, target: PixelFormat) -> ColorTags:
    """The tags after a change of pixel format that keeps primaries, transfer and, where there is one, the range.

    RGB becomes Y'CbCr in video range, by the BT.2020 matrix when its primaries are BT.2020 and by BT.709 otherwise.
    Chroma that is resampled comes to lie on the left column, as 4:2:2 has it.
    """
    if target.model != "yuv":
        if source.model == target.model:
            return tags
        return replace(tags, matrix=0 if target.model == "rgb" else 2, full_range=True, chroma_location=0)
    if source.model != "yuv":
        matrix = tags.matrix if tags.matrix not in (0, 2) else 9 if tags.primaries == 9 else 1
        tags = replace(tags, matrix=matrix, full_range=False)
    if target.chroma_shift == source.chroma_shift and source.model == "yuv":
        return tags
    return replace(tags, chroma_location=1 if target.chroma_shift[0] else 0)


def _same_samples(source: PixelFormat, target: PixelFormat) -> bool:
    return replace(source, name="") == replace(target, name="")


def _split_alpha(planes: Sequence[Plane], format: PixelFormat) -> tuple[Sequence[Plane], Plane | None]:
    return (planes[:-1], planes[-1]) if format.has_alpha else (planes, None)


def _alpha(alpha: Plane | None, shape: tuple[int, ...], source: PixelFormat, target: PixelFormat) -> Plane:
    """Alpha is full range at every depth; what has none is opaque."""
    top = np.float32(1 if target.is_float else target.max_code)
    if alpha is None:
        return _rounded(np.full(shape, top, np.float32), target)
    scale = top / np.float32(1 if source.is_float else source.max_code)
    return _rounded(alpha.astype(np.float32) * scale, target)


def _within_model(
    planes: Sequence[Plane],
    source: PixelFormat,
    target: PixelFormat,
    tags: tuple[ColorTags, ColorTags],
    interlaced: bool,
) -> tuple[Plane, ...]:
    black, span, zero, chroma_span = code_scale(source, tags[0])
    to_black, to_span, to_zero, to_chroma_span = code_scale(target, tags[1])
    size = planes[0].shape[0], planes[0].shape[1]
    out = []
    for number, plane in enumerate(planes):
        is_chroma = source.model == "yuv" and number > 0
        scale = to_chroma_span / chroma_span if is_chroma else to_span / span
        offset = to_zero - zero * scale if is_chroma else to_black - black * scale
        if is_chroma and _resamples(source, target, tags):
            values = _resampled(plane.astype(np.float32), source, target, tags, size=size, interlaced=interlaced)
        elif offset == 0 and scale >= 1 and scale == int(scale) and not target.is_float:
            out.append(_multiplied(plane, int(scale), target))
            continue
        else:
            values = plane.astype(np.float32)
        out.append(_rounded(values * np.float32(scale) + np.float32(offset), target))
    return tuple(out)


def _multiplied(plane: Plane, factor: int, target: PixelFormat) -> Plane:
    """The exact way up: a shift in video range, 257 for full range from 8 to 16 bit."""
    out: NDArray[np.uint8] | NDArray[np.uint16]
    out = plane.astype(np.uint8) if target.bit_depth <= 8 else plane.astype(np.uint16)
    out *= factor
    return out


def _rounded(plane: FloatPlane, format: PixelFormat) -> Plane:
    return round_to_codes(plane, _dtype(format), 0 if format.is_float else format.max_code)


def _dtype(format: PixelFormat) -> np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.float32]:
    if format.is_float:
        return np.dtype(np.float32)
    return np.dtype(np.uint8) if format.bit_depth <= 8 else np.dtype(np.uint16)


def _resamples(source: PixelFormat, target: PixelFormat, tags: tuple[ColorTags, ColorTags]) -> bool:
    if source.chroma_shift != target.chroma_shift:
        return True
    across = source.chroma_shift[0] and (column_phase(tags[0]) != column_phase(tags[1]))
    return bool(across or (source.chroma_shift[1] and row_phase(tags[0]) != row_phase(tags[1])))


def _resampled(
    plane: FloatPlane,
    source: PixelFormat,
    target: PixelFormat,
    tags: tuple[ColorTags, ColorTags],
    *,
    size: tuple[int, int],
    interlaced: bool,
) -> FloatPlane:
    """Chroma [h, w] to the target's grid, rows first, each axis by its own shift and siting."""
    shifts = source.chroma_shift[1], target.chroma_shift[1]
    rows = -(-size[0] >> shifts[1])
    if shifts[0] != shifts[1] or (shifts[0] and row_phase(tags[0]) != row_phase(tags[1])):
        if interlaced and shifts[0] == 1 and shifts[1] == 0:
            plane = _fields_to_rows(plane, rows)
        else:
            plane = _resample_rows(plane, rows, shifts, (row_phase(tags[0]), row_phase(tags[1])))
    shifts = source.chroma_shift[0], target.chroma_shift[0]
    columns = -(-size[1] >> shifts[1])
    if shifts[0] != shifts[1] or (shifts[0] and column_phase(tags[0]) != column_phase(tags[1])):
        turned = np.ascontiguousarray(plane.T)
        plane = _resample_rows(turned, columns, shifts, (column_phase(tags[0]), column_phase(tags[1]))).T
    return plane


def _fields_to_rows(plane: FloatPlane, rows: int) -> FloatPlane:
    """Interlaced 4:2:0: each field's chroma rows lie a quarter (top) or three quarters (bottom) between its own."""
    out = np.empty((rows, plane.shape[1]), np.float32)
    for field, siting in ((0, 0.25), (1, 0.75)):
        count = len(range(field, rows, 2))
        if count:
            out[field::2] = _resample_rows(np.ascontiguousarray(plane[field::2]), count, (1, 0), (siting, 0.0))
    return out


def _resample_rows(plane: FloatPlane, count: int, shifts: tuple[int, int], sitings: tuple[float, float]) -> FloatPlane:
    """Rows on a new grid: linear between neighbours, and a triangle as wide as the new step where it is coarser.

    Args:
        plane: float32 [h, w].
        count: rows wanted.
        shifts: log2 of luma rows per row, before and after.
        sitings: where in its luma rows a sample lies, 0 first to 1 last, before and after.
    """
    old_step, new_step = 1 << shifts[0], 1 << shifts[1]
    places = np.arange(count) * new_step + sitings[1] * (new_step - 1)
    centres = (places - sitings[0] * (old_step - 1)) / old_step
    reach = max(1.0, new_step / old_step)
    first = np.floor(centres - reach).astype(np.int64) + 1
    taps = np.arange(int(np.ceil(2 * reach)) + 1)
    weights = np.maximum(0, 1 - np.abs(first[:, None] + taps - centres[:, None]) / reach)
    weights /= weights.sum(axis=1, keepdims=True)
    out = np.zeros((count, plane.shape[1]), np.float32)
    for tap in taps:
        if weights[:, tap].any():
            rows = np.clip(first + tap, 0, plane.shape[0] - 1)
            out += plane[rows] * weights[:, tap, None].astype(np.float32)
    return out
