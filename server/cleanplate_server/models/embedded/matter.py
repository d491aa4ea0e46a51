"""Soft alpha from hard masks, without weights."""

from __future__ import annotations

import struct

import cv2
import numpy as np

from cleanplate_server.errors import MaskError
from cleanplate_server.models.embedded.edges import guided_filter
from cleanplate_server.models.protocols import RGB, Alpha, Box, EngineInfo, Mask, MaskedFrames

_BAND_SHARE = 0.03
"""Half width of the unknown band as a share of the object's size (root of its area)."""
_LEAST_BAND_PX, _MOST_BAND_PX = 2, 24
_EPSILON = 1e-4
"""Colour variance below which the band is taken as flat: about one code value in a hundred."""


def band_radius(mask: Mask) -> int:
    """Half width in pixels of the band in which alpha may be soft: wider for larger objects."""
    size = float(np.sqrt(np.count_nonzero(mask)))
    return int(np.clip(round(_BAND_SHARE * size), _LEAST_BAND_PX, _MOST_BAND_PX))


def trimap_of(mask: Mask, radius_px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Gives uint8 [H, W]: 255 farther than the radius inside, 0 farther outside, 128 between."""
    # Without this rim the picture's border would count as inside: an object may well go on beyond it.
    inside = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5) if not mask.all() else None
    outside = cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) if mask.any() else None
    trimap = np.full(mask.shape, 128, np.uint8)
    trimap[(inside > radius_px) if inside is not None else mask] = 255
    trimap[(outside > radius_px) if outside is not None else ~mask] = 0
    return trimap


def soften(rgb: RGB, mask: Mask) -> Alpha:
    """Turns one hard mask into alpha by local colour lines (He et al., guided image filtering, TPAMI 2013).

    Args:
        rgb: float32 [H, W, 3], nominal 0 to 1.
        mask: bool [H, W].

    Returns:
        float32 [H, W] in [0, 1]: 1 inside, 0 outside, soft only in a band along the border.
    """
    alpha = mask.astype(np.float32)
    radius = band_radius(mask)
    box = _box_around(mask, margin_px=4 * radius)
    if box is None or mask.all():
        return alpha
    part = mask[box.slices]
    trimap = trimap_of(part, radius)
    guide = np.clip(np.nan_to_num(rgb[box.slices]), 0.0, 1.0).astype(np.float32)
    # Twice: the second fit has a soft start, which keeps hair from being cut at the mask's own border.
    line = part.astype(np.float32)
    for window in (2 * radius, radius):
        line = np.clip(guided_filter(guide, line, radius_px=max(1, window), epsilon=_EPSILON), 0.0, 1.0)
        line = np.where(trimap == 128, line, part).astype(np.float32)
    alpha[box.slices] = line
    return alpha


def _box_around(mask: Mask, *, margin_px: int) -> Box | None:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    if not len(rows):
        return None
    height, width = mask.shape
    return Box(
        max(0, int(columns[0]) - margin_px),
        max(0, int(rows[0]) - margin_px),
        min(width, int(columns[-1]) + 1 + margin_px),
        min(height, int(rows[-1]) + 1 + margin_px),
    )


class GuidedMatter:
    """Masks to soft alpha frame by frame, a `Matter` that needs no weights."""

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(name="embedded")

    def start(self, shot: MaskedFrames, saved: bytes | None = None) -> GuidedWalk:
        """Starts at the shot's first frame, or goes on after ``saved``."""
        return GuidedWalk(shot, done_frame=None if saved is None else struct.unpack("<q", saved)[0])


class GuidedWalk:
    """Soft alpha along a shot, a `MatteWalk`; each frame stands alone, so all its state is where it is.

    Args:
        shot: frames and masks.
        done_frame: the frame done last, None before the first.
    """

    def __init__(self, shot: MaskedFrames, *, done_frame: int | None) -> None:
        self._shot = shot
        self._done_frame = shot.frames.start - 1 if done_frame is None else done_frame

    def step(self, frame: int) -> Alpha:
        """Gives float32 [H, W] alpha of the next frame."""
        mask = self._shot.mask(frame)
        if mask.shape != self._shot.size:
            raise MaskError(
                f"the mask of frame {frame} is {mask.shape}, the frames are {self._shot.size};"
                " give a mask of the frames' size"
            )
        self._done_frame = frame
        if not mask.any():
            return np.zeros(mask.shape, np.float32)
        return soften(self._shot.rgb(frame), mask)

    def save(self) -> bytes:
        """All state after the last step: the frame's number."""
        return struct.pack("<q", self._done_frame)
