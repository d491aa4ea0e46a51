"""What a person says of objects on frames, and the masks that answer it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import numpy as np
from cleanplate.v1 import picker_pb2

from cleanplate_server.errors import InputError, MaskError, PromptError
from cleanplate_server.models.protocols import Candidate, Prompt, Stroke
from cleanplate_server.sessions.blobs import digest, pack_mask
from cleanplate_server.sessions.painting import paint
from cleanplate_server.sessions.state import SessionState, new_object
from cleanplate_server.stages.segment import ClipSession

OpenClip = Callable[[], AbstractContextManager[ClipSession]]
"""Gives the clip, open for prompts and pictures, as long as it is used."""

Answer = Callable[[ClipSession, Prompt, str], tuple[tuple[Candidate, ...], str]]
"""Asks an engine, by its name, what a prompt means; gives candidates, best first, and who answered."""


@dataclass(frozen=True)
class Answered:
    """What came of something that was said.

    Args:
        prompted: as stored.
        candidates: best first.
        engine: which answered; empty where a mask stood alone.
    """

    prompted: picker_pb2.PromptedFrame
    candidates: tuple[Candidate, ...]
    engine: str


@dataclass(frozen=True)
class Said:
    """What is meant for one object on one frame.

    Args:
        prompt: its mask is the base, where there is one.
        edits: painted onto the answer.
        message: as it is kept, with the base in it.
    """

    prompt: Prompt
    edits: tuple[Stroke, ...]
    message: picker_pb2.PromptedFrame


class Prompting:
    """Takes in what is said. Safe to use from several threads; of two answers for one place the later question stays.

    Args:
        state: of the session.
        open_clip: gives the clip.
        answer: asks an engine.
    """

    def __init__(self, state: SessionState, *, open_clip: OpenClip, answer: Answer) -> None:
        self._state = state
        self._open_clip = open_clip
        self._ask = answer
        self._tickets: dict[tuple[int, int], int] = {}

    def prepare(self, frame: int) -> None:
        """Makes a frame ready for prompts.

        Raises:
            RangeError, MediaError, EngineError.
        """
        self._state.check_frame(frame)
        with self._open_clip() as clip:
            clip.prepare(frame, self._state.engine("segmenter"))

    def say(self, said: Said) -> Answered:
        """Answers what is meant on a frame and makes the best answer the object's key there.

        Raises:
            RangeError: the frame is outside the range; nothing is kept.
            PromptError, MaskError: it cannot be answered; it is kept with the reason, without a key.
            EngineError, MediaError: the engine or the frame is not there; nothing is kept.
        """
        prompt = said.prompt
        self._state.check_frame(prompt.frame)
        place = (prompt.object_id, prompt.frame)
        with self._state.lock:
            ticket = self._tickets[place] = self._tickets.get(place, 0) + 1
        try:
            candidates, engine = self._answer(said)
        except (PromptError, MaskError) as error:
            with self._state.lock:
                if ticket == self._tickets[place]:
                    self._keep(said, (), str(error))
            raise
        with self._state.lock:
            prompted = said.message
            if ticket == self._tickets[place]:
                prompted = self._keep(said, candidates, "")
            return Answered(prompted, candidates, engine)

    def _answer(self, said: Said) -> tuple[tuple[Candidate, ...], str]:
        prompt = said.prompt
        asks = prompt.points or prompt.strokes or prompt.box is not None or prompt.name
        if asks:
            with self._open_clip() as clip:
                found, engine = self._ask(clip, prompt, self._state.engine("segmenter"))
        else:
            engine = ""
            base = prompt.mask if prompt.mask is not None else np.zeros(self._state.clip.media.size, np.bool_)
            if base.shape != self._state.clip.media.size:
                height, width = self._state.clip.media.size
                raise MaskError(
                    f"the mask for frame {prompt.frame} is {base.shape[1]}x{base.shape[0]} and the picture"
                    f" {width}x{height}; give a mask of the picture's size"
                )
            found = (Candidate(base, 1.0),)
        painted = [replace(each, mask=paint(each.mask, said.edits)) for each in found] if said.edits else found
        kept = tuple(each for each in painted if each.mask.any())
        if not kept:
            raise PromptError(
                f"nothing is left of object {prompt.object_id} on frame {prompt.frame}; click on its middle, draw a box"
                " around it, or paint it with the brush"
            )
        return kept, engine

    def _keep(self, said: Said, candidates: Sequence[Candidate], problem: str) -> picker_pb2.PromptedFrame:
        object_id, frame = said.prompt.object_id, said.prompt.frame
        with self._state.store.transaction():
            prompted = picker_pb2.PromptedFrame()
            prompted.CopyFrom(said.message)
            prompted.has_base = prompted.prompt.HasField("mask")
            prompted.candidate_count, prompted.chosen, prompted.problem = len(candidates), 0, problem
            prompted.score = candidates[0].score if candidates else 0.0
            if object_id not in {row.object_id for row in self._state.objects()}:
                self._state.store.forget_object(object_id)
                self._state.store.put_object(new_object(object_id))
            packed = [(each.score, pack_mask(each.mask)) for each in candidates]
            if packed:
                self._state.store.put_key(object_id, frame, digest(packed[0][1]), packed[0][1])
            else:
                self._state.store.drop_key(object_id, frame)
            self._state.settle()
            prompted.revision = self._state.tracks.shown(object_id, frame).revision if packed else 0
            self._state.store.put_said(object_id, frame, prompted.SerializeToString(), packed)
            self._state.change()
        return prompted

    def choose(self, object_id: int, frame: int, chosen: int) -> picker_pb2.PromptedFrame:
        """Makes another answer the key.

        Raises:
            InputError: there is no such answer.
        """
        with self._state.lock, self._state.store.transaction():
            found = self._state.store.candidate(object_id, frame, chosen)
            prompted = self.said(object_id, frame)
            if found is None or prompted is None:
                count = prompted.candidate_count if prompted else 0
                raise InputError(
                    f"object {object_id} has {count} answers on frame {frame}, and number {chosen} was asked for;"
                    " prompt there, then choose one, counted from 0"
                )
            self._state.store.put_key(object_id, frame, digest(found[1]), found[1])
            self._state.settle()
            prompted.chosen, prompted.score = chosen, found[0]
            prompted.revision = self._state.tracks.shown(object_id, frame).revision
            self._state.store.change_said(object_id, frame, prompted.SerializeToString())
            self._state.change()
            return prompted

    def clear(self, object_id: int, frame: int) -> None:
        """Takes back what was said; the masks of before, if they still fit, are there again."""
        with self._state.lock:
            self._tickets[object_id, frame] = self._tickets.get((object_id, frame), 0) + 1
            self._state.store.clear_said(object_id, frame)
            self._state.settle()
            self._state.change()

    def said(self, object_id: int, frame: int) -> picker_pb2.PromptedFrame | None:
        """What was said of an object on a frame, with its base."""
        found = next((m for o, f, m in self._state.store.said() if (o, f) == (object_id, frame)), None)
        return picker_pb2.PromptedFrame.FromString(found) if found is not None else None
