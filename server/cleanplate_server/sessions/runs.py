"""Work that goes on in a thread of a session until it is done or stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
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


@dataclass(frozen=True)
class RunStatus:
    """A run as it stands."""

    kind: RunKind
    state: RunState
    done_count: int = 0
    total_count: int = 0
    frames_per_second: float = 0.0
    message: str = ""


class Stopper:
    """Tells work that it is no longer wanted, and takes in how far it is.

    Args:
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
        self._move(RunState.RUNNING, done_count=done, total_count=total, frames_per_second=max(0.0, speed))

    def end(self, state: RunState, message: str = "") -> None:
        """Ends it; what the work still says after a stop is not heard."""
        self._move(state, frames_per_second=0.0, message=message)
        self._wanted = False

    def _move(
        self, state: RunState, *, done_count: int | None = None, total_count: int | None = None,
        frames_per_second: float, message: str = "",
    ) -> None:  # fmt: skip
        with self._lock:
            if not self._wanted:
                return
            old = self.status
            self.status = replace(
                old,
                state=state,
                done_count=old.done_count if done_count is None else done_count,
                total_count=old.total_count if total_count is None else total_count,
                frames_per_second=frames_per_second,
                message=message,
            )
        self._told()


class Runner:
    """Runs one piece of work at a time in a thread.

    A step of a network may take longer than a person waits for a stop, so a stopped run counts as ended at once and its
    thread ends after its step; the next run waits for it.

    Args:
        told: is called after each change.
    """

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self._lock = threading.Lock()
        self._stopper: Stopper | None = None
        self._thread: threading.Thread | None = None

    @property
    def status(self) -> RunStatus | None:
        """What runs or ran last; None before."""
        return self._stopper.status if self._stopper else None

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

    def join(self) -> None:
        """Waits until the thread has ended."""
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
