"""Clips of timeline files as a person cleans them: an edit in, an edit and a take out, or one sentence."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import grpc
import numpy as np
import opentimelineio as otio
import pytest
from cleanplate.v1 import job_pb2, job_pb2_grpc, media_pb2, media_pb2_grpc, model_pb2, model_pb2_grpc
from cleanplate_server.cli.main import run
from cleanplate_server.stages.decode import probe
from media import Recipe, write_video

RATE = 25
COUNT = 24
HOUR = 90000
CLICK = ("--click", "8@46,32")


def _shot(path: Path, *, count: int = COUNT, rate: int = RATE, timecode: str = "01:00:00:00") -> Path:
    """A white disc that moves over a wall, with timecode."""
    wall = np.random.default_rng(1).integers(60, 120, (64, 96, 3), dtype=np.uint8)
    wall = cv2.GaussianBlur(wall, (5, 5), 0)
    pictures = [cv2.circle(wall.copy(), (30 + 2 * number, 32), 9, (250, 250, 250), -1) for number in range(count)]
    frames = [av.VideoFrame.from_ndarray(p, format="rgb24").reformat(format="yuv422p10le") for p in pictures]
    path.parent.mkdir(exist_ok=True)
    recipe = Recipe(
        encoder="prores_ks", pix_fmt="yuv422p10le", options={}, size=(64, 96), count=count, rate=Fraction(rate),
        timecode=timecode, frames=frames,
    )  # fmt: skip
    return write_video(path, recipe)


def _time(frame: int, rate: int = RATE) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(frame, rate)


def _span(start: int, count: int) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(_time(start), _time(count))


def _clip(name: str, media: Path, start: int, count: int, *, available: int = COUNT) -> otio.schema.Clip:
    """A clip that shows frames from ``start`` of a media that begins at one hour."""
    reference = otio.schema.ExternalReference(str(media), _span(HOUR, available))
    return otio.schema.Clip(name, reference, _span(HOUR + start, count))


def _write(path: Path, *tracks: list[otio.core.Composable]) -> Path:
    timeline = otio.schema.Timeline("cut", global_start_time=_time(HOUR))
    for number, children in enumerate(tracks, start=1):
        track = otio.schema.Track(f"V{number}", children=children, kind=otio.schema.TrackKind.Video)
        timeline.tracks.append(track)
    otio.adapters.write_to_file(timeline, str(path))
    return path


def _gap(count: int) -> otio.schema.Gap:
    return otio.schema.Gap(source_range=_span(0, count))


def _title(count: int) -> otio.schema.Clip:
    return otio.schema.Clip("title", otio.schema.GeneratorReference("text", "Text"), _span(0, count))


@pytest.fixture
def media(tmp_path: Path) -> Path:
    return _shot(tmp_path / "media" / "dog.mov")


@pytest.fixture
def edit(tmp_path: Path, media: Path) -> Path:
    """Ten black frames, twelve of the dog, four of a wall, a title; above, the dog's tail and another wall."""
    below = [_gap(10), _clip("dog", media, 4, 12), _clip("wall", media, 0, 4), _title(5)]
    above = [_gap(12), _clip("tail", media, 2, 6), _gap(4), _clip("wall", media, 0, 4)]
    return _write(tmp_path / "cut.otio", below, above)


def _run(tmp_path: Path, *arguments: str | Path) -> int:
    return run(["--state-folder", str(tmp_path / "state"), "timeline", *map(str, arguments)])


def _tree(path: Path) -> object:
    return json.loads(path.read_text())


def _items(tmp_path: Path, edit: Path, capfd: pytest.CaptureFixture[str]) -> dict[tuple[int, int], dict[str, object]]:
    """What ``timeline list`` says, by track and record frame."""
    capfd.readouterr()
    assert _run(tmp_path, "list", edit, "--json") == 0
    rows = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    return {(row["track"], row["record_start_frame"]): row for row in rows}


