"""Work that goes on in a thread of a session until it is done or stopped."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Literal

from cleanplate_server.errors import CleanplateError, JobCancelledError, StateError

_log = logging.getLogger(__name__)
_SPEED_SPAN_SECONDS = 4.0

RunKind = Literal["PROPAGATE", "SHADOW"]


class RunState(Enum):
    """Where a run stands; names as on the wire."""

    RUNNING = "RUNNING"
    DONE = "DONE"
    STOPPED = "STOPPED"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class RunStatus:
    """A run as it stands.

    Args:
        kind: what it does.
        state: where it stands.
        done_count, total_count: frames.
        frames_per_second: over the last seconds.
        message: why it failed or was interrupted.
        learned_count, update_count: of an engine that is trained on the keys first.
        notes: sentences worth telling.
    """

    kind: RunKind
    state: RunState
    done_count: int = 0
    total_count: int = 0
    frames_per_second: float = 0.0
    message: str = ""
    learned_count: int = 0
    update_count: int = 0
    notes: tuple[str, ...] = ()

    def to_text(self) -> str:
        """As a store keeps it."""
        return json.dumps({**asdict(self), "state": self.state.value})

    @classmethod
    def of_text(cls, text: str) -> RunStatus:
        """As it was kept; one that was running then was interrupted."""
        facts = json.loads(text)
        status = cls(**{**facts, "state": RunState(facts["state"]), "notes": tuple(facts["notes"])})
        return status.interrupted() if status.state is RunState.RUNNING else status

    def interrupted(self) -> RunStatus:
        """The same, ended by the server's end."""
        return replace(
            self, state=RunState.INTERRUPTED, frames_per_second=0.0, message=_INTERRUPTED[self.kind].format(self)
        )


_INTERRUPTED: dict[RunKind, str] = {
    "PROPAGATE": "the server ended when about {0.done_count} of {0.total_count} frames were followed; the masks found"
    " so far are kept, so follow again and it goes on from there",
    "SHADOW": "the server ended while it looked for shadows, about {0.done_count} of {0.total_count} steps done; look"
    " for them again",
}


class Stopper:
    """Tells work that it is no longer wanted, and takes in how far it is.

    Args:
        kind: of the run.
        told: is called after each change.
    """

    def __init__(self, kind: RunKind, told: Callable[[], None]) -> None:
        self._told = told
        self._wanted = True
        self._lock = threading.Lock()
        self._speed: deque[tuple[float, int]] = deque()
        self.status = RunStatus(kind, RunState.RUNNING)

    @property
    def wanted(self) -> bool:
        """Whether the work should go on."""
        return self._wanted

    def check(self) -> None:
        """Ends work that is no longer wanted.

        Raises:
            JobCancelledError.
        """
        if not self._wanted:
            raise JobCancelledError("the run was stopped")

    def progress(self, done: int, total: int) -> None:
        """Takes in how many frames are done."""
        now = time.monotonic()
        self._speed.append((now, done))
        while len(self._speed) > 2 and now - self._speed[0][0] > _SPEED_SPAN_SECONDS:
            self._speed.popleft()
        since, before = self._speed[0]
        speed = (done - before) / (now - since) if now > since else 0.0
        self._move(lambda old: replace(old, done_count=done, total_count=total, frames_per_second=max(0.0, speed)))

    def learning(self, done: int, total: int) -> None:
        """Takes in how many updates are made of an engine that is trained first.

        Raises:
            JobCancelledError: it is no longer wanted.
        """
        self.check()
        self._move(lambda old: replace(old, learned_count=done, update_count=total))

    def note(self, sentence: str) -> None:
        """Takes in a sentence worth telling."""
        self._move(lambda old: replace(old, notes=(*old.notes, sentence)))

    def end(self, state: RunState, message: str = "") -> None:
        """Ends it; what the work still says after a stop is not heard."""
        self._move(lambda old: replace(old, state=state, frames_per_second=0.0, message=message), ends=True)

    def interrupt(self) -> None:
        """Ends it because the server ends."""
        self._move(RunStatus.interrupted, ends=True)

    def _move(self, change: Callable[[RunStatus], RunStatus], *, ends: bool = False) -> None:
        with self._lock:
            if not self._wanted:
                return
            self.status = change(self.status)
            self._wanted = not ends
        self._told()


class Runner:
    """Runs one piece of work at a time in a thread.

    A step of a network may take longer than a person waits for a stop, so a stopped run counts as ended at once and its
    thread ends after its step; the next run waits for it.

    Args:
        told: is called after each change.
        last: the run before, under an earlier server.
    """

    def __init__(self, told: Callable[[], None], last: RunStatus | None = None) -> None:
        self._told = told
        self._last = last
        self._lock = threading.Lock()
        self._stopper: Stopper | None = None
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> RunStatus | None:
        """What runs or ran last; None before."""
        return self._stopper.status if self._stopper else self._last

    def start(self, kind: RunKind, work: Callable[[Stopper], None]) -> None:
        """Begins.

        Raises:
            StateError: something runs already.
        """
        with self._lock:
            self.check_idle()
            before, self._stopper = self._thread, Stopper(kind, self._told)
            self._thread = threading.Thread(target=self._run, args=(work, self._stopper, before), name="session-run")
            self._thread.start()
        self._told()

    def check_idle(self) -> None:
        """Refuses while something runs.

        Raises:
            StateError.
        """
        if self._stopper is not None and self._stopper.wanted:
            raise StateError(
                "something is being worked on in this session already; stop it first, or wait until it is done",
                reason="RUN_IN_PROGRESS",
            )

    def stop(self) -> None:
        """Stops what runs; does nothing when nothing does."""
        if self._stopper is not None:
            self._stopper.end(RunState.STOPPED)

    def end(self) -> None:
        """Stops what runs because the server ends, and waits until the thread has ended."""
        if self._stopper is not None:
            self._stopper.interrupt()
        if self._thread is not None:
            self._thread.join()

    def _run(
        self, work: Callable[[Stopper], None], stopper: Stopper, before: threading.Thread | None
    ) -> None:  # fmt: skip
        if before is not None:
            before.join()
        try:
            stopper.check()
            work(stopper)
            stopper.end(RunState.DONE)
        except JobCancelledError:
            stopper.end(RunState.STOPPED)
        except CleanplateError as error:
            stopper.end(RunState.FAILED, str(error))
        except Exception as error:  # noqa: BLE001  (the thread's end: the reason goes to the person, and to the log)
            _log.exception("a run stopped")
            stopper.end(
                RunState.FAILED,
                f"it stopped by a fault of the program ({type(error).__name__}: {error}); please report it",
            )
