"""From a request to the operation that it asks for; and how much memory it will need."""

from __future__ import annotations

import cv2

from cleanplate_server.clip import Media
from cleanplate_server.config import Settings
from cleanplate_server.models.networks.filling.needs import MemoryNeed, fill_need
from cleanplate_server.models.protocols import Effort
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import PLATE_CACHE_BYTES, Job
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.matte import matte
from cleanplate_server.pipeline.remove import preview, remove
from cleanplate_server.pipeline.spec import (
    FillOperation,
    JobSpec,
    MatteOperation,
    RemoveOperation,
    Take,
    TrackOperation,
)
from cleanplate_server.pipeline.track import track
from cleanplate_server.stages.plates import PlateCache

_PROGRAM_BYTES = 192 << 20
_ENGINE_CACHE_BYTES, _ENGINE_CACHE_COUNT = 512 << 20, 64
_ENGINE_BYTES_PER_PIXEL = 380
"""Float pictures that engines and stages hold at once, for each pixel of a frame; `make bench` measures them."""


def estimate_memory_bytes(media: Media) -> int:
    """Host memory that a job on this media needs at most, whatever its length."""
    pixels = media.size[0] * media.size[1]
    plates = min(PLATE_CACHE_BYTES, PlateCache.LIMIT_COUNT * media.plate_bytes)
    pieces = min(_ENGINE_CACHE_BYTES, _ENGINE_CACHE_COUNT * 13 * pixels)
    return _PROGRAM_BYTES + plates + pieces + _ENGINE_BYTES_PER_PIXEL * pixels


def fill_memory(registry: Registry, media: Media, engine: str, effort: Effort) -> MemoryNeed:
    """What the named inpainter, or the preferred one, needs beside that; nothing where it is the embedded one.

    Raises:
        EngineError: none can run.
    """
    status = registry.filling(engine)
    if not status.info.weights:
        return MemoryNeed()
    return fill_need(status.info.name, media.size, effort, device=status.device, weights_bytes=status.weights_bytes)


def job_memory(registry: Registry, media: Media, spec: JobSpec) -> MemoryNeed:
    """What a job needs at most.

    Raises:
        EngineError: it fills, and no engine can run.
    """
    need = MemoryNeed()
    if isinstance(spec.operation, RemoveOperation | FillOperation) and spec.output.delivery != "matte":
        need = fill_memory(registry, media, spec.engines.get("inpainter", ""), spec.effort)
    return MemoryNeed(need.host_bytes + estimate_memory_bytes(media), need.device_bytes)


def run_job(spec: JobSpec, ledger: Ledger, settings: Settings) -> Take:
    """Runs a job to its end, or from where it was stopped before to its end.

    Raises:
        CleanplateError: every failure that a person may meet.
        JobCancelledError: from the ledger.
    """
    # Frames are filled side by side, where OpenCV's own threads only get in the way; and its flow search cuts pictures
    # into as many stripes as it has threads, so that one thread gives the same result on every machine.
    cv2.setNumThreads(1)
    job = Job(spec, ledger, Registry(EnginePlace(settings.weights_folder, settings.device)))
    match spec.operation:
        case RemoveOperation(preview=range() as frames) as operation:
            return preview(job, operation, frames)
        case RemoveOperation() as operation:
            return remove(job, operation)
        case TrackOperation() as operation:
            return track(job, operation)
        case FillOperation() as operation:
            return fill(job, operation)
        case MatteOperation() as operation:
            return matte(job, operation)
