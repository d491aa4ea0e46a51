"""The queue: takes jobs in, runs them one after the other in a worker process, stops and resumes them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from cleanplate.v1 import job_pb2

from cleanplate_server.config import Settings
from cleanplate_server.errors import AccessError, CleanplateError, ServerBusyError, StateError, UnavailableError
from cleanplate_server.jobs.failures import error_status
from cleanplate_server.jobs.lock import FileLock
from cleanplate_server.jobs.places import StateFolder, clear_finished, remove, remove_partials
from cleanplate_server.jobs.process import RunnerPlace, WorkerProcess
from cleanplate_server.jobs.records import JobRecord, JobRequest
from cleanplate_server.jobs.states import JobState
from cleanplate_server.jobs.store import JobStore

_log = logging.getLogger(__name__)

_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.1
_POLITE_SECONDS = 0.5
"""A cancelled job gets so long to stop by itself; with the polling and the kill that stays under a second."""
_CANCEL_ANSWER_SECONDS = 1.5
_IDLE_SECONDS = 1.0
_ORPHAN_SECONDS = 10.0
_DAY_NS = 86_400 * 10**9


class JobManager:
    """Owns the state folder's jobs while it is started.

    Args:
        settings: where the state is, what happens to interrupted jobs.
        runner: what the worker runs.
        autostart: run every pending job; else only those that were submitted or resumed here.
    """

    def __init__(self, settings: Settings, *, runner: RunnerPlace | None = None, autostart: bool = True) -> None:
        self._settings = settings
        self._runner = runner or RunnerPlace()
        self._autostart = autostart
        self._places = StateFolder(settings.state_folder)
        self._lock = FileLock(self._places.server_lock)
        self._own: set[str] = set()
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._dispatcher = threading.Thread(target=self._dispatch, name="jobs", daemon=True)
        self._worker: WorkerProcess | None = None

    def start(self) -> None:
        """Takes the state folder and begins to run jobs.

        Raises:
            ServerBusyError: another server holds it.
            AccessError: the folder cannot be made or written.
        """
        try:
            self._places.make()
            taken = self._lock.acquire()
        except OSError as error:
            raise AccessError(
                f"the state folder {self._places.path} cannot be used ({error.strerror}); choose another",
                metadata={"path": str(self._places.path)},
            ) from error
        if not taken:
            raise self._busy(self._lock)
        try:
            self._store = JobStore(self._places.path)
            try:
                self._recover()
            except CleanplateError:
                self._store.close()
                raise
        except CleanplateError:
            self._lock.release()
            raise
        self._dispatcher.start()

    def stop(self) -> None:
        """Stops at once; the running job waits, and is taken up again by the next server."""
        self._stopping.set()
        self._wake.set()
        self._dispatcher.join()
        self._store.close()
        self._lock.release()

    def find_request(self, request_id: str, request_sha256: str) -> JobRecord | None:
        """The job that an earlier call with this ``request_id`` made.

        Raises:
            InputError: that call asked for something else.
        """
        return self._store.find_request(request_id, request_sha256)

    def submit(self, request: JobRequest) -> JobRecord:
        """Stores a job and queues it.

        Raises:
            InputError: the ``request_id`` was used for another request.
        """
        record = self._store.submit(request)
        self._queue(record.job_id)
        return record

    def get(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            NotFoundError: there is none of this id.
        """
        return self._store.get(job_id)

    def newer(self, job_id: str, version: int) -> JobRecord | None:
        """One job if it has changed since a version; cheap when it has not.

        Raises:
            NotFoundError: there is none of this id.
        """
        return self._store.newer(job_id, version)

    def page(self, size: int, *, before: int | None = None) -> list[JobRecord]:
        """Jobs, newest first, from below a number."""
        return self._store.page(size, before=before)

    def watch(self, job_id: str, *, wanted: Callable[[], bool] = lambda: True) -> Iterator[JobRecord]:
        """Gives a job at once and at each change, until it has ended.

        Args:
            job_id: which.
            wanted: asked ten times a second; the watch ends when it says no.

        Raises:
            NotFoundError: there is no such job.
            UnavailableError: the server stops.
        """
        version = 0
        while wanted():
            if self._stopping.is_set():
                raise UnavailableError(
                    f"the server stops while job {job_id} is watched; watch it again when it is back"
                )
            record = self._store.newer(job_id, version)
            if record:
                version = record.version
                yield record
                if record.state.ended:
                    return
            self._stopping.wait(_WATCH_SECONDS)

    def cancel(self, job_id: str) -> JobRecord:
        """Stops a job and waits, one and a half seconds at most, until it has stopped. An ended job stays as it is.

        Raises:
            NotFoundError: there is no such job.
        """
        record = self._store.request_cancel(job_id)
        end = time.monotonic() + _CANCEL_ANSWER_SECONDS
        while not record.state.ended and time.monotonic() < end:
            time.sleep(_POLL_SECONDS)
            record = self._store.get(job_id)
        return record

    def resume(self, job_id: str) -> JobRecord:
        """Queues a cancelled, failed or interrupted job again; what it finished is kept.

        Raises:
            NotFoundError: there is no such job.
            StateError: it runs or has succeeded.
        """
        record = self._store.get(job_id)
        if record.state is not JobState.PENDING:
            record = self._store.move(job_id, JobState.PENDING)
        self._queue(job_id)
        return record

    def _queue(self, job_id: str) -> None:
        self._own.add(job_id)
        self._wake.set()

    def _recover(self) -> None:
        """Puts in order what a killed server left: its worker is waited for, its jobs wait again."""
        orphan = FileLock(self._places.worker_lock)
        if not orphan.acquire(wait_seconds=_ORPHAN_SECONDS):
            raise self._busy(orphan)
        orphan.release()
        for record in self._store.in_state(JobState.RUNNING):
            self._clean(record)
            after = JobState.CANCELLED if record.cancel_requested else JobState.PENDING
            self._store.move(record.job_id, after)
        if self._autostart and self._settings.resume_interrupted:
            self._own.update(record.job_id for record in self._store.in_state(JobState.PENDING))
        self._sweep()

    def _sweep(self) -> None:
        """Removes what nobody will ask for again."""
        oldest = time.time_ns() - self._settings.keep_days * _DAY_NS
        unfinished = [record for state in JobState if not state.ended for record in self._store.in_state(state)]
        stopped = self._store.in_state(JobState.FAILED) + self._store.in_state(JobState.CANCELLED)
        kept = {record.job_id for record in unfinished} | {job.job_id for job in stopped if job.end_ns >= oldest}
        for record in self._store.in_state(JobState.SUCCEEDED):
            kept.add(record.job_id)
            masks = job_pb2.Take.FromString(record.take).masks_path
            clear_finished(self._places.job(record.job_id), Path(masks) if masks else None)
        for folder in self._places.jobs.iterdir():
            if folder.name not in kept:
                self._store.forget_windows(folder.name)
                remove(folder)

    def _dispatch(self) -> None:
        """Runs jobs until stopped; a store that cannot be used, as on a full disk, is tried again."""
        trouble: StateError | None = None
        while not self._stopping.is_set():
            try:
                for left in self._store.in_state(JobState.RUNNING) if trouble else ():
                    self._settle(left.job_id, JobState.FAILED, trouble)
                trouble = None
                job_id = self._store.claim_next(self._own)
                if job_id:
                    self._run(job_id)
                else:
                    self._wake.wait(_IDLE_SECONDS)
                    self._wake.clear()
            except StateError as error:
                _log.error("%s", error)
                trouble = error
                self._end_worker()
                self._stopping.wait(_IDLE_SECONDS)
        self._end_worker()

    def _run(self, job_id: str) -> None:
        """Sees a claimed job to its end."""
        try:
            worker = self._ready_worker()
        except OSError as error:
            self._settle(job_id, JobState.FAILED, self._lost(f"could not be started ({error.strerror})"))
            return
        _log.info("job %s goes to worker process %d", job_id, worker.pid)
        worker.run(job_id)
        kill_at: float | None = None
        while True:
            died = worker.has_died()
            if self._store.state(job_id).ended:
                return
            cancelled = self._store.cancel_requested(job_id)
            if cancelled and kill_at is None:
                kill_at = time.monotonic() + _POLITE_SECONDS
            if died or self._stopping.is_set() or (kill_at is not None and time.monotonic() >= kill_at):
                break
            time.sleep(_POLL_SECONDS)
        self._end_worker()
        if cancelled:
            self._settle(job_id, JobState.CANCELLED)
        elif died:
            self._settle(job_id, JobState.FAILED, self._lost(worker.death()))
        else:
            self._settle(job_id, JobState.PENDING)

    def _ready_worker(self) -> WorkerProcess:
        if self._worker is None or self._worker.has_died():
            self._end_worker()
            self._worker = WorkerProcess(self._settings, self._runner)
        return self._worker

    def _end_worker(self) -> None:
        if self._worker:
            self._worker.kill()
            self._worker = None

    def _settle(self, job_id: str, state: JobState, failure: CleanplateError | None = None) -> None:
        """Moves a job on whose worker is gone, unless the worker did it with its last breath."""
        record = self._store.get(job_id)
        if record.state is JobState.RUNNING:
            self._clean(record)
            self._store.move(job_id, state, error=error_status(failure).SerializeToString() if failure else b"")

    def _clean(self, record: JobRecord) -> None:
        spec = job_pb2.JobSpec.FromString(record.spec)
        remove_partials(self._places.job(record.job_id), Path(spec.output.path))

    def _lost(self, fate: str) -> StateError:
        return StateError(
            f"the worker process {fate}, which lack of memory can cause; see {self._places.worker_log},"
            " close other programs, then resume the job",
            reason="WORKER_DIED",
        )

    @staticmethod
    def _busy(lock: FileLock) -> ServerBusyError:
        pid = lock.holder()
        return ServerBusyError(
            f"another Cleanplate (process {pid}) holds the state folder {lock.file.parent};"
            " use that one, stop it, or choose another --state-folder",
            metadata={"pid": pid, "path": str(lock.file.parent)},
        )
