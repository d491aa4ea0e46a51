"""Plate and prompt to a mask on the prompted frame."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TypeVar

import numpy as np

from cleanplate_server.clip import Media
from cleanplate_server.errors import DeviceMemoryError, MaskError, PromptError, RangeError
from cleanplate_server.models.lighter import YieldingSegmenter
from cleanplate_server.models.protocols import (
    NEARBY_REACH,
    RGB,
    Candidate,
    Key,
    NameAnswer,
    NameFinder,
    PreparedImage,
    Prompt,
    Segmenter,
)
from cleanplate_server.stages.color import to_rgb, to_small_rgb
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import PlateCache
from cleanplate_server.stages.viewing import Picture, lay_over, to_picture

_PLATE_BYTES = 256 << 20
"""The prompted frame and those nearby, so that a prompt on the next frame decodes little."""

_PREPARED_BYTES = 256 << 20
"""Frames that were made ready for prompts: two in 4K, nine in HD."""

T = TypeVar("T")

SegmenterFactory = Callable[[str], Segmenter]
"""Gives a segmenter by name, or the preferred one for an empty name."""


def check_frame(frame: int, media: Media) -> None:
    """Refuses a prompt on a frame that the media does not have.

    Raises:
        RangeError.
    """
    if not 0 <= frame < media.frame_count:
        raise RangeError(
            f"the prompt is on frame {frame}, and {media.path.name} has frames 0 to {media.frame_count - 1}"
        )


def check_prompt(prompt: Prompt, media: Media) -> None:
    """Refuses a prompt that cannot be meant for this media.

    Raises:
        RangeError: the frame is not in the media.
        PromptError: a point outside the picture, a box without area, nothing positive.
        MaskError: a mask of another size, or an empty one.
    """
    height, width = media.size
    check_frame(prompt.frame, media)
    places = [(p.x, p.y) for p in prompt.points] + [xy for stroke in prompt.strokes for xy in stroke.points]
    for x, y in places:
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            raise PromptError(
                f"the click at ({x:g}, {y:g}) is outside the picture, which is {width}x{height};"
                f" x goes from 0 to {width - 1} and y from 0 to {height - 1}"
            )
    if prompt.mask is not None:
        _check_mask(prompt, media)
        if prompt.name:
            raise PromptError(
                f"object {prompt.object_id} has a mask and the name '{prompt.name}' on frame {prompt.frame}; leave one"
                " out, or give them different objects"
            )
    box = prompt.box
    if box is not None and (box.x0 >= box.x1 or box.y0 >= box.y1 or box.x0 >= width or box.y0 >= height):
        raise PromptError(
            f"the box {box.x0},{box.y0},{box.x1 - 1},{box.y1 - 1} holds no pixel of the {width}x{height} picture;"
            " give its left top and right bottom corner"
        )
    positive = any(p.inside for p in prompt.points) or any(s.inside for s in prompt.strokes)
    if not (positive or box is not None or prompt.mask is not None or prompt.name):
        raise PromptError(
            f"the prompt on frame {prompt.frame} only says what does not belong to object {prompt.object_id};"
            " add a click or a box on the object"
        )


def _check_mask(prompt: Prompt, media: Media) -> None:
    assert prompt.mask is not None
    if prompt.mask.shape != media.size:
        raise MaskError(
            f"the mask for frame {prompt.frame} is {prompt.mask.shape[1]}x{prompt.mask.shape[0]} and the picture"
            f" {media.size[1]}x{media.size[0]}; give a mask of the picture's size"
        )
    if not prompt.mask.any():
        raise MaskError(f"the mask for frame {prompt.frame} is empty; draw the object in it (128 and above is object)")


def join_prompts(prompts: Sequence[Prompt]) -> list[Prompt]:
    """Joins what was said of one object on one frame; sorted by object, then frame."""
    joined: dict[tuple[int, int], Prompt] = {}
    for prompt in prompts:
        place = (prompt.object_id, prompt.frame)
        before = joined.get(place)
        joined[place] = prompt if before is None else _join(before, prompt)
    return [joined[place] for place in sorted(joined)]


def _join(first: Prompt, second: Prompt) -> Prompt:
    mask = second.mask if first.mask is None else first.mask if second.mask is None else first.mask | second.mask
    return replace(
        first,
        points=first.points + second.points,
        strokes=first.strokes + second.strokes,
        box=second.box or first.box,
        mask=mask,
        name=second.name or first.name,
        candidate=second.candidate or first.candidate,
    )


class ClipSession:
    """A clip kept open, so that prompts on it are answered fast. Safe to use from several threads.

    Args:
        media: the clip.
        segmenters: gives the segmenter for a name, the same each time.
        keep_bytes: what frames that were made ready may hold together; the last one always stays.
    """

    def __init__(self, media: Media, segmenters: SegmenterFactory, *, keep_bytes: int = _PREPARED_BYTES) -> None:
        self.media = media
        self._segmenters = segmenters
        self._keep_bytes = keep_bytes
        self._decoder = Decoder(media)
        self._plates = PlateCache(self._decoder, _PLATE_BYTES)
        self._prepared: OrderedDict[tuple[int, str], PreparedImage] = OrderedDict()
        self._lock = threading.Lock()

    def __enter__(self) -> ClipSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def segment(self, prompt: Prompt, engine: str = "") -> tuple[Candidate, ...]:
        """Answers a prompt; best candidate first.

        Raises:
            InputError: see ``check_prompt``.
            EngineError: no such segmenter can run.
        """
        check_prompt(prompt, self.media)
        with self._lock:
            found = self._with_memory(engine, lambda segmenter: self._prepare(prompt.frame, segmenter).segment(prompt))
            self._let_go()  # what is kept of a frame grows with what was asked of it
            return found

    def prepare(self, frame: int, engine: str = "") -> None:
        """Makes a frame ready for prompts.

        Raises:
            MediaError: the frame cannot be decoded.
            EngineError: no such segmenter can run.
        """
        with self._lock:
            self._with_memory(engine, lambda segmenter: self._prepare(frame, segmenter))
            self._let_go()

    def remarks(self, engine: str = "") -> tuple[str, ...]:
        """What a segmenter has to say of itself, such as that a lighter one took over."""
        segmenter = self._segmenters(engine)
        return segmenter.remarks if isinstance(segmenter, YieldingSegmenter) else ()

    def key(self, prompt: Prompt, engine: str = "") -> Key:
        """The candidate that is meant as a key.

        Raises:
            PromptError: the engine found nothing at the prompt, or fewer candidates.
        """
        found = self.segment(prompt, engine)
        if prompt.candidate > len(found):
            scores = ", ".join(f"#{number} with {each.score:.2f}" for number, each in enumerate(found, start=1))
            raise PromptError(
                f"there is no outline #{prompt.candidate} for object {prompt.object_id} on frame {prompt.frame};"
                f" choose one of {scores}"
            )
        mask = found[max(0, prompt.candidate - 1)].mask
        if not mask.any():
            raise PromptError(
                f"nothing was found at the prompt for object {prompt.object_id} on frame {prompt.frame};"
                " click on its middle, or draw a box around it"
            )
        return Key(prompt.frame, prompt.object_id, np.ascontiguousarray(mask))

    def find(self, frame: int, words: str, finder: NameFinder) -> NameAnswer:
        """What a frame shows of a name.

        Raises:
            RangeError: no such frame.
            PromptError: a name or a language that the finder does not know.
            MediaError: the frame cannot be decoded.
        """
        with self._lock:
            planes = self._plates.plate(frame).planes
        return finder.find(to_rgb(planes, self.media.format, self.media.tags), words)

    def picture(self, frame: int, max_height: int = 0) -> Picture:
        """A frame to look at.

        Args:
            frame: from 0 in the media.
            max_height: rows at most; 0 is the media's own size. It is never enlarged.

        Raises:
            RangeError: no such frame.
            MediaError: the frame cannot be decoded.
        """
        with self._lock:
            return to_picture(self._plates.plate(frame).planes, self.media.format, self.media.tags, max_height)

    def over(self, frame: int, below: Picture) -> Picture:
        """A frame with alpha, seen over a picture of its size; without alpha it covers all of it.

        Raises:
            RangeError: no such frame.
            MediaError: the frame cannot be decoded.
        """
        layer = self.picture(frame)
        format = self.media.format
        if not format.has_alpha:
            return layer
        with self._lock:
            plane = self._plates.plate(frame).planes[-1]
        return lay_over(layer, (plane / np.float32(1 if format.is_float else format.max_code)), below)

    def close(self) -> None:
        """Frees the decoder and all prepared frames."""
        with self._lock:
            self._prepared.clear()
            self._decoder.close()

    def _prepare(self, frame: int, segmenter: Segmenter) -> PreparedImage:
        place = (frame, segmenter.info.name)
        if place not in self._prepared:
            self._decode_around(frame)
            rgb = to_rgb(self._plates.plate(frame).planes, self.media.format, self.media.tags)
            self._prepared[place] = segmenter.prepare(rgb, lambda offset, size: self._small(frame + offset, size))
        self._prepared.move_to_end(place)
        return self._prepared[place]

    def _with_memory(self, engine: str, work: Callable[[Segmenter], T]) -> T:
        """Does work with a segmenter; when a device's memory is too small, again with the one that takes over."""
        while True:
            segmenter = self._segmenters(engine)
            name = segmenter.info.name
            try:
                return work(segmenter)
            except DeviceMemoryError as error:
                self._prepared.clear()
                if not (isinstance(segmenter, YieldingSegmenter) and segmenter.give_way(name, error)):
                    raise

    def _let_go(self) -> None:
        """Forgets the frames that were asked for longest ago until the rest is small enough; the last one stays."""
        while len(self._prepared) > 1 and sum(each.byte_count for each in self._prepared.values()) > self._keep_bytes:
            self._prepared.popitem(last=False)

    def _decode_around(self, frame: int) -> None:
        """Decodes a frame and those nearby in one pass, where they are small enough to be kept."""
        around = range(max(0, frame - NEARBY_REACH), min(self.media.frame_count, frame + NEARBY_REACH + 1))
        if len(around) * self.media.plate_bytes <= _PLATE_BYTES:
            for plate in self._decoder.plates(around):
                self._plates.keep(plate)

    def _small(self, frame: int, size: tuple[int, int]) -> RGB | None:
        if not 0 <= frame < self.media.frame_count:
            return None
        return to_small_rgb(self._plates.plate(frame).planes, self.media.format, self.media.tags, size)
