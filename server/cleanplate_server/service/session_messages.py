"""Sessions as messages, and what is said in messages as nouns."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cleanplate.v1 import job_pb2, media_pb2, picker_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from cleanplate_server.errors import InputError
from cleanplate_server.jobs.records import JobRecord
from cleanplate_server.messages.clips import clip_to_message
from cleanplate_server.messages.paths import Admit
from cleanplate_server.messages.pictures import encode_mask
from cleanplate_server.messages.prompts import prompt_from_message, stroke_from_message
from cleanplate_server.pipeline.remove import default_feather_px, default_grow_px
from cleanplate_server.service.jobs import job_to_message
from cleanplate_server.sessions.runs import RunStatus
from cleanplate_server.sessions.saying import Said
from cleanplate_server.sessions.session import PickSession
from cleanplate_server.sessions.store import ObjectRow, TakeRow
from cleanplate_server.sessions.tracks import Shown

PREFIX = "sessions/"
_JOB_PREFIX = "jobs/"
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_NAME_LIMIT = 200


def session_id(name: str) -> str:
    """The id in ``sessions/ID``.

    Raises:
        InputError: it is no session's name.
    """
    if not name.startswith(PREFIX) or name == PREFIX:
        raise InputError(f"{name!r} is not a session's name; give sessions/ID, as OpenSession gives it")
    return name[len(PREFIX) :]


def job_id(name: str) -> str:
    """The id in ``jobs/ID``.

    Raises:
        InputError: it is no job's name.
    """
    if not name.startswith(_JOB_PREFIX) or name == _JOB_PREFIX:
        raise InputError(f"{name!r} is not a job's name; give jobs/ID, as the session's takes have it")
    return name[len(_JOB_PREFIX) :]


def session_to_message(
    session: PickSession, takes: Sequence[tuple[TakeRow, JobRecord]], suggested: Path
) -> picker_pb2.Session:  # fmt: skip
    """A session as it stands, without tracks.

    Args:
        session: which.
        takes: its jobs, newest first.
        suggested: where "save as" begins.
    """
    store, clip = session.state.store, session.state.clip
    said: dict[int, list[picker_pb2.PromptedFrame]] = {}
    for object_id, _, message in store.said():
        said.setdefault(object_id, []).append(without_base(picker_pb2.PromptedFrame.FromString(message)))
    cuts, run = session.state.cuts, session.work.status
    return picker_pb2.Session(
        name=PREFIX + session.session_id,
        revision=session.state.revision,
        title=store.fact("title"),
        clip=clip_to_message("", clip.media),
        range=media_pb2.FrameRange(
            start_frame=clip.start_frame, frame_count=clip.frame_count, handle_frame_count=clip.handle_frames
        ),
        prompt_frame=int(store.fact("prompt_frame")),
        objects=[_object_to_message(row, said.get(row.object_id, ())) for row in session.state.objects()],
        cuts=cuts or (),
        cuts_known=cuts is not None,
        settings=session.state.settings,
        default_grow_px=default_grow_px(clip.media.size[0]),
        default_feather_px=default_feather_px(session.state.grow_px),
        run=_run_to_message(run) if run else None,
        takes=[take_to_message(row, record) for row, record in takes],
        suggested_path=str(suggested),
        closed=store.fact("closed") == "1",
        update_time=_timestamp(int(store.fact("update_ns"))),
    )


def without_base(prompted: picker_pb2.PromptedFrame) -> picker_pb2.PromptedFrame:
    """What was said, as it is sent back: the mask that it began from stays here."""
    sent = picker_pb2.PromptedFrame()
    sent.CopyFrom(prompted)
    sent.prompt.ClearField("mask")
    return sent


def track_to_message(object_id: int, frames: Mapping[int, Shown], *, replace: bool) -> picker_pb2.Track:
    """Frames of an object that changed, or all."""
    return picker_pb2.Track(
        object_id=object_id,
        replace=replace,
        frames=[
            picker_pb2.TrackedFrame(
                frame=frame,
                state=picker_pb2.TrackedFrame.State.Value(shown.state.value),
                confidence=shown.confidence,
                revision=shown.revision,
            )
            for frame, shown in sorted(frames.items())
        ],
    )


def said_from_message(request: picker_pb2.PutPromptRequest, base: bytes | None, *, admit: Admit) -> Said:
    """What is meant; what depends on the media is not checked here.

    Args:
        request: its prompt may have a mask of the caller's own.
        base: PNG of the mask to begin from, where the prompt has none.
        admit: for a mask's path.

    Raises:
        PromptError, MaskError, NotFoundError: see ``messages.prompt_from_message``.
    """
    message = picker_pb2.PromptedFrame(prompt=request.prompt, edits=request.edits)
    message.prompt.object_id = message.prompt.object_id or 1
    if base is not None and not request.prompt.HasField("mask"):
        message.prompt.mask.png = base
    prompt = prompt_from_message(message.prompt, admit=admit)
    if prompt.mask is not None:
        message.prompt.mask.png = encode_mask(prompt.mask)
    edits = tuple(stroke_from_message(stroke, prompt.frame) for stroke in request.edits)
    return Said(prompt, edits, message)


def object_from_message(message: picker_pb2.PickedObject) -> ObjectRow:
    """An object as a caller wants it.

    Raises:
        InputError: a negative number, a colour that is none, a name that is too long.
    """
    if message.object_id < 0:
        raise InputError(f"object {message.object_id} makes no sense; objects are numbered from 1, 0 adds one")
    if message.color and not _COLOR.fullmatch(message.color):
        raise InputError(f"the colour {message.color!r} is not known; give #rrggbb, such as #ff8800")
    if len(message.name) > _NAME_LIMIT:
        raise InputError(f"the name has {len(message.name)} characters; give at most {_NAME_LIMIT}")
    return ObjectRow(message.object_id, " ".join(message.name.split()), message.color.lower(), message.hidden)


def check_settings(settings: picker_pb2.TakeSettings) -> None:
    """Refuses settings that no take could have.

    Raises:
        InputError.
    """
    for name in ("grow_px", "feather_px"):
        if getattr(settings, name) < 0:
            raise InputError(f"{name} = {getattr(settings, name)} makes no sense; give 0 or more pixels")
    if settings.effort not in job_pb2.Effort.values():
        raise InputError(f"effort {settings.effort} is not known; give FAST, BALANCED or BEST")
    if settings.delivery not in job_pb2.Delivery.values():
        raise InputError(f"delivery {settings.delivery} is not known; give PLATE, PATCH or MATTE")


def take_to_message(row: TakeRow, record: JobRecord) -> picker_pb2.PickedTake:
    """A job of a session."""
    job = job_to_message(record)
    return picker_pb2.PickedTake(
        job=job.name,
        preview=row.preview,
        range=media_pb2.FrameRange(start_frame=row.frames.start, frame_count=len(row.frames)),
        settings=picker_pb2.TakeSettings.FromString(row.settings),
        state=job.state,
        file_name="" if row.preview else row.path.name,
        create_time=job.create_time if job.HasField("create_time") else None,
        end_time=job.end_time if job.HasField("end_time") else None,
        engines=job.take.engines,
        unseen_share=job.take.unseen_share if job.take.HasField("unseen_share") else None,
        message=job.error.message,
    )


def job_without_spec(record: JobRecord) -> job_pb2.Job:
    """A job as a page needs it: its masks and paths stay here."""
    job = job_to_message(record)
    job.ClearField("spec")
    return job


def frames_of(tracks: Iterable[tuple[int, Mapping[int, Shown]]], *, replace: bool) -> list[picker_pb2.Track]:
    """Tracks of several objects."""
    return [track_to_message(object_id, frames, replace=replace) for object_id, frames in tracks]


def _object_to_message(row: ObjectRow, prompts: Iterable[picker_pb2.PromptedFrame]) -> picker_pb2.PickedObject:
    return picker_pb2.PickedObject(
        object_id=row.object_id, name=row.name, color=row.color, hidden=row.hidden, prompts=prompts
    )


def _run_to_message(run: RunStatus) -> picker_pb2.Run:
    return picker_pb2.Run(
        kind=picker_pb2.Run.Kind.Value(run.kind),
        state=picker_pb2.Run.State.Value(run.state.value),
        done_frame_count=run.done_count,
        frame_count=run.total_count,
        frames_per_second=run.frames_per_second,
        message=run.message,
        learned_update_count=run.learned_count,
        update_count=run.update_count,
        notes=run.notes,
    )


def _timestamp(nanoseconds: int) -> Timestamp:
    time = Timestamp()
    time.FromNanoseconds(nanoseconds)
    return time
