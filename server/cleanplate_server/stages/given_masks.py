"""Masks that somebody else made: a folder of pictures, a pattern, or a matte file."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import MaskError
from cleanplate_server.models.protocols import Box, Mask
from cleanplate_server.stages.color import to_luma
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.windows import bounding_box


class FollowedMasks:
    """One object's masks that were followed before, for some frames: a folder of ``%05d.png``.

    Args:
        folder: read when a mask is asked for.
        size: (height, width) of the clip.
    """

    def __init__(self, folder: Path, size: tuple[int, int]) -> None:
        self._size = size
        self._files = {int(file.stem): file for file in folder.glob("*.png") if file.stem.isdigit()}

    @property
    def frames(self) -> frozenset[int]:
        """Frames that have a mask."""
        return frozenset(self._files)

    def mask(self, frame: int) -> Mask:
        """bool [H, W].

        Raises:
            MaskError: it is no picture, or of another size.
        """
        file = self._files[frame]
        picture = cv2.imread(str(file), cv2.IMREAD_GRAYSCALE)
        if picture is None or picture.shape != self._size:
            found = "no picture" if picture is None else f"{picture.shape[1]}x{picture.shape[0]}"
            raise MaskError(
                f"the followed mask {file} is {found}, and {self._size[1]}x{self._size[0]} is needed;"
                " submit the job again"
            )
        return np.asarray(picture >= 128, np.bool_)


class GivenMasks:
    """The masks of a clip range (``stages.plates.MaskSource``), read when they are asked for.

    Args:
        path: one mask for each frame of the range with handles, or of the whole media; white, from the middle of the
            range of values up, is hole.
        clip: the range.

    Raises:
        MaskError: another count or another size.
        NotFoundError, MediaError: they cannot be read.
    """

    def __init__(self, path: Path, clip: ClipRange) -> None:
        self._media = probe(path)
        if self._media.size != clip.media.size:
            theirs, ours = self._media.size, clip.media.size
            raise MaskError(
                f"the masks in {path} are {theirs[1]}x{theirs[0]} and the picture is {ours[1]}x{ours[0]};"
                " give masks of the picture's size"
            )
        if self._media.frame_count not in (len(clip.frames), clip.media.frame_count):
            raise MaskError(
                f"{path} holds {self._media.frame_count} masks, the range has {len(clip.frames)} frames and the media"
                f" {clip.media.frame_count}; give one mask for each frame of the range"
            )
        self._offset = clip.frames.start if self._media.frame_count == len(clip.frames) else 0
        self._decoder = Decoder(self._media)
        self._last: tuple[int, Mask] | None = None

    def __enter__(self) -> GivenMasks:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._decoder.close()

    def mask(self, frame: int) -> Mask:
        """bool [H, W]."""
        if self._last is None or self._last[0] != frame:
            plate = self._decoder.plate(frame - self._offset)
            luma = to_luma(plate.planes, self._media.format, self._media.tags)
            self._last = frame, np.asarray(luma >= 0.5, np.bool_)
        return self._last[1]

    def box(self, frame: int) -> Box | None:
        """Bounding box of the mask, None where it is empty."""
        return bounding_box(self.mask(frame))
