"""Segment Anything as a segmenter: clicks, boxes and an earlier mask to three candidates.

Kirillov et al., "Segment Anything", ICCV 2023; the network is the ``segment-anything`` package's.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam

from cleanplate_server.errors import EngineError, InputError
from cleanplate_server.models.networks.checkpoints import read_state
from cleanplate_server.models.prompt_checks import refuse_unusable
from cleanplate_server.models.protocols import RGB, Box, Candidate, EngineInfo, Mask, Nearby, Prompt, Stroke

_KINDS = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}
"""The package's names for the published sizes, by the manifest's."""
_LOGIT = 8.0
"""How sure a mask that the network did not make itself is taken to be."""
_STROKE_STEP_PX = 24.0
"""A stroke becomes clicks so far apart."""
_SMALL_SHARE = 0.35
"""An object whose longer side is below this share of the picture's is looked at again in a crop."""
_CROP_MARGIN = 0.75
"""Surroundings in that crop, as a share of the object's longer side."""
_SAME_OBJECT = 0.5
"""A crop's answer that overlaps less with the whole picture's is another object."""

Logits = NDArray[np.float32]


def load_sam(name: str, checkpoint: Path, *, device: str) -> Sam:
    """Builds a published size of the network with its weights.

    Args:
        name: ``sam-vit-b``, ``sam-vit-l`` or ``sam-vit-h``.
        checkpoint: proved beforehand.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        InputError: the file's entries are not the network's.
        EngineError: it does not fit the device's memory.
    """
    network: Sam = sam_model_registry[_KINDS[name]]()
    try:
        network.load_state_dict(read_state(checkpoint), strict=True)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint} does not hold the weights of {name}; `cleanplate weights verify {name}` says more",
            reason="WRONG_WEIGHTS",
        ) from error
    try:
        return network.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise EngineError(
            f"{name} does not fit the memory of {device}; choose a smaller one with --engine segmenter=sam-vit-b, or"
            " --engine segmenter=embedded"
        ) from error


class SamSegmenter:
    """Segmenter with the published network.

    Args:
        network: in evaluation mode, on its device.
        info: name, licence, weights.
    """

    def __init__(self, network: Sam, info: EngineInfo) -> None:
        self._network = network
        self._info = info
        self._lock = threading.Lock()

    @property
    def info(self) -> EngineInfo:
        return self._info

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> SamImage:
        """Computes the frame's embedding once: float32 [H, W, 3], nominal 0 to 1; ``nearby`` is not looked at."""
        picture = np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)
        return SamImage(self._network, picture, self._lock)


@dataclass(frozen=True, eq=False)
class _Answer:
    """A candidate with what the network needs to go on from it."""

    candidate: Candidate
    logits: Logits


