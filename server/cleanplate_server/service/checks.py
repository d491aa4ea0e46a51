"""What can be known of a job before it is stored."""

from __future__ import annotations

from cleanplate_server.clip import Media
from cleanplate_server.errors import StateError
from cleanplate_server.messages.jobs import clean_plates_of, prompts_of
from cleanplate_server.models.memory_need import MemoryNeed
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.given_plates import check_clean_plates
from cleanplate_server.pipeline.job import check_prompt_frames, clip_range
from cleanplate_server.pipeline.matte import people
from cleanplate_server.pipeline.memory import job_memory
from cleanplate_server.pipeline.spec import FillOperation, JobSpec, MatteOperation, Output, RemoveOperation
from cleanplate_server.stages.decode import probe
from cleanplate_server.stages.encode import Target, check_target, choose_codec, delivery_format
from cleanplate_server.stages.given_masks import GivenMasks
from cleanplate_server.stages.segment import check_prompt
from cleanplate_server.stages.unseen import check_maps_folder


def check_job(spec: JobSpec, registry: Registry, *, memory_bytes: int) -> MemoryNeed:
    """Refuses a job that cannot work: media, range, prompts, masks, clean plates, engines, target, memory.

    Args:
        spec: with admitted paths.
        registry: the engines that there are.
        memory_bytes: host memory that a job may need.

    Returns:
        What the job is expected to need at most.

    Raises:
        InputError, NotFoundError, AccessError, StateError: the first thing that is wrong.
    """
    media = probe(spec.path, stream_index=spec.stream_index, sequence_rate=spec.sequence_rate)
    clip = clip_range(spec, media)
    for kind, name in spec.engines.items():
        registry.check(kind, name)
    for prompt in prompts_of(spec.operation):
        check_prompt(prompt, media)
        if prompt.name:
            registry.check_words(prompt.name, spec.engines.get("name-finder", ""))
    if isinstance(spec.operation, MatteOperation) and not spec.operation.prompts:
        registry.check_words(people(clip.frames.start).name, spec.engines.get("name-finder", ""))
    check_prompt_frames(prompts_of(spec.operation), clip)
    if isinstance(spec.operation, FillOperation):
        with GivenMasks(spec.operation.masks_path, clip):
            pass  # opening them checks their count and size
    check_clean_plates(clean_plates_of(spec.operation), clip)
    if not (isinstance(spec.operation, RemoveOperation) and spec.operation.preview is not None):
        _check_output(spec.output, media)
    return _check_memory(job_memory(registry, media, spec), memory_bytes)


def _check_output(output: Output, media: Media) -> None:
    codec = output.codec or choose_codec(output.path, media, output.delivery)
    check_target(Target(output.path, codec, output.overwrite), media, audio=output.keeps_audio(output.delivery))
    if output.unseen_path is not None:
        check_maps_folder(output.unseen_path, overwrite=output.overwrite, output=output.path)
    delivery_format(codec, media, output.delivery)


def _check_memory(need: MemoryNeed, allowed_bytes: int) -> MemoryNeed:
    needed_bytes = need.host_bytes
    if needed_bytes > allowed_bytes:
        whose, lighter = (
            (f", most of it for {need.engine},", "choose a lighter engine, or ") if need.engine else ("", "")
        )
        raise StateError(
            f"the job needs up to {needed_bytes / 2**30:.1f} GiB of memory{whose} and the server may use"
            f" {allowed_bytes / 2**30:.1f} GiB; {lighter}raise the setting memory_bytes if the machine has more",
            reason="NOT_ENOUGH_MEMORY",
            metadata={"needed_bytes": str(needed_bytes), "allowed_bytes": str(allowed_bytes)},
        )
    return need
