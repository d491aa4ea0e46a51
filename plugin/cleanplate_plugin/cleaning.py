"""From a clip on a timeline to its take: which frames are needed, the job, and what came of it. Knows no host."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2

from cleanplate_plugin import takes
from cleanplate_plugin.client import Client, ClientError
from cleanplate_plugin.errors import StaleClipError, TimelineError, UnsupportedClipError
from cleanplate_plugin.hosts.protocol import HANDLE_FRAMES
from cleanplate_plugin.timecodes import frames_of
from cleanplate_plugin.timeline import Document, Span, Take, Use, settle

Operation = Literal["remove", "matte"]
Watch = Callable[[job_pb2.Job], job_pb2.Job]
"""Watches a submitted job to its end and gives it as it succeeded; raises where it did not."""

Submit = Callable[[job_pb2.JobSpec], job_pb2.Job]
"""Queues a job whose place and range are settled."""


@dataclass(frozen=True)
class Order:
    """What is to be done to a clip, as a person says it.

    Args:
        prompts: on frames of the media, from 0.
        operation: what is made.
        delivery: PLATE or PATCH of a removal; a matte is a MATTE.
        effort: time against quality.
        handle_count: spare frames on each side of the take.
        grow_px: as in RemoveOperation; None lets the server choose.
        feather_px: as in RemoveOperation; None lets the server choose.
        engines: chosen engines; the server chooses the others.
        codec: empty lets the server choose.
    """

    prompts: tuple[prompt_pb2.Prompt, ...]
    operation: Operation = "remove"
    delivery: job_pb2.Delivery.ValueType = job_pb2.DELIVERY_PLATE
    effort: job_pb2.Effort.ValueType = job_pb2.EFFORT_BALANCED
    handle_count: int = HANDLE_FRAMES
    grow_px: int | None = None
    feather_px: int | None = None
    engines: tuple[job_pb2.EngineChoice, ...] = ()
    codec: str = ""


def media_path(use: Use, *, remedy: str = "connect it again in the timeline") -> Path:
    """The file that a clip shows.

    Args:
        use: the clip.
        remedy: what to do where there is none, for the message.

    Raises:
        UnsupportedClipError: the timeline names none, or it is not there.
    """
    path = use.media.path
    if path is None:
        raise UnsupportedClipError(f"clip '{use.name}' names no media file; {remedy}")
    if not (path.exists() or ("%" in path.name and path.parent.is_dir())):
        raise UnsupportedClipError(f"the media of clip '{use.name}' is offline, {path} is not there; {remedy}")
    return path


def settle_use(use: Use, clip: media_pb2.Clip) -> Use:
    """The clip as it is in truth, with its file's own rate, length and timecode.

    Args:
        use: as the timeline says it; it keeps the path that the timeline knows, by which its document finds it again.
        clip: its file, opened, wherever it lies now.

    Raises:
        TimelineError: timeline and file contradict each other.
    """
    rate = takes.clip_rate(clip)
    start = frames_of(clip.start_timecode, rate) if clip.start_timecode else None
    drop_frame = ";" in clip.start_timecode
    return settle(use, start, file_frame_count=clip.frame_count, file_rate=rate, file_drop_frame=drop_frame)


def needed_range(use: Use, part: Span | None, handles: int, media_frame_count: int) -> media_pb2.FrameRange:
    """The media's frames that a take for a clip must hold, transitions in it, and the spare ones on each side.

    Args:
        use: settled.
        part: record frames from the clip's start, widened where it would cut through a dissolve; None is all.
        handles: spare frames; the server cuts them short where the media ends.
        media_frame_count: frames in the file.

    Raises:
        TimelineError: the clip shows frames that the media does not have.
    """
    whole = Span(0, media_frame_count)
    needed = (use.part(use.whole_part(part)) if part else use).source_span()
    if not whole.holds(needed):
        raise TimelineError(
            f"clip '{use.name}' shows frames {needed.start_frame} to {needed.last_frame} of media that has frames"
            f" 0 to {media_frame_count - 1}; trim the clip, or its transitions, to frames that are there"
        )
    if use.step.denominator != 1:
        needed = _widened(needed, whole)
    return media_pb2.FrameRange(
        start_frame=needed.start_frame, frame_count=needed.frame_count, handle_frame_count=handles
    )


def _widened(span: Span, whole: Span) -> Span:
    """One frame more on each side: players differ in how they round positions between frames."""
    start = max(span.start_frame - 1, whole.start_frame)
    return Span(start, min(span.stop_frame + 1, whole.stop_frame) - start)


def job_spec(
    clip: media_pb2.Clip, frames: media_pb2.FrameRange, order: Order, *, output: Path
) -> job_pb2.JobSpec:  # fmt: skip
    """The job that makes a take: picture alone, for a timeline's sound is a clip of its own and stays as it is.

    Args:
        clip: the file, opened.
        frames: of ``needed_range``.
        order: what is to be done.
        output: of ``takes.take_path``.
    """
    spec = job_pb2.JobSpec(path=clip.path, range=frames, effort=order.effort, engines=order.engines)
    spec.sequence_rate.CopyFrom(clip.frame_rate)
    if order.operation == "matte":
        spec.matte.CopyFrom(job_pb2.MatteOperation(prompts=order.prompts))
    else:
        spec.remove.CopyFrom(
            job_pb2.RemoveOperation(prompts=order.prompts, grow_px=order.grow_px, feather_px=order.feather_px)
        )
    delivery = job_pb2.DELIVERY_MATTE if order.operation == "matte" else order.delivery
    spec.output.CopyFrom(job_pb2.Output(path=str(output), codec=order.codec, delivery=delivery, omit_audio=True))
    return spec


@dataclass(frozen=True)
class Cleaning:
    """A clip that is ready to be cleaned: checked against its file, with a place for its take.

    Args:
        use: settled.
        part: record frames from its start; None is all.
        clip: its file, opened.
        spec: the job.
    """

    use: Use
    part: Span | None
    clip: media_pb2.Clip
    spec: job_pb2.JobSpec

    @property
    def planned(self) -> Take:
        """The take that it will be."""
        return takes.planned_take(Path(self.spec.output.path), self.clip, self.spec.range)

    def run(self, client: Client, watch: Watch, submit: Submit | None = None) -> Take:
        """Makes the take.

        Args:
            client: of the server.
            watch: shows the job's way.
            submit: queues the job in another way than by its spec alone.

        Raises:
            ClientError: the job was refused or failed, or the server is gone.
            TimelineError: there is no room for the take, or it is not what was asked for.
        """
        folder = Path(self.spec.output.path).parent
        is_new = takes.make_folder(folder)
        try:
            job = submit(self.spec) if submit else client.submit(self.spec, request_id=uuid.uuid4().hex)
        except ClientError:
            if is_new:
                takes.remove_empty(folder)
            raise
        return takes.take_of(watch(job), self.clip)


def prepare(
    client: Client, clip: media_pb2.Clip, use: Use, order: Order, *,
    part: Span | None = None, takes_folder: Path | None = None,
) -> Cleaning:  # fmt: skip
    """Settles what is to be done before any work.

    Args:
        client: of the server that will work; its unfinished jobs keep their names.
        clip: the clip's file, opened.
        use: settled.
        order: what is to be done.
        part: record frames from the clip's start; None is all.
        takes_folder: None is the usual place beside the media.

    Raises:
        TimelineError: frames that the media does not have, a folder that cannot be used.
        ClientError: the server is gone.
    """
    media = Path(clip.path)
    output = takes.take_path(media, folder=takes_folder, codec=order.codec, reserved=takes.reserved_paths(client))
    frames = needed_range(use, part, order.handle_count, clip.frame_count)
    return Cleaning(use, part, clip, job_spec(clip, frames, order, output=output))


def finished(job: job_pb2.Job, clip: media_pb2.Clip, use: Use) -> Cleaning:
    """What a job did to a clip, where only the job is known any more.

    Args:
        job: has succeeded.
        clip: the clip's file, opened.
        use: settled.

    Raises:
        StaleClipError: the clip shows none of the frames that the job worked on.
        TimelineError: the job has made no take for a clip.
    """
    if job.state != job_pb2.Job.SUCCEEDED or job.spec.WhichOneof("operation") not in ("remove", "matte"):
        raise TimelineError(
            f"{job.name} has made no take for a clip; give a removal or a matte that has succeeded,"
            " as `cleanplate jobs list` shows them"
        )
    worked = takes.worked_span(job.spec.range, clip.frame_count)
    if worked.holds(use.source_span()):
        return Cleaning(use, None, clip, job.spec)
    offsets = [k for k in range(use.frame_count) if worked.holds(Span(use.source_frame(k), 1))]
    if not offsets:
        raise StaleClipError(
            f"clip '{use.name}' shows none of the frames {worked.start_frame} to {worked.last_frame} that {job.name}"
            " worked on, so nothing was placed; name the clip that it was made for"
        )
    return Cleaning(use, Span(offsets[0], offsets[-1] - offsets[0] + 1), clip, job.spec)


def same_clip(document: Document, use: Use) -> Use:
    """Finds a clip again in a document that was read anew.

    Args:
        document: as it is now.
        use: the clip as it was given before.

    Raises:
        StaleClipError: it is not what it was.
    """
    items = [item for item in document.items() if isinstance(item, Use)]
    found = [item for item in items if replace(item, place=use.place) == use]
    if len(found) != 1:
        raise StaleClipError(
            f"clip '{use.name}' on track {use.track} is not what it was when the work began, so nothing was placed"
        )
    return found[0]


def place(document: Document, use: Use, take: Take, *, part: Span | None, above: bool, enabled: bool = True) -> None:
    """Puts a take into a document.

    Args:
        document: is changed.
        use: the clip, settled.
        take: holds all that is shown of it.
        part: record frames from the clip's start; None is all.
        above: on the track above instead of in the clip's place.
        enabled: whether what is above is seen; a matte is not.

    Raises:
        TimelineError: the document cannot say this; it is unchanged.
    """
    if above:
        document.lay_above(use, take, part, enabled=enabled)
    else:
        document.replace(use, take, part)
