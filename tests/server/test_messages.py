from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from cleanplate_server.clip import AudioTrack, ColorTags, Media, PixelFormat, Timecode
from cleanplate_server.errors import CleanplateError, InputError, MaskError, NotFoundError, PromptError
from cleanplate_server.messages.clips import clip_to_message
from cleanplate_server.messages.jobs import spec_from_message, spec_to_message, take_to_message
from cleanplate_server.messages.paths import PathRole
from cleanplate_server.messages.pictures import decode_mask, encode_mask
from cleanplate_server.messages.prompts import candidate_to_message, prompt_from_message, prompt_to_message
from cleanplate_server.models.protocols import Box, Candidate, EngineInfo, Point, Prompt, Stroke
from cleanplate_server.pipeline.spec import (
    CleanPlate,
    EngineUse,
    FillOperation,
    JobSpec,
    MatteOperation,
    Operation,
    Output,
    RemoveOperation,
    Take,
    TrackOperation,
)

INSIDE = prompt_pb2.Point.SIDE_INSIDE


def _admit(path: Path, role: PathRole) -> Path:
    return path


@pytest.fixture
def mask() -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    made = np.zeros((12, 20), np.bool_)
    made[3:7, 5:9] = True
    return made


def _prompt(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]] | None = None) -> Prompt:
    return Prompt(
        frame=7,
        object_id=2,
        points=(Point(1.5, 2.0), Point(3.0, 4.0, inside=False)),
        box=Box(2, 3, 10, 9),
        strokes=(Stroke(((1.0, 1.0), (2.0, 2.0)), 3.5, inside=False),),
        mask=mask,
        name="dog",
    )


@pytest.mark.parametrize(
    "operation",
    [
        RemoveOperation((_prompt(),)),
        RemoveOperation((_prompt(),), grow_px=0, feather_px=3),
        TrackOperation((_prompt(),), grow_px=4),
        FillOperation(Path("/masks"), grow_px=1, feather_px=2),
        FillOperation(Path("/masks"), clean_plates=(CleanPlate(7, Path("/p.png")), CleanPlate(9, Path("/q.exr")))),
        RemoveOperation((_prompt(),), clean_plates=(CleanPlate(7, Path("/p.png")),), with_shadow=True),
        MatteOperation(()),
    ],
)
def test_spec_there_and_back_is_the_same(operation: Operation) -> None:
    delivery = "matte" if isinstance(operation, TrackOperation | MatteOperation) else "patch"
    maps = Path("/media/maps") if delivery == "patch" else None
    spec = JobSpec(
        path=Path("/media/a.mov"),
        operation=operation,
        output=Output(Path("/media/b.mov"), "prores4444", delivery, overwrite=True, unseen_path=maps),
        stream_index=1,
        start_frame=10,
        frame_count=20,
        handle_count=5,
        engines={"inpainter": "plates"},
        effort="best",
    )
    assert spec_from_message(spec_to_message(spec), admit=_admit) == spec


def test_unset_range_and_growth_stay_unset() -> None:
    spec = JobSpec(Path("/a.mov"), RemoveOperation((_prompt(),)), Output(Path("/b.mov")))
    again = spec_from_message(job_pb2.JobSpec.FromString(spec_to_message(spec).SerializeToString()), admit=_admit)
    assert again == spec
    assert isinstance(again.operation, RemoveOperation)
    assert (again.frame_count, again.operation.grow_px, again.operation.feather_px) == (None, None, None)


