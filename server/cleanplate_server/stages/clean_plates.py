"""Frames that a person painted or shot without the object: read, registered to the frame, colour met at the rim.

The picture's values are taken as RGB in the media's own transfer, with the greatest code value, or 1.0 of a float
image, as nominal white. Where it has an alpha channel, only what is opaque is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.clip import Media
from cleanplate_server.errors import InputError, NotFoundError
from cleanplate_server.models.embedded.completion import spread
from cleanplate_server.models.protocols import RGB, Box, CleanRegion, Luma, Mask
from cleanplate_server.stages.color import to_rgb
from cleanplate_server.stages.image_source import read_image
from cleanplate_server.stages.windows import bounding_box

Motion = NDArray[np.float64]
"""float64 [3, 3], from pixels of the frame to pixels of the picture."""

_WORKING_PX = 960
"""Longest side of the pictures that are compared."""
_HOLE_GROW_PX = 3
_LEAST_AGREEMENT = 0.5
_SAME_AGREEMENT = 0.995
_FLAT = 0.004
"""Detail, as standard deviation, below which there is nothing to register by."""
_FLAT_DIFFERENCE = 0.1
_LEAST_MATCHES = 12
_RANSAC_PX = 2.0
_GAIN = 0.002
"""How much better a motion must agree to be preferred to a simpler one."""
_LARGEST_REST_PX = 4.0
_REST_ERROR = 0.05
_RIM_PX = 16.0
_SURROUNDINGS_PX = 48
_LARGEST_OFFSET = 0.25
_SAME_CONTRAST = 0.03


@dataclass(frozen=True, eq=False)
class FittedPlate:
    """What a person gave for a frame's hole, ready to be put there.

    Args:
        frame: frame number in the media.
        box: bounding box of the hole.
        rgb: float32 [h, w, 3] of the box.
        given: bool [h, w], hole pixels that the picture covers.
    """

    frame: int
    box: Box
    rgb: RGB
    given: Mask

    def rest(self, hole: Mask) -> Mask:
        """bool [H, W]: what of the hole is not given."""
        left = hole.copy()
        left[self.box.slices] &= ~self.given
        return np.asarray(left, np.bool_)

    def over(self, region: CleanRegion | None) -> CleanRegion:
        """The frame's clean region: what was given, and in the rest of the hole what an engine filled."""
        rgb, unseen = self.rgb.copy(), np.zeros(self.box.size, np.bool_)
        if region is not None:
            top, left = region.box.y0 - self.box.y0, region.box.x0 - self.box.x0
            part = slice(top, top + region.box.size[0]), slice(left, left + region.box.size[1])
            free = ~self.given[part]
            rgb[part][free] = region.rgb[free]
            unseen[part] = region.unseen & free
        return CleanRegion(self.frame, self.box, rgb, unseen)


def read_clean_plate(path: Path, frame: int, media: Media) -> tuple[RGB, Mask]:
    """Reads a picture for a frame.

    Returns:
        float32 [H, W, 3] in the media's own transfer, and bool [H, W], where it is opaque.

    Raises:
        InputError: no image, or another size.
        NotFoundError, AccessError, MediaError: it cannot be read.
    """
    if not path.is_file():
        raise NotFoundError(f"the clean plate {path} for frame {frame} is not there; correct its path")
    planes, format, tags = read_image(path)
    size = planes[0].shape
    if size != media.size:
        raise InputError(
            f"the clean plate {path.name} for frame {frame} is {size[1]}x{size[0]} and the picture is"
            f" {media.size[1]}x{media.size[0]}; paint it on the frame in the picture's own size",
            reason="INVALID_CLEAN_PLATE",
            metadata={"path": str(path), "frame": str(frame)},
        )
    white = 1.0 if format.is_float else float(format.max_code)
    opaque = planes[-1] >= white / 2 if format.has_alpha else np.ones(size, np.bool_)
    return to_rgb(planes, format, tags), np.asarray(opaque, np.bool_)