def _shown_take(edit: Path) -> tuple[int, int, int, bool]:
    """Track of the one clip that shows a take, its first record frame, its length, and whether it is seen."""
    timeline = otio.adapters.read_from_file(str(edit))
    ((number, track, clip),) = [
        (number, track, clip)
        for number, track in enumerate(timeline.video_tracks(), start=1)
        for clip in track.find_clips()
        if "Cleanplate" in getattr(clip.media_reference, "target_url", "")
    ]
    span = track.range_of_child(clip)
    return number, round(span.start_time.value), round(span.duration.value), clip.enabled


@dataclass
class _Desk(
    media_pb2_grpc.MediaServiceServicer, job_pb2_grpc.JobServiceServicer, model_pb2_grpc.ModelServiceServicer
):  # fmt: skip
    """A server that does no work: it opens every file as the dog, and a job is done as soon as it is watched.

    Args:
        while_working: is called before a job has succeeded.
        fault: what a watched job ends with instead.
    """

    while_working: Callable[[], object] = lambda: None
    fault: grpc.StatusCode | None = None
    taken: list[job_pb2.JobSpec] = field(default_factory=list)
    cancelled: threading.Event = field(default_factory=threading.Event)
    job: job_pb2.Job = field(default_factory=job_pb2.Job)

    def GetJob(self, request: job_pb2.GetJobRequest, context: grpc.ServicerContext) -> job_pb2.GetJobResponse:
        assert request.name == "jobs/1"
        return job_pb2.GetJobResponse(job=self.job)

    def CancelJob(self, request: job_pb2.CancelJobRequest, context: grpc.ServicerContext) -> job_pb2.CancelJobResponse:
        self.cancelled.set()
        return job_pb2.CancelJobResponse()

    def ListModels(
        self, request: model_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> model_pb2.ListModelsResponse:
        return model_pb2.ListModelsResponse()

    def OpenClip(self, request: media_pb2.OpenClipRequest, context: grpc.ServicerContext) -> media_pb2.OpenClipResponse:
        rate = media_pb2.Rational(numerator=RATE, denominator=1)
        clip = media_pb2.Clip(
            name="clips/1", path=request.path, frame_rate=rate, frame_count=COUNT, start_timecode="01:00:00:00"
        )
        return media_pb2.OpenClipResponse(clip=clip)

    def CloseClip(
        self, request: media_pb2.CloseClipRequest, context: grpc.ServicerContext
    ) -> media_pb2.CloseClipResponse:
        return media_pb2.CloseClipResponse()

    def ListJobs(self, request: job_pb2.ListJobsRequest, context: grpc.ServicerContext) -> job_pb2.ListJobsResponse:
        return job_pb2.ListJobsResponse()

    def SubmitJob(self, request: job_pb2.SubmitJobRequest, context: grpc.ServicerContext) -> job_pb2.SubmitJobResponse:
        self.taken.append(request.spec)
        return job_pb2.SubmitJobResponse(job=job_pb2.Job(name="jobs/1", spec=request.spec))

    def WatchJob(
        self, request: job_pb2.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[job_pb2.WatchJobResponse]:
        spec = self.taken[-1]
        job = job_pb2.Job(name="jobs/1", spec=spec, state=job_pb2.Job.RUNNING)
        yield job_pb2.WatchJobResponse(job=job)
        self.while_working()
        if self.fault is not None:
            context.abort(self.fault, "gone")
        handles = spec.range.handle_frame_count
        start = max(0, spec.range.start_frame - handles)
        stop = min(COUNT, spec.range.start_frame + spec.range.frame_count + handles)
        take = job_pb2.Take(path=spec.output.path, frame_count=stop - start, start_timecode=f"01:00:00:{start:02d}")
        Path(take.path).write_bytes(b"a take")
        job.state = job_pb2.Job.SUCCEEDED
        job.take.CopyFrom(take)
        self.job = job
        yield job_pb2.WatchJobResponse(job=job)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[_Desk]:
    made = _Desk()
    server = grpc.server(futures.ThreadPoolExecutor(2))
    media_pb2_grpc.add_MediaServiceServicer_to_server(made, server)
    job_pb2_grpc.add_JobServiceServicer_to_server(made, server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(made, server)
    address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "server.json").write_text(json.dumps({"address": address}))
    (tmp_path / "state" / "token").write_text("secret")
    server.start()
    yield made
    server.stop(None).wait()


def test_remove_writes_a_take_and_an_edit_that_shows_it_and_restore_gives_the_first_edit_back(
    tmp_path: Path, edit: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before, clean, back = edit.read_bytes(), tmp_path / "clean.otio", tmp_path / "back.otio"
    code = _run(
        tmp_path, "remove", edit, "-o", clean, "--clip", "dog", *CLICK, "--handles", "2", "--effort", "fast"
    )  # fmt: skip
    output = capfd.readouterr()
    assert (code, output.out) == (0, f"{clean}\n"), output.err
    for words in ("segmenter", "filling", "dog_cp001 stands in clip 'dog' on track 1, 01:00:00:10 to 01:00:00:21"):
        assert words in output.err
    take = probe(tmp_path / "media" / "Cleanplate" / "dog_cp001.mov")
    assert (take.frame_count, str(take.start_timecode), take.rate) == (16, "01:00:00:02", RATE)
    dog = _items(tmp_path, clean, capfd)[1, 10]
    assert dog["take"] == str(tmp_path / "media" / "Cleanplate" / "dog_cp001.mov")
    assert (dog["source_start_frame"], dog["source_last_frame"]) == (4, 15)
    assert edit.read_bytes() == before
    assert _run(tmp_path, "restore", clean, "-o", back) == 0
    assert capfd.readouterr() == (f"{back}\n", "1 take was taken out\n")
    assert _tree(back) == _tree(edit)


def test_matte_is_laid_above_and_switched_off(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "matte.otio"
    code = _run(
        tmp_path, "matte", edit, "-o", out, "--clip", "dog", *CLICK, "--in", "7", "--out", "9", "--handles", "0", "-q"
    )
    assert (code, capfd.readouterr()) == (0, (f"{out}\n", ""))
    assert (desk.taken[0].WhichOneof("operation"), desk.taken[0].range.frame_count) == ("matte", 3)
    assert _shown_take(out) == (2, 13, 3, False)


def test_remove_with_json_prints_job_states_and_then_what_was_placed(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK, "--json") == 0
    *states, placed = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [state["state"] for state in states] == ["RUNNING", "SUCCEEDED"]
    assert (placed["edit"], placed["place"], placed["record_start_frame"]) == (str(out), "replace", 10)
    assert placed["record_last_timecode"] == "01:00:00:21"
    take = placed["take"]
    assert (take["path"], take["media_start_frame"], take["frame_count"]) == (
        str(tmp_path / "media" / "Cleanplate" / "dog_cp001.mov"), 0, 24,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "record", "source"),
    [
        (["--in", "6", "--out", "8"], (12, 3), (6, 3)),
        (["--in", "01:00:00:06", "--out", "01:00:00:08"], (12, 3), (6, 3)),
        (["--record-in", "12", "--record-out", "14"], (12, 3), (6, 3)),
        (["--record-in", "01:00:00:20"], (20, 2), (14, 2)),
        ([], (10, 12), (4, 12)),
    ],
)
@pytest.mark.parametrize("place", ["replace", "above"])
def test_remove_of_a_part_covers_those_frames_alone(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str],
    arguments: list[str], record: tuple[int, int], source: tuple[int, int], place: str,
) -> None:  # fmt: skip
    out = tmp_path / "clean.otio"
    prompt = f"{source[0]}@46,32"
    code = _run(
        tmp_path, "remove", edit, "-o", out, "--clip", "dog", "--click", prompt, "--place", place, *arguments
    )  # fmt: skip
    assert code == 0, capfd.readouterr().err
    spec = desk.taken[0]
    assert (spec.range.start_frame, spec.range.frame_count, spec.range.handle_frame_count) == (*source, 12)
    assert _shown_take(out) == (1 if place == "replace" else 2, *record, True)


def test_patch_goes_above_with_alpha(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--at", "01:00:00:10", *CLICK, "--deliver", "patch") == 0
    assert "lies above clip 'dog'" in capfd.readouterr().err
    assert desk.taken[0].output.delivery == job_pb2.DELIVERY_PATCH
    assert _shown_take(out) == (2, 10, 12, True)


def test_remove_again_starts_from_the_original_and_restore_still_gives_the_first_edit(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    first, second, back = (tmp_path / name for name in ("1.otio", "2.otio", "back.otio"))
    assert _run(tmp_path, "remove", edit, "-o", first, "--clip", "dog", *CLICK) == 0
    assert _run(tmp_path, "remove", first, "-o", second, "--clip", "dog", *CLICK) == 0
    assert [Path(spec.path).name for spec in desk.taken] == ["dog.mov", "dog.mov"]
    assert str(_items(tmp_path, second, capfd)[1, 10]["take"]).endswith("dog_cp002.mov")
    assert _run(tmp_path, "restore", second, "-o", back, "--clip", "dog") == 0
    assert _tree(back) == _tree(edit)


def test_remove_over_the_edit_itself_needs_overwrite(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    before = edit.read_bytes()
    assert _run(tmp_path, "remove", edit, "-o", edit, "--clip", "dog", *CLICK) == 1
    assert "exists; add --overwrite" in capfd.readouterr().err
    assert (edit.read_bytes(), desk.taken) == (before, [])
    assert _run(tmp_path, "remove", edit, "-o", edit, "--clip", "dog", *CLICK, "--overwrite") == 0
    assert _items(tmp_path, edit, capfd)[1, 10]["take"]


def test_moved_media_is_taken_from_where_it_lies_now(
    tmp_path: Path, edit: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    moved = tmp_path / "archive" / "dog.mov"
    moved.parent.mkdir()
    media.rename(moved)
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK, "--media", moved) == 0
    dog = _items(tmp_path, out, capfd)[1, 10]
    assert (dog["take"], dog["media"]) == (str(moved.parent / "Cleanplate" / "dog_cp001.mov"), str(media))


@pytest.mark.parametrize("host", ["resolve", "premiere"])
def test_flat_file_for_a_program_lies_beside_the_edit_and_names_the_take_alone(
    tmp_path: Path, media: Path, desk: _Desk, host: str
) -> None:
    edit = _write(tmp_path / "cut.otio", [_gap(10), _clip("dog", media, 4, 12), _clip("wall", media, 0, 4)])
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK, "--for", host) == 0
    flat = tmp_path / f"clean.{host}.otio"
    assert _shown_take(flat) == (1, 10, 12, True)
    urls = [clip.media_reference.target_url for clip in otio.adapters.read_from_file(str(flat)).find_clips()]
    assert [Path(url).name for url in urls] == ["dog_cp001.mov", "dog.mov"]


def test_final_cut_xml_is_cleaned_and_given_back(
    tmp_path: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    source = _write(tmp_path / "cut.otio", [_gap(10), _clip("dog", media, 4, 12), _clip("wall", media, 0, 4)])
    edit, clean, back, again = (tmp_path / name for name in ("cut.xml", "clean.xml", "back.xml", "again.xml"))
    otio.adapters.write_to_file(otio.adapters.read_from_file(str(source)), str(edit), "fcp_xml")
    assert _run(tmp_path, "remove", edit, "-o", clean, "--clip", "dog", *CLICK, "--in", "6", "--out", "8") == 0
    assert (desk.taken[0].range.start_frame, desk.taken[0].range.frame_count) == (6, 3)
    rows = _items(tmp_path, clean, capfd)
    assert {at: bool(row["take"]) for at, row in rows.items()} == {
        (1, 10): False, (1, 12): True, (1, 15): False, (1, 22): False,
    }  # fmt: skip
    assert _run(tmp_path, "restore", clean, "-o", back, "--clip", "dog") == 0
    assert _run(tmp_path, "remove", edit, "-o", again, "--clip", "dog", *CLICK, "--deliver", "patch") == 0
    assert _run(tmp_path, "restore", again, "-o", again, "--overwrite") == 0
    assert back.read_bytes() == again.read_bytes()
    assert [row["place"] for row in _items(tmp_path, back, capfd).values()] == [
        row["place"] for row in _items(tmp_path, edit, capfd).values()
    ]


def test_edl_is_cleaned_with_its_rate_and_media_named(
    tmp_path: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    edit, clean = tmp_path / "cut.edl", tmp_path / "clean.edl"
    edit.write_text(
        "TITLE: cut\nFCM: NON-DROP FRAME\n\n"
        "001  DOG      V     C        01:00:00:04 01:00:00:16 01:00:00:00 01:00:00:12\n* FROM CLIP NAME: dog\n"
    )
    assert _run(tmp_path, "remove", edit, "-o", clean, "--clip", "dog", *CLICK, "--rate", "25") == 1
    assert "--media FILE" in capfd.readouterr().err
    code = _run(tmp_path, "remove", edit, "-o", clean, "--clip", "dog", *CLICK, "--rate", "25", "--media", media)
    assert code == 0, capfd.readouterr().err
    assert (desk.taken[0].range.start_frame, desk.taken[0].range.frame_count) == (4, 12)
    assert "dog_cp001" in clean.read_text()


def test_final_cut_pros_xml_is_cleaned_into_an_otio_alone(
    tmp_path: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    edit = tmp_path / "cut.fcpxml"
    edit.write_text(
        '<fcpxml version="1.10"><resources><format id="r1" frameDuration="1/25s" width="96" height="64"/>'
        '<asset id="r2" name="dog" start="3600s" duration="24/25s" hasVideo="1" format="r1"><media-rep'
        f' kind="original-media" src="{media.as_uri()}"/></asset></resources><library><event><project name="cut">'
        '<sequence format="r1" tcStart="3600s" tcFormat="NDF" duration="12/25s"><spine><asset-clip ref="r2" name="dog"'
        ' offset="3600s" start="90004/25s" duration="12/25s" tcFormat="NDF"/></spine></sequence></project></event>'
        "</library></fcpxml>"
    )
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "clean.fcpxml", "--clip", "dog", *CLICK) == 1
    assert ("clean.fcpxml" in capfd.readouterr().err, desk.taken) == (True, [])
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK) == 0, capfd.readouterr().err
    assert (desk.taken[0].range.start_frame, desk.taken[0].range.frame_count) == (4, 12)
    assert _shown_take(out) == (1, 0, 12, True)


def test_flat_file_that_a_program_cannot_be_told_is_refused_before_the_work(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    files = _files(tmp_path)
    code = _run(
        tmp_path, "remove", edit, "-o", tmp_path / "clean.otio", "--clip", "dog", *CLICK, "--for", "resolve"
    )  # fmt: skip
    assert (code, "'title'" in capfd.readouterr().err) == (1, True)
    assert (desk.taken, _files(tmp_path)) == ([], files)


def test_list_shows_what_prompts_count_by(
    tmp_path: Path, edit: Path, media: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(tmp_path, "list", edit) == 0
    output = capfd.readouterr()
    lines = output.out.splitlines()
    assert lines[1].split() == [
        "V1", "dog", "01:00:00:10", "01:00:00:21", "4-15", "01:00:00:04", "01:00:00:15", "100%", str(media),
    ]  # fmt: skip
    assert len(lines) == 6
    assert "title" in next(line for line in lines if line.split()[1] == "title").split("01:00:01:05")[1]
    assert "5 clips on timeline 'cut', 25 frames a second" in output.err


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if "state" not in path.parts}


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([*CLICK], 2, "which clip is meant"),
        (["--clip", "dog"], 2, "needs to know what is meant"),
        (["--clip", "dgo", *CLICK], 1, "has no clip 'dgo'; it has 'dog'"),
        (["--clip", "wall", *CLICK], 2, "'wall' on track 1 at 01:00:00:22, 'wall' on track 2 at 01:00:00:22"),
        (["--clip", "wall", "--track", "3", *CLICK], 1, "no clip 'wall' on track 3; there is 'wall' on track 1"),
        (["--at", "3", *CLICK], 1, "no clip at 3"),
        (["--at", "14", *CLICK], 2, "'dog' on track 1 at 01:00:00:10, 'tail' on track 2 at 01:00:00:12"),
        (["--at", "00:59:00:00", "--clip", "dog", *CLICK], 2, "lies before timeline 'cut'"),
        (["--at", "01:00:00:99", *CLICK], 2, "beyond its limit"),
        (["--clip", "title", *CLICK], 1, "title"),
        (["--clip", "dog", *CLICK, "--in", "2", "--out", "8"], 2, "which is 4 to 15"),
        (["--clip", "dog", *CLICK, "--in", "9", "--out", "8"], 2, "the later as --out"),
        (["--clip", "dog", *CLICK, "--record-in", "9"], 2, "stands from 10 (01:00:00:10) to 21 (01:00:00:21)"),
        (["--clip", "dog", *CLICK, "--in", "5", "--record-out", "12"], 2, "give one pair"),
        (["--clip", "dog", *CLICK, "--deliver", "patch", "--place", "replace"], 2, "belongs above"),
        (["--clip", "dog", *CLICK, "--media", "gone.mov"], 1, "gone.mov is not there"),
        (["--clip", "dog", *CLICK, "--takes", "cut.otio"], 1, "cannot hold takes"),
        (["--clip", "dog", *CLICK, "--codec", "exr"], 2, "exr"),
        (["--clip", "dog", *CLICK, "-o", "nowhere/a.otio"], 1, "does not exist"),
        (["--clip", "dog", *CLICK, "-o", "a.doc"], 1, "a.doc"),
        (["--clip", "dog", *CLICK, "-o", "cut.otio"], 1, "exists"),
        (["--clip", "dog", *CLICK, "--rate", "fast"], 2, "not a frame rate"),
    ],
)
def test_bad_request_ends_with_one_sentence_and_leaves_nothing(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before, files = edit.read_bytes(), _files(tmp_path)
    target = [] if "-o" in arguments else ["-o", "clean.otio"]
    assert _run(tmp_path, "remove", edit, *arguments, *target) == code
    output = capfd.readouterr()
    assert words in output.err
    assert "Traceback" not in output.err
    assert (output.out, desk.taken, _files(tmp_path), edit.read_bytes()) == ("", [], files, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"count": 20}, "24"), ({"rate": 24}, "24 frames a second|has 24"), ({"timecode": "02:00:00:00"}, "02:00:00:00")],
)
def test_media_that_is_not_what_the_edit_says_is_refused(
    tmp_path: Path, edit: Path, media: Path, capfd: pytest.CaptureFixture[str], change: dict[str, int], words: str
) -> None:
    media.unlink()
    _shot(media, **change)  # type: ignore[arg-type]
    files = _files(tmp_path)
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "clean.otio", "--clip", "dog", *CLICK) == 1
    error = capfd.readouterr().err
    assert any(word in error for word in words.split("|")), error
    assert (error.count("\n"), _files(tmp_path)) == (1, files)


def test_offline_media_names_clip_and_file_and_what_to_do(
    tmp_path: Path, edit: Path, media: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    media.unlink()
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "clean.otio", "--clip", "dog", *CLICK) == 1
    error = capfd.readouterr().err
    assert f"clip 'dog' is offline, {media} is not there; say where it lies with --media FILE" in error


def test_clip_that_was_edited_while_the_job_ran_is_left_and_its_take_kept(
    tmp_path: Path, edit: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.while_working = lambda: _write(edit, [_gap(10), _clip("dog", media, 5, 11)])
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK) == 1
    output = capfd.readouterr()
    take = tmp_path / "media" / "Cleanplate" / "dog_cp001.mov"
    assert "clip 'dog' on track 1 is not what it was" in output.err
    assert f"the take is kept in {take}" in output.err
    assert (output.out, out.exists(), take.exists()) == ("", False, True)


def test_take_is_placed_when_another_clip_was_edited_while_the_job_ran(
    tmp_path: Path, edit: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.while_working = lambda: _write(edit, [_clip("new", media, 0, 10), _clip("dog", media, 4, 12)])
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK) == 0
    rows = _items(tmp_path, out, capfd)
    assert (rows[1, 0]["name"], bool(rows[1, 10]["take"]), len(rows)) == ("new", True, 2)


def test_take_that_was_kept_is_placed_by_its_job(
    tmp_path: Path, edit: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.while_working = lambda: _write(edit, [_gap(9), _clip("dog", media, 5, 11)])
    out = tmp_path / "clean.otio"
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK, "--in", "6", "--out", "8") == 1
    assert "`cleanplate timeline place EDIT 1 -o EDIT2` puts it into a clip" in capfd.readouterr().err
    assert _run(tmp_path, "place", edit, "1", "-o", out, "--clip", "dog") == 0
    assert _shown_take(out) == (1, 10, 3, True)


def test_take_of_a_job_goes_into_no_clip_that_it_was_not_made_for(
    tmp_path: Path, edit: Path, media: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    first, out = tmp_path / "first.otio", tmp_path / "out.otio"
    click = ("--click", "14@58,32", "--record-in", "20", "--deliver", "patch")
    assert _run(tmp_path, "remove", edit, "-o", first, "--clip", "dog", *click) == 0
    capfd.readouterr()
    assert _run(tmp_path, "place", edit, "1", "-o", out, "--clip", "tail") == 1
    assert "clip 'tail' shows none of the frames 14 to 15 that jobs/1 worked on" in capfd.readouterr().err
    assert _run(tmp_path, "place", edit, "1", "-o", out, "--clip", "dog", "--place", "replace") == 2
    assert "belongs above" in capfd.readouterr().err
    other = media.rename(media.with_name("cat.mov"))
    assert _run(tmp_path, "place", edit, "1", "-o", out, "--clip", "dog", "--media", other) == 1
    assert f"jobs/1 worked on {media} and clip 'dog' shows {other}" in capfd.readouterr().err
    desk.job.state = job_pb2.Job.RUNNING
    other.rename(media)
    assert _run(tmp_path, "place", edit, "1", "-o", out, "--clip", "dog") == 1
    assert "has made no take" in capfd.readouterr().err
    assert not out.exists()


def test_interrupt_cancels_the_job_and_says_how_to_go_on(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        os.kill(os.getpid(), signal.SIGINT)
        assert desk.cancelled.wait(10)

    desk.while_working = interrupt
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "clean.otio", "--clip", "dog", *CLICK) == 130
    error = capfd.readouterr().err
    assert "jobs resume 1" in error
    assert "timeline place EDIT 1 -o EDIT2" in error
    assert (desk.cancelled.is_set(), (tmp_path / "clean.otio").exists()) == (True, False)


@pytest.mark.parametrize("what", ["gone", "broken"])
def test_edit_that_cannot_be_read_after_the_job_leaves_the_take(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str], what: str
) -> None:
    desk.while_working = edit.unlink if what == "gone" else lambda: edit.write_text("{ not json")
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "clean.otio", "--clip", "dog", *CLICK) == 1
    output = capfd.readouterr()
    assert "the take is kept in" in output.err
    assert not (tmp_path / "clean.otio").exists()


