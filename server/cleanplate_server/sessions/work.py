"""What goes on in a session by itself: following objects, finding shadows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from cleanplate.v1 import job_pb2, picker_pb2

from cleanplate_server.errors import StateError
from cleanplate_server.models.protocols import Effort, Propagator
from cleanplate_server.sessions.following import Following, Wanted
from cleanplate_server.sessions.runs import Runner, RunStatus, Stopper
from cleanplate_server.sessions.shadowing import find_shadows
from cleanplate_server.sessions.state import SessionState

_EFFORTS: dict[int, Effort] = {job_pb2.EFFORT_FAST: "fast", job_pb2.EFFORT_BEST: "best"}
_CUTS_WAIT_SECONDS = 0.05


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
        self._runner = Runner(state.tell)

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
            following = Following(
                self._state.clip.media, self._state.keys(), name, lambda: self._propagators.propagator(name, effort),
                self._state.store, self._state.tracks, self._folder, stopper,
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
        """Stops what runs and waits until its thread has ended."""
        self._runner.stop()
        self._runner.join()


def _effort(settings: picker_pb2.TakeSettings) -> Effort:
    return _EFFORTS.get(settings.effort, "balanced")