def fit_clean_plate(picture: RGB, opaque: Mask, *, frame: int, plate: RGB, hole: Mask, name: str) -> FittedPlate:
    """Registers a picture to its frame outside the hole and meets the frame's colour at the rim.

    A picture that lies on the frame already is taken as it is. Else a homography is fitted (SIFT, Lowe 2004; RANSAC;
    ECC, Evangelidis and Psarakis 2008), and what that leaves over is followed by dense flow, smoothly into the hole.

    Args:
        picture: float32 [H, W, 3].
        opaque: bool [H, W].
        frame: frame number in the media.
        plate: float32 [H, W, 3], the frame itself.
        hole: bool [H, W], not empty.
        name: of the picture, for the error.

    Raises:
        InputError: it does not show what the frame shows around the hole.
    """
    box = bounding_box(hole)
    assert box is not None
    pair = _Pair(plate, picture, opaque, hole)
    motion, rest = pair.register()
    agreement = pair.agreement(motion, rest)
    if agreement < _LEAST_AGREEMENT:
        raise InputError(
            f"the clean plate {name} does not show what frame {frame} shows around its hole: they agree to"
            f" {max(agreement, 0):.2f} of 1 and {_LEAST_AGREEMENT} is needed; paint it on frame {frame} itself, or"
            " check the frame's number",
            reason="INVALID_CLEAN_PLATE",
            metadata={"frame": str(frame), "agreement": f"{agreement:.3f}"},
        )
    outer = box.grown(_SURROUNDINGS_PX, pair.size)
    x, y = pair.places(outer, motion, rest)
    moved = _sample(picture, x, y)
    covered = _sample_nearest(opaque, x, y)
    met = _meet_colour(moved, plate[outer.slices], hole[outer.slices], covered)
    inner = (
        slice(box.y0 - outer.y0, box.y1 - outer.y0),
        slice(box.x0 - outer.x0, box.x1 - outer.x0),
    )
    return FittedPlate(frame, box, np.ascontiguousarray(met[inner]), covered[inner] & hole[box.slices])


