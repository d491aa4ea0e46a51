from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate.v1 import job_pb2, media_pb2, prompt_pb2
from cleanplate_plugin import takes
from cleanplate_plugin.errors import TimelineError

NTSC = media_pb2.Rational(numerator=30000, denominator=1001)


def _clip(path: str = "/media/dog.mov", *, count: int = 100, timecode: str = "01:00:00;00") -> media_pb2.Clip:
    return media_pb2.Clip(path=path, frame_rate=NTSC, frame_count=count, start_timecode=timecode)


def _job(*, start: int, count: int, handles: int, take: job_pb2.Take) -> job_pb2.Job:
    frames = media_pb2.FrameRange(start_frame=start, frame_count=count, handle_frame_count=handles)
    point = prompt_pb2.Point(x=4, y=5, side=prompt_pb2.Point.SIDE_INSIDE)
    prompt = prompt_pb2.Prompt(frame=start, points=[point], mask=prompt_pb2.Mask(png=b"\x89PNG" * 1000))
    output = job_pb2.Output(path=take.path, delivery=job_pb2.DELIVERY_PLATE)
    spec = job_pb2.JobSpec(
        path="/media/dog.mov", range=frames, remove=job_pb2.RemoveOperation(prompts=[prompt]), output=output
    )
    return job_pb2.Job(name="jobs/7", spec=spec, take=take)


def _take(*, count: int, timecode: str) -> job_pb2.Take:
    engine = job_pb2.EngineUse(kind="inpainter", name="embedded", licence="Apache-2.0", commercial_use=True)
    path = "/media/Cleanplate/dog_cp001.mov"
    return job_pb2.Take(
        path=path, manifest_path=f"{path}.cleanplate.json", frame_count=count, start_timecode=timecode, engines=[engine]
    )


def test_take_path_of_first_take_lies_beside_the_media(tmp_path: Path) -> None:
    assert takes.take_path(tmp_path / "dog.mov") == tmp_path / "Cleanplate" / "dog_cp001.mov"


@pytest.mark.parametrize("there", ["dog_cp004.mov", "dog_cp004.mkv", "dog_cp004.mov.cleanplate.json"])
def test_take_path_with_earlier_takes_has_the_next_number(tmp_path: Path, there: str) -> None:
    (tmp_path / "Cleanplate").mkdir()
    for name in ("dog_cp002.mov", there, "dogs_cp009.mov", "dog_cpx.mov"):
        (tmp_path / "Cleanplate" / name).touch()
    assert takes.take_path(tmp_path / "dog.mov").name == "dog_cp005.mov"


def test_take_path_that_a_waiting_job_will_write_is_not_given_again(tmp_path: Path) -> None:
    reserved = [tmp_path / "Cleanplate" / "dog_cp001.mov", tmp_path / "elsewhere" / "dog_cp009.mov"]
    assert takes.take_path(tmp_path / "dog.mov", reserved=reserved).name == "dog_cp002.mov"


def test_take_path_after_999_goes_on(tmp_path: Path) -> None:
    reserved = [tmp_path / "Cleanplate" / "dog_cp999.mov"]
    found = takes.take_path(tmp_path / "dog.mov", reserved=reserved)
    assert (found.name, takes.take_number(found)) == ("dog_cp1000.mov", 1000)


@pytest.mark.parametrize(
    ("media", "name"),
    [
        ("shot.%04d.exr", "shot_cp001.mov"),
        ("%05d.png", "frames_cp001.mov"),
        ("a.b.mov", "a.b_cp001.mov"),
        ("100% dog.mov", "100% dog_cp001.mov"),
        ("Köter [1].mxf", "Köter [1]_cp001.mov"),
    ],
)
def test_take_path_keeps_the_medias_name(tmp_path: Path, media: str, name: str) -> None:
    assert takes.take_path(tmp_path / "frames" / media).name == name


