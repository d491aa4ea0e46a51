"""Peak memory of this process."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_bytes() -> int:
    """Since the process began, or since ``forget_peak``.

    On Linux ru_maxrss starts at what the parent held when it forked; VmHWM does not.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text(encoding="ascii").partition("VmHWM:")[2].split()[0]) << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def forget_peak() -> int:
    """Begins anew with what is held now, and gives that; needs Linux."""
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return peak_bytes()