class SamImage:
    """One frame made ready, a ``PreparedImage``. The embedding of a crop is made when a small object asks for it.

    Args:
        network: shared by all frames.
        picture: uint8 [H, W, 3] RGB.
        lock: held while the network runs.
    """

    def __init__(self, network: Sam, picture: NDArray[np.uint8], lock: threading.Lock) -> None:
        self._network = network
        self._picture = picture
        self._lock = lock
        self._whole = self._embed(picture)
        self._crop: tuple[Box, SamPredictor] | None = None
        self._last: tuple[_Answer, ...] = ()

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        """Finds the object; see ``PreparedImage.segment``."""
        refuse_unusable(prompt, previous, (self._picture.shape[0], self._picture.shape[1]))
        if prompt.mask is not None and not (prompt.points or prompt.strokes or prompt.box):
            return (Candidate(prompt.mask.copy(), 1.0),)
        known = prompt.mask if prompt.mask is not None else previous
        whole = Box(0, 0, self._picture.shape[1], self._picture.shape[0])
        with self._lock:
            answers = self._ask(self._whole, prompt, known, whole)
            box = self._small(answers[0].candidate.mask)
            if box is not None:
                answers = self._look_closer(answers, prompt, box)
        self._last = answers
        return tuple(answer.candidate for answer in answers)

    def _embed(self, picture: NDArray[np.uint8]) -> SamPredictor:
        predictor = SamPredictor(self._network)
        with torch.inference_mode():
            predictor.set_image(picture)
        return predictor

    def _ask(self, predictor: SamPredictor, prompt: Prompt, known: Mask | None, box: Box) -> tuple[_Answer, ...]:
        """Candidates for a prompt within a box of the picture, best first.

        One click may mean the part or the whole, so that three answers are asked for; more evidence means one thing,
        whose own answer then comes first.
        """
        places, sides = _clicks(prompt, box)
        logits = None if known is None else self._known_logits(known, box)
        clear = len(places) > 1 or prompt.box is not None or logits is not None
        found: list[_Answer] = []
        for several in (False, True) if clear else (True,):
            with torch.inference_mode():
                masks, scores, low = predictor.predict(
                    point_coords=places if len(places) else None,
                    point_labels=sides if len(places) else None,
                    box=_box_within(prompt.box, box),
                    mask_input=logits,
                    multimask_output=several,
                )
            order = np.argsort(-scores)
            found += [_Answer(Candidate(masks[i], float(np.clip(scores[i], 0, 1))), low[i]) for i in order]
        return _distinct(found)[:3]

    def _known_logits(self, known: Mask, box: Box) -> Logits:
        """What the network takes for an earlier mask: its own where it made it, else one of the same form."""
        for answer in self._last:
            if answer.candidate.mask.shape == known.shape and np.array_equal(answer.candidate.mask, known):
                if box.size == known.shape and answer.logits.size:
                    return answer.logits[None]
                break
        side = self._network.image_encoder.img_size // 4
        cut = known[box.slices].astype(np.float32)
        scale = side / max(cut.shape)
        size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
        small = cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
        square = np.zeros((side, side), np.float32)
        square[: small.shape[0], : small.shape[1]] = small
        return np.asarray((square[None] * 2 - 1) * _LOGIT, np.float32)

    def _small(self, mask: Mask) -> Box | None:
        """A crop around an object that is small in a picture which the network sees shrunk; None for others."""
        height, width = mask.shape
        rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
        if not len(rows) or max(height, width) <= self._network.image_encoder.img_size:
            return None
        side = int(max(rows[-1] - rows[0], columns[-1] - columns[0])) + 1
        if side > _SMALL_SHARE * max(height, width):
            return None
        box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        return box.grown(max(32, round(_CROP_MARGIN * side)), (height, width))

    def _look_closer(self, answers: tuple[_Answer, ...], prompt: Prompt, box: Box) -> tuple[_Answer, ...]:
        """The best answer once more at full resolution, first when it is the same object."""
        crop, predictor = self._crop if self._crop and _holds(self._crop[0], box) else (box, None)
        if predictor is None:
            predictor = self._embed(np.ascontiguousarray(self._picture[crop.slices]))
            self._crop = crop, predictor
        best = answers[0].candidate
        closer = self._ask(predictor, prompt, best.mask, crop)[0].candidate
        mask = np.zeros_like(best.mask)
        mask[crop.slices] = closer.mask
        shared = float((mask & best.mask).sum()) / max(1.0, float((mask | best.mask).sum()))
        if shared < _SAME_OBJECT:
            return answers
        return (_Answer(Candidate(mask, closer.score), np.zeros((0, 0), np.float32)), *answers[1:])


def _clicks(prompt: Prompt, box: Box) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Clicks, and strokes as rows of clicks, that lie in a box: [N, 2] x and y within it, [N] 1 inside, 0 outside."""
    named = [(point.x, point.y, point.inside) for point in prompt.points]
    for stroke in prompt.strokes:
        named += [(x, y, stroke.inside) for x, y in _along(stroke)]
    held = [(x - box.x0, y - box.y0, side) for x, y, side in named if box.x0 <= x < box.x1 and box.y0 <= y < box.y1]
    places = np.array([(x + 0.5, y + 0.5) for x, y, _ in held], np.float64).reshape(-1, 2)
    return places, np.array([int(side) for _, _, side in held], np.int64)


def _along(stroke: Stroke) -> list[tuple[float, float]]:
    """Points along a brush line, a few pixels apart."""
    places = [stroke.points[0]]
    for x, y in stroke.points[1:]:
        x0, y0 = places[-1]
        count = int(np.hypot(x - x0, y - y0) // _STROKE_STEP_PX)
        places += [(x0 + (x - x0) * k / count, y0 + (y - y0) * k / count) for k in range(1, count + 1)]
    return places


def _box_within(wanted: Box | None, box: Box) -> NDArray[np.float64] | None:
    if wanted is None:
        return None
    x0, x1 = (min(max(x - box.x0, 0), box.size[1]) for x in (wanted.x0, wanted.x1))
    y0, y1 = (min(max(y - box.y0, 0), box.size[0]) for y in (wanted.y0, wanted.y1))
    return np.array([x0, y0, x1, y1], np.float64)


def _distinct(answers: list[_Answer]) -> tuple[_Answer, ...]:
    kept: list[_Answer] = []
    for answer in answers:
        if not any(np.array_equal(answer.candidate.mask, other.candidate.mask) for other in kept):
            kept.append(answer)
    return tuple(kept)


def _holds(outer: Box, inner: Box) -> bool:
    """Whether a crop made before will do: it holds the new one and is not much larger."""
    inside = outer.x0 <= inner.x0 and outer.y0 <= inner.y0 and inner.x1 <= outer.x1 and inner.y1 <= outer.y1
    return inside and max(outer.size) <= 2 * max(inner.size)
