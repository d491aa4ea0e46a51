"""The worker process as its server sees it: started, told what to run, watched, killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cleanplate_server.config import Settings
from cleanplate_server.jobs.places import StateFolder

_LOG_LIMIT_BYTES = 4 << 20
_WORKER_ENVIRONMENT = {
    # glibc gives each thread an arena of its own, and short-lived threads spread memory over ever more
    "MALLOC_ARENA_MAX": "2",
    # pictures go back to the system when they are done with; else it learns to keep them, and holes between them grow
    "MALLOC_MMAP_THRESHOLD_": str(4 << 20),
    # smaller ones come and go all the time, and the system takes long to give a page
    "MALLOC_TRIM_THRESHOLD_": str(64 << 20),
    # engines work on several frames at once; NumPy's products are too small to be worth more threads
    "OPENBLAS_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class RunnerPlace:
    """Where the worker finds the function that runs a job.

    Args:
        name: ``module:function``.
        search_folder: put before the worker's module search path, for a runner that is not installed.
    """

    name: str = "cleanplate_server.pipeline.run:run_job"
    search_folder: Path | None = None


class WorkerProcess:
    """A process of its own, so that a crash, or a cancel that cannot wait, costs nothing but its job.

    Args:
        settings: handed over; the environment is not read again.
        runner: what it runs.
    """

    def __init__(self, settings: Settings, runner: RunnerPlace) -> None:
        places = StateFolder(settings.state_folder)
        search = ["--search-folder", str(runner.search_folder)] if runner.search_folder else []
        command = [sys.executable, "-m", "cleanplate_server.jobs.worker", "--runner", runner.name, *search]
        log = places.worker_log
        if log.is_file() and log.stat().st_size > _LOG_LIMIT_BYTES:
            log.replace(log.with_suffix(".old.log"))
        with log.open("ab") as written:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=written,  # results of the command line go to stdout; nothing a library prints may join them
                stderr=written,
                env={**os.environ, **_WORKER_ENVIRONMENT},
                cwd=places.path,  # "-m" searches the working folder first, and this one holds no modules
                start_new_session=True,  # Ctrl-C is for the server, which then cancels in order
            )
        self._send(settings.to_json())

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self, job_id: str) -> None:
        """Orders a job."""
        self._send(job_id)

    def has_died(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def death(self) -> str:
        """How it ended, for a sentence: ``was killed by SIGKILL``."""
        code = self._process.returncode
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended with exit code {code}"

    def kill(self) -> None:
        """Ends the process and what it started, at once; does nothing when it has ended."""
        if not self.has_died():
            if sys.platform == "win32":
                self._process.kill()
            else:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        if self._process.stdin:
            with suppress(BrokenPipeError):  # a line that the process did not live to read
                self._process.stdin.close()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            # Whoever watches the process finds it dead and says so.
            return
