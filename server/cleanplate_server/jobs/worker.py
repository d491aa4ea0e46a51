"""The process that runs jobs, one after the other: ``python -m cleanplate_server.jobs.worker``.

It is told what to do on its standard input, a line each: first the settings, then the ids of jobs. What becomes of a
job stands in the store. When the input ends its server is gone, and it ends at once.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import queue
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from cleanplate.v1 import job_pb2

from cleanplate_server.config import Settings
from cleanplate_server.errors import CleanplateError, JobCancelledError
from cleanplate_server.jobs.failures import error_status, system_error
from cleanplate_server.jobs.ledger import StoreLedger
from cleanplate_server.jobs.lock import FileLock
from cleanplate_server.jobs.places import StateFolder, clear_finished, remove_partials
from cleanplate_server.jobs.states import JobState
from cleanplate_server.jobs.store import JobStore
from cleanplate_server.messages.jobs import spec_from_message, take_to_message
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.spec import JobSpec, Take

Runner = Callable[[JobSpec, Ledger, Settings], Take]
"""Runs one job from beginning to end."""

_log = logging.getLogger(__name__)
_LOCK_WAIT_SECONDS = 30.0
_ORPHAN_STATUS = 3


class Worker:
    """Runs jobs of a store.

    Args:
        settings: the server's.
        runner: does the work.
        store: where the jobs are.
    """

    def __init__(self, settings: Settings, runner: Runner, store: JobStore) -> None:
        self._settings = settings
        self._runner = runner
        self._store = store
        self._places = StateFolder(settings.state_folder)

    def run(self, job_id: str) -> None:
        """Runs a job that is RUNNING in the store, to its end."""
        folder = self._places.job(job_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        ledger = StoreLedger(self._store, job_id, folder=folder)
        message = job_pb2.JobSpec.FromString(self._store.get(job_id).spec)
        take: Take | None = None
        failure: CleanplateError | None = None
        try:
            take = self._runner(spec_from_message(message, admit=lambda path, role: path), ledger, self._settings)
            ledger.flush()
        except CleanplateError as error:
            failure = error
        except OSError as error:
            _log.exception("stopped")
            failure = system_error(error)
        except Exception as error:  # noqa: BLE001  (the worker outlives every job; the reason goes to the user)
            _log.exception("stopped")
            failure = CleanplateError(
                f"the job stopped by a fault of the program ({type(error).__name__}: {error});"
                f" see {self._places.worker_log} and report it",
                reason="INTERNAL",
            )
        if take is None:
            assert failure is not None
            self._end_without_take(job_id, failure, Path(message.output.path))
            return
        for sentence in take.notes:
            self._store.add_note(job_id, sentence)
        self._store.move(job_id, JobState.SUCCEEDED, take=take_to_message(take).SerializeToString())
        self._store.forget_windows(job_id)
        clear_finished(folder, take.masks_path)

    def _end_without_take(self, job_id: str, failure: CleanplateError, target: Path) -> None:
        remove_partials(self._places.job(job_id), target)
        if isinstance(failure, JobCancelledError):
            self._store.move(job_id, JobState.CANCELLED)
            return
        _log.error("failed: %s", failure)
        self._store.move(job_id, JobState.FAILED, error=error_status(failure).SerializeToString())


def load_runner(place: str) -> Runner:
    """The function at ``module:name``."""
    module, _, name = place.partition(":")
    runner: Runner = getattr(importlib.import_module(module), name)
    return runner


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the jobs named on standard input until it ends."""
    parser = argparse.ArgumentParser(prog="cleanplate_server.jobs.worker")
    parser.add_argument("--runner", required=True, help="module:function")
    parser.add_argument("--search-folder", help="put before the module search path")
    options = parser.parse_args(arguments)
    if options.search_folder:
        sys.path.insert(0, options.search_folder)
    settings = Settings.from_json(sys.stdin.readline())
    named = _NameJob()
    handler = logging.StreamHandler()
    handler.addFilter(named)
    form = "%(asctime)s %(levelname)s job %(job)s %(name)s: %(message)s"
    logging.basicConfig(level=settings.log_level.upper(), format=form, handlers=[handler])
    orders = _listen()
    lock = FileLock(StateFolder(settings.state_folder).worker_lock)
    if not lock.acquire(wait_seconds=_LOCK_WAIT_SECONDS):
        _log.error("another worker (process %s) holds %s", lock.holder(), settings.state_folder)
        return 1
    store = JobStore(settings.state_folder)
    worker = Worker(settings, load_runner(options.runner), store)
    while True:
        named.job_id = orders.get()
        worker.run(named.job_id)


class _NameJob(logging.Filter):
    """Puts the running job's id on every line, whichever module it comes from."""

    job_id = "-"

    def filter(self, record: logging.LogRecord) -> bool:
        record.job = self.job_id
        return True


def _listen() -> queue.SimpleQueue[str]:
    """Reads orders in a thread, which also ends the process when its server has died."""
    orders: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin:
            orders.put(line.strip())
        os._exit(_ORPHAN_STATUS)

    threading.Thread(target=read, name="orders", daemon=True).start()
    return orders


if __name__ == "__main__":
    sys.exit(main())
