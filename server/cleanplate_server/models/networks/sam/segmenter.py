"""Segment Anything as a segmenter: clicks, boxes and an earlier mask to three candidates."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.networks.sam.views import Answer, Evidence, Logits, View, ViewingNetwork
from cleanplate_server.models.prompt_checks import refuse_unusable
from cleanplate_server.models.protocols import RGB, Box, Candidate, EngineInfo, Mask, Nearby, Prompt, Stroke

_STROKE_STEP_PX = 24.0
"""A stroke becomes clicks so far apart."""
_SMALL_SHARE = 0.35
"""An object whose longer side is below this share of the picture's is looked at again in a crop."""
_CROP_MARGIN = 0.75
"""Surroundings in that crop, as a share of the object's longer side."""
_LEAST_MARGIN_PX = 32
_SAME_OBJECT = 0.5
"""A crop's answer that overlaps less with the whole picture's is another object."""
_CROP_COUNT = 4
"""Crops of a frame that are kept, so that clicks on a few small objects in turn stay fast."""
_ANSWER_COUNT = 3


class SamSegmenter:
    """A `Segmenter` with a network of the family.

    Args:
        network: with its weights, on its device.
        info: name, licence, weights.
    """

    def __init__(self, network: ViewingNetwork, info: EngineInfo) -> None:
        self._network = network
        self._info = info
        self._lock = threading.Lock()

    @property
    def info(self) -> EngineInfo:
        return self._info

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> SamImage:
        """Looks at the frame once: float32 [H, W, 3], nominal 0 to 1; ``nearby`` is not looked at.

        Raises:
            DeviceMemoryError: the network and this frame do not fit the device's memory.
        """
        picture = np.rint(np.clip(np.nan_to_num(rgb), 0, 1) * 255).astype(np.uint8)
        with self._lock, _memory_in_words(self._info.name, picture.shape[:2]):
            return SamImage(self._network, picture, lock=self._lock, name=self._info.name)


class SamImage:
    """One frame made ready, a `PreparedImage`. A small object is looked at again in a crop at full resolution.

    Args:
        network: shared by all frames.
        picture: uint8 [H, W, 3] RGB.
        lock: held while the network runs.
        name: of the engine, for messages.
    """

    def __init__(self, network: ViewingNetwork, picture: NDArray[np.uint8], *, lock: threading.Lock, name: str) -> None:
        self._network = network
        self._picture = picture
        self._lock = lock
        self._name = name
        self._whole = network.look(picture)
        self._crops: OrderedDict[Box, View] = OrderedDict()
        self._last: tuple[Answer, ...] = ()

    @property
    def byte_count(self) -> int:
        return int(self._picture.nbytes) + sum(view.byte_count for view in (self._whole, *self._crops.values()))

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        """Finds the object; see `PreparedImage.segment`.

        Raises:
            DeviceMemoryError: the answer does not fit the device's memory.
        """
        size = (self._picture.shape[0], self._picture.shape[1])
        refuse_unusable(prompt, previous, size)
        if prompt.mask is not None and not (prompt.points or prompt.strokes or prompt.box):
            return (Candidate(prompt.mask.copy(), 1.0),)
        known = prompt.mask if prompt.mask is not None else previous
        with self._lock, _memory_in_words(self._name, size):
            earlier = None if known is None else self._small_form(known)
            answers = _ask(self._whole, _evidence(prompt, Box(0, 0, size[1], size[0]), earlier))
            box = self._box_if_small(answers[0].mask)
            if box is not None:
                answers = self._look_closer(answers, prompt, box)
        self._last = answers
        return tuple(Candidate(answer.mask, answer.score) for answer in answers)

    def _small_form(self, known: Mask) -> Logits:
        """An earlier mask as the network takes it: its own logits where it made the mask, which say more."""
        for answer in self._last:
            if answer.logits.size and np.array_equal(answer.mask, known):
                return answer.logits
        return self._whole.shrink(known)

    def _box_if_small(self, mask: Mask) -> Box | None:
        """Where to look closer: around an object that is small in a picture which the network sees shrunk."""
        height, width = mask.shape
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows) or max(height, width) <= self._network.input_px:
            return None
        box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        side = max(box.size)
        if side > _SMALL_SHARE * max(height, width):
            return None
        return box.grown(max(_LEAST_MARGIN_PX, round(_CROP_MARGIN * side)), (height, width))

    def _look_closer(self, answers: tuple[Answer, ...], prompt: Prompt, box: Box) -> tuple[Answer, ...]:
        """The best answer once more at full resolution, first when it is the same object."""
        crop, view = self._crop_around(box)
        best = answers[0]
        closer = view.answer(_evidence(prompt, crop, view.shrink(best.mask[crop.slices])))[0]
        mask = np.zeros_like(best.mask)
        mask[crop.slices] = closer.mask
        shared = float((mask & best.mask).sum()) / max(1.0, float((mask | best.mask).sum()))
        if shared < _SAME_OBJECT:
            return answers
        # its logits are of the crop, and would mean another place in the whole picture
        return (Answer(mask, closer.score, np.zeros((0, 0), np.float32)), *answers[1:])

    def _crop_around(self, box: Box) -> tuple[Box, View]:
        """A crop that holds a box: one that was looked at before, if it is not much larger."""
        for crop, view in self._crops.items():
            if _holds(crop, box):
                self._crops.move_to_end(crop)
                return crop, view
        self._crops[box] = self._network.look(np.ascontiguousarray(self._picture[box.slices]))
        while len(self._crops) > _CROP_COUNT:
            self._crops.popitem(last=False)
        return box, self._crops[box]


