"""Prompts to masks for every frame of the clip: the part that remove, track and matte share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import PromptError
from cleanplate_server.models.protocols import EngineInfo, EngineKind, Key, Prompt, Segmenter
from cleanplate_server.pipeline.job import Job, check_prompt_frames, keys_of
from cleanplate_server.pipeline.tracking import ShotTracking, segment_prompts
from cleanplate_server.stages.given_masks import FollowedMasks
from cleanplate_server.stages.plates import ShotPlates
from cleanplate_server.stages.segment import SegmenterFactory, join_prompts
from cleanplate_server.stages.windows import MaskFiles


@dataclass(frozen=True)
class Followed:
    """The objects of a clip in every shot.

    Args:
        shots: each shot with the masks of its objects by id; a shot without keys has none.
        engines: which ran.
    """

    shots: tuple[tuple[range, dict[int, MaskFiles]], ...]
    engines: tuple[tuple[EngineKind, EngineInfo], ...]


def follow_objects(
    job: Job, clip: ClipRange, prompts: Sequence[Prompt], given: Mapping[int, FollowedMasks] = MappingProxyType({})
) -> Followed:
    """Segments the prompts and follows what they mean through their shots, both ways between keys.

    Args:
        job: which runs.
        clip: the range.
        prompts: at least one.
        given: masks that were followed before, by object; a prompt on a frame that has one is not asked again.

    Raises:
        PromptError: no prompt at all.
        RangeError: a prompt outside the range.
    """
    if not prompts:
        raise PromptError("nothing says which object is meant; add --click F@X,Y or another prompt")
    check_prompt_frames(prompts, clip)
    spec = job.spec
    shots = job.shots(clip)
    propagator = job.engines.propagator(spec.engines.get("propagator", ""), spec.effort)
    keys = [
        Key(prompt.frame, prompt.object_id, given[prompt.object_id].mask(prompt.frame))
        for prompt in join_prompts(prompts)
        if _is_given(prompt, given)
    ]
    keys += segment_prompts(
        clip, [prompt for prompt in prompts if not _is_given(prompt, given)], job_segmenter(job),
        engine=spec.engines.get("segmenter", ""), ledger=job.ledger,
    )  # fmt: skip
    followed = []
    with job.plates(clip.media) as plates:
        tracked = [
            ShotTracking(ShotPlates(plates, clip.media, shot), keys_of(shot, keys), job.ledger, given=given)
            for shot in shots
        ]
        total = sum(tracking.step_count for tracking in tracked)
        done = 0
        for shot, tracking in zip(shots, tracked, strict=True):
            tracking.follow(propagator, done, total)
            done += tracking.step_count
            followed.append((shot, tracking.masks()))
            if not followed[-1][1]:
                job.note(
                    f"a cut at frame {shot.start} starts a shot without a prompt, frames {shot.start} to"
                    f" {shot.stop - 1}; nothing was changed there, so click in it too if the object is there"
                )
    segmenter = job_segmenter(job)(spec.engines.get("segmenter", ""))
    return Followed(tuple(followed), (("segmenter", segmenter.info), ("propagator", propagator.info)))


def _is_given(prompt: Prompt, given: Mapping[int, FollowedMasks]) -> bool:
    return prompt.object_id in given and prompt.frame in given[prompt.object_id].frames


def job_segmenter(job: Job) -> SegmenterFactory:
    """Gives segmenters at the job's effort."""

    def build(name: str) -> Segmenter:
        return job.engines.segmenter(name, job.spec.effort)

    return build


def keep_masks(job: Job, shots: Sequence[tuple[range, MaskFiles]]) -> Path:
    """Writes the masks that were used as pictures into the job's folder, and gives their folder."""
    folder = job.ledger.folder / "take-masks"
    for shot, masks in shots:
        masks.write_pngs(folder, shot)
    return folder
