"""All sessions of a server: opened, found again, closed, deleted."""

from __future__ import annotations

import logging
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from cleanplate.v1 import job_pb2, picker_pb2

from cleanplate_server.clip import ClipRange, Media
from cleanplate_server.errors import MediaError, NotFoundError
from cleanplate_server.sessions.cuts import CutSearch
from cleanplate_server.sessions.saying import Answer
from cleanplate_server.sessions.session import Engines, PickSession
from cleanplate_server.sessions.store import SessionStore
from cleanplate_server.stages.decode import probe
from cleanplate_server.stages.segment import ClipSession

_log = logging.getLogger(__name__)
_ID = re.compile(r"[0-9a-f]{12}")
_FILE = "session.db"

ClipOpener = Callable[[Path, int, Fraction | None], AbstractContextManager[ClipSession]]
"""Opens media for prompts as long as it is used: path, video stream, rate of images that name none."""


@dataclass(frozen=True)
class Source:
    """What a session is on.

    Args:
        path: media file, folder of images or pattern.
        stream_index, sequence_rate: as for ``stages.decode.probe``.
        start_frame, frame_count, handle_count: the range; no count is up to the end.
    """

    path: Path
    stream_index: int = 0
    sequence_rate: Fraction | None = None
    start_frame: int = 0
    frame_count: int | None = None
    handle_count: int = 0

    def clip_in(self, media: Media) -> ClipRange:
        """The range of media.

        Raises:
            RangeError: it does not fit.
        """
        rest = max(1, media.frame_count - self.start_frame)
        count = rest if self.frame_count is None else self.frame_count
        return ClipRange(media, self.start_frame, count, self.handle_count)

    def to_facts(self) -> dict[str, str]:
        """As a store keeps it."""
        return {
            "path": str(self.path),
            "stream_index": str(self.stream_index),
            "sequence_rate": str(self.sequence_rate or ""),
            "start_frame": str(self.start_frame),
            "frame_count": "" if self.frame_count is None else str(self.frame_count),
            "handle_count": str(self.handle_count),
        }

    @classmethod
    def of(cls, store: SessionStore) -> Source:
        """As it was kept."""
        rate, count = store.fact("sequence_rate"), store.fact("frame_count")
        return cls(
            Path(store.fact("path")),
            int(store.fact("stream_index")),
            Fraction(rate) if rate else None,
            int(store.fact("start_frame")),
            int(count) if count else None,
            int(store.fact("handle_count")),
        )


@dataclass(frozen=True)
class _Open:
    """A session in memory."""

    session: PickSession
    cuts: CutSearch