@contextmanager
def _memory_in_words(name: str, size: tuple[int, int]) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{name} ran out of the device's memory on a picture of {size[1]} x {size[0]};"
            " choose a smaller network, or --engine segmenter=embedded",
        ) from error


def _ask(view: View, evidence: Evidence) -> tuple[Answer, ...]:
    """Up to three answers that differ, best first; one click may mean the part or the whole."""
    found: list[Answer] = []
    for answer in view.answer(evidence):
        if not any(np.array_equal(answer.mask, other.mask) for other in found):
            found.append(answer)
    return tuple(found[:_ANSWER_COUNT])


def _evidence(prompt: Prompt, view: Box, logits: Logits | None) -> Evidence:
    """What a prompt says within a box of the picture; a stroke is a row of clicks."""
    named = [(point.x, point.y, point.inside) for point in prompt.points]
    for stroke in prompt.strokes:
        named += [(x, y, stroke.inside) for x, y in _along(stroke)]
    held = [(x - view.x0, y - view.y0, int(side)) for x, y, side in named if _lies_in(view, x, y)]
    places = np.array([(x, y) for x, y, _ in held], np.float64).reshape(-1, 2)
    evidence = Evidence(places, np.array([side for _, _, side in held], np.int64), logits=logits)
    return evidence if prompt.box is None else replace(evidence, box=_box_within(prompt.box, view))


def _lies_in(box: Box, x: float, y: float) -> bool:
    return box.x0 - 0.5 <= x < box.x1 - 0.5 and box.y0 - 0.5 <= y < box.y1 - 0.5


def _along(stroke: Stroke) -> list[tuple[float, float]]:
    """Points along a brush line, a few pixels apart."""
    places = [stroke.points[0]]
    for x, y in stroke.points[1:]:
        x0, y0 = places[-1]
        count = int(np.hypot(x - x0, y - y0) // _STROKE_STEP_PX)
        places += [(x0 + (x - x0) * k / count, y0 + (y - y0) * k / count) for k in range(1, count + 1)]
    return places


def _box_within(wanted: Box, view: Box) -> NDArray[np.float64]:
    x0, x1 = (min(max(x - view.x0, 0), view.size[1]) for x in (wanted.x0, wanted.x1))
    y0, y1 = (min(max(y - view.y0, 0), view.size[0]) for y in (wanted.y0, wanted.y1))
    return np.array([x0, y0, x1, y1], np.float64)


def _holds(outer: Box, inner: Box) -> bool:
    """Whether a crop made before will do: it holds the new one and is not much larger."""
    inside = outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1
    return inside and max(outer.size) <= 2 * max(inner.size)