def test_file_that_came_to_be_under_the_edits_name_while_the_job_ran_is_kept(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clean.otio"
    desk.while_working = lambda: out.write_text("precious")
    assert _run(tmp_path, "remove", edit, "-o", out, "--clip", "dog", *CLICK) == 1
    assert "the take is kept in" in capfd.readouterr().err
    assert out.read_text() == "precious"


def test_server_that_goes_away_in_mid_job_ends_with_3_and_no_edit(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    desk.fault = grpc.StatusCode.UNAVAILABLE
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "clean.otio", "--clip", "dog", *CLICK) == 3
    output = capfd.readouterr()
    assert (output.out, "Traceback" in output.err) == ("", False)
    assert not (tmp_path / "clean.otio").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_folder_that_may_not_be_written_is_refused_before_the_work(
    tmp_path: Path, edit: Path, desk: _Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert _run(tmp_path, "remove", edit, "-o", tmp_path / "locked" / "a.otio", "--clip", "dog", *CLICK) == 1
    assert "cannot be written" in capfd.readouterr().err
    assert desk.taken == []


def test_restore_of_an_edit_without_takes_says_so(
    tmp_path: Path, edit: Path, capfd: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert _run(tmp_path, "restore", edit, "-o", tmp_path / "back.otio") == 1
    assert "no clip has a take" in capfd.readouterr().err
    assert not (tmp_path / "back.otio").exists()


def test_edit_that_is_not_there_is_named(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for arguments in (["list", "no.otio"], ["restore", "no.otio", "-o", tmp_path / "a.otio"]):
        assert _run(tmp_path, *arguments) == 1
        error = capfd.readouterr().err
        assert "no.otio" in error
        assert "Traceback" not in error