class SessionBook:
    """Sessions of a state folder. Safe to use from several threads.

    Args:
        folder: where they are kept; made when the first one is opened.
        open_clip: opens media for prompts.
        answer: asks a segmenter.
        engines: the registry.
    """

    def __init__(self, folder: Path, *, open_clip: ClipOpener, answer: Answer, engines: Engines) -> None:
        self._folder = folder
        self._open_clip = open_clip
        self._answer = answer
        self._engines = engines
        self._open: dict[str, _Open] = {}
        self._lock = threading.RLock()

    def open(self, source: Source, *, title: str, prompt_frame: int | None, fresh: bool) -> PickSession:
        """Opens a session; the one that was last used on the same source is found again, unless a fresh one is wanted.

        Raises:
            NotFoundError, AccessError, MediaError, RangeError: the media, or the range, is not there.
        """
        with self._lock:
            media = probe(source.path, stream_index=source.stream_index, sequence_rate=source.sequence_rate)
            clip = source.clip_in(media)
            known = None if fresh else self._last_on(source)
            if known is not None:
                session = self.find(known)
                session.state.set_closed(closed=False)
                if prompt_frame is not None:
                    session.state.check_frame(prompt_frame)
                    session.state.store.set_facts(prompt_frame=str(prompt_frame))
                return session
            frame = clip.start_frame if prompt_frame is None else prompt_frame
            return self._create(source, clip, title=title or source.path.name, prompt_frame=frame)

    def _create(self, source: Source, clip: ClipRange, *, title: str, prompt_frame: int) -> PickSession:
        session_id = secrets.token_hex(6)
        folder = self.folder(session_id)
        folder.mkdir(mode=0o700, parents=True)
        store = SessionStore(folder / _FILE)
        settings = picker_pb2.TakeSettings(effort=job_pb2.EFFORT_BALANCED, delivery=job_pb2.DELIVERY_PLATE)
        store.set_facts(
            **source.to_facts(), title=title, prompt_frame=str(prompt_frame),
            size=f"{clip.media.size}", media_frame_count=str(clip.media.frame_count),
            settings=settings.SerializeToString().hex(), revision="1", update_ns=str(time.time_ns()),
        )  # fmt: skip
        session = self._take_in(session_id, source, clip, store)
        session.state.check_frame(prompt_frame)
        return session

    def _take_in(self, session_id: str, source: Source, clip: ClipRange, store: SessionStore) -> PickSession:
        session = PickSession(
            session_id, clip, store=store, folder=self.folder(session_id), engines=self._engines, answer=self._answer,
            open_clip=lambda: self._open_clip(source.path, source.stream_index, source.sequence_rate),
        )  # fmt: skip
        cuts = CutSearch(session)
        self._open[session_id] = _Open(session, cuts)
        cuts.start()
        return session

    def find(self, session_id: str) -> PickSession:
        """A session by its id, from the disk if need be.

        Raises:
            NotFoundError: there is none, or its media is gone.
            MediaError: its media is another one now.
        """
        with self._lock:
            if session_id in self._open:
                return self._open[session_id].session
            file = self.folder(session_id) / _FILE
            if not _ID.fullmatch(session_id) or not file.is_file():
                raise NotFoundError(
                    f"there is no session 'sessions/{session_id}'; open the media again", reason="NO_SESSION"
                )
            store = SessionStore(file)
            try:
                source = Source.of(store)
                media = probe(source.path, stream_index=source.stream_index, sequence_rate=source.sequence_rate)
                known = (store.fact("size"), store.fact("media_frame_count"))
                if (f"{media.size}", str(media.frame_count)) != known:
                    raise MediaError(
                        f"{source.path} has changed since the session was begun: it had {known[1]} frames of"
                        f" {known[0]} and has {media.frame_count} of {media.size}; put it back, or open it anew"
                    )
                session = self._take_in(session_id, source, source.clip_in(media), store)
                session.tidy()
                return session
            except Exception:
                store.close()
                raise

    def set_range(self, session_id: str, start_frame: int, frame_count: int | None, handle_count: int) -> PickSession:
        """Works on other frames of the same media; its cuts are looked for anew where they are not known.

        Raises:
            RangeError: the range does not fit the media.
            StateError: something runs.
        """
        with self._lock:
            session = self.find(session_id)
            session.work.check_idle()
            state, store = session.state, session.state.store
            searched = store.frames_fact("searched") or []
            source = replace(
                Source.of(store), start_frame=start_frame, frame_count=frame_count, handle_count=handle_count
            )
            clip = source.clip_in(state.clip.media)
            store.set_facts(**source.to_facts())
            first = min(max(int(store.fact("prompt_frame")), clip.frames.start), clip.frames.stop - 1)
            store.set_facts(prompt_frame=str(first))
            if not searched or clip.frames.start < searched[0] or clip.frames.stop > searched[1]:
                self._open[session_id].cuts.close()
                store.set_facts(cuts="")
            state.set_clip(clip)
            if state.cuts is None:
                self._open[session_id] = _Open(session, CutSearch(session))
                self._open[session_id].cuts.start()
            return session

    def ids(self) -> list[str]:
        """All sessions, last changed first."""
        found = [file.parent for file in self._folder.glob(f"*/{_FILE}") if _ID.fullmatch(file.parent.name)]
        return sorted((folder.name for folder in found), key=self._changed_ns, reverse=True)

    def close(self, session_id: str) -> PickSession:
        """Says that the person is done, stops what runs, and frees what only undo would need."""
        session = self.find(session_id)
        session.work.stop()
        session.state.set_closed(closed=True)
        session.tidy()
        return session

    def delete(self, session_id: str) -> None:
        """Deletes a session with its masks; does nothing when there is none."""
        with self._lock:
            self._shut(session_id)
            if _ID.fullmatch(session_id):
                shutil.rmtree(self.folder(session_id), ignore_errors=True)

    def close_all(self) -> None:
        """Stops all and lets go of the files."""
        with self._lock:
            for session_id in list(self._open):
                self._shut(session_id)

    def folder(self, session_id: str) -> Path:
        """Where a session is kept."""
        return self._folder / session_id

    def _shut(self, session_id: str) -> None:
        known = self._open.pop(session_id, None)
        if known is not None:
            known.cuts.close()
            known.session.close()

    def _last_on(self, source: Source) -> str | None:
        for session_id in self.ids():
            if session_id in self._open:
                store, own = self._open[session_id].session.state.store, False
            else:
                store, own = SessionStore(self.folder(session_id) / _FILE), True
            try:
                if Source.of(store) == source:
                    return session_id
            finally:
                if own:
                    store.close()
        return None

    def _changed_ns(self, session_id: str) -> int:
        files = self.folder(session_id).glob(f"{_FILE}*")
        return max((file.stat().st_mtime_ns for file in files), default=0)
