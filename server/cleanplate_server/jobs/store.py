"""Jobs and windows as rows of SQLite, so that they outlive the process; several processes may use one store."""

from __future__ import annotations

import secrets
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from cleanplate_server.errors import InputError, NotFoundError, StateError
from cleanplate_server.jobs.records import JobRecord, JobRequest, StageRow, WindowRow
from cleanplate_server.jobs.states import JobState, check_move

_SELECT_JOBS = (
    "SELECT number, id, state, spec, error, take, create_ns, start_ns, end_ns, memory_estimate_bytes,"
    " device_memory_estimate_bytes, cancel_requested, version FROM jobs "
)
_JobRow = tuple[int, str, str, bytes, bytes | None, bytes | None, int, int | None, int | None, int, int, int, int]

_VERSION = 2
_BUSY_SECONDS = 10.0
_SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT UNIQUE,
    request_sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    spec BLOB NOT NULL,
    error BLOB,
    take BLOB,
    create_ns INTEGER NOT NULL,
    start_ns INTEGER,
    end_ns INTEGER,
    memory_estimate_bytes INTEGER NOT NULL,
    device_memory_estimate_bytes INTEGER NOT NULL DEFAULT 0,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    version INTEGER NOT NULL DEFAULT 1
);
CREATE INDEX jobs_by_state ON jobs (state, number);
CREATE TABLE stages (
    job TEXT NOT NULL, stage TEXT NOT NULL, place INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
    frames_per_second REAL NOT NULL, PRIMARY KEY (job, stage)
);
CREATE TABLE notes (job TEXT NOT NULL, sentence TEXT NOT NULL, PRIMARY KEY (job, sentence));
CREATE TABLE windows (
    job TEXT NOT NULL, stage TEXT NOT NULL, window TEXT NOT NULL, file TEXT NOT NULL, sha256 TEXT NOT NULL,
    PRIMARY KEY (job, stage, window)
);
"""

_FROM_VERSION_1 = "ALTER TABLE jobs ADD COLUMN device_memory_estimate_bytes INTEGER NOT NULL DEFAULT 0"


class JobStore:
    """The rows of all jobs. Safe to use from several threads and processes.

    Args:
        folder: the state folder; the store is ``jobs.sqlite`` in it.

    Raises:
        StateError: written by a newer program, or not to be opened.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / "jobs.sqlite"
        self._lock = threading.RLock()
        try:
            self._connection = sqlite3.connect(
                self._file, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise self._failure(error) from error
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._make_tables()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._failure(error) from error
        except StateError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Closes the store."""
        with self._lock:
            self._connection.close()

    def submit(self, request: JobRequest) -> JobRecord:
        """Stores a new job; one that was stored with the same ``request_id`` is given again.

        Raises:
            InputError: the ``request_id`` was used for another request.
        """
        with self._transaction() as connection:
            known = self.find_request(request.request_id, request.request_sha256)
            if known:
                return known
            job_id = secrets.token_hex(6)
            connection.execute(
                "INSERT INTO jobs (id, request_id, request_sha256, state, spec, create_ns, memory_estimate_bytes,"
                " device_memory_estimate_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    job_id,
                    request.request_id or None,
                    request.request_sha256,
                    JobState.PENDING.value,
                    request.spec,
                    time.time_ns(),
                    request.memory_estimate_bytes,
                    request.device_memory_estimate_bytes,
                ),
            )
            return self.get(job_id)

    def find_request(self, request_id: str, request_sha256: str) -> JobRecord | None:
        """The job of an earlier request with this id; None without an id or an earlier request.

        Raises:
            InputError: that request was another one.
        """
        with self._transaction(write=False) as connection:
            row = connection.execute(
                "SELECT id, request_sha256 FROM jobs WHERE request_id = ?", (request_id or None,)
            ).fetchone()
            if row is None:
                return None
            if row[1] != request_sha256:
                raise InputError(
                    f"request_id {request_id!r} was already used for job {row[0]}, which asks for something else;"
                    " give each request its own",
                    reason="REQUEST_ID_REUSED",
                    metadata={"request_id": request_id, "job": str(row[0])},
                )
            return self.get(str(row[0]))

    def get(self, job_id: str) -> JobRecord:
        """One job.

        Raises:
            NotFoundError: there is none of this id.
        """
        found = self._records("WHERE id = ?", (job_id,))
        if not found:
            raise NotFoundError(
                f"there is no job '{job_id}'; `cleanplate jobs list` shows those that there are",
                reason="NO_SUCH_JOB",
                metadata={"job": job_id},
            )
        return found[0]

    def newer(self, job_id: str, version: int) -> JobRecord | None:
        """One job if it has changed since a version; cheap when it has not.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._transaction(write=False) as connection:
            row = connection.execute("SELECT version FROM jobs WHERE id = ?", (job_id,)).fetchone()
            return None if row is not None and row[0] == version else self.get(job_id)

    def page(self, size: int, *, before: int | None = None) -> list[JobRecord]:
        """Jobs, newest first, from below a number."""
        return self._records(
            "WHERE number < ? ORDER BY number DESC LIMIT ?", (2**62 if before is None else before, size)
        )

    def in_state(self, state: JobState) -> list[JobRecord]:
        """Jobs in a state, oldest first."""
        return self._records("WHERE state = ? ORDER BY number", (state.value,))

    def claim_next(self, among: Collection[str]) -> str | None:
        """Makes the pending job that was submitted first RUNNING.

        Args:
            among: ids that are considered.

        Returns:
            Its id; None without one.
        """
        with self._transaction():
            chosen = next((job.job_id for job in self.in_state(JobState.PENDING) if job.job_id in among), None)
            if chosen:
                self.move(chosen, JobState.RUNNING)
            return chosen

    def move(self, job_id: str, state: JobState, *, error: bytes = b"", take: bytes = b"") -> JobRecord:
        """Moves a job to another state and sets what belongs to it.

        Raises:
            StateError: the move is not legal.
            NotFoundError: there is no such job.
        """
        with self._transaction() as connection:
            check_move(job_id, self.get(job_id).state, state)
            now = time.time_ns()
            connection.execute(
                "UPDATE jobs SET state = ?, error = ?, take = ?, version = version + 1 WHERE id = ?",
                (state.value, error or None, take or None, job_id),
            )
            if state.ended:
                connection.execute("UPDATE jobs SET end_ns = ? WHERE id = ?", (now, job_id))
            else:
                connection.execute("UPDATE jobs SET end_ns = NULL, cancel_requested = 0 WHERE id = ?", (job_id,))
            if state is JobState.RUNNING:
                connection.execute("UPDATE jobs SET start_ns = ? WHERE id = ?", (now, job_id))
                connection.execute("DELETE FROM stages WHERE job = ?", (job_id,))
                connection.execute("DELETE FROM notes WHERE job = ?", (job_id,))
            return self.get(job_id)

    def request_cancel(self, job_id: str) -> JobRecord:
        """Asks a job to stop: a pending one is cancelled at once, a running one is told, an ended one is left.

        Raises:
            NotFoundError: there is no such job.
        """
        with self._transaction() as connection:
            record = self.get(job_id)
            if record.state is JobState.PENDING:
                return self.move(job_id, JobState.CANCELLED)
            if record.state is JobState.RUNNING and not record.cancel_requested:
                connection.execute(
                    "UPDATE jobs SET cancel_requested = 1, version = version + 1 WHERE id = ?", (job_id,)
                )
            return self.get(job_id)

    def cancel_requested(self, job_id: str) -> bool:
        """Whether a job was asked to stop."""
        with self._transaction(write=False) as connection:
            row = connection.execute("SELECT cancel_requested FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return row is None or bool(row[0])

    def state(self, job_id: str) -> JobState:
        """Where a job stands."""
        with self._transaction(write=False) as connection:
            return JobState(connection.execute("SELECT state FROM jobs WHERE id = ?", (job_id,)).fetchone()[0])

    def set_progress(self, job_id: str, rows: Sequence[StageRow]) -> None:
        """Keeps how far stages are; a stage that is new comes last."""
        with self._transaction() as connection:
            for row in rows:
                connection.execute(
                    "INSERT INTO stages VALUES (?, ?, (SELECT count(*) FROM stages WHERE job = ?), ?, ?, ?)"
                    " ON CONFLICT (job, stage) DO UPDATE SET done = excluded.done, total = excluded.total,"
                    " frames_per_second = excluded.frames_per_second",
                    (job_id, row.stage, job_id, row.done_frame_count, row.frame_count, row.frames_per_second),
                )
            connection.execute("UPDATE jobs SET version = version + 1 WHERE id = ?", (job_id,))

    def add_note(self, job_id: str, sentence: str) -> None:
        """Keeps a sentence; the same one twice is kept once."""
        with self._transaction() as connection:
            added = connection.execute("INSERT OR IGNORE INTO notes VALUES (?, ?)", (job_id, sentence)).rowcount
            if added:
                connection.execute("UPDATE jobs SET version = version + 1 WHERE id = ?", (job_id,))

    def window(self, job_id: str, stage: str, window: str) -> WindowRow | None:
        """A finished window; None when it is not known."""
        with self._transaction(write=False) as connection:
            row = connection.execute(
                "SELECT file, sha256 FROM windows WHERE job = ? AND stage = ? AND window = ?", (job_id, stage, window)
            ).fetchone()
        return WindowRow(str(row[0]), str(row[1])) if row else None

    def set_window(self, job_id: str, stage: str, window: str, row: WindowRow) -> None:
        """Records a finished window."""
        with self._transaction() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?)", (job_id, stage, window, row.file, row.sha256)
            )

    def forget_windows(self, job_id: str) -> None:
        """Drops the windows of a job whose files are no longer needed."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM windows WHERE job = ?", (job_id,))

    def _make_tables(self) -> None:
        with self._transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise StateError(
                    f"{self._file} was written by a newer Cleanplate (store {version}, this one reads {_VERSION});"
                    " update Cleanplate or choose another --state-folder"
                )
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
            if version == 1:
                connection.execute(_FROM_VERSION_1)
            if version < _VERSION:
                connection.execute(f"PRAGMA user_version = {_VERSION}")

    @contextmanager
    def _transaction(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction for all that is done within, nested ones included.

        Args:
            write: take the store's one write lock at once, so that what was read is still so when it is written.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield self._connection
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.DatabaseError as error:
                raise self._failure(error) from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _failure(self, error: sqlite3.Error) -> StateError:
        return StateError(
            f"the job store {self._file} cannot be used ({error}); free disk space and check its permissions",
            reason="JOB_STORE_FAILED",
            metadata={"file": str(self._file)},
        )

    def _records(self, where: str, values: tuple[str | int, ...]) -> list[JobRecord]:
        with self._transaction(write=False) as connection:
            rows = connection.execute(_SELECT_JOBS + where, values).fetchall()
            return [self._record(row) for row in rows]

    def _record(
        self, row: tuple[int, str, str, bytes, bytes | None, bytes | None, int, int, int, int, int, int, int]
    ) -> JobRecord:
        number, job_id, state, spec, error, take = row[:6]
        create_ns, start_ns, end_ns, memory, on_device, cancelled, version = row[6:]
        stages = self._connection.execute(
            "SELECT stage, done, total, frames_per_second FROM stages WHERE job = ? ORDER BY place", (job_id,)
        ).fetchall()
        notes = self._connection.execute(
            "SELECT sentence FROM notes WHERE job = ? ORDER BY rowid", (job_id,)
        ).fetchall()
        return JobRecord(
            number,
            job_id,
            JobState(state),
            spec,
            error or b"",
            take or b"",
            create_ns,
            start_ns or 0,
            end_ns or 0,
            memory,
            on_device,
            bool(cancelled),
            version,
            tuple(StageRow(str(name), int(done), int(total), float(speed)) for name, done, total, speed in stages),
            tuple(str(sentence) for (sentence,) in notes),
        )
