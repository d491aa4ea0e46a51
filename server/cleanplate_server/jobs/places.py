"""Where things lie in the state folder, and how what a job left behind is removed."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

_log = logging.getLogger(__name__)

PARTIALS_FILE = "partials"
"""In a job's folder: a path a line, of every temporary output that the job has begun; the pipeline writes it."""


@dataclass(frozen=True)
class StateFolder:
    """The state folder's places. Made by ``make``, for its owner alone."""

    path: Path

    def make(self) -> None:
        """Makes what is missing.

        Raises:
            OSError: the folder cannot be made.
        """
        for folder in (self.path, self.jobs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def jobs(self) -> Path:
        return self.path / "jobs"

    @property
    def server_lock(self) -> Path:
        return self.path / "server.lock"

    @property
    def worker_lock(self) -> Path:
        return self.path / "worker.lock"

    @property
    def worker_log(self) -> Path:
        return self.path / "worker.log"

    def job(self, job_id: str) -> Path:
        """A job's own folder."""
        return self.jobs / job_id


def remove_partials(folder: Path, target: Path) -> None:
    """Removes the temporary outputs that a job has begun and not finished.

    Args:
        folder: the job's.
        target: the job's output, which is never removed even if it is named.
    """
    listed = folder / PARTIALS_FILE
    if not listed.is_file():
        return
    for line in listed.read_text(encoding="utf-8").splitlines():
        partial = Path(line)
        if not line or not partial.is_absolute() or partial == target or target.is_relative_to(partial):
            continue
        remove(partial)
    listed.unlink(missing_ok=True)


def clear_finished(folder: Path, masks: Path | None) -> None:
    """Frees what a succeeded job no longer needs: its folder but for the masks of its take."""
    if not folder.is_dir():
        return
    for entry in folder.iterdir():
        if masks is None or not masks.is_relative_to(entry):
            remove(entry)
    if not any(folder.iterdir()):
        folder.rmdir()


def remove(path: Path) -> None:
    """Removes a file or a folder; what cannot be removed is logged, because the job's own end matters more."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        _log.warning("%s was left behind: %s", path, error)
