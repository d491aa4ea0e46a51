"""A runner that a worker process can import: it copies nothing and knows no picture, but waits and fails as asked to.

Files beside the media say what it is to do: while ``hold`` is there it waits, ``fault`` lets it fail.
"""

from __future__ import annotations

import time

from cleanplate_server.config import Settings
from cleanplate_server.errors import MediaError
from cleanplate_server.models.protocols import EngineInfo
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.spec import EngineUse, JobSpec, Take
from cleanplate_server.stages.decode import probe


def run(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Writes a file that is no media in the take's place."""
    beside = spec.path.parent
    media = probe(spec.path)
    first = max(0, spec.start_frame - spec.handle_count)
    last = min(media.frame_count, spec.start_frame + (spec.frame_count or 0) + spec.handle_count)
    ledger.progress("inpaint", 0, last - first)
    while (beside / "hold").exists():
        time.sleep(0.01)
        ledger.progress("inpaint", 0, last - first)
    if (beside / "fault").exists():
        raise MediaError(f"{spec.path.name} ends early; copy it again")
    ledger.progress("inpaint", last - first, last - first)
    spec.output.path.write_bytes(b"clean")
    engine = EngineUse("inpainter", EngineInfo("fake", "Apache-2.0", commercial_use=True))
    return Take(spec.output.path, spec.output.path.with_suffix(".json"), None, last - first, "", (engine,))