class _Pair:
    """A frame and the picture that was given for it, with small copies of both to compare.

    Args:
        plate, picture: float32 [H, W, 3].
        opaque: bool [H, W] of the picture.
        hole: bool [H, W] of the frame.
    """

    def __init__(self, plate: RGB, picture: RGB, opaque: Mask, hole: Mask) -> None:
        self.size = hole.shape[0], hole.shape[1]
        scale = min(1.0, _WORKING_PX / max(self.size))
        self._small = tuple(max(1, round(side * scale)) for side in self.size)
        side = 2 * _HOLE_GROW_PX + 1
        grown = cv2.dilate(self._shrink(hole.astype(np.float32)), np.ones((side, side), np.uint8)) > 0
        self._known = np.asarray(~grown, np.bool_)
        self._opaque = np.asarray(self._shrink(opaque.astype(np.float32)) > 0.99, np.bool_)
        white = max(1.0, float(np.percentile(plate[::4, ::4], 99.5)))
        self._own = np.asarray(np.clip(self._shrink(plate.mean(axis=2)) / white, 0, 1), np.float32)
        self._other = np.asarray(np.clip(self._shrink(picture.mean(axis=2)) / white, 0, 1), np.float32)
        self._near = self._around(grown)

    def register(self) -> tuple[Motion, NDArray[np.float32]]:
        """The motion from small pixels of the frame to those of the picture, and what it leaves over [h, w, 2]."""
        still, nothing = np.eye(3), np.zeros((*self._own.shape, 2), np.float32)
        best = self.agreement(still, nothing)
        if best >= _SAME_AGREEMENT:
            return still, nothing
        motion = still
        for found in (self._refine(still), self._refine(self._match())):
            agreed = self.agreement(found, nothing)
            if agreed > best + _GAIN:
                motion, best = found, agreed
        rest = self._rest(motion)
        return (motion, rest) if self.agreement(motion, rest) > best + _GAIN else (motion, nothing)

    def agreement(self, motion: Motion, rest: NDArray[np.float32]) -> float:
        """Correlation of detail around the hole, at most 1; for flat pictures, how alike they are."""
        x, y = self._moved(motion, rest)
        moved = _sample(self._other, x, y)
        shown = self._known & _sample_nearest(self._opaque, x, y)
        usable = self._near & shown
        if usable.sum() < self._near.sum() / 4:
            return 0.0
        own, other = (_detail(each, shown)[usable] for each in (self._own, moved))
        spread_own, spread_other = float(own.std()), float(other.std())
        if max(spread_own, spread_other) < _FLAT:
            differs = float(np.median(np.abs(self._own - moved)[usable]))
            return 1 - differs / (2 * _FLAT_DIFFERENCE)
        mixed = float(((own - own.mean()) * (other - other.mean())).mean())
        return mixed / max(spread_own * spread_other, 1e-9)

    def places(self, box: Box, motion: Motion, rest: NDArray[np.float32]) -> tuple[Luma, Luma]:
        """Where the pixels of a box of the frame lie in the picture, in full pixels."""
        row, column = np.mgrid[box.y0 : box.y1, box.x0 : box.x1].astype(np.float32)
        if not rest.any() and np.array_equal(motion, np.eye(3)):
            return column, row
        sy, sx = self.size[0] / self._small[0], self.size[1] / self._small[1]
        small_x = ((column + np.float32(0.5)) / sx - np.float32(0.5)).astype(np.float32)
        small_y = ((row + np.float32(0.5)) / sy - np.float32(0.5)).astype(np.float32)
        flow = cv2.remap(rest, small_x, small_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        moved = cv2.perspectiveTransform(cv2.merge([small_x + flow[..., 0], small_y + flow[..., 1]]), motion)
        x = (moved[..., 0] + 0.5) * sx - 0.5
        y = (moved[..., 1] + 0.5) * sy - 0.5
        return x.astype(np.float32), y.astype(np.float32)

    def _shrink(self, picture: Luma) -> Luma:
        height, width = self._small
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)

    def _around(self, hole: Mask) -> Mask:
        """The neighbourhood of the hole that must agree: as far again as the hole is large."""
        reach = max(24, int(np.sqrt(hole.sum())))
        away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
        return np.asarray((away <= reach) & ~hole, np.bool_)

    def _moved(self, motion: Motion, rest: NDArray[np.float32]) -> tuple[Luma, Luma]:
        height, width = self._own.shape
        row, column = np.mgrid[0:height, 0:width].astype(np.float32)
        moved = cv2.perspectiveTransform(cv2.merge([column + rest[..., 0], row + rest[..., 1]]), motion)
        return np.asarray(moved[..., 0], np.float32), np.asarray(moved[..., 1], np.float32)

    def _match(self) -> Motion:
        """A homography from matched corners; none where too few match."""
        search = cv2.SIFT.create(2000)
        free, opaque = (mask.astype(np.uint8) * 255 for mask in (self._known, self._opaque))
        points, looks = search.detectAndCompute(_bytes(self._own), free)
        others, other_looks = search.detectAndCompute(_bytes(self._other), opaque)
        if looks is None or other_looks is None or min(len(points), len(others)) < _LEAST_MATCHES:
            return np.eye(3)
        pairs = cv2.BFMatcher(cv2.NORM_L2, crossCheck=True).match(looks, other_looks)
        if len(pairs) < _LEAST_MATCHES:
            return np.eye(3)
        start = np.array([points[pair.queryIdx].pt for pair in pairs], np.float32)
        end = np.array([others[pair.trainIdx].pt for pair in pairs], np.float32)
        cv2.setRNGSeed(1)
        found, agree = cv2.findHomography(start, end, cv2.RANSAC, _RANSAC_PX, maxIters=4000, confidence=0.999)
        if found is None or int(agree.sum()) < _LEAST_MATCHES:
            return np.eye(3)
        return np.asarray(found, np.float64)

    def _refine(self, start: Motion) -> Motion:
        """Turns a rough motion into one that is right to a part of a pixel; the rough one where that finds nothing."""
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 60, 1e-5)
        mask = self._known.astype(np.uint8)
        try:
            back = np.linalg.inv(start).astype(np.float32)
            _, found = cv2.findTransformECC(self._other, self._own, back, cv2.MOTION_HOMOGRAPHY, criteria, mask, 5)
            return np.asarray(np.linalg.inv(found.astype(np.float64)), np.float64)
        except (cv2.error, np.linalg.LinAlgError):  # it does not converge where the pictures do not fit
            return start

    def _rest(self, motion: Motion) -> NDArray[np.float32]:
        """What a motion leaves over, where the pictures then agree, continued smoothly over the hole."""
        nothing = np.zeros((*self._own.shape, 2), np.float32)
        if min(self._own.shape) < 24:
            return nothing
        x, y = self._moved(motion, nothing)
        moved = np.where(self._known, _sample(self._other, x, y), self._own).astype(np.float32)
        search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        flow = np.asarray(search.calc(_bytes(self._own), _bytes(moved), nothing.copy()), np.float32)
        size = np.hypot(flow[..., 0], flow[..., 1])
        row, column = np.mgrid[0 : flow.shape[0], 0 : flow.shape[1]].astype(np.float32)
        error = np.abs(_sample(moved, column + flow[..., 0], row + flow[..., 1]) - self._own)
        trusted = self._known & (size < _LARGEST_REST_PX) & (error < _REST_ERROR)
        return spread(flow, trusted.astype(np.float32), sigma_px=8)