def test_prompt_mask_there_and_back_is_the_same(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
    message = prompt_to_message(_prompt(mask))
    again = prompt_from_message(message, admit=_admit)
    assert again == _prompt(mask)
    assert again.mask is not None
    assert np.array_equal(again.mask, mask)
    assert (message.box.x0, message.box.y0, message.box.x1, message.box.y1) == (2, 3, 9, 8)


def test_object_zero_is_object_one() -> None:
    assert prompt_from_message(prompt_pb2.Prompt(), admit=_admit).object_id == 1


def test_mask_of_128_is_object_and_127_is_not() -> None:
    png = cv2.imencode(".png", np.array([[127, 128]], np.uint8))[1].tobytes()
    assert decode_mask(png, "mask").tolist() == [[False, True]]


def test_mask_picture_has_0_and_255(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
    picture = cv2.imdecode(np.frombuffer(encode_mask(mask), np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert np.array_equal(picture, mask * np.uint8(255))


@pytest.mark.parametrize("png", [b"", b"no picture"])
def test_mask_that_is_no_picture_is_refused(png: bytes) -> None:
    message = prompt_pb2.Prompt(frame=4, mask=prompt_pb2.Mask(png=png))
    with pytest.raises(MaskError, match="on frame 4 cannot be read"):
        prompt_from_message(message, admit=_admit)


def test_mask_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    message = prompt_pb2.Prompt(mask=prompt_pb2.Mask(path=str(tmp_path / "no.png")))
    with pytest.raises(NotFoundError, match=r"no\.png is not there"):
        prompt_from_message(message, admit=_admit)


def test_every_path_is_admitted_with_its_role(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "mask.png"), np.full((2, 2), 255, np.uint8))
    seen: list[tuple[str, PathRole]] = []

    def admit(path: Path, role: PathRole) -> Path:
        seen.append((path.name, role))
        return path

    message = job_pb2.JobSpec(path="/a.mov", output=job_pb2.Output(path="/b.mov"))
    message.track.prompts.add(mask=prompt_pb2.Mask(path=str(tmp_path / "mask.png")))
    spec_from_message(message, admit=admit)
    message.fill.masks_path = "/masks"
    spec_from_message(message, admit=admit)
    assert set(seen) == {("a.mov", "media"), ("b.mov", "output"), ("mask.png", "mask"), ("masks", "masks")}


def _changed(**changes: object) -> job_pb2.JobSpec:
    message = job_pb2.JobSpec(path="/a.mov", output=job_pb2.Output(path="/b.mov"))
    message.track.prompts.add(points=[prompt_pb2.Point(side=INSIDE)])
    for name, value in changes.items():
        setattr(message, name, value)
    return message


def _no_prompt() -> job_pb2.JobSpec:
    message = _changed()
    message.track.ClearField("prompts")
    return message


@pytest.mark.parametrize(
    ("message", "kind", "word"),
    [
        (_changed(path="a.mov"), InputError, "absolute path"),
        (_changed(path="/a\0.mov"), InputError, "absolute path"),
        (_changed(effort=9), InputError, "effort 9"),
        (_changed(stream_index=-1), InputError, "stream -1"),
        (_no_prompt(), PromptError, "no prompt"),
    ],
)
def test_spec_that_means_nothing_is_refused(message: job_pb2.JobSpec, kind: type[CleanplateError], word: str) -> None:
    with pytest.raises(kind, match=word):
        spec_from_message(message, admit=_admit)


def test_track_job_that_asks_for_a_plate_is_refused() -> None:
    message = _changed()
    assert spec_from_message(message, admit=_admit).output.delivery == "matte"
    message.output.delivery = job_pb2.DELIVERY_PLATE
    with pytest.raises(InputError, match="a track job cannot deliver 'plate'"):
        spec_from_message(message, admit=_admit)


def test_two_engines_for_one_kind_are_refused() -> None:
    message = _changed()
    message.engines.add(kind="propagator", name="a")
    message.engines.add(kind="propagator", name="b")
    with pytest.raises(InputError, match="one engine for a kind"):
        spec_from_message(message, admit=_admit)


@pytest.mark.parametrize(
    ("prompt", "word"),
    [
        (prompt_pb2.Prompt(object_id=-1), "object -1"),
        (prompt_pb2.Prompt(points=[prompt_pb2.Point()]), "no side"),
        (prompt_pb2.Prompt(strokes=[prompt_pb2.Stroke(radius_px=2, side=INSIDE)]), "0 points"),
        (prompt_pb2.Prompt(strokes=[prompt_pb2.Stroke(points=[prompt_pb2.Point()], side=INSIDE)]), "radius of 0"),
    ],
)
def test_prompt_that_means_nothing_is_refused(prompt: prompt_pb2.Prompt, word: str) -> None:
    with pytest.raises(PromptError, match=word):
        prompt_from_message(prompt, admit=_admit)


def test_mask_without_source_is_refused() -> None:
    with pytest.raises(MaskError, match="neither picture nor path"):
        prompt_from_message(prompt_pb2.Prompt(mask=prompt_pb2.Mask()), admit=_admit)


def test_candidate_has_its_box_with_both_corners(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
    message = candidate_to_message(Candidate(mask, 0.5))
    assert (message.box.x0, message.box.y0, message.box.x1, message.box.y1) == (5, 3, 8, 6)
    assert not candidate_to_message(Candidate(np.zeros_like(mask), 0.0)).HasField("box")


@pytest.mark.parametrize(
    ("full", "wanted"),
    [
        (None, media_pb2.ColorTags.RANGE_UNSPECIFIED),
        (False, media_pb2.ColorTags.RANGE_VIDEO),
        (True, media_pb2.ColorTags.RANGE_FULL),
    ],
)
def test_clip_tells_what_is_known_of_its_media(full: bool | None, wanted: int) -> None:
    rate = Fraction(30000, 1001)
    media = Media(
        path=Path("/a.mov"),
        stream_index=0,
        size=(1080, 1920),
        format=PixelFormat("yuv", 10, (1, 0), False, "yuv422p10le"),
        tags=ColorTags(9, 16, 9, full, 1),
        rate=rate,
        time_base=Fraction(1, 30000),
        frame_count=99,
        start_timecode=Timecode(107892, rate, drop_frame=True),
        pixel_aspect=Fraction(4, 3),
        audio=(AudioTrack(1, "pcm_s24le", 48000, 2),),
        codec="prores",
    )
    clip = clip_to_message("clips/1", media)
    assert (clip.height, clip.width, clip.frame_count, clip.start_timecode) == (1080, 1920, 99, "01:00:00;00")
    assert (clip.frame_rate.numerator, clip.frame_rate.denominator) == (30000, 1001)
    assert (clip.color_tags.range, clip.color_tags.transfer, clip.audio_track_count) == (wanted, 16, 1)


def test_take_tells_its_engines() -> None:
    use = EngineUse("inpainter", EngineInfo("net", "CC-BY-NC-4.0", False, "net.pt", "ab"))
    message = take_to_message(Take(Path("/b.mov"), Path("/b.json"), None, 9, "", (use,)))
    assert (message.masks_path, message.engines[0].licence, message.engines[0].commercial_use) == (
        "",
        "CC-BY-NC-4.0",
        False,
    )
    assert message.engines[0].weights_sha256 == "ab"
