"""Follows a session's objects from their keys: the walks of jobs, mask by mask, only where they are missing."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cleanplate_server.clip import Media
from cleanplate_server.models.protocols import (
    Alpha,
    Effort,
    Key,
    LearningPropagator,
    Propagator,
    ShrinkingPropagator,
    Tracker,
)
from cleanplate_server.pipeline.lineup import Lineup
from cleanplate_server.sessions.blobs import pack
from cleanplate_server.sessions.runs import Stopper
from cleanplate_server.sessions.spans import Direction, Span
from cleanplate_server.sessions.store import SessionStore, WalkedRow
from cleanplate_server.sessions.tracks import Tracks, confidence_of
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import PlateCache, ShotPlates
from cleanplate_server.stages.propagate import Walk, plan_walks
from cleanplate_server.stages.windows import WINDOW_FRAMES, window_name

_LESSONS = "learn"
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

    def name_at(self, place: int, engine: str) -> str:
        """Names what a tracker of an engine knows after so many steps: the same name, the same state."""
        known = "+".join(f"{object_id}:{basis}" for object_id, basis in sorted(self.bases.items()))
        return hashlib.sha256(f"{engine}/{self.direction}/{place}/{known}".encode()).hexdigest()[:24]

    @property
    def resumed_places(self) -> list[int]:
        """After how many steps what a tracker knew may be kept, the best first: where it was stopped, or was killed."""
        return sorted({self.first, self.first - self.first % WINDOW_FRAMES} - {0}, reverse=True)


@dataclass(frozen=True)
class Following:
    """Walks what is missing, and keeps each mask as it is found.

    Args:
        media: of the clip.
        keys: of all objects.
        engine: name of the propagator that is asked for, which is part of what masks are filed under.
        effort: that is asked for.
        line_up: makes it, and what takes over where a device's memory is too small for it.
        store, tracks: take in the masks.
        folder: what engines learn from the keys is kept below it.
        stopper: hears how far it is, and may stop it.
    """

    media: Media
    keys: Sequence[Key]
    engine: str
    effort: Effort
    line_up: Callable[[], Lineup]
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
        total = _left(self._plans(shots, wanted))
        self.stopper.progress(0, total)
        if total:
            self.line_up().run(lambda propagator: self._follow(propagator, self._plans(shots, wanted), total))

    def _plans(self, shots: Sequence[range], wanted: Wanted) -> Plans:
        return [(shot, list(_plan(shot, self.keys, wanted, self.engine, self.tracks))) for shot in shots]

    def _follow(self, propagator: Propagator, plans: Plans, total: int) -> None:
        """Walks what is left; another engine may have walked a part of it."""
        acting = self._acting(propagator)
        keyed = {shot: [key for key in self.keys if key.frame in shot] for shot, tasks in plans if tasks}
        counts = {
            shot: propagator.update_count(keys) if isinstance(propagator, LearningPropagator) else 0
            for shot, keys in keyed.items()
        }
        done, learned = total - _left(plans), 0
        self.stopper.learning(0, sum(counts.values()))
        with Decoder(self.media) as decoder:
            plates = PlateCache(decoder, _CACHE_BYTES)
            for shot, tasks in plans:
                if not tasks:
                    continue
                frames = ShotPlates(plates, self.media, shot)
                taught = self._taught(propagator, frames, keyed[shot], learned=learned, total=sum(counts.values()))
                learned += counts[shot]
                for task in tasks:
                    done = self._walk(task, taught, frames, acting=acting, done=done, total=total)

    def _acting(self, propagator: Propagator) -> str:
        """Tells engines apart that do not know what to do with each other's states."""
        size = propagator.working_size(self.media.size) if isinstance(propagator, ShrinkingPropagator) else ""
        return f"{propagator.info.name} {self.effort} {size}"

    def _taught(
        self, propagator: Propagator, frames: ShotPlates, keys: Sequence[Key], *, learned: int, total: int
    ) -> Propagator:  # fmt: skip
        """An engine that is trained on the keys is trained first.

        Args:
            propagator: the engine.
            frames: of the shot.
            keys: of the shot.
            learned: updates made for the shots before.
            total: updates for all shots.
        """
        if not isinstance(propagator, LearningPropagator):
            return propagator
        folder = self.folder / _LESSONS / window_name(frames.frames)
        folder.mkdir(parents=True, exist_ok=True)
        return propagator.learn(frames, keys, folder, lambda update: self.stopper.learning(learned + update, total))

    def _walk(
        self, task: _Task, propagator: Propagator, frames: ShotPlates, *, acting: str, done: int, total: int
    ) -> int:  # fmt: skip
        """Walks from the start, or from where it was stopped; gives how many frames are done now."""
        walk = task.walk
        objects = {key.object_id for key in walk.starts}
        begin, name, saved = self._known(task, acting)
        known = [key for key in self.keys if key.object_id in objects and key.frame in frames.frames]
        tracker = propagator.follow(frames, known, walk.starts, saved)
        for place in range(begin, len(walk.frames)):
            if place > begin and (place % WINDOW_FRAMES == 0 or not self.stopper.wanted):
                name = self._keep_state(tracker, task.name_at(place, acting), before=name)
            self.stopper.check()
            alphas = tracker.step(walk.frames[place])
            if place >= task.first:
                self._keep(task, walk.frames[place], alphas)
                done += 1
            self.stopper.progress(done, total)
        self.store.set_walk_state(name, None)
        return done

    def _known(self, task: _Task, acting: str) -> tuple[int, str, bytes | None]:
        """After how many steps a walk goes on, under which name that is kept, and what the tracker knew then."""
        for place in task.resumed_places:
            name = task.name_at(place, acting)
            saved = self.store.walk_state(name)
            if saved is not None:
                return place, name, saved
        return 0, task.name_at(0, acting), None

    def _keep_state(self, tracker: Tracker, name: str, *, before: str) -> str:
        """Keeps what a tracker knows in place of what it knew before; so a server that is killed loses a few frames."""
        with self.store.transaction():
            self.store.set_walk_state(name, tracker.save())
            self.store.set_walk_state(before, None)
        return name

    def _keep(self, task: _Task, frame: int, alphas: Alpha) -> None:
        for key, alpha in zip(task.walk.starts, alphas, strict=True):
            codes = np.rint(alpha * 255).astype(np.uint8)
            row = WalkedRow(0, key.object_id, frame, task.direction, task.bases[key.object_id], confidence_of(codes))
            self.tracks.add(self.store.put_walked(row, pack(codes)))


def forget_lessons(folder: Path, shots: Sequence[range], object_count: int) -> None:
    """Deletes what engines learned from keys that are others now.

    Args:
        folder: of the session.
        shots: that there are; of each, what was learned last stays.
        object_count: so many files for each shot.
    """
    known = {window_name(shot) for shot in shots}
    for learned in (folder / _LESSONS).glob("*"):
        if learned.name not in known:
            shutil.rmtree(learned, ignore_errors=True)
            continue
        for old in sorted(learned.iterdir(), key=lambda file: file.stat().st_mtime_ns, reverse=True)[object_count:]:
            old.unlink(missing_ok=True)


Plans = Sequence[tuple[range, Sequence[_Task]]]
"""What is to be walked in each shot."""


def _left(plans: Plans) -> int:
    """How many frames are to be walked."""
    return sum(len(task.walk.frames) - task.first for _, tasks in plans for task in tasks)


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
