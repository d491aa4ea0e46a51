"""A runner that a worker process can import: it knows no picture and writes no media, but says what a real one says."""

from __future__ import annotations

from cleanplate_plugin.timecodes import frames_of, timecode_of
from cleanplate_server.config import Settings
from cleanplate_server.models.protocols import EngineInfo
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.spec import EngineUse, JobSpec, Take
from cleanplate_server.stages.decode import probe


def run(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Writes a file that is no media in the take's place."""
    media = probe(spec.path)
    first = max(0, spec.start_frame - spec.handle_count)
    last = min(media.frame_count, spec.start_frame + (spec.frame_count or 0) + spec.handle_count)
    spec.output.path.write_bytes(b"clean")
    start = timecode_of(frames_of("01:00:00:00", media.rate) + first, media.rate, drop_frame=False)
    engine = EngineUse("inpainter", EngineInfo("fake", "Apache-2.0", commercial_use=True))
    return Take(spec.output.path, spec.output.path.with_suffix(".json"), None, last - first, start, (engine,))
