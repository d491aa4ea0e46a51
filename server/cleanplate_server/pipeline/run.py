"""From a request to the operation that it asks for; and how much memory it will need."""

from __future__ import annotations

from cleanplate_server.clip import Media
from cleanplate_server.config import Settings
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import PLATE_CACHE_BYTES, Job
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.matte import matte
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import (
    FillOperation,
    JobSpec,
    MatteOperation,
    RemoveOperation,
    Take,
    TrackOperation,
)
from cleanplate_server.pipeline.track import track

_PROGRAM_BYTES = 350 << 20
_ENGINE_BYTES_PER_PIXEL = 220
"""Float pictures that the engines and the stages hold at once, for each pixel of a frame; measured by `make bench`."""


def estimate_memory_bytes(media: Media) -> int:
    """Host memory that a job on this media needs at most, whatever its length."""
    pixels = media.size[0] * media.size[1]
    return _PROGRAM_BYTES + PLATE_CACHE_BYTES + _ENGINE_BYTES_PER_PIXEL * pixels


def run_job(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Runs a job to its end, or from where it was stopped before to its end.

    Raises:
        CleanplateError: every failure that a person may meet.
        JobCancelledError: from the ledger.
    """
    job = Job(spec, ledger, Registry())
    match spec.operation:
        case RemoveOperation() as operation:
            return remove(job, operation)
        case TrackOperation() as operation:
            return track(job, operation)
        case FillOperation() as operation:
            return fill(job, operation)
        case MatteOperation() as operation:
            return matte(job, operation)
