"""Follows a session's objects from their keys: the walks of jobs, mask by mask, only where they are missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleanplate_server.clip import Media
from cleanplate_server.models.protocols import Alpha, Key, LearningPropagator, Propagator
from cleanplate_server.sessions.blobs import pack
from cleanplate_server.sessions.runs import Stopper
from cleanplate_server.sessions.spans import Direction, Span
from cleanplate_server.sessions.store import SessionStore, WalkedRow
from cleanplate_server.sessions.tracks import Tracks, confidence_of
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import PlateCache, ShotPlates
from cleanplate_server.stages.propagate import Walk, plan_walks
from cleanplate_server.stages.windows import window_name

_CACHE_BYTES = 192 << 20


@dataclass(frozen=True)
class Wanted:
    """Which frames a person asks for.

    Args:
        object_ids: whose.
        directions: from which keys.
        from_frame: forward from it on, backward up to it; None is everywhere.
    """

    object_ids: frozenset[int]
    directions: frozenset[Direction]
    from_frame: int | None = None

    def holds(self, frame: int, direction: Direction) -> bool:
        """Whether a frame is asked for."""
        if self.from_frame is None:
            return True
        return frame >= self.from_frame if direction == "forward" else frame <= self.from_frame


@dataclass(frozen=True)
class _Task:
    """One walk that has something to do.

    Args:
        walk: objects and frames.
        direction: of the walk.
        bases: of the span, by object.
        first: index of the first frame that any of the objects lacks.
    """

    walk: Walk
    direction: Direction
    bases: dict[int, str]
    first: int

    def name_at(self, place: int) -> str:
        """Names what a tracker knows after so many steps: the same name, the same state."""
        known = "+".join(f"{object_id}:{basis}" for object_id, basis in sorted(self.bases.items()))
        return hashlib.sha256(f"{self.direction}/{place}/{known}".encode()).hexdigest()[:24]


@dataclass(frozen=True)
class Following:
    """Walks what is missing, and keeps each mask as it is found.

    Args:
        media: of the clip.
        keys: of all objects.
        engine: name of the propagator, which is part of what masks are filed under.
        build: makes it.
        store, tracks: take in the masks.
        folder: what engines learn from the keys is kept below it.
        stopper: hears how far it is, and may stop it.
    """

    media: Media
    keys: Sequence[Key]
    engine: str
    build: Callable[[], Propagator]
    store: SessionStore
    tracks: Tracks
    folder: Path
    stopper: Stopper

    def run(self, shots: Sequence[range], wanted: Wanted) -> None:
        """Walks what is wanted.

        Raises:
            JobCancelledError: it was stopped; what the walk knew is kept.
            EngineError, MediaError: it cannot go on.
        """
        plans = [(shot, list(_plan(shot, self.keys, wanted, self.engine, self.tracks))) for shot in shots]
        total = sum(len(task.walk.frames) - task.first for _, tasks in plans for task in tasks)
        self.stopper.progress(0, total)
        if not total:
            return
        propagator, done = self.build(), 0
        with Decoder(self.media) as decoder:
            plates = PlateCache(decoder, _CACHE_BYTES)
            for shot, tasks in plans:
                frames = ShotPlates(plates, self.media, shot)
                known = [key for key in self.keys if key.frame in shot]
                taught = self._taught(propagator, frames, known) if tasks else propagator
                for task in tasks:
                    done = self._walk(task, taught, frames, done=done, total=total)

    def _taught(self, propagator: Propagator, frames: ShotPlates, keys: Sequence[Key]) -> Propagator:
        """An engine that is trained on the keys is trained first."""
        if not isinstance(propagator, LearningPropagator):
            return propagator
        folder = self.folder / "learn" / window_name(frames.frames)
        folder.mkdir(parents=True, exist_ok=True)
        return propagator.learn(frames, keys, folder, lambda update: self.stopper.check())

    def _walk(self, task: _Task, propagator: Propagator, frames: ShotPlates, *, done: int, total: int) -> int:
        """Walks from the start, or from where it was stopped; gives how many frames are done now."""
        walk = task.walk
        objects = {key.object_id for key in walk.starts}
        saved = self.store.walk_state(task.name_at(task.first)) if task.first else None
        known = [key for key in self.keys if key.object_id in objects and key.frame in frames.frames]
        tracker = propagator.follow(frames, known, walk.starts, saved)
        for place in range(task.first if saved else 0, len(walk.frames)):
            if not self.stopper.wanted:
                if place > task.first:
                    self.store.set_walk_state(task.name_at(place), tracker.save())
                self.stopper.check()
            alphas = tracker.step(walk.frames[place])
            if place >= task.first:
                self._keep(task, walk.frames[place], alphas)
                done += 1
            self.stopper.progress(done, total)
        self.store.set_walk_state(task.name_at(task.first), None)
        return done

    def _keep(self, task: _Task, frame: int, alphas: Alpha) -> None:
        for key, alpha in zip(task.walk.starts, alphas, strict=True):
            codes = np.rint(alpha * 255).astype(np.uint8)
            row = WalkedRow(0, key.object_id, frame, task.direction, task.bases[key.object_id], confidence_of(codes))
            self.tracks.add(self.store.put_walked(row, pack(codes)))


def _plan(
    shot: range, keys: Sequence[Key], wanted: Wanted, engine: str, tracks: Tracks
) -> Iterator[_Task]:  # fmt: skip
    own = [key for key in keys if key.object_id in wanted.object_ids and key.frame in shot]
    spans = {object_id: tracks.spans(object_id) for object_id in wanted.object_ids}
    for walk in plan_walks(own, shot):
        direction: Direction = "forward" if walk.frames.step > 0 else "backward"
        if direction not in wanted.directions:
            continue
        found = {key.object_id: _span_of(spans[key.object_id], walk) for key in walk.starts}
        bases = {object_id: span.basis(engine) for object_id, span in found.items()}
        lacking = {
            object_id: [
                i
                for i, frame in enumerate(walk.frames)
                if not tracks.is_walked(span, bases[object_id], frame, direction)
            ]
            for object_id, span in found.items()
        }
        asked = {
            object_id: [i for i in places if wanted.holds(walk.frames[i], direction)]
            for object_id, places in lacking.items()
        }
        open_ids = {object_id for object_id, places in asked.items() if places}
        if open_ids:
            starts = tuple(key for key in walk.starts if key.object_id in open_ids)
            frames = walk.frames[: max(asked[object_id][-1] for object_id in open_ids) + 1]
            first = min(lacking[object_id][0] for object_id in open_ids)
            yield _Task(Walk(starts, frames), direction, {o: bases[o] for o in open_ids}, first)


def _span_of(spans: Sequence[Span], walk: Walk) -> Span:
    return next(span for span in spans if walk.frames[0] in span.frames)
