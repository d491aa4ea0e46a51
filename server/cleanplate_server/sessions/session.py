"""What a person does in one range of one clip, kept as it is done."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from cleanplate_server.clip import ClipRange
from cleanplate_server.models.registry import EngineStatus
from cleanplate_server.sessions.following import forget_lessons
from cleanplate_server.sessions.saying import Answer, OpenClip, Prompting
from cleanplate_server.sessions.state import SessionState
from cleanplate_server.sessions.store import SessionStore
from cleanplate_server.sessions.views import Views
from cleanplate_server.sessions.work import Propagators, Work
from cleanplate_server.stages.segment import ClipSession


class Engines(Propagators, Protocol):
    """What a session needs of the registry."""

    def engines(self) -> list[EngineStatus]: ...


class PickSession:
    """One session. Safe to use from several threads.

    Args:
        session_id: as in ``sessions/ID``.
        clip: media and range.
        store: keeps it.
        folder: where it is kept.
        open_clip: gives the clip for prompts and pictures.
        answer: asks a segmenter.
        engines: for following.
    """

    def __init__(
        self, session_id: str, clip: ClipRange, *, store: SessionStore, folder: Path, open_clip: OpenClip,
        answer: Answer, engines: Engines,
    ) -> None:  # fmt: skip
        self.session_id = session_id
        self.folder = folder
        self.state = SessionState(clip, store=store, engines=engines.engines)
        self.prompting = Prompting(self.state, open_clip=self.open_clip, answer=answer)
        self.views = Views(self.state)
        self.work = Work(self.state, engines, folder)
        self._open_clip = open_clip

    def open_clip(self) -> AbstractContextManager[ClipSession]:
        """The clip, for somebody who waits."""
        self.state.touch()
        return self._open_clip()

    def tidy(self) -> None:
        """Lets go of what only undo could bring back, for a page that begins anew has none."""
        if self.state.cuts is None:
            return  # which masks fit the keys is not known before
        self.state.tracks.prune()
        forget_lessons(self.folder, self.state.shots, len(self.state.objects()))
        self.state.store.shrink()

    def close(self) -> None:
        """Stops what runs and closes the store."""
        self.work.end()
        self.state.store.close()
