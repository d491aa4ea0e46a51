"""Where the picture cuts: nothing is followed or borrowed across."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np
from scenedetect import AdaptiveDetector, FrameTimecode

from cleanplate_server.clip import Media, PixelFormat, Plate
from cleanplate_server.models.protocols import RGB
from cleanplate_server.stages.color import to_rgb

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
    step = max(1, plate.planes[0].shape[1] // _WORKING_WIDTH_PX)
    shift_x, shift_y = media.format.chroma_shift
    rows, columns = max(1, step >> shift_y), max(1, step >> shift_x)
    is_chroma = [media.format.model == "yuv" and i in (1, 2) for i in range(len(plate.planes))]
    small = [p[::rows, ::columns] if c else p[::step, ::step] for p, c in zip(plate.planes, is_chroma, strict=True)]
    height, width = (min(p.shape[i] for p in small) for i in (0, 1))
    rgb: RGB = to_rgb([p[:height, :width] for p in small], _without_subsampling(media), media.tags)
    return np.clip(np.rint(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR) * 255), 0, 255).astype(np.uint8)


def _without_subsampling(media: Media) -> PixelFormat:
    return replace(media.format, chroma_shift=(0, 0))
