"""Which motion is the camera's, which is an object's, and which pixel goes with which."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.fields import to_bytes
from cleanplate_server.models.embedded.flow import DisFlow, sample_along
from cleanplate_server.models.protocols import RGB, Flow, Frames, Mask

Picture = NDArray[np.float32]

_GRID_PX = 8
_LEAST_POINTS = 24
_AGREEMENT_PX = 1.0
_NOISE_PX = 0.7
_TELLING_PX = 2.0
"""How far an object's motion must be from the background's for a pixel's motion to tell them apart."""
_STRONGEST = 3.0

_LEAST_FOLLOWING = 0.45
"""Share of the picture that must follow the camera, or the other frame shows something else or is too far away."""
_SHIFT_NOISE_PX, _SHIFT_NOISE = 0.3, 2.5
_CHANGE_NOISE, _CHANGE_SPREAD = 0.01, 3.0
"""Least noise of motion and of colour, and how many times the picture's median counts as noise."""
_USUAL_QUANTILE = 0.8
_CLOSED = (5, 5)
"""Gaps of so many pixels between changed pixels belong to them: the smooth inside of a thing shows no change."""
_FOR_SHIFT, _FOR_CHANGE, _FOR_REST = 1.4, 3.0, 1.6
_EXACT = 0.03
"""Registered frames that differ usually less than so much show each pixel's change for itself."""
_HOLE_SHARE = 0.01
_HOLE = -0.2
"""What is enclosed by change, up to a share of the picture, may be smooth cloth or ground: log odds near none."""
_AGAINST_OTHER = 1.0

_SPACING, _NEAREST, _FARTHEST, _AHEAD = 5, 4, 24, 20
"""Frames whose number this divides are compared with, so far away; read so many at a time beyond what is needed."""
_LOCKED_PX, _UNLOCKED_PX = 0.35, 0.7
_LOCKED_REST, _UNLOCKED_REST = 0.015, 0.03
"""Motion between compared frames and usual difference of them up to which a camera stands still, and surely moves."""
_FAINT, _PLAIN = 0.12, 0.24
"""Colour differences from the ground up to which a thing may be taken for it, and beyond which it may not."""


