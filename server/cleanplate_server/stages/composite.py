"""Plate, clean plate and alpha to the frame that is delivered: the only place that mixes pixels.

Everything is done in float32 in the plate's own planes and rounded once. A sample whose alpha is 0 is the source's
code value, because it is never written.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plane, Plate
from cleanplate_server.models.protocols import RGB, Alpha, Box, CleanRegion, Mask
from cleanplate_server.stages.color import (
    align_box,
    code_scale,
    from_rgb,
    plane_slices,
    round_to_codes,
    to_rgb,
)

PATCH_MARGIN_PX = 16
"""Plate colour kept around a patch, under alpha 0, so that a lossy codec does not bleed black into its edge."""


@dataclass(frozen=True, eq=False)
class PlatePatch:
    """A part of one frame, ready to be written over it.

    Args:
        frame: frame number in the media.
        box: whole chroma samples of the format.
        planes: the box's code values, in the format's order, with alpha last if the format has one.
    """

    frame: int
    box: Box
    planes: tuple[Plane, ...]


def grow(mask: Mask, radius_px: int) -> Mask:
    """Grows a mask by a disc; bool [H, W]."""
    if radius_px <= 0 or not mask.any():
        return mask
    near = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(near <= radius_px, np.bool_)


def soft_edge(hole: Mask, feather_px: int) -> Alpha:
    """Alpha that is 0 outside the hole, rises over ``feather_px`` pixels inside it, and is 1 further in.

    The picture's own border is no edge.

    Args:
        hole: bool [H, W].
        feather_px: 0 gives a hard edge.
    """
    if feather_px <= 0 or not hole.any():
        return hole.astype(np.float32)
    margin = feather_px + 2
    padded = np.pad(hole, margin, mode="edge").astype(np.uint8)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[margin:-margin, margin:-margin]
    return np.asarray(np.clip(depth / np.float32(feather_px + 1), 0, 1), np.float32)


def composite(plate: Plate, region: CleanRegion, alpha: Alpha, media: Media) -> PlatePatch:
    """Mixes a clean region over a plate.

    Args:
        plate: the source's frame.
        region: the clean plate in a box of it.
        alpha: float32 [H, W] of the whole picture; what it holds outside the region's box must be 0.
        media: format and tags of the plate.

    Returns:
        The box in the source's own code values: ``alpha * clean + (1 - alpha) * plate``, rounded once; samples whose
        alpha is 0 are the plate's. A chroma sample takes the greatest alpha of the pixels that it covers.
    """
    format, tags = media.format, media.tags
    box = align_box(region.box, format, media.size)
    mixed = _mixed_rgb(plate, region, alpha, media, box)
    clean = from_rgb(mixed, format, tags, media.size[0])
    weight = alpha[box.slices]
    planes = []
    for i, source in enumerate(plate.planes):
        own = source[plane_slices(box, format, i)]
        if i >= len(clean):  # the source's own alpha channel stays
            planes.append(own.copy())
            continue
        a = weight if clean[i].shape == weight.shape else _largest_of_each(weight, clean[i].shape, format)
        base = own.astype(np.float32)
        if format.is_float:  # what is no number cannot be mixed
            base = np.where(np.isfinite(base), base, clean[i])
        blended = round_to_codes(base + a * (clean[i] - base), source.dtype, _max_code(format))
        planes.append(np.where(a > 0, blended, own))
    return PlatePatch(region.frame, box, tuple(planes))


def patch(
    plate: Plate, region: CleanRegion, alpha: Alpha, media: Media, *, format: PixelFormat, tags: ColorTags
) -> PlatePatch:
    """The clean region alone, with its alpha, in a delivery format with its tags; straight, not premultiplied."""
    box = align_box(region.box.grown(PATCH_MARGIN_PX, media.size), format, media.size)
    color = from_rgb(_mixed_rgb(plate, region, alpha, media, box), format, tags, media.size[0])
    dtype = sample_dtype(format)
    planes = [round_to_codes(p, dtype, _max_code(format)) for p in color]
    scale = np.float32(1 if format.is_float else format.max_code)
    planes.append(round_to_codes(alpha[box.slices] * scale, dtype, _max_code(format)))
    return PlatePatch(region.frame, box, tuple(planes))


def matte(alpha: Alpha, frame: int, box: Box, format: PixelFormat, tags: ColorTags) -> PlatePatch:
    """Alpha as a picture in a delivery format: white is opaque, in the format's nominal range."""
    height = alpha.shape[0]
    aligned = align_box(box, format, (alpha.shape[0], alpha.shape[1]))
    gray = np.repeat(alpha[aligned.slices][..., None], 3, axis=2)
    dtype = sample_dtype(format)
    planes = [round_to_codes(p, dtype, _max_code(format)) for p in from_rgb(gray, format, tags, height)]
    if format.has_alpha:
        opaque = 1.0 if format.is_float else float(format.max_code)
        planes.append(np.full(aligned.size, opaque, dtype))
    return PlatePatch(frame, aligned, tuple(planes))