def test_take_path_of_a_folder_of_images_is_a_movie_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shot.v2").mkdir()
    assert takes.take_path(tmp_path / "shot.v2") == tmp_path / "Cleanplate" / "shot.v2_cp001.mov"


def test_take_path_has_the_ending_of_its_codec(tmp_path: Path) -> None:
    assert takes.take_path(tmp_path / "dog.mov", folder=tmp_path / "takes", codec="ffv1").name == "dog_cp001.mkv"


def test_take_path_in_a_folder_that_is_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "takes").touch()
    with pytest.raises(TimelineError, match=r"takes cannot hold takes .*choose another folder"):
        takes.take_path(tmp_path / "dog.mov", folder=tmp_path / "takes")


def test_make_folder_says_whether_it_is_new_and_empty_ones_can_go(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "Cleanplate"
    assert takes.make_folder(folder)
    assert not takes.make_folder(folder)
    (folder / "dog_cp001.mov").touch()
    takes.remove_empty(folder)
    assert folder.is_dir()
    (folder / "dog_cp001.mov").unlink()
    takes.remove_empty(folder)
    assert not folder.exists()


def test_make_folder_below_a_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(TimelineError, match="cannot hold takes"):
        takes.make_folder(tmp_path / "file" / "Cleanplate")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_make_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(TimelineError, match="Permission denied"):
        takes.make_folder(tmp_path)


@pytest.mark.parametrize(
    ("start", "handles", "source_start", "count", "timecode"),
    [(30, 12, 18, 34, "01:00:00;18"), (5, 12, 0, 27, "01:00:00;00"), (90, 12, 78, 22, "01:00:02;18")],
)
def test_take_of_a_job_stands_for_its_range_with_handles_within_the_media(
    start: int, handles: int, source_start: int, count: int, timecode: str
) -> None:
    job = _job(start=start, count=10, handles=handles, take=_take(count=count, timecode=timecode))
    take = takes.take_of(job, _clip())
    assert (take.source_start, take.media.frame_count, take.label) == (source_start, count, "dog_cp001")
    assert (take.media.rate, take.media.drop_frame) == (Fraction(30000, 1001), True)
    assert take.media.start_frame == 107892 + source_start


def test_take_of_says_what_was_done_without_the_masks_picture() -> None:
    take = takes.take_of(_job(start=30, count=10, handles=0, take=_take(count=10, timecode="01:00:01;00")), _clip())
    assert take.about["job"] == "jobs/7"
    assert take.about["operation"] == "remove"
    assert take.about["delivery"] == "plate"
    assert take.about["range"] == {"start_frame": 30, "frame_count": 10, "handle_frame_count": 0}
    assert take.about["engines"] == [
        {"kind": "inpainter", "name": "embedded", "licence": "Apache-2.0", "commercial_use": True}
    ]
    assert take.about["prompts"] == [
        {"frame": "30", "points": [{"x": 4.0, "y": 5.0, "side": "SIDE_INSIDE"}], "mask": "given"}
    ]


def test_take_of_media_without_timecode_has_none() -> None:
    take = takes.take_of(_job(start=30, count=10, handles=0, take=_take(count=10, timecode="")), _clip(timecode=""))
    assert (take.media.start_frame, take.source_start) == (0, 30)


def test_take_of_media_that_crosses_midnight_begins_after_it() -> None:
    made = _take(count=10, timecode="00:00:00:05")
    clip = _clip(timecode="23:59:59:25")
    take = takes.take_of(_job(start=10, count=10, handles=0, take=made), clip)
    assert take.media.start_frame == 24 * 3600 * 30 + 5


@pytest.mark.parametrize(("count", "timecode"), [(9, "01:00:01;00"), (10, "01:00:01;01"), (10, "")])
def test_take_of_another_length_or_timecode_is_refused(count: int, timecode: str) -> None:
    with pytest.raises(TimelineError, match="were asked for"):
        takes.take_of(_job(start=30, count=10, handles=0, take=_take(count=count, timecode=timecode)), _clip())