def camera_motion(motion: Flow, free: Mask) -> Flow:
    """Fits the plane motion that most of the background shares.

    Args:
        motion: float32 [h, w, 2], from this frame to the one before.
        free: bool [h, w], True where no object is expected.

    Returns:
        float32 [h, w, 2], the same for every pixel's background; the median shift where too little can be seen.
    """
    height, width = free.shape
    rows, columns = np.mgrid[_GRID_PX // 2 : height : _GRID_PX, _GRID_PX // 2 : width : _GRID_PX]
    usable = free[rows, columns]
    rows, columns = rows[usable], columns[usable]
    here = np.column_stack([columns, rows]).astype(np.float32)
    if len(here) < _LEAST_POINTS:
        return np.zeros_like(motion)
    there = here + motion[rows, columns]
    model, _ = cv2.findHomography(here, there, cv2.RANSAC, _AGREEMENT_PX)
    if model is None:
        return np.broadcast_to(np.median(there - here, axis=0).astype(np.float32), motion.shape)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    places = np.stack([x, y], -1)
    return np.asarray(cv2.perspectiveTransform(places, model) - places, np.float32)


def local_motion(motion: Flow, weight: Picture, *, radius_px: int, otherwise: Flow) -> Flow:
    """Averages motion over the weighted pixels near each pixel.

    Args:
        motion, otherwise: float32 [h, w, 2]; ``otherwise`` counts where hardly a weighted pixel is near.
        weight: float32 [h, w].
        radius_px: how far "near" goes.
    """
    size = (2 * radius_px + 1, 2 * radius_px + 1)
    total = np.asarray(cv2.blur(motion * weight[..., None], size, borderType=cv2.BORDER_CONSTANT), np.float32)
    mass = np.asarray(cv2.blur(weight, size, borderType=cv2.BORDER_CONSTANT), np.float32)[..., None]
    least = np.float32(2e-2)
    return np.asarray((total + least * otherwise) / (mass + least), np.float32)


def motion_evidence(motion: Flow, *, own: Flow, backgrounds: tuple[Flow, ...]) -> Picture:
    """Says for each pixel how surely it belongs to the background because it moves as that does.

    Only where the object as a whole moves otherwise does this mean anything; a limb that moves in its own way is no
    sign of background.

    Args:
        motion, own, backgrounds: float32 [h, w, 2].

    Returns:
        float32 [h, w] log odds of the object, from a bound below 0 to 0.
    """
    from_rest = np.min([np.linalg.norm(motion - b, axis=-1) for b in backgrounds], axis=0)
    apart = np.min([np.linalg.norm(own - b, axis=-1) for b in backgrounds], axis=0)
    alike = np.exp(np.float32(-0.5) * np.square(from_rest / _NOISE_PX))
    telling = np.clip(apart / _TELLING_PX - np.float32(0.5), 0.0, 1.0)
    return np.asarray(-_STRONGEST * alike * telling, np.float32)


@dataclass(frozen=True)
class Movement:
    """What does not go with the camera, as the frames around show it.

    Args:
        shifts: float32 [h, w, 2] for each frame around, motion to it without the camera's, in pixels.
        noises: pixels for each, what is no sign of motion.
        shifted: float32 [h, w] in [0, 1], how surely a pixel moves.
        changed: float32 [h, w] in [0, 1], how surely it shows what stood elsewhere before and after.
        exactness: 0 to 1, how well the other frames lie on this one; 1 is a locked camera.
    """

    shifts: tuple[Flow, ...]
    noises: tuple[float, ...]
    shifted: Picture
    changed: Picture
    exactness: float

    @classmethod
    def of(cls, picture: RGB, sides: Iterable[Iterable[RGB]]) -> Movement | None:
        """Compares a frame with frames before and after it.

        Args:
            picture: float32 [h, w, 3], nominal 0 to 1.
            sides: frames like it, for each direction in time.

        Returns:
            None where no other frame shows the same place.
        """
        shifts, noises, shifted, changed, rests = [], [], [], [], []
        for side in sides:
            found = [pair for other in side if (pair := _apart_from_camera(picture, other)) is not None]
            if not found:
                continue
            levels = []
            for shift, _, rest in found:
                rests.append(rest)
                length = np.linalg.norm(shift, axis=-1)
                noise = max(_SHIFT_NOISE_PX, _SHIFT_NOISE * float(np.median(length)))
                shifts.append(shift)
                noises.append(noise)
                levels.append(np.clip(length / np.float32(2.0 * noise), 0.0, 1.0))
            shifted.append(np.mean(levels, axis=0))
            changed.append(np.mean([change for _, change, _ in found], axis=0))
        if not shifts:
            return None
        # What one direction shows to be still is still: the other saw it covered by something.
        closed = cv2.morphologyEx(
            np.min(changed, axis=0), cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, _CLOSED)
        )
        exactness = max(0.0, 1.0 - float(np.mean(rests)) / _EXACT)
        return cls(tuple(shifts), tuple(noises), np.min(shifted, axis=0), np.asarray(closed, np.float32), exactness)

    def at(self, place: Mask) -> float:
        """How surely the things at a place move, 0 to 1."""
        if not place.any():
            return 0.0
        # Flow leaks from a thing onto smooth ground beside it; exact frames show that it did.
        return float(np.maximum((1.0 - 0.6 * self.exactness) * self.shifted, self.changed)[place].mean())

    def evidence(self, place: Mask) -> Picture:
        """Log odds float32 [h, w] that a pixel belongs to the moving thing that covers a place, bool [h, w]."""
        alike = np.zeros(place.shape, np.float32)
        for shift, noise in zip(self.shifts, self.noises, strict=True):
            own = np.median(shift[place], axis=0)
            reach = 2.0 * noise + 0.5 * float(np.linalg.norm(own))
            alike += np.exp(np.float32(-0.5) * _squared_length(shift - own) / np.float32(reach**2))
        other = (1.0 - alike / len(self.shifts)) * self.shifted
        by_pixel = (1.0 + 1.5 * self.exactness) * (_FOR_CHANGE * self.changed - _FOR_REST)
        evidence = (
            by_pixel
            + (1.0 - 0.6 * self.exactness) * _FOR_SHIFT * self.shifted
            - (1.0 - 0.5 * self.exactness) * _AGAINST_OTHER * other
        )
        return np.where(pinholes(self.changed >= 0.4, _HOLE_SHARE), np.maximum(evidence, _HOLE), evidence).astype(
            np.float32
        )


