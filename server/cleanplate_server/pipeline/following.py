"""Prompts to masks for every frame of the clip: the part that remove, track and matte share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import PromptError
from cleanplate_server.models.protocols import (
    EngineInfo,
    EngineKind,
    Frames,
    Key,
    LearningPropagator,
    Prompt,
    Propagator,
    Segmenter,
    SharedPropagator,
)
from cleanplate_server.pipeline.absences import tell_absences
from cleanplate_server.pipeline.job import Job, check_prompt_frames, keys_of
from cleanplate_server.pipeline.ledger import Ledger
from cleanplate_server.pipeline.lineup import job_lineup
from cleanplate_server.pipeline.naming import resolve_names
from cleanplate_server.pipeline.tracking import ShotTracking, segment_prompts
from cleanplate_server.stages.given_masks import FollowedMasks
from cleanplate_server.stages.plates import ShotPlates
from cleanplate_server.stages.segment import SegmenterFactory, join_prompts
from cleanplate_server.stages.windows import MaskFiles, window_name


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
        PromptError: no prompt at all, or a name that is not known or not found.
        RangeError: a prompt outside the range.
    """
    if not prompts:
        raise PromptError("nothing says which object is meant; add --click F@X,Y or another prompt")
    check_prompt_frames(prompts, clip)
    shots = job.shots(clip)
    named = resolve_names(job, clip, prompts)
    prompts = named.prompts
    keys = [
        Key(prompt.frame, prompt.object_id, given[prompt.object_id].mask(prompt.frame))
        for prompt in join_prompts(prompts)
        if _is_given(prompt, given)
    ]
    asked = [prompt for prompt in prompts if not _is_given(prompt, given)]
    segmented, segmenter = _segment(job, clip, asked)
    keys += segmented
    lineup = job_lineup(job, clip.media.size)
    keyed = [(shot, keys_of(shot, keys)) for shot in shots]
    followed = lineup.run(lambda propagator: _follow_shots(job, clip, keyed, propagator, given))
    for shot, masks in followed:
        if not masks:
            job.note(
                f"a cut at frame {shot.start} starts a shot without a prompt, frames {shot.start} to"
                f" {shot.stop - 1}; nothing was changed there, so click in it too if the object is there"
            )
    tell_absences(job, followed)
    return Followed(
        followed, (*named.engines, ("segmenter", segmenter), *(("propagator", info) for info in lineup.infos))
    )


def _segment(job: Job, clip: ClipRange, prompts: Sequence[Prompt]) -> tuple[list[Key], EngineInfo]:
    """Masks of prompts, and the engine that answers them, which is let go before another one needs the memory."""
    engine = job.spec.engines.get("segmenter", "")
    if not prompts:
        return [], job.engines.segmenter_info(engine)
    segmenters = job_segmenter(job)
    keys = segment_prompts(clip, prompts, segmenters, engine=engine, ledger=job.ledger)
    return keys, segmenters(engine).info


def _follow_shots(
    job: Job, clip: ClipRange, keyed: Sequence[tuple[range, Sequence[Key]]], propagator: Propagator,
    given: Mapping[int, FollowedMasks],
) -> tuple[tuple[range, dict[int, MaskFiles]], ...]:  # fmt: skip
    """Follows the objects of each shot from its keys; a shot without keys gets no masks."""
    together = isinstance(propagator, SharedPropagator)
    if isinstance(propagator, SharedPropagator):
        _tell_groups(job, propagator, keyed)
    with job.plates(clip.media) as plates:
        tracked = [
            ShotTracking(ShotPlates(plates, clip.media, shot), keys, job.ledger, given=given, together=together)
            for shot, keys in keyed
        ]
        total = sum(tracking.step_count for tracking in tracked)
        # where nothing is left to be walked, nothing need be learned
        taken = [keys if tracking.walks else () for (_, keys), tracking in zip(keyed, tracked, strict=True)]
        lessons = Lessons.plan(job.ledger, propagator, taken)
        done = 0
        followed = []
        for (shot, _), keys, tracking in zip(keyed, taken, tracked, strict=True):
            taught = lessons.teach(propagator, ShotPlates(plates, clip.media, shot), keys)
            tracking.follow(taught, done, total)
            done += tracking.step_count
            followed.append((shot, tracking.masks()))
    return tuple(followed)


def _tell_groups(job: Job, propagator: SharedPropagator, keyed: Sequence[tuple[range, Sequence[Key]]]) -> None:
    """Says so where there are more objects than one memory holds."""
    limit = propagator.memory_object_count
    for shot, keys in keyed:
        count = len({key.object_id for key in keys})
        if count > limit:
            job.note(
                f"{propagator.info.name} holds {limit} objects in one memory, so the {count} of frames {shot.start} to"
                f" {shot.stop - 1} are followed in {-(-count // limit)} groups, which compete for pixels but do not"
                " learn from each other"
            )


@dataclass
class Lessons:
    """What a propagator that is trained on the keys learns, shot by shot, and how far it is.

    Args:
        ledger: keeps what was learned, and the progress.
        update_count: updates in all shots.
        done_count: those of the shots before.
    """

    ledger: Ledger
    update_count: int
    done_count: int = 0

    @classmethod
    def plan(cls, ledger: Ledger, propagator: Propagator, keyed: Sequence[Sequence[Key]]) -> Lessons:
        """Counts what is to be learned; nothing by engines that are not trained."""
        counts = [propagator.update_count(keys) for keys in keyed if isinstance(propagator, LearningPropagator)]
        return cls(ledger, sum(counts))

    def teach(self, propagator: Propagator, frames: Frames, keys: Sequence[Key]) -> Propagator:
        """Gives the engine that follows the objects of a shot."""
        if not isinstance(propagator, LearningPropagator) or not keys:
            return propagator
        folder = self.ledger.folder / "learn" / window_name(frames.frames)
        folder.mkdir(parents=True, exist_ok=True)
        before = self.done_count

        def tick(done: int) -> None:
            self.done_count = before + done
            self.ledger.progress("learn", self.done_count, self.update_count)

        return propagator.learn(frames, keys, folder, tick)


def _is_given(prompt: Prompt, given: Mapping[int, FollowedMasks]) -> bool:
    return prompt.object_id in given and prompt.frame in given[prompt.object_id].frames


def job_segmenter(job: Job) -> SegmenterFactory:
    """Gives segmenters at the job's effort, each made once."""

    @cache
    def build(name: str) -> Segmenter:
        return job.engines.segmenter(name, job.spec.effort)

    return build


def keep_masks(job: Job, shots: Sequence[tuple[range, MaskFiles]]) -> Path:
    """Writes the masks that were used as pictures into the job's folder, and gives their folder."""
    folder = job.ledger.folder / "take-masks"
    for shot, masks in shots:
        masks.write_pngs(folder, shot)
    return folder