def paste(plate: Plate, over: PlatePatch, format: PixelFormat) -> Plate:
    """A new plate with a patch written over it; the given one stays as it is."""
    planes = []
    for i, (own, new) in enumerate(zip(plate.planes, over.planes, strict=True)):
        out = own.copy()
        out[plane_slices(over.box, format, i)] = new
        planes.append(out)
    return Plate(tuple(planes), plate.frame, plate.pts, plate.duration)


def empty_plate(like: Plate, format: PixelFormat, tags: ColorTags) -> Plate:
    """A black frame with alpha 0 at a plate's place in time, for patches and mattes to be pasted on."""
    height, width = like.planes[0].shape
    dtype = sample_dtype(format)
    black, _, zero, _ = code_scale(format, tags)
    whole = Box(0, 0, width, height)
    planes: list[Plane] = []
    for i in range({"gray": 1}.get(format.model, 3) + format.has_alpha):
        is_alpha = format.has_alpha and i == (1 if format.model == "gray" else 3)
        level = 0.0 if is_alpha else zero if format.model == "yuv" and i else black
        rows, columns = plane_slices(whole, format, i)
        planes.append(np.full((rows.stop, columns.stop), level, dtype))
    return Plate(tuple(planes), like.frame, like.pts, like.duration)


def sample_dtype(format: PixelFormat) -> np.dtype[np.generic]:
    """uint8, uint16 or float32."""
    if format.is_float:
        return np.dtype(np.float32)
    return np.dtype(np.uint8 if format.bit_depth <= 8 else np.uint16)


def _mixed_rgb(plate: Plate, region: CleanRegion, alpha: Alpha, media: Media, box: Box) -> RGB:
    """The plate's RGB with the clean region in place of every pixel that has alpha."""
    rgb = to_rgb(plate.planes, media.format, media.tags, box)
    inner = Box(region.box.x0 - box.x0, region.box.y0 - box.y0, region.box.x1 - box.x0, region.box.y1 - box.y0)
    filled = alpha[region.box.slices] > 0
    rgb[inner.slices][filled] = region.rgb[filled]
    return rgb


def _largest_of_each(alpha: Alpha, shape: tuple[int, ...], format: PixelFormat) -> NDArray[np.float32]:
    """The greatest alpha of the pixels that each chroma sample covers."""
    step_x, step_y = 1 << format.chroma_shift[0], 1 << format.chroma_shift[1]
    padded = np.pad(alpha, ((0, shape[0] * step_y - alpha.shape[0]), (0, shape[1] * step_x - alpha.shape[1])))
    return np.asarray(padded.reshape(shape[0], step_y, shape[1], step_x).max(axis=(1, 3)), np.float32)


def _max_code(format: PixelFormat) -> int:
    return 0 if format.is_float else format.max_code
