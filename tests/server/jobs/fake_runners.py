"""A runner that a worker process can import; a JSON file says what it is to do.

The file is the job's "media" itself, or ``plan.json`` beside the folder of images that is the media.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path

from cleanplate_server.config import Settings
from cleanplate_server.errors import MediaError
from cleanplate_server.models.protocols import EngineInfo
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.spec import EngineUse, JobSpec, Take


def run(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Writes windows, joins them beside the target and renames; fails in the way that the plan names."""
    plan_file = spec.path.parent / "plan.json" if spec.path.is_dir() else spec.path
    plan = json.loads(plan_file.read_text())
    _fail(plan.get("fault", ""))
    partial = spec.output.path.with_name(f".{spec.output.path.name}.partial")
    (ledger.folder / "partials").write_text(f"{partial}\n")
    partial.write_bytes(b"begun")
    if plan.get("silent_seconds"):
        ledger.progress("silence", 0, 1)
        time.sleep(plan["silent_seconds"])
    files = [_window(number, plan, plan_file.with_suffix(".done"), ledger) for number in range(plan["window_count"])]
    partial.write_bytes(b"".join(file.read_bytes() for file in files))
    partial.replace(spec.output.path)
    ledger.note("background was never seen")
    ledger.note("background was never seen")
    engine = EngineUse("inpainter", EngineInfo("fake"))
    return Take(spec.output.path, spec.output.path.with_suffix(".json"), None, len(files), "01:00:00:00", (engine,))


def _window(number: int, plan: dict[str, float], done_file: Path, ledger: Ledger) -> Path:
    name = f"{number:05d}"
    file = ledger.finished("inpaint", name)
    if file is None:
        time.sleep(plan.get("window_seconds", 0.0))
        file = ledger.folder / f"{name}.bin"
        file.write_bytes(name.encode() * 1000)
        with done_file.open("a") as done:
            done.write(f"{name}\n")
        ledger.finish("inpaint", name, file)
    ledger.progress("inpaint", number + 1, int(plan["window_count"]))
    return file


def _fail(fault: str) -> None:
    if fault == "media":
        raise MediaError("clip.mov ends early", reason="TRUNCATED", metadata={"last_frame": "41"})
    if fault == "disk":
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/full/take.mov")
    if fault == "bug":
        raise ZeroDivisionError("division by zero")
    if fault == "die":
        os.kill(os.getpid(), signal.SIGKILL)