def _squared_length(motion: Flow) -> Picture:
    return np.asarray(np.square(motion[..., 0]) + np.square(motion[..., 1]), np.float32)


def pinholes(mask: Mask, share: float) -> Mask:
    """Holes of a mask, bool [h, w], that are smaller than a share of the picture."""
    _, labels, stats, _ = cv2.connectedComponentsWithStats((~mask).astype(np.uint8), connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < share * mask.size
    small[0] = False
    return np.asarray(small[labels], np.bool_)


def _apart_from_camera(picture: RGB, other: RGB) -> tuple[Flow, Picture, float] | None:
    """Motion to another frame without the camera's, what changed, and the usual difference of what did not.

    None where the two show different places.
    """
    grey, other_grey = (np.asarray(cv2.cvtColor(p, cv2.COLOR_RGB2GRAY), np.float32) for p in (picture, other))
    motion = DisFlow().flow(grey, other_grey)
    camera = camera_motion(motion, np.ones(grey.shape, np.bool_))
    shift = motion - camera
    if float(np.mean(np.linalg.norm(shift, axis=-1) < _AGREEMENT_PX)) < _LEAST_FOLLOWING:
        return None
    there = sample_along(other, camera)
    changes, rest = _changes(picture, there)
    return shift, changes, rest


def _changes(picture: RGB, there: RGB) -> tuple[Picture, float]:
    """How surely each pixel shows another thing than the same place in a registered frame.

    Returns:
        float32 [h, w] in [0, 1], and the difference below which most of the picture stays.
    """
    square = np.ones((3, 3), np.uint8)
    apart = np.abs(picture - there).max(-1)
    # Where registration is coarse, a colour found anywhere in a small neighbourhood counts as found.
    beyond = np.maximum(picture - cv2.dilate(there, square), cv2.erode(there, square) - picture).max(-1)
    rest = float(np.quantile(apart, _USUAL_QUANTILE))
    levels = []
    for change, noise in (
        (apart, _CHANGE_NOISE + 2.0 * rest),
        (np.maximum(beyond, 0.0), 2.0 * _CHANGE_NOISE + _CHANGE_SPREAD * float(np.median(np.maximum(beyond, 0.0)))),
    ):
        smooth = np.asarray(cv2.blur(change, (3, 3)), np.float32)
        levels.append(np.clip(smooth / np.float32(2.0 * noise) - np.float32(0.25), 0.0, 1.0))
    return np.asarray(np.maximum(levels[0], levels[1]), np.float32), rest


@dataclass(frozen=True)
class Change:
    """What a frame of a locked camera shows that other frames do not.

    Args:
        level: float32 [h, w] in [0, 1], how surely a pixel shows another thing than before and than after.
        faint: float32 [h, w] in [0, 1], the part of it where that thing looks much like what it hides, so that looks
            alone would miss it.
        certainty: 0 to 1, how surely the camera stands still and both directions in time were seen.
    """

    level: Picture
    faint: Picture
    certainty: float


@dataclass
class StillGround:
    """Pictures before and after a frame, compared pixel by pixel; says nothing where the camera moves.

    What it says of a frame depends on the shot alone, never on the frames asked for before.

    Args:
        frames: the shot.
        size: (height, width) to compare at.
    """

    frames: Frames
    size: tuple[int, int]
    _pictures: dict[int, NDArray[np.uint8]] = field(default_factory=dict)
    _steps_px: dict[int, float] = field(default_factory=dict)

    def change(self, frame: int, picture: NDArray[np.uint8]) -> Change:
        """Compares the picture of a frame, uint8 [h, w, 3] in R, G, B, with those around it."""
        around = self._numbers(frame, _FARTHEST)
        if any(n not in self._pictures for n in around):
            self._read(self._numbers(frame, _FARTHEST + _AHEAD))
        before = [n for n in around if n <= frame - _NEAREST]
        after = [n for n in around if n >= frame + _NEAREST]
        moved_px = max((self._step_px(n) for n in around[:-1]), default=_UNLOCKED_PX)
        if not before or not after or moved_px >= _UNLOCKED_PX:
            none = np.zeros(self.size, np.float32)
            return Change(none, none, 0.0)
        found = [[_difference(picture, self._pictures[n]) for n in side] for side in (before, after)]
        # A foot that rests for some frames was elsewhere before; what one direction shows to be still is still.
        apart = np.min([np.max([apart for apart, _ in side], axis=0) for side in found], axis=0)
        rest = float(np.mean([rest for side in found for _, rest in side]))
        level = np.clip(apart / np.float32(2.0 * (_CHANGE_NOISE + 2.0 * rest)) - np.float32(0.25), 0.0, 1.0)
        closed = cv2.morphologyEx(level, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, _CLOSED))
        filled = np.where(pinholes(closed >= 0.4, _HOLE_SHARE) & (closed < 0.4), np.float32(0.4), closed)
        faint = closed * np.clip((_PLAIN - apart) / np.float32(_PLAIN - _FAINT), 0.0, 1.0)
        certainty = _falling(moved_px, _LOCKED_PX, _UNLOCKED_PX) * _falling(rest, _LOCKED_REST, _UNLOCKED_REST)
        return Change(np.asarray(filled, np.float32), np.asarray(faint, np.float32), certainty)

    def _numbers(self, frame: int, reach: int) -> list[int]:
        shot = self.frames.frames
        first, last = max(shot.start, frame - reach), min(shot.stop - 1, frame + reach)
        return list(range(first + -first % _SPACING, last + 1, _SPACING))

    def _read(self, numbers: list[int]) -> None:
        """Reads what is not held, in order of time and many at once, since going there and back costs decoding."""
        self._pictures = {n: self._pictures[n] if n in self._pictures else self._small(n) for n in numbers}
        self._steps_px = {n: length for n, length in self._steps_px.items() if n in self._pictures}

    def _small(self, frame: int) -> NDArray[np.uint8]:
        rgb = np.clip(np.nan_to_num(self.frames.rgb(frame)), 0.0, 1.0).astype(np.float32)
        return to_bytes(np.asarray(cv2.resize(rgb, self.size[::-1], interpolation=cv2.INTER_AREA), np.float32))

    def _step_px(self, number: int) -> float:
        """Pixels that most of the picture moves from one held picture to the next."""
        if number not in self._steps_px:
            grey, later = (cv2.cvtColor(self._pictures[n], cv2.COLOR_RGB2GRAY) for n in (number, number + _SPACING))
            motion = DisFlow().flow_of_bytes(np.asarray(grey, np.uint8), np.asarray(later, np.uint8))
            # The median, not a fitted camera: a fit to ground with little to see on it wanders where all is still.
            self._steps_px[number] = float(np.median(np.linalg.norm(motion, axis=-1)))
        return self._steps_px[number]


def _difference(picture: NDArray[np.uint8], other: NDArray[np.uint8]) -> tuple[Picture, float]:
    """How far each pixel differs, float32 [h, w] nominal 0 to 1, and the difference below which most of them stay."""
    apart = cv2.absdiff(picture, other)
    most = cv2.max(cv2.max(apart[..., 0], apart[..., 1]), apart[..., 2])
    rest = float(np.quantile(most[::4, ::4], _USUAL_QUANTILE)) / 255.0
    smooth = np.asarray(cv2.blur(most.astype(np.float32), (3, 3)), np.float32) / np.float32(255.0)
    return smooth, rest


def _falling(value: float, full: float, none: float) -> float:
    return float(np.clip((none - value) / (none - full), 0.0, 1.0))
