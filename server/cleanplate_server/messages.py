"""Messages of the wire to the program's nouns and back. Decides nothing but what a message can mean."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2

from cleanplate_server.clip import Media
from cleanplate_server.errors import InputError, MaskError, NotFoundError, PromptError
from cleanplate_server.models.protocols import Box, Candidate, Effort, EngineKind, Mask, NameHit, Point, Prompt, Stroke
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
from cleanplate_server.stages.viewing import Picture

PathRole = Literal["media", "mask", "masks", "clean plate", "output", "maps"]
"""What a path in a message is for."""

Admit = Callable[[Path, PathRole], Path]
"""Takes each path of a message before it is used; gives the path to use, or raises."""

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
_SIDES = {prompt_pb2.Point.SIDE_INSIDE: True, prompt_pb2.Point.SIDE_OUTSIDE: False}
_PICTURE_ENDINGS: dict[int, tuple[str, list[int]]] = {
    media_pb2.GetFrameRequest.ENCODING_UNSPECIFIED: (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    media_pb2.GetFrameRequest.ENCODING_JPEG: (".jpg", [cv2.IMWRITE_JPEG_QUALITY, 92]),
    media_pb2.GetFrameRequest.ENCODING_PNG: (".png", [cv2.IMWRITE_PNG_COMPRESSION, 1]),
}
_MASK_PNG = [cv2.IMWRITE_PNG_BILEVEL, 1, cv2.IMWRITE_PNG_COMPRESSION, 1]
_JPEG_LIMIT_PX = 65500


def absolute_path(text: str, role: PathRole) -> Path:
    """A path of the wire.

    Raises:
        InputError: empty, relative, or not a path.
    """
    if not text or "\0" in text or not Path(text).is_absolute():
        raise InputError(
            f"the path of the {role} is {text!r}; give an absolute path",
            reason="INVALID_PATH",
            metadata={"path": text, "role": role},
        )
    return Path(text)


def encode_mask(mask: Mask) -> bytes:
    """A bool [H, W] mask as PNG with 0 and 255, a bit for each pixel."""
    written, png = cv2.imencode(".png", mask.astype(np.uint8) * 255, _MASK_PNG)
    assert written
    return png.tobytes()


def encode_picture(picture: Picture, encoding: int) -> bytes:
    """A uint8 [H, W, 3] RGB picture as JPEG or PNG.

    Args:
        encoding: ``media_pb2.GetFrameRequest.Encoding``.

    Raises:
        InputError: an encoding that is not known, or a picture that it cannot hold.
    """
    if encoding not in _PICTURE_ENDINGS:
        raise InputError(f"encoding {encoding} is not known; give ENCODING_JPEG or ENCODING_PNG")
    ending, options = _PICTURE_ENDINGS[encoding]
    height, width = picture.shape[:2]
    if ending == ".jpg" and max(height, width) > _JPEG_LIMIT_PX:
        raise InputError(
            f"a JPEG cannot hold {width}x{height} pixels; ask for PNG, or for less with max_height",
            metadata={"height": str(height), "width": str(width)},
        )
    written, data = cv2.imencode(ending, cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert written
    return data.tobytes()


def decode_mask(picture: bytes, origin: str) -> Mask:
    """Reads a mask picture: bool [H, W], True where its code value is 128 of 255 and above.

    Args:
        picture: an image file's bytes.
        origin: names it in the error.

    Raises:
        MaskError: it is no picture.
    """
    encoded = np.frombuffer(picture, np.uint8)
    try:
        decoded = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    except cv2.error:  # no bytes at all, or a size beyond OpenCV's limit
        decoded = None
    if decoded is None:
        raise MaskError(f"{origin} cannot be read as a picture; give a PNG of one channel, 128 and above is object")
    return np.asarray(decoded >= 128, np.bool_)


def mask_from_message(message: prompt_pb2.Mask, *, frame: int, admit: Admit) -> Mask:
    """The mask of a prompt, inline or from its file: bool [H, W].

    Raises:
        NotFoundError: no such file.
        MaskError: neither picture nor path, or no picture.
    """
    if message.WhichOneof("source") == "png":
        return decode_mask(message.png, f"the mask of the prompt on frame {frame}")
    if message.WhichOneof("source") != "path":
        raise MaskError(f"the mask of the prompt on frame {frame} has neither picture nor path; give one of them")
    file = admit(absolute_path(message.path, "mask"), "mask")
    if not file.is_file():
        raise NotFoundError(f"the mask {file} is not there; correct its path", metadata={"path": str(file)})
    return decode_mask(file.read_bytes(), f"the mask {file}")


def prompt_from_message(message: prompt_pb2.Prompt, *, admit: Admit) -> Prompt:
    """A prompt; what depends on the media is not checked here.

    Raises:
        PromptError: an unspecified side, a brush without width, a negative object, hit or outline.
        MaskError, NotFoundError: see ``mask_from_message``.
    """
    if message.object_id < 0:
        raise PromptError(f"object {message.object_id} makes no sense; objects are numbered from 1")
    if message.name_hit < 0:
        raise PromptError(f"hit {message.name_hit} makes no sense; hits of a name are numbered from 1, and 0 is all")
    if message.candidate < 0:
        raise PromptError(f"outline {message.candidate} makes no sense; outlines are numbered from 1, 0 is the best")
    frame = message.frame
    return Prompt(
        frame=frame,
        object_id=message.object_id or 1,
        points=tuple(Point(point.x, point.y, _inside(point.side, frame)) for point in message.points),
        box=_box_from_message(message.box) if message.HasField("box") else None,
        strokes=tuple(stroke_from_message(stroke, frame) for stroke in message.strokes),
        mask=mask_from_message(message.mask, frame=frame, admit=admit) if message.HasField("mask") else None,
        name=message.object_name.strip(),
        name_hit=message.name_hit,
        every_shot=message.every_shot,
        candidate=message.candidate,
    )


def prompt_to_message(prompt: Prompt) -> prompt_pb2.Prompt:
    """A prompt with its mask inline."""
    message = prompt_pb2.Prompt(
        frame=prompt.frame, object_id=prompt.object_id, object_name=prompt.name, name_hit=prompt.name_hit,
        every_shot=prompt.every_shot, candidate=prompt.candidate,
    )  # fmt: skip
    message.points.extend(prompt_pb2.Point(x=p.x, y=p.y, side=_side(p.inside)) for p in prompt.points)
    for stroke in prompt.strokes:
        points = [prompt_pb2.Point(x=x, y=y) for x, y in stroke.points]
        message.strokes.add(points=points, radius_px=stroke.radius_px, side=_side(stroke.inside))
    if prompt.box is not None:
        message.box.CopyFrom(box_to_message(prompt.box))
    if prompt.mask is not None:
        message.mask.png = encode_mask(prompt.mask)
    return message


def box_to_message(box: Box) -> prompt_pb2.Box:
    """A half-open box with both corners in it, as the wire has it."""
    return prompt_pb2.Box(x0=box.x0, y0=box.y0, x1=box.x1 - 1, y1=box.y1 - 1)


def candidate_to_message(candidate: Candidate) -> prompt_pb2.MaskCandidate:
    """A candidate with its mask as PNG; the box is unset where the mask is empty."""
    message = prompt_pb2.MaskCandidate(score=candidate.score)
    message.mask.png = encode_mask(candidate.mask)
    rows, columns = np.flatnonzero(candidate.mask.any(axis=1)), np.flatnonzero(candidate.mask.any(axis=0))
    if rows.size:
        box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
        message.box.CopyFrom(box_to_message(box))
    return message


def hit_to_message(hit: NameHit) -> prompt_pb2.NameHit:
    """A hit of a name without its mask; the box is a prompt that gives a better one."""
    return prompt_pb2.NameHit(box=box_to_message(hit.box), score=hit.score, label=hit.label)


def clip_to_message(name: str, media: Media) -> media_pb2.Clip:
    """An open clip."""
    tags = media.tags
    ranges = {None: media_pb2.ColorTags.RANGE_UNSPECIFIED, True: media_pb2.ColorTags.RANGE_FULL}
    return media_pb2.Clip(
        name=name,
        path=str(media.path),
        height=media.size[0],
        width=media.size[1],
        frame_rate=_rational(media.rate),
        frame_count=media.frame_count,
        start_timecode=str(media.start_timecode or ""),
        pixel_format=media.format.name,
        bit_depth=media.format.bit_depth,
        color_tags=media_pb2.ColorTags(
            primaries=tags.primaries,
            transfer=tags.transfer,
            matrix=tags.matrix,
            range=ranges.get(tags.full_range, media_pb2.ColorTags.RANGE_VIDEO),
            chroma_location=tags.chroma_location,
        ),
        pixel_aspect=_rational(media.pixel_aspect),
        rotation_degrees=media.rotation_degrees,
        field_order=media.field_order,
        variable_rate=media.variable_rate,
        audio_track_count=len(media.audio),
        codec=media.codec,
    )


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
        sequence_rate=None if spec.sequence_rate is None else _rational(spec.sequence_rate),
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


def _inside(side: int, frame: int) -> bool:
    if side not in _SIDES:
        raise PromptError(f"a click or stroke on frame {frame} has no side; give SIDE_INSIDE or SIDE_OUTSIDE")
    return _SIDES[prompt_pb2.Point.Side.ValueType(side)]


def _side(inside: bool) -> prompt_pb2.Point.Side.ValueType:
    return prompt_pb2.Point.SIDE_INSIDE if inside else prompt_pb2.Point.SIDE_OUTSIDE


def stroke_from_message(message: prompt_pb2.Stroke, frame: int) -> Stroke:
    """A brush line on a frame.

    Raises:
        PromptError: no point, no width, no side.
    """
    if not (message.radius_px > 0 and math.isfinite(message.radius_px)) or not message.points:
        raise PromptError(
            f"a stroke on frame {frame} has {len(message.points)} points and a radius of {message.radius_px:g} px;"
            " give at least one point and a radius greater than 0"
        )
    points = tuple((point.x, point.y) for point in message.points)
    return Stroke(points, message.radius_px, _inside(message.side, frame))


def _box_from_message(message: prompt_pb2.Box) -> Box:
    return Box(message.x0, message.y0, message.x1 + 1, message.y1 + 1)


def rate_from_message(message: media_pb2.Rational) -> Fraction | None:
    """Frames a second; None when unset.

    Raises:
        InputError: no rate that media could have.
    """
    if not message.numerator and not message.denominator:
        return None
    if message.numerator <= 0 or message.denominator <= 0 or message.numerator > 1000 * message.denominator:
        raise InputError(
            f"a rate of {message.numerator}/{message.denominator} frames a second makes no sense; give one such as"
            " 24/1 or 30000/1001"
        )
    return Fraction(message.numerator, message.denominator)


def _rational(value: Fraction) -> media_pb2.Rational:
    return media_pb2.Rational(numerator=value.numerator, denominator=value.denominator)
