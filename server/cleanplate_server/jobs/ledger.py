"""The durable record of one running job: the pipeline's ``Ledger`` over the job store."""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from pathlib import Path

from cleanplate_server.errors import JobCancelledError
from cleanplate_server.jobs.records import StageRow, WindowRow
from cleanplate_server.jobs.store import JobStore

_WRITE_INTERVAL_SECONDS = 0.1
_SPEED_SPAN_SECONDS = 5.0


class StoreLedger:
    """Implements ``pipeline.ledger.Ledger``; used by one thread.

    Args:
        store: where the rows are.
        job_id: whose.
        folder: the job's own folder, which is there.
    """

    def __init__(self, store: JobStore, job_id: str, *, folder: Path) -> None:
        self._store = store
        self._job_id = job_id
        self._folder = folder
        self._speed = _Speed()
        self._unwritten: StageRow | None = None
        self._stage = ""
        self._written_at = 0.0
        self._written_count = -1

    @property
    def folder(self) -> Path:
        """The job's own folder; what lies in it survives a restart."""
        return self._folder

    def finished(self, stage: str, window: str) -> Path | None:
        """The file of a window that was finished before; None when it is not known, gone, or no longer the same."""
        row = self._store.window(self._job_id, stage, window)
        if row is None:
            return None
        file = self._folder / row.file
        return file if file.is_file() and _sha256(file) == row.sha256 else None

    def finish(self, stage: str, window: str, file: Path) -> None:
        """Records a window's file once its bytes are on the disk."""
        relative = file.relative_to(self._folder).as_posix()
        with file.open("rb+") as written:
            os.fsync(written.fileno())
        self._store.set_window(self._job_id, stage, window, WindowRow(relative, _sha256(file)))

    def progress(self, stage: str, done_frame_count: int, frame_count: int) -> None:
        """Says how far a stage is; kept ten times a second, at a change of stage, and at its end.

        Raises:
            JobCancelledError: somebody asked to stop.
        """
        if self._store.cancel_requested(self._job_id):
            raise JobCancelledError(f"job {self._job_id} was cancelled", metadata={"job": self._job_id})
        now = time.monotonic()
        if stage != self._stage:
            self.flush()
            self._speed = _Speed()
            self._stage, self._written_at, self._written_count = stage, 0.0, -1
        speed = self._speed.after(done_frame_count, now)
        self._unwritten = StageRow(stage, done_frame_count, frame_count, speed)
        ends = done_frame_count == frame_count and self._written_count != done_frame_count
        if now - self._written_at >= _WRITE_INTERVAL_SECONDS or ends:
            self.flush()
            self._written_at, self._written_count = now, done_frame_count

    def note(self, sentence: str) -> None:
        """Keeps a sentence worth telling the user; the same one twice is kept once."""
        self._store.add_note(self._job_id, sentence)

    def flush(self) -> None:
        """Writes progress that was held back."""
        if self._unwritten:
            self._store.set_progress(self._job_id, [self._unwritten])
            self._unwritten = None


class _Speed:
    """Frames per second over the last seconds."""

    def __init__(self) -> None:
        self._counts: deque[tuple[float, int]] = deque()

    def after(self, done: int, now: float) -> float:
        self._counts.append((now, done))
        while len(self._counts) > 2 and now - self._counts[0][0] > _SPEED_SPAN_SECONDS:
            self._counts.popleft()
        since, before = self._counts[0]
        return max(0, done - before) / (now - since) if now > since else 0.0


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as opened:
        while block := opened.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
