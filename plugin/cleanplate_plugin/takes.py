"""Takes: where they go, how they are called, and what a finished job says of one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from cleanplate_plugin.client import Client
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import frames_of
from cleanplate_plugin.timeline import SourceMedia, Span, Take

FOLDER_NAME = "Cleanplate"
"""Beside the media, so that an editor finds takes and can move them along with it."""

ENDINGS = {
    "prores422hq": ".mov",
    "prores4444": ".mov",
    "dnxhr-hqx": ".mov",
    "h264": ".mov",
    "hevc": ".mov",
    "ffv1": ".mkv",
}
"""By codec. Takes are movies whatever their source is: programs differ in how they read image sequences, and QuickTime
carries timecode and sound."""

_PATTERN = re.compile(r"%0?\d*d")
_NUMBER = re.compile(r"_cp(\d{3,})$")


def take_path(
    media: Path, *, folder: Path | None = None, codec: str = "", reserved: Iterable[Path] = ()
) -> Path:  # fmt: skip
    """Where the next take of a media goes: ``Cleanplate/STEM_cp001.mov`` beside it, with the next free number.

    Args:
        media: a file, a folder of images, or a pattern of them.
        folder: another folder than the usual one.
        codec: chooses the ending; empty is QuickTime.
        reserved: paths that unfinished work will write, see ``reserved_paths``.

    Raises:
        TimelineError: the folder cannot be read.
    """
    folder = folder or _beside(media)
    stem = _stem(media)
    there = folder.resolve()
    names = {path.name for path in reserved if path.parent in (folder, there)} | _names(folder)
    numbered = re.compile(rf"{re.escape(stem)}_cp(\d{{3,}})\..*")
    numbers = [int(found[1]) for found in map(numbered.fullmatch, names) if found]
    return folder / f"{stem}_cp{max(numbers, default=0) + 1:03d}{ENDINGS.get(codec, '.mov')}"


def take_number(path: Path) -> int | None:
    """Which take of its media a file is, by its name; None when it is not called like one."""
    found = _NUMBER.search(path.stem)
    return int(found[1]) if found else None


def reserved_paths(client: Client) -> frozenset[Path]:
    """Outputs of every job that the server knows: what waits or may be resumed keeps its number."""
    return frozenset(Path(job.spec.output.path) for job in client.jobs())


def make_folder(folder: Path) -> bool:
    """Makes a folder for takes, which the server itself never does.

    Returns:
        Whether it was not there before.

    Raises:
        TimelineError: it cannot be made or written.
    """
    there = folder.is_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(folder, error) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise _unusable(folder, PermissionError(13, "Permission denied"))
    return not there


def remove_empty(folder: Path) -> None:
    """Takes back ``make_folder`` where nothing came of it."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def worked_span(frames: media_pb2.FrameRange, media_frame_count: int) -> Span:
    """The media's frames that a job works on, without spare ones; all up to the end where it does not say."""
    rest = media_frame_count - frames.start_frame
    return Span(frames.start_frame, frames.frame_count if frames.HasField("frame_count") else rest)


def take_span(frames: media_pb2.FrameRange, media_frame_count: int) -> Span:
    """The media's frames that a job writes: its range with handles, cut short where the media ends."""
    worked, handles = worked_span(frames, media_frame_count), frames.handle_frame_count
    start = max(0, worked.start_frame - handles)
    return Span(start, min(media_frame_count, worked.stop_frame + handles) - start)


def clip_rate(clip: media_pb2.Clip) -> Fraction:
    """Frames a second of an open clip."""
    return Fraction(clip.frame_rate.numerator, clip.frame_rate.denominator)


def source_media(path: Path, clip: media_pb2.Clip) -> SourceMedia:
    """An open clip as a timeline knows media.

    Args:
        path: by which the timeline knows it.
        clip: what is known of the file.
    """
    rate = clip_rate(clip)
    start = frames_of(clip.start_timecode, rate) if clip.start_timecode else 0
    return SourceMedia(path, rate, start, clip.frame_count, ";" in clip.start_timecode)


