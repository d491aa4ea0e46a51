"""How much memory a job will need, told before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cleanplate_server.clip import Media
from cleanplate_server.models.memory_need import MemoryNeed, greatest
from cleanplate_server.models.networks.filling.needs import fill_need
from cleanplate_server.models.networks.looking_needs import looking_need
from cleanplate_server.models.protocols import Effort, EngineKind, Prompt
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.job import PLATE_CACHE_BYTES
from cleanplate_server.pipeline.matte import people
from cleanplate_server.pipeline.spec import (
    FillOperation,
    JobSpec,
    MatteOperation,
    RemoveOperation,
    TrackOperation,
)
from cleanplate_server.stages.plates import PlateCache

_PROGRAM_BYTES = 192 << 20
_ENGINE_CACHE_BYTES, _ENGINE_CACHE_COUNT = 512 << 20, 64
_ENGINE_BYTES_PER_PIXEL = 380
"""Float pictures that engines and stages hold at once, for each pixel of a frame; `make bench` measures them."""


def least_memory_bytes(media: Media) -> int:
    """Host memory that a job of the embedded engines on this media needs at most, whatever its length."""
    pixels = media.size[0] * media.size[1]
    plates = min(PLATE_CACHE_BYTES, PlateCache.LIMIT_COUNT * media.plate_bytes)
    pieces = min(_ENGINE_CACHE_BYTES, _ENGINE_CACHE_COUNT * 13 * pixels)
    return _PROGRAM_BYTES + plates + pieces + _ENGINE_BYTES_PER_PIXEL * pixels


def job_memory(registry: Registry, media: Media, spec: JobSpec) -> MemoryNeed:
    """What a job needs at most.

    Raises:
        EngineError: an engine of a kind that it needs cannot run.
    """
    return engines_memory(registry, media, spec.effort, [(kind, spec.engines.get(kind, "")) for kind in _kinds(spec)])


def engines_memory(
    registry: Registry, media: Media, effort: Effort, engines: Sequence[tuple[EngineKind, str]]
) -> MemoryNeed:
    """What a job needs at most whose engines work one after the other.

    Args:
        registry: the engines that there are.
        media: that it works on.
        effort: of the job.
        engines: kinds and names; an empty name is the preferred engine.

    Raises:
        EngineError: one of them cannot run.
    """
    need = greatest([_engine_need(registry, media, effort, kind, name) for kind, name in engines])
    return replace(need, host_bytes=need.host_bytes + least_memory_bytes(media))


def _engine_need(registry: Registry, media: Media, effort: Effort, kind: EngineKind, name: str) -> MemoryNeed:
    status = registry.status(kind, name)
    engine = status.info.name
    if not status.info.weights:
        return MemoryNeed()  # it is what every job needs
    if kind == "inpainter":
        need = fill_need(engine, media.size, effort, device=status.device, weights_bytes=status.weights_bytes)
    else:
        need = looking_need(kind, engine, media.size, effort, device=status.device, weights_bytes=status.weights_bytes)
    return replace(need, engine=engine)


def _kinds(spec: JobSpec) -> list[EngineKind]:
    """The kinds of engines that take part in a job, in order."""
    kinds: list[EngineKind] = []
    match spec.operation:
        case RemoveOperation(prompts=prompts, followed=followed):
            known = {each.object_id for each in followed}
            kinds += _looking([prompt for prompt in prompts if prompt.object_id not in known])
        case TrackOperation(prompts=prompts):
            kinds += _looking(prompts)
        case MatteOperation(prompts=prompts):
            kinds += _looking(prompts or (people(0),))
        case FillOperation():
            pass
    if isinstance(spec.operation, RemoveOperation | FillOperation) and spec.output.delivery != "matte":
        kinds.append("inpainter")
    return kinds


def _looking(asked: Sequence[Prompt]) -> list[EngineKind]:
    kinds: list[EngineKind] = ["name-finder"] if any(prompt.name for prompt in asked) else []
    if asked:
        kinds.append("segmenter")
    return [*kinds, "propagator"]
