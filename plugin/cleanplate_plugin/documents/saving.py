"""Files put in their place whole or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from cleanplate_plugin.errors import TimelineError


def write_beside(path: Path, data: bytes) -> None:
    """Writes a file beside its target, then renames it.

    Raises:
        TimelineError: its folder cannot be written to.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise _refusal(path, error) from error
    beside = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        # A private temporary file would hide the timeline from those who share its folder.
        mode = path.stat().st_mode if path.exists() else 0o666 & ~_umask()
        beside.chmod(mode & 0o777)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _refusal(path, error) from error


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _refusal(path: Path, error: OSError) -> TimelineError:
    return TimelineError(f"{path} cannot be written ({error.strerror}); choose another place")