def planned_take(path: Path, clip: media_pb2.Clip, frames: media_pb2.FrameRange) -> Take:
    """The take that a job will make.

    Args:
        path: where it will be.
        clip: the media.
        frames: of the job.
    """
    span = take_span(frames, clip.frame_count)
    whole = source_media(path, clip)
    start = whole.start_frame + span.start_frame if clip.start_timecode else 0
    media = replace(whole, start_frame=start, frame_count=span.frame_count)
    return Take(media, span.start_frame, path.stem, {})


def take_of(job: job_pb2.Job, clip: media_pb2.Clip) -> Take:
    """The take that a job has made, checked against what was to be expected.

    Args:
        job: has succeeded.
        clip: the media that it worked on.

    Raises:
        TimelineError: length or timecode of the take are not those of the range.
    """
    planned = planned_take(Path(job.take.path), clip, job.spec.range)
    made = job.take
    if made.frame_count != planned.span.frame_count or not _starts_at(made.start_timecode, planned.media):
        raise TimelineError(
            f"{made.path} holds {made.frame_count} frames from {made.start_timecode or 'no timecode'} where"
            f" {planned.span.frame_count} from frame {planned.source_start} of {clip.path} were asked for;"
            " it is not placed, clean the clip again and report this"
        )
    return Take(planned.media, planned.source_start, planned.label, _about(job))


def _starts_at(timecode: str, planned: SourceMedia) -> bool:
    """Whether a take's timecode is the planned one; timecode begins anew after a day."""
    if not timecode:
        return planned.start_frame == 0
    rate = planned.rate
    day = frames_of(f"23:59:59{';' if planned.drop_frame else ':'}{max(1, round(rate)) - 1:02d}", rate) + 1
    return frames_of(timecode, rate) == planned.start_frame % day


def _about(job: job_pb2.Job) -> dict[str, object]:
    operation = job.spec.WhichOneof("operation") or ""
    prompts = {"remove": job.spec.remove.prompts, "matte": job.spec.matte.prompts}.get(operation, ())
    span = job.spec.range
    return {
        "job": job.name,
        "operation": operation,
        "delivery": job_pb2.Delivery.Name(job.spec.output.delivery).removeprefix("DELIVERY_").lower(),
        "media": job.spec.path,
        "range": {
            "start_frame": span.start_frame,
            "frame_count": span.frame_count,
            "handle_frame_count": span.handle_frame_count,
        },
        "prompts": [_plain_prompt(prompt) for prompt in prompts],
        "engines": [_plain(engine) for engine in job.take.engines],
        "manifest": job.take.manifest_path,
    }


def _plain_prompt(prompt: prompt_pb2.Prompt) -> dict[str, object]:
    """A prompt without its mask's picture, which would swell a timeline file."""
    short = prompt_pb2.Prompt()
    short.CopyFrom(prompt)
    if short.mask.WhichOneof("source") == "png":
        short.ClearField("mask")
        return {**_plain(short), "mask": "given"}
    return _plain(short)


def _plain(message: Message) -> dict[str, object]:
    fields: dict[str, object] = MessageToDict(message, preserving_proto_field_name=True)
    return fields


def _beside(media: Path) -> Path:
    return media.parent / FOLDER_NAME


def _stem(media: Path) -> str:
    """The media's name without ending and number: ``shot.%04d.exr`` and a folder ``shot`` both are ``shot``."""
    bare = _PATTERN.sub("", media.stem).strip("._- ") if _PATTERN.search(media.name) else media.stem
    if media.is_dir():
        bare = media.name
    return bare or media.parent.name or "take"


def _names(folder: Path) -> set[str]:
    try:
        return {entry.name for entry in folder.iterdir()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        raise _unusable(folder, error) from error


def _unusable(folder: Path, error: OSError) -> TimelineError:
    return TimelineError(f"the folder {folder} cannot hold takes ({error.strerror}); choose another folder for takes")