def _meet_colour(moved: RGB, plate: RGB, hole: Mask, covered: Mask) -> RGB:
    """The picture with the contrast and the smooth offset that make it meet the frame around the hole."""
    known = ~(cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & covered
    if not known.any():
        return moved
    moved = _meet_contrast(moved, plate, known)
    away = cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, 5)
    difference = np.clip(plate - moved, -_LARGEST_OFFSET, _LARGEST_OFFSET).astype(np.float32)
    usual = np.median(difference[known], axis=0)
    odd = np.abs(difference - usual).mean(axis=2) / 0.06  # what was painted or moved beside the hole is no colour cast
    weight = np.where(known, np.exp(-away / _RIM_PX) * np.exp(-(odd**2)), 0).astype(np.float32)
    return np.asarray(moved + spread(difference, weight, sigma_px=6), np.float32)


def _meet_contrast(moved: RGB, plate: RGB, known: Mask) -> RGB:
    """Another exposure is another contrast; the same one, but for rounding, is left as it is."""
    own, other = plate[known], moved[known]
    gain = own.std(axis=0) / np.maximum(other.std(axis=0), np.float32(1e-4))
    gain = np.where(np.abs(gain - 1) > _SAME_CONTRAST, np.clip(gain, 0.5, 2), 1).astype(np.float32)
    if (gain == 1).all():
        return moved
    middle = other.mean(axis=0)
    return np.asarray((moved - middle) * gain + middle, np.float32)


def _detail(picture: Luma, known: Mask) -> Luma:
    """What is coarser than grain and finer than light and shade, of the known pixels alone."""
    weight = known.astype(np.float32)
    fine, coarse = (
        cv2.GaussianBlur(picture * weight, (0, 0), sigma) / np.maximum(cv2.GaussianBlur(weight, (0, 0), sigma), 1e-3)
        for sigma in (1.0, 8.0)
    )
    return np.asarray(fine - coarse, np.float32)


def _bytes(picture: Luma) -> NDArray[np.uint8]:
    return np.rint(picture * 255).astype(np.uint8)


def _sample(picture: NDArray[np.float32], x: Luma, y: Luma) -> NDArray[np.float32]:
    taken = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(taken, np.float32)


def _sample_nearest(mask: Mask, x: Luma, y: Luma) -> Mask:
    taken = cv2.remap(mask.astype(np.uint8), x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT, borderValue=0)
    return np.asarray(taken > 0, np.bool_)
