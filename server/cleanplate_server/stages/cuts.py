"""Where the picture cuts: nothing is followed or borrowed across."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

import cv2
import numpy as np
from scenedetect import AdaptiveDetector, FrameTimecode

from cleanplate_server.clip import Media, Plate
from cleanplate_server.stages.color import to_small_rgb

_WORKING_WIDTH_PX = 256
"""Cuts are seen as well in a small picture."""


def find_cuts(plates: Iterable[Plate], media: Media) -> Iterator[tuple[int, bool]]:
    """Tells cuts with PySceneDetect's adaptive detector, which a fast pan or a passer-by does not deceive.

    Args:
        plates: consecutive frames.
        media: their format and tags.

    Yields:
        (frame, False) as each frame has been looked at, and (frame, True) for the first frame after a cut, which may
        come some frames late.
    """
    detector = AdaptiveDetector()
    rate = float(media.rate)
    last = 0
    for plate in plates:
        last = plate.frame
        for cut in detector.process_frame(FrameTimecode(plate.frame, rate), _thumbnail(plate, media)):
            yield cut.frame_num, True
        yield plate.frame, False
    for cut in detector.post_process(FrameTimecode(last, rate)):
        yield cut.frame_num, True


def cut_shots(frames: range, cuts: Iterable[int]) -> list[range]:
    """Divides a range at its cuts."""
    bounds = [frames.start, *sorted({cut for cut in cuts if frames.start < cut < frames.stop}), frames.stop]
    return [range(a, b) for a, b in pairwise(bounds)]


def _thumbnail(plate: Plate, media: Media) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """uint8 [h, w, 3] BGR, as the detector takes it."""
    height, width = plate.planes[0].shape
    size = max(1, height * _WORKING_WIDTH_PX // width), _WORKING_WIDTH_PX
    rgb = to_small_rgb(plate.planes, media.format, media.tags, size)
    return np.clip(np.rint(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) * 255), 0, 255).astype(np.uint8)
