"""A lock on a file that the system takes back when its holder dies."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_POLL_SECONDS = 0.05
_LOCKED_BYTE = 1 << 30
"""Windows forbids others to read a locked byte, so it lies beyond the holder's number."""


class FileLock:
    """Held by one process at a time; the file tells which.

    Args:
        file: made if it is not there; stays when the lock is released.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self._descriptor: int | None = None

    def acquire(self, *, wait_seconds: float = 0.0) -> bool:
        """Takes the lock, or gives up after the time to wait."""
        assert self._descriptor is None
        descriptor = os.open(self.file, os.O_RDWR | os.O_CREAT, 0o600)
        end = time.monotonic() + wait_seconds
        while not _try_lock(descriptor):
            if time.monotonic() >= end:
                os.close(descriptor)
                return False
            time.sleep(_POLL_SECONDS)
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Gives the lock back; does nothing when it is not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def holder(self) -> str:
        """The process number of who holds it, ``unknown`` when the file does not say."""
        text = self.file.read_text(encoding="ascii", errors="replace").strip() if self.file.is_file() else ""
        return text if text.isdigit() else "unknown"


def _try_lock(descriptor: int) -> bool:
    try:
        if sys.platform == "win32":
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
