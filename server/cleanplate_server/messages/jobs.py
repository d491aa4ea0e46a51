"""What a job is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2

from cleanplate_server.errors import InputError, PromptError
from cleanplate_server.messages.clips import rate_from_message, rational
from cleanplate_server.messages.paths import Admit, absolute_path
from cleanplate_server.messages.prompts import prompt_from_message, prompt_to_message
from cleanplate_server.models.protocols import Effort, EngineKind, Prompt
from cleanplate_server.pipeline.spec import (
    CleanPlate,
    Delivery,
    FillOperation,
    FollowedObject,
    JobSpec,
    MatteOperation,
    Operation,
    Output,
    RemoveOperation,
    Take,
    TrackOperation,
)

_ENGINE_KINDS: tuple[EngineKind, ...] = ("segmenter", "propagator", "inpainter", "matter", "name-finder")
EFFORTS: dict[int, Effort] = {
    job_pb2.EFFORT_UNSPECIFIED: "balanced",
    job_pb2.EFFORT_FAST: "fast",
    job_pb2.EFFORT_BALANCED: "balanced",
    job_pb2.EFFORT_BEST: "best",
}
_DELIVERIES: dict[int, Delivery] = {
    job_pb2.DELIVERY_PLATE: "plate",
    job_pb2.DELIVERY_PATCH: "patch",
    job_pb2.DELIVERY_MATTE: "matte",
}


def spec_from_message(message: job_pb2.JobSpec, *, admit: Admit) -> JobSpec:
    """What a job is to do; what depends on the media is not checked here.

    Raises:
        InputError: no operation, an unknown engine kind, effort or delivery, a relative path.
        PromptError, MaskError, RangeError, NotFoundError: as the parts say; and what ``admit`` raises.
    """
    if message.effort not in EFFORTS:
        raise InputError(f"effort {message.effort} is not known; give FAST, BALANCED or BEST")
    if message.stream_index < 0:
        raise InputError(f"video stream {message.stream_index} makes no sense; streams are counted from 0")
    frames = message.range
    return JobSpec(
        path=admit(absolute_path(message.path, "media"), "media"),
        operation=_operation_from_message(message, admit),
        output=_output_from_message(message, admit),
        stream_index=message.stream_index,
        sequence_rate=rate_from_message(message.sequence_rate),
        start_frame=frames.start_frame,
        frame_count=frames.frame_count if frames.HasField("frame_count") else None,
        handle_count=frames.handle_frame_count,
        engines=_engines_from_message(message.engines),
        effort=EFFORTS[message.effort],
    )


def spec_to_message(spec: JobSpec) -> job_pb2.JobSpec:
    """A job's request made whole: every default written out, masks inline, so that it means the same later."""
    message = job_pb2.JobSpec(
        path=str(spec.path),
        stream_index=spec.stream_index,
        sequence_rate=None if spec.sequence_rate is None else rational(spec.sequence_rate),
        range=media_pb2.FrameRange(
            start_frame=spec.start_frame, frame_count=spec.frame_count, handle_frame_count=spec.handle_count
        ),
        output=job_pb2.Output(
            path=str(spec.output.path),
            codec=spec.output.codec,
            delivery=job_pb2.Delivery.Value(f"DELIVERY_{spec.output.delivery.upper()}"),
            overwrite=spec.output.overwrite,
            omit_audio=spec.output.omit_audio,
            unseen_path=str(spec.output.unseen_path or ""),
        ),
        engines=[job_pb2.EngineChoice(kind=kind, name=name) for kind, name in sorted(spec.engines.items())],
        effort=job_pb2.Effort.Value(f"EFFORT_{spec.effort.upper()}"),
    )
    _write_operation(message, spec.operation)
    return message


def take_to_message(take: Take) -> job_pb2.Take:
    """A finished result; its notes travel with the job."""
    uses = [
        job_pb2.EngineUse(
            kind=use.kind,
            name=use.info.name,
            licence=use.info.licence,
            commercial_use=use.info.commercial_use,
            weights_sha256=use.info.weights_sha256,
        )
        for use in take.engines
    ]
    return job_pb2.Take(
        path=str(take.path),
        manifest_path=str(take.manifest_path),
        masks_path=str(take.masks_path or ""),
        frame_count=take.frame_count,
        start_timecode=take.start_timecode,
        engines=uses,
        unseen_path=str(take.unseen_path or ""),
        unseen_share=take.unseen_share,
    )


def prompts_of(operation: Operation) -> tuple[Prompt, ...]:
    """The prompts of any operation; none for a fill."""
    return () if isinstance(operation, FillOperation) else operation.prompts


def clean_plates_of(operation: Operation) -> tuple[CleanPlate, ...]:
    """The clean plates of any operation; none where nothing is filled."""
    return operation.clean_plates if isinstance(operation, RemoveOperation | FillOperation) else ()


def _operation_from_message(message: job_pb2.JobSpec, admit: Admit) -> Operation:
    kind = message.WhichOneof("operation")
    if kind == "remove":
        remove = message.remove
        prompts = _prompts(remove.prompts, admit, needed=True)
        plates = _clean_plates(remove.clean_plates, admit)
        grow_px, feather_px = _pixels(remove, "grow_px"), _pixels(remove, "feather_px")
        followed = tuple(
            FollowedObject(each.object_id, admit(absolute_path(each.masks_path, "masks"), "masks"))
            for each in remove.followed
        )
        return RemoveOperation(
            prompts, grow_px, feather_px, plates, remove.with_shadow, followed, _preview_from_message(remove)
        )
    if kind == "track":
        return TrackOperation(
            _prompts(message.track.prompts, admit, needed=True), _pixels(message.track, "grow_px") or 0
        )
    if kind == "fill":
        masks = admit(absolute_path(message.fill.masks_path, "masks"), "masks")
        plates = _clean_plates(message.fill.clean_plates, admit)
        grow_px, feather_px = _pixels(message.fill, "grow_px"), _pixels(message.fill, "feather_px")
        return FillOperation(masks, grow_px or 0, feather_px or 0, plates)
    if kind == "matte":
        return MatteOperation(_prompts(message.matte.prompts, admit, needed=False))
    raise InputError("the job says not what to do; set one of remove, track, fill, matte")


