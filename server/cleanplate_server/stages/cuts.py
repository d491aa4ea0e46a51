"""Where the picture cuts: nothing is followed or borrowed across."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scenedetect import AdaptiveDetector, FrameTimecode

from cleanplate_server.clip import Media, Plate
from cleanplate_server.stages.color import to_small_rgb

_WORKING_WIDTH_PX = 256
"""Cuts are seen as well in a small picture."""
_FLASH_FRAMES = 5
"""A light that comes and goes within so many frames is no cut."""
_FLASH_RATIO = 0.3
"""Difference of the pictures before and after a flash, to that of the flash itself."""
_HELD_FRAMES = 12
_COARSE = (32, 18)
_Thumbnail = NDArray[np.uint8]


def find_cuts(plates: Iterable[Plate], media: Media) -> Iterator[tuple[int, bool]]:
    """Tells cuts with PySceneDetect's adaptive detector, which a fast pan or a passer-by does not deceive.

    Args:
        plates: consecutive frames.
        media: their format and tags.

    Yields:
        (frame, False) as each frame has been looked at, and (frame, True) for the first frame after a cut, which may
        come some frames late.
    """
    # The detector's own least length would swallow a cut soon after a shot's start.
    detector, flashes = AdaptiveDetector(min_scene_len=1), _Flashes()
    rate = float(media.rate)
    last = 0
    for plate in plates:
        last = plate.frame
        picture = _thumbnail(plate, media)
        flashes.hold(plate.frame, picture)
        for cut in detector.process_frame(FrameTimecode(plate.frame, rate), picture):
            yield from ((frame, True) for frame in flashes.judge(cut.frame_num))
        yield from ((frame, True) for frame in flashes.settle(plate.frame))
        yield plate.frame, False
    for cut in detector.post_process(FrameTimecode(last, rate)):
        yield from ((frame, True) for frame in flashes.judge(cut.frame_num))
    yield from ((frame, True) for frame in flashes.settle(last + _HELD_FRAMES))


class _Flashes:
    """Holds back a cut until it is sure that the picture does not come back at once."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[int, NDArray[np.int16]] = OrderedDict()
        self._waiting: int | None = None
        self._before: NDArray[np.int16] | None = None

    def hold(self, frame: int, picture: _Thumbnail) -> None:
        """Keeps a frame's picture for as long as a cut at it may be told."""
        self._pictures[frame] = cv2.resize(picture, _COARSE, interpolation=cv2.INTER_AREA).astype(np.int16)
        while len(self._pictures) > _HELD_FRAMES:
            self._pictures.popitem(last=False)

    def judge(self, cut: int) -> list[int]:
        """Takes a cut that the detector told; gives back the one that was waiting if it was a cut."""
        if self._waiting is not None and cut - self._waiting <= _FLASH_FRAMES and self._is_back(cut):
            self._waiting = None
            return []
        settled = self.settle(cut + _HELD_FRAMES)
        self._waiting, self._before = cut, self._pictures.get(cut - 1)
        return settled

    def settle(self, frame: int) -> list[int]:
        """Gives back the waiting cut once frames enough have come after it."""
        if self._waiting is None or frame - self._waiting < _HELD_FRAMES:
            return []
        cut, self._waiting = self._waiting, None
        return [cut]

    def _is_back(self, cut: int) -> bool:
        """Whether the picture at a cut is the one before the waiting cut, and the one between another."""
        flash, after = self._pictures.get(cut - 1), self._pictures.get(cut)
        if self._before is None or flash is None or after is None:
            return False
        apart = np.abs(self._before - after).mean()
        return bool(apart < _FLASH_RATIO * np.abs(self._before - flash).mean())


def cut_shots(frames: range, cuts: Iterable[int]) -> list[range]:
    """Divides a range at its cuts."""
    bounds = [frames.start, *sorted({cut for cut in cuts if frames.start < cut < frames.stop}), frames.stop]
    return [range(a, b) for a, b in pairwise(bounds)]


def _thumbnail(plate: Plate, media: Media) -> _Thumbnail:
    """uint8 [h, w, 3] BGR, as the detector takes it."""
    height, width = plate.planes[0].shape
    size = max(1, height * _WORKING_WIDTH_PX // width), _WORKING_WIDTH_PX
    rgb = to_small_rgb(plate.planes, media.format, media.tags, size)
    return np.clip(np.rint(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) * 255), 0, 255).astype(np.uint8)
