"""What a person does in one range of one clip, kept as it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from cleanplate.v1 import job_pb2, picker_pb2

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import InputError, MaskError, NotFoundError, PromptError, RangeError, StateError
from cleanplate_server.models.protocols import Candidate, Effort, Key, Mask, Prompt, Propagator, Stroke
from cleanplate_server.models.registry import EngineStatus
from cleanplate_server.pipeline.remove import default_feather_px, default_grow_px
from cleanplate_server.sessions.blobs import digest, pack_mask, unpack_mask
from cleanplate_server.sessions.following import Wanted, follow
from cleanplate_server.sessions.painting import paint
from cleanplate_server.sessions.runs import Runner, RunStatus, Stopper
from cleanplate_server.sessions.shadowing import find_shadows
from cleanplate_server.sessions.store import ObjectRow, SessionStore
from cleanplate_server.sessions.tracks import Tracks
from cleanplate_server.stages.composite import grow, soft_edge
from cleanplate_server.stages.cuts import cut_shots
from cleanplate_server.stages.segment import ClipSession

_COLORS = ("#e6550d", "#3182bd", "#31a354", "#a63db8", "#d6b000", "#00a0a0", "#e04a8b", "#7a6a4f")
_EFFORTS: dict[int, Effort] = {job_pb2.EFFORT_FAST: "fast", job_pb2.EFFORT_BEST: "best"}
OBJECT_LIMIT = 64
_CUTS_WAIT_SECONDS = 0.05

OpenClip = Callable[[], AbstractContextManager[ClipSession]]
"""Gives the clip, open for prompts and pictures, as long as it is used."""


class PropagatorSource(Protocol):
    """What a session needs of the registry."""

    def engines(self) -> list[EngineStatus]: ...

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator: ...


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


class PickSession:
    """One session. Safe to use from several threads.

    Args:
        session_id: as in ``sessions/ID``.
        clip: media and range.
        store: keeps it.
        open_clip: gives the clip for prompts.
        engines: for following.
    """

    def __init__(
        self, session_id: str, clip: ClipRange, *, store: SessionStore, open_clip: OpenClip, engines: PropagatorSource
    ) -> None:
        self.session_id = session_id
        self.clip = clip
        self.store = store
        self.tracks = Tracks(store)
        self.changed = threading.Condition()
        self._open_clip = open_clip
        self._engines = engines
        self._lock = threading.RLock()
        self._runner = Runner(self._tell)
        self._tickets: dict[tuple[int, int], int] = {}
        self._last_use = 0.0
        self._settle()

    # ---- what there is

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return int(self.store.fact("revision") or 0)

    @property
    def settings(self) -> picker_pb2.TakeSettings:
        """How masks become a take."""
        return picker_pb2.TakeSettings.FromString(bytes.fromhex(self.store.fact("settings")))

    @property
    def run(self) -> RunStatus | None:
        """What runs or ran last."""
        return self._runner.status

    @property
    def cuts(self) -> list[int] | None:
        """First frame of each shot but the first; None until they were looked for."""
        return self.store.frames_fact("cuts")

    @property
    def shots(self) -> list[range]:
        """The range, divided at its cuts as far as they are known."""
        return cut_shots(self.clip.frames, self.cuts or ())

    @property
    def grow_px(self) -> int:
        """By how much masks are grown."""
        settings = self.settings
        return settings.grow_px if settings.HasField("grow_px") else default_grow_px(self.clip.media.size[0])

    @property
    def feather_px(self) -> int:
        """How wide the soft edge is."""
        settings = self.settings
        return settings.feather_px if settings.HasField("feather_px") else default_feather_px(self.grow_px)

    def objects(self) -> list[ObjectRow]:
        """All objects, by number."""
        return self.store.objects()

    def visible(self) -> list[int]:
        """Numbers of the objects that are not hidden."""
        return [row.object_id for row in self.objects() if not row.hidden]

    def engine(self, kind: str) -> str:
        """Name of the engine that is chosen for a kind, or that the registry would take; empty without one."""
        chosen = next((choice.name for choice in self.settings.engines if choice.kind == kind), "")
        known = (status for status in self._engines.engines() if status.kind == kind and status.available)
        return chosen or next((status.info.name for status in known), "")

    # ---- what a person says

    def put_object(self, wanted: ObjectRow) -> int:
        """Adds an object (number 0) or changes one; gives its number.

        Raises:
            InputError: no such object, too many, a colour that is none.
        """
        with self._lock:
            known = {row.object_id: row for row in self.objects()}
            number = wanted.object_id or max(known, default=0) + 1
            if wanted.object_id and wanted.object_id not in known:
                raise InputError(f"there is no object {wanted.object_id}; leave its number out to add one")
            if number not in known and len(known) >= OBJECT_LIMIT:
                raise InputError(f"there are {OBJECT_LIMIT} objects already; delete one first")
            old = known.get(number) or _new_object(number)
            row = ObjectRow(number, wanted.name.strip() or old.name, wanted.color or old.color, wanted.hidden)
            self.store.put_object(row)
            self._settle()
            self._change()
            return number

    def delete_object(self, object_id: int) -> None:
        """Deletes an object and what was said of it."""
        with self._lock:
            self.store.delete_object(object_id)
            self._settle()
            self._change()

    def say(self, said: Said) -> Answered:
        """Answers what is meant on a frame and makes the best answer the object's key there.

        Raises:
            RangeError: the frame is outside the range; nothing is kept.
            PromptError, MaskError: it cannot be answered; it is kept with the reason, without a key.
            EngineError, MediaError: the engine or the frame is not there; nothing is kept.
        """
        prompt = said.prompt
        self.check_frame(prompt.frame)
        place = (prompt.object_id, prompt.frame)
        with self._lock:
            ticket = self._tickets[place] = self._tickets.get(place, 0) + 1
        try:
            candidates, engine = self._answer(said)
        except (PromptError, MaskError) as error:
            with self._lock:
                if ticket == self._tickets[place]:
                    self._keep(said, (), str(error))
            raise
        with self._lock:
            prompted = said.message
            if ticket == self._tickets[place]:
                prompted = self._keep(said, candidates, "")
            return Answered(prompted, candidates, engine)

    def _answer(self, said: Said) -> tuple[tuple[Candidate, ...], str]:
        prompt = said.prompt
        asks = prompt.points or prompt.strokes or prompt.box is not None or prompt.name
        if asks:
            with self._use_clip() as clip:
                engine = self.engine("segmenter")
                found = clip.segment(prompt, engine)
        else:
            engine = ""
            base = prompt.mask if prompt.mask is not None else np.zeros(self.clip.media.size, np.bool_)
            if base.shape != self.clip.media.size:
                height, width = self.clip.media.size
                raise MaskError(
                    f"the mask for frame {prompt.frame} is {base.shape[1]}x{base.shape[0]} and the picture"
                    f" {width}x{height}; give a mask of the picture's size"
                )
            found = (Candidate(base, 1.0),)
        painted = tuple(replace(each, mask=paint(each.mask, said.edits)) for each in found)
        kept = tuple(each for each in painted if each.mask.any())
        if not kept:
            raise PromptError(
                f"nothing is left of object {prompt.object_id} on frame {prompt.frame}; click on its middle, draw a box"
                " around it, or paint it with the brush"
            )
        return kept, engine

    def _keep(self, said: Said, candidates: Sequence[Candidate], problem: str) -> picker_pb2.PromptedFrame:
        object_id, frame = said.prompt.object_id, said.prompt.frame
        with self.store.transaction():
            prompted = picker_pb2.PromptedFrame()
            prompted.CopyFrom(said.message)
            prompted.has_base = prompted.prompt.HasField("mask")
            prompted.candidate_count, prompted.chosen, prompted.problem = len(candidates), 0, problem
            prompted.score = candidates[0].score if candidates else 0.0
            prompted.revision = self.revision + 1
            if object_id not in {row.object_id for row in self.objects()}:
                self.store.put_object(_new_object(object_id))
            packed = [(each.score, pack_mask(each.mask)) for each in candidates]
            self.store.put_said(object_id, frame, prompted.SerializeToString(), packed)
            if packed:
                self.store.put_key(object_id, frame, digest(packed[0][1]), packed[0][1])
            else:
                self.store.drop_key(object_id, frame)
            self._settle()
            self._change()
        return prompted

    def choose(self, object_id: int, frame: int, chosen: int) -> picker_pb2.PromptedFrame:
        """Makes another answer the key.

        Raises:
            InputError: there is no such answer.
        """
        with self._lock, self.store.transaction():
            found = self.store.candidate(object_id, frame, chosen)
            prompted = self.said(object_id, frame)
            if found is None or prompted is None:
                count = prompted.candidate_count if prompted else 0
                raise InputError(
                    f"object {object_id} has {count} answers on frame {frame}, and number {chosen} was asked for;"
                    " prompt there, then choose one, counted from 0"
                )
            prompted.chosen, prompted.score, prompted.revision = chosen, found[0], self.revision + 1
            self.store.change_said(object_id, frame, prompted.SerializeToString())
            self.store.put_key(object_id, frame, digest(found[1]), found[1])
            self._settle()
            self._change()
            return prompted

    def clear(self, object_id: int, frame: int) -> None:
        """Takes back what was said; the masks of before, if they still fit, are there again."""
        with self._lock:
            self._tickets[object_id, frame] = self._tickets.get((object_id, frame), 0) + 1
            self.store.clear_said(object_id, frame)
            self._settle()
            self._change()

    def said(self, object_id: int, frame: int) -> picker_pb2.PromptedFrame | None:
        """What was said of an object on a frame, with its base."""
        found = next((m for o, f, m in self.store.said() if (o, f) == (object_id, frame)), None)
        return picker_pb2.PromptedFrame.FromString(found) if found is not None else None

    def set_settings(self, settings: picker_pb2.TakeSettings) -> None:
        """Keeps how masks become a take."""
        with self._lock:
            self.store.set_facts(settings=settings.SerializeToString().hex())
            self._settle()
            self._change()

    def set_closed(self, *, closed: bool) -> None:
        """Says whether the person is done."""
        with self._lock:
            if (self.store.fact("closed") == "1") != closed:
                self.store.set_facts(closed="1" if closed else "")
                self._change()

    def note_change(self) -> None:
        """Something that is kept elsewhere has changed, such as a take."""
        with self._lock:
            self._change()

    # ---- what is looked at

    def prepare(self, frame: int) -> None:
        """Makes a frame ready for prompts."""
        self.check_frame(frame)
        with self._use_clip() as clip:
            clip.prepare(frame, self.engine("segmenter"))

    def current_mask(self, object_id: int, frame: int) -> Mask:
        """What is shown of an object on a frame; all False where nothing is."""
        mask = self.tracks.mask(object_id, frame)
        return np.zeros(self.clip.media.size, np.bool_) if mask is None else mask

    def mask(self, object_id: int, frame: int) -> Mask:
        """An object's mask, or for 0 that of all visible ones: bool [H, W].

        Raises:
            NotFoundError: there is none.
        """
        self.check_frame(frame)
        if object_id:
            found = self.tracks.mask(object_id, frame)
        else:
            joined = self.tracks.union(self.visible(), frame, self.clip.media.size)
            found = joined if joined.any() else None
        if found is None:
            what = f"object {object_id} has" if object_id else "the objects have"
            raise NotFoundError(f"{what} no mask on frame {frame}; prompt there, or follow that far", reason="NO_MASK")
        return found

    def matte(
        self, frame: int, *, grow_px: int | None, feather_px: int | None, with_shadow: bool | None
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        """What would be replaced on a frame: uint8 [H, W], 255 wholly. None is as the settings have it.

        Raises:
            RangeError, InputError.
        """
        self.check_frame(frame)
        for name, value in (("grow_px", grow_px), ("feather_px", feather_px)):
            if value is not None and value < 0:
                raise InputError(f"{name} = {value} makes no sense; give 0 or more pixels")
        grow_px = self.grow_px if grow_px is None else grow_px
        if feather_px is None:
            fits = self.settings.HasField("feather_px")
            feather_px = self.settings.feather_px if fits else default_feather_px(grow_px)
        union = self.tracks.union(self.visible(), frame, self.clip.media.size)
        if self.settings.with_shadow if with_shadow is None else with_shadow:
            shadow = self.store.shadow(frame)
            union = union if shadow is None else union | unpack_mask(shadow)
        return np.asarray(np.rint(soft_edge(grow(union, grow_px), feather_px) * 255), np.uint8)

    # ---- what goes on by itself

    def propagate(self, wanted: Wanted) -> None:
        """Begins to follow.

        Raises:
            StateError: no key, or something runs already.
        """
        if not any(key.object_id in wanted.object_ids for key in self.store.key_marks()):
            raise StateError(
                "no object has a mask yet, so there is nothing to follow; click on the object first", reason="NO_KEY"
            )

        def work(stopper: Stopper) -> None:
            self._wait_for_cuts(stopper)
            name, effort = self.engine("propagator"), _effort(self.settings)
            follow(
                self.clip.media, self.shots, self.keys(), wanted, engine=name,
                build=lambda: self._engines.propagator(name, effort),
                store=self.store, tracks=self.tracks, stopper=stopper,
            )  # fmt: skip

        self._runner.start("PROPAGATE", work)

    def find_shadows(self) -> None:
        """Begins to look for the shadows of the visible objects.

        Raises:
            StateError: no mask, or something runs already.
        """
        if not any(key.object_id in self.visible() for key in self.store.key_marks()):
            raise StateError(
                "no object has a mask yet, so there is no shadow to look for; click on the object first",
                reason="NO_KEY",
            )

        def work(stopper: Stopper) -> None:
            self._wait_for_cuts(stopper)
            find_shadows(self.clip.media, self.shots, self.visible(), self.tracks, self.store, stopper)
            self.note_change()

        self._runner.start("SHADOW", work)

    def stop(self) -> None:
        """Stops what runs, at once."""
        self._runner.stop()

    def close(self) -> None:
        """Stops what runs and closes the store."""
        self._runner.stop()
        self._runner.join()
        self.store.close()

    def keys(self) -> list[Key]:
        """All keys with their masks."""
        marks = self.store.key_marks()
        packed = [(mark, self.store.key_mask(mark.object_id, mark.frame)) for mark in marks]
        return [Key(mark.frame, mark.object_id, unpack_mask(mask)) for mark, mask in packed if mask is not None]

    def take_cuts(self, cuts: Sequence[int]) -> None:
        """Takes in where the range cuts."""
        with self._lock:
            self.store.set_facts(cuts=str(sorted(cuts)))
            self._settle()
            self._change()

    def is_idle(self, seconds: float) -> bool:
        """Whether nobody has waited for an answer in the last seconds."""
        return time.monotonic() - self._last_use > seconds

    def check_frame(self, frame: int) -> None:
        """Refuses a frame that is not worked on.

        Raises:
            RangeError.
        """
        frames = self.clip.frames
        if frame not in frames:
            raise RangeError(
                f"frame {frame} is outside the range, frames {frames.start} to {frames.stop - 1} with handles;"
                " choose one of these"
            )

    def _wait_for_cuts(self, stopper: Stopper) -> None:
        while self.cuts is None:
            stopper.check()
            time.sleep(_CUTS_WAIT_SECONDS)

    def _use_clip(self) -> AbstractContextManager[ClipSession]:
        self._last_use = time.monotonic()
        return self._open_clip()

    def picture_clip(self) -> AbstractContextManager[ClipSession]:
        """The clip, for a picture to look at."""
        return self._use_clip()

    def _settle(self) -> None:
        object_ids = [row.object_id for row in self.store.objects()]
        self.tracks.settle(object_ids, self.store.key_marks(), self.shots, self.engine("propagator"))

    def _change(self) -> None:
        self.store.set_facts(revision=str(self.revision + 1), update_ns=str(time.time_ns()))
        self._tell()

    def _tell(self) -> None:
        with self.changed:
            self.changed.notify_all()


def _new_object(number: int) -> ObjectRow:
    return ObjectRow(number, f"Object {number}", _COLORS[(number - 1) % len(_COLORS)], hidden=False)


def _effort(settings: picker_pb2.TakeSettings) -> Effort:
    return _EFFORTS.get(settings.effort, "balanced")
