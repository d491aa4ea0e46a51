"""What goes on in a session by itself: following objects, finding shadows."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Protocol

from cleanplate.v1 import job_pb2, picker_pb2

from cleanplate_server.errors import CleanplateError, StateError
from cleanplate_server.models.protocols import Effort, Propagator
from cleanplate_server.pipeline.lineup import Lineup
from cleanplate_server.sessions.following import Following, Wanted
from cleanplate_server.sessions.runs import Runner, RunStatus, Stopper
from cleanplate_server.sessions.shadowing import find_shadows
from cleanplate_server.sessions.state import SessionState

_EFFORTS: dict[int, Effort] = {job_pb2.EFFORT_FAST: "fast", job_pb2.EFFORT_BEST: "best"}
_CUTS_WAIT_SECONDS = 0.05
_KEEP_SECONDS = 1.0
"""How a run stands is kept so often; what it finds is kept at once."""
_log = logging.getLogger(__name__)


class Propagators(Protocol):
    """Gives propagators by name (``models.registry.Registry``)."""

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator: ...


class Work:
    """One run at a time.

    Args:
        state: of the session.
        propagators: gives the engine that follows.
        folder: of the session.
    """

    def __init__(self, state: SessionState, propagators: Propagators, folder: Path) -> None:
        self._state = state
        self._propagators = propagators
        self._folder = folder
        kept = state.store.fact("run")
        self._runner = Runner(self._take_in, RunStatus.of_text(kept) if kept else None)
        self._keeping = threading.Lock()
        self._kept: RunStatus | None = None
        self._kept_time = 0.0

    @property
    def status(self) -> RunStatus | None:
        """What runs or ran last."""
        return self._runner.status

    def propagate(self, wanted: Wanted) -> None:
        """Begins to follow.

        Raises:
            StateError: no key, or something runs already.
        """
        if not any(key.object_id in wanted.object_ids for key in self._state.store.key_marks()):
            raise StateError(
                "no object has a mask yet, so there is nothing to follow; click on the object first", reason="NO_KEY"
            )

        def work(stopper: Stopper) -> None:
            self._wait_for_cuts(stopper)
            name, effort = self._state.engine("propagator"), _effort(self._state.settings)
            media = self._state.clip.media

            def line_up() -> Lineup:
                return Lineup(
                    lambda name: self._propagators.propagator(name, effort), name, size=media.size, note=stopper.note
                )  # fmt: skip

            following = Following(
                media, self._state.keys(), name, effort, line_up, self._state.store, self._state.tracks, self._folder,
                stopper,
            )  # fmt: skip
            following.run(self._state.shots, wanted)

        self._runner.start("PROPAGATE", work)

    def find_shadows(self) -> None:
        """Begins to look for the shadows of the visible objects.

        Raises:
            StateError: no mask, or something runs already.
        """
        state = self._state
        if not any(key.object_id in state.visible() for key in state.store.key_marks()):
            raise StateError(
                "no object has a mask yet, so there is no shadow to look for; click on the object first",
                reason="NO_KEY",
            )

        def work(stopper: Stopper) -> None:
            self._wait_for_cuts(stopper)
            find_shadows(state.clip.media, state.shots, state.visible(), state.tracks, state.store, stopper)
            state.note_change()

        self._runner.start("SHADOW", work)

    def check_idle(self) -> None:
        """Refuses what cannot be done while something runs.

        Raises:
            StateError.
        """
        self._runner.check_idle()

    def stop(self) -> None:
        """Stops what runs, at once."""
        self._runner.stop()

    def _wait_for_cuts(self, stopper: Stopper) -> None:
        self._state.cuts_wanted.set()
        while self._state.cuts is None:
            stopper.check()
            time.sleep(_CUTS_WAIT_SECONDS)

    def end(self) -> None:
        """Stops what runs, for the server ends, and waits until its thread has ended."""
        self._runner.end()

    def _take_in(self) -> None:
        """Keeps how the run stands, so that a server that is started again knows of it, and tells it."""
        with self._keeping:
            status, now = self._runner.status, time.monotonic()
            if status is not None and (_differs(status, self._kept) or now - self._kept_time >= _KEEP_SECONDS):
                try:
                    self._state.store.set_facts(run=status.to_text())
                except CleanplateError as error:
                    # the run itself meets the same, and ends with it; its end is told even where it cannot be kept
                    _log.warning("how a run stands cannot be kept: %s", error)
                self._kept, self._kept_time = status, now
        self._state.tell()


def _differs(status: RunStatus, kept: RunStatus | None) -> bool:
    """Whether more has changed than how far it is."""
    return kept is None or (status.state, status.total_count) != (kept.state, kept.total_count)


def _effort(settings: picker_pb2.TakeSettings) -> Effort:
    return _EFFORTS.get(settings.effort, "balanced")