def _write_operation(message: job_pb2.JobSpec, operation: Operation) -> None:
    prompts = [prompt_to_message(prompt) for prompt in prompts_of(operation)]
    plates = [job_pb2.CleanPlate(frame=plate.frame, path=str(plate.path)) for plate in clean_plates_of(operation)]
    if isinstance(operation, RemoveOperation):
        remove = job_pb2.RemoveOperation(
            prompts=prompts,
            grow_px=operation.grow_px,
            feather_px=operation.feather_px,
            clean_plates=plates,
            with_shadow=operation.with_shadow,
            followed=[
                job_pb2.FollowedObject(object_id=each.object_id, masks_path=str(each.masks_path))
                for each in operation.followed
            ],
        )
        if operation.preview is not None:
            remove.preview.start_frame, remove.preview.frame_count = operation.preview.start, len(operation.preview)
        message.remove.CopyFrom(remove)
    elif isinstance(operation, TrackOperation):
        message.track.CopyFrom(job_pb2.TrackOperation(prompts=prompts, grow_px=operation.grow_px))
    elif isinstance(operation, FillOperation):
        message.fill.masks_path = str(operation.masks_path)
        message.fill.grow_px = operation.grow_px
        message.fill.feather_px = operation.feather_px
        message.fill.clean_plates.extend(plates)
    else:
        message.matte.CopyFrom(job_pb2.MatteOperation(prompts=prompts))


def _preview_from_message(message: job_pb2.RemoveOperation) -> range | None:
    if not message.HasField("preview"):
        return None
    start, count = message.preview.start_frame, message.preview.frame_count
    if count < 1:
        raise InputError(f"a preview of {count} frames from frame {start} on shows nothing; give 1 frame or more")
    return range(start, start + count)


def _prompts(messages: Iterable[prompt_pb2.Prompt], admit: Admit, *, needed: bool) -> tuple[Prompt, ...]:
    prompts = tuple(prompt_from_message(message, admit=admit) for message in messages)
    if needed and not prompts:
        raise PromptError("the job has no prompt; click on the object, draw a box or a stroke, or give a mask")
    return prompts


def _clean_plates(messages: Iterable[job_pb2.CleanPlate], admit: Admit) -> tuple[CleanPlate, ...]:
    plates: dict[int, CleanPlate] = {}
    for message in messages:
        if message.frame in plates:
            raise InputError(f"frame {message.frame} has two clean plates; leave one out")
        path = admit(absolute_path(message.path, "clean plate"), "clean plate")
        plates[message.frame] = CleanPlate(message.frame, path)
    return tuple(plates.values())


def _pixels(
    message: job_pb2.RemoveOperation | job_pb2.TrackOperation | job_pb2.FillOperation,
    field: Literal["grow_px", "feather_px"],
) -> int | None:
    if field == "feather_px":
        assert not isinstance(message, job_pb2.TrackOperation)
        given, value = message.HasField("feather_px"), message.feather_px
    else:
        given, value = message.HasField("grow_px"), message.grow_px
    if value < 0:
        raise InputError(
            f"{field} = {value} makes no sense; give 0 or more pixels", metadata={"field": field, "value": str(value)}
        )
    return value if given else None


def _output_from_message(message: job_pb2.JobSpec, admit: Admit) -> Output:
    output, kind = message.output, message.WhichOneof("operation")
    soft = kind in ("track", "matte")
    delivery = _DELIVERIES.get(output.delivery)
    if output.delivery == job_pb2.DELIVERY_UNSPECIFIED:
        delivery = "matte" if soft else "plate"
    if delivery is None or (soft and delivery != "matte"):
        raise InputError(
            f"a {kind} job cannot deliver '{delivery or output.delivery}';"
            f" leave it unset{'' if soft else ' or give PLATE, PATCH or MATTE'}"
        )
    path = admit(absolute_path(output.path, "output"), "output")
    unseen = admit(absolute_path(output.unseen_path, "maps"), "maps") if output.unseen_path else None
    if unseen and soft:
        raise InputError(f"a {kind} job fills nothing and has no maps of what no frame shows; leave unseen_path empty")
    return Output(path, output.codec, delivery, output.overwrite, output.omit_audio, unseen)


def _engines_from_message(choices: Iterable[job_pb2.EngineChoice]) -> dict[EngineKind, str]:
    engines: dict[EngineKind, str] = {}
    for choice in choices:
        kind = engine_kind(choice.kind)
        if not choice.name or engines.get(kind, choice.name) != choice.name:
            raise InputError(
                f"the engine choice {choice.kind!r} = {choice.name!r} cannot be used; name one engine for a kind"
            )
        engines[kind] = choice.name
    return engines


def engine_kind(text: str) -> EngineKind:
    """A kind of engine.

    Raises:
        InputError: it is none.
    """
    kind = next((kind for kind in _ENGINE_KINDS if kind == text), None)
    if kind is None:
        raise InputError(f"{text!r} is no kind of engine; give one of {', '.join(_ENGINE_KINDS)}")
    return kind
