"""The frames of a shot as engines see them: random access in float RGB, memory bounded in bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from threading import RLock
from typing import Protocol

import numpy as np

from cleanplate_server.clip import Media, Plate
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask
from cleanplate_server.stages.clean_plates import FittedPlate
from cleanplate_server.stages.color import luma_weights, to_luma, to_rgb
from cleanplate_server.stages.windows import bounding_box

_PASSED_SHARE = 0.25
"""Part of the room that what was decoded on the way to one plate may take."""


class PlateSource(Protocol):
    """Whatever decodes single frames of a media, such as ``stages.decode.Decoder``."""

    def plate(self, frame: int) -> Plate:
        """The frame with this number."""


class PassingSource(Protocol):
    """Whatever decodes several frames to get at one, such as ``stages.decode.Decoder``."""

    def plates_to(self, frame: int, most: int) -> Iterator[Plate]:
        """The frame with this number, after at most so many that were decoded on the way to it."""


class MaskSource(Protocol):
    """Whatever holds a mask for every frame of a shot."""

    def mask(self, frame: int) -> Mask:
        """bool [H, W]."""

    def box(self, frame: int) -> Box | None:
        """Bounding box of the mask, None where it is empty; cheap."""


class PlateCache:
    """The plates last used of one media, in their own planes. Safe to use from several threads.

    What is decoded on the way to a plate is kept too, up to a part of the room: whoever looks to both sides of frame
    after frame asks for it soon, and would have it decoded again from the last key frame on.

    Args:
        source: decodes what is not here.
        limit_bytes: plates beyond it are forgotten, the longest unused first; at least two are kept.
    """

    LIMIT_COUNT = 160
    """Plates kept where they are small: as far as engines look to both sides, and no more however long the clip is."""

    def __init__(self, source: PassingSource, limit_bytes: int) -> None:
        self._source = source
        self._limit_bytes = limit_bytes
        self._held_bytes = 0
        self._most_passed = 0  # until a plate tells how large they are
        self._plates: OrderedDict[int, Plate] = OrderedDict()
        self._lock = RLock()

    def plate(self, frame: int) -> Plate:
        """The frame with this number."""
        with self._lock:
            if frame in self._plates:
                self._plates.move_to_end(frame)
                return self._plates[frame]
            for plate in self._source.plates_to(frame, self._most_passed):
                self._keep(plate)
            return plate

    def keep(self, plate: Plate) -> None:
        """Takes in a plate that was decoded on the way to another."""
        with self._lock:
            self._keep(plate)

    def _keep(self, plate: Plate) -> None:
        if plate.frame in self._plates:
            return
        self._plates[plate.frame] = plate
        self._held_bytes += _plate_bytes(plate)
        room = min(self.LIMIT_COUNT, self._limit_bytes // max(1, _plate_bytes(plate)))
        self._most_passed = int(room * _PASSED_SHARE)
        while len(self._plates) > (2 if self._held_bytes > self._limit_bytes else self.LIMIT_COUNT):
            _, oldest = self._plates.popitem(last=False)
            self._held_bytes -= _plate_bytes(oldest)


class ShotPlates:
    """A shot's frames (``models.protocols.Frames``).

    Args:
        source: plates by number, a PlateCache as a rule.
        media: format, tags and size of the plates.
        frames: frame numbers of the shot.
    """

    def __init__(self, source: PlateSource, media: Media, frames: range) -> None:
        self._source = source
        self._media = media
        self._frames = frames

    @property
    def frames(self) -> range:
        return self._frames

    @property
    def size(self) -> tuple[int, int]:
        return self._media.size

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        return to_rgb(self._plate(frame).planes, self._media.format, self._media.tags, box)

    def luma(self, frame: int) -> Luma:
        return to_luma(self._plate(frame).planes, self._media.format, self._media.tags)

    def _plate(self, frame: int) -> Plate:
        if frame not in self._frames:
            raise IndexError(f"frame {frame} is not in the shot, {self._frames.start} to {self._frames.stop - 1}")
        return self._source.plate(frame)


class MaskedShot(ShotPlates):
    """A shot's frames with a mask for each (``models.protocols.MaskedFrames``)."""

    def __init__(self, source: PlateSource, media: Media, frames: range, masks: MaskSource) -> None:
        super().__init__(source, media, frames)
        self._masks = masks

    def mask(self, frame: int) -> Mask:
        return self._masks.mask(frame)

    def hole_box(self, frame: int) -> Box | None:
        return self._masks.box(frame)


class CleanedShot(MaskedShot):
    """A shot some of whose frames a person cleaned (``models.protocols.CleanedFrames``).

    Those show what was given in their holes, and have a hole only where nothing was given.

    Args:
        given: by frame.
    """

    def __init__(
        self, source: PlateSource, media: Media, frames: range, masks: MaskSource, *, given: Mapping[int, FittedPlate]
    ) -> None:
        super().__init__(source, media, frames, masks)
        self._given = given
        self._rest = {frame: plate.rest(masks.mask(frame)) for frame, plate in given.items()}

    @property
    def clean_frames(self) -> tuple[int, ...]:
        """Frames that were given, ascending."""
        return tuple(sorted(self._given))

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        rgb = super().rgb(frame, box)
        plate = self._given.get(frame)
        if plate is None:
            return rgb
        box = box or Box(0, 0, rgb.shape[1], rgb.shape[0])
        picture, given = self._whole(plate)
        return np.where(given[box.slices][..., None], picture[box.slices], rgb).astype(np.float32)

    def luma(self, frame: int) -> Luma:
        luma = super().luma(frame)
        plate = self._given.get(frame)
        if plate is None:
            return luma
        kr, kb = luma_weights(self._media.tags, self._media.size[0])
        picture, given = self._whole(plate)
        return np.where(given, picture @ np.array([kr, 1 - kr - kb, kb], np.float32), luma).astype(np.float32)

    def mask(self, frame: int) -> Mask:
        return self._rest[frame] if frame in self._rest else super().mask(frame)

    def hole_box(self, frame: int) -> Box | None:
        return bounding_box(self._rest[frame]) if frame in self._rest else super().hole_box(frame)

    def _whole(self, plate: FittedPlate) -> tuple[RGB, Mask]:
        """What was given at its place in a picture that is empty elsewhere."""
        picture, given = np.zeros((*self.size, 3), np.float32), np.zeros(self.size, np.bool_)
        picture[plate.box.slices], given[plate.box.slices] = plate.rgb, plate.given
        return picture, given


def _plate_bytes(plate: Plate) -> int:
    return sum(plane.nbytes for plane in plate.planes)
