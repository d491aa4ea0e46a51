"""Names on the command line, from the words to the media."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import opentimelineio as otio
import pytest
from cleanplate_server.cli.main import run
from media import Recipe, write_video
from naming_server import blob_server

SIZE = (48, 96)
COUNT = 6


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Two bright rectangles over noise, one of which walks; the first frame shows neither."""
    folder = tmp_path / "shot"
    folder.mkdir()
    ground = np.random.default_rng(1).integers(10, 50, (*SIZE, 3), dtype=np.uint8)
    for frame in range(COUNT):
        picture = ground.copy()
        if frame:
            picture[10:30, 10 + frame : 26 + frame] = picture[8:20, 70:80] = 230
        cv2.imwrite(str(folder / f"{frame:04d}.png"), picture)
    return folder


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Path]:
    """The state folder of a server that knows blobs."""
    with blob_server(tmp_path / "state", tmp_path):
        yield tmp_path / "state"


def _run(state: Path, *arguments: str | Path) -> int:
    return run(["--state-folder", str(state), *map(str, arguments)])


def test_find_prints_every_hit_with_score_and_box(served: Path, clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(served, "find", clip, "1@blob", "blob#2") == 0
    output = capfd.readouterr()
    assert [line.split() for line in output.out.splitlines()] == [
        ["blob#1", "frame", "1", "0.32", "blob", "box", "11,10,26,29"],
        ["blob#2", "frame", "1", "0.12", "blob", "box", "70,8,79,19"],
        ["blob#2", "frame", "1", "0.12", "blob", "box", "70,8,79,19"],
    ]


def test_find_with_json_gives_an_object_for_each_hit(
    served: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(served, "find", clip, "odd blob", "--in", "2", "--json") == 0
    first, second = (json.loads(line) for line in capfd.readouterr().out.splitlines())
    assert (first["name"], first["number"], first["frame"], first["engine"]) == ("odd blob", 1, 2, "bright")
    assert second["box"] == {"x0": 70, "y0": 8, "x1": 79, "y1": 19}
    assert second["label"] == "blob"
    assert second["score"] == pytest.approx(0.12)
    assert second["remark"] == "no word for 'odd'"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["blub"], "near it are blob"),
        (["0@blob"], "no 'blob' was found on frame 0"),
        (["blob", "--out", "0"], "no 'blob' was found on frame 0"),
        (["blob#3"], "hit 3 of 'blob' is asked for and there are 2"),
        (["9@blob"], "frames 0 to 5"),
        (["blob", "--engine", "segmenter=embedded"], "only names are looked for"),
        (["blob", "--engine", "name-finder=magic"], "no name-finder named 'magic'"),
        ([], "Missing argument"),
    ],
)
def test_find_of_what_is_not_there_ends_with_one_sentence(
    served: Path, clip: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert _run(served, "find", clip, *arguments) != 0
    output = capfd.readouterr()
    assert words in output.err
    assert (output.out, "Traceback" in output.err) == ("", False)


def _masks(folder: Path) -> list[np.ndarray]:
    return [cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) > 0 for file in sorted(folder.glob("*.png"))]


def test_track_by_name_takes_every_hit_and_tells_them(
    served: Path, clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(served, "track", clip, "--name", "blob", "-o", tmp_path / "masks") == 0
    told = capfd.readouterr().err
    assert "name-finder" in told
    assert "'blob' was found on frame 1: 1. blob 0.32 at 11,10,26,29; 2. blob 0.12 at 70,8,79,19" in told
    masks = _masks(tmp_path / "masks")
    assert len(masks) == COUNT
    assert masks[3][10:30, 13:29].all()
    assert masks[3][8:20, 70:80].all()


def test_remove_by_name_with_json_has_the_hits_in_the_notes_of_the_job(
    served: Path, clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(served, "remove", clip, "--name", "2@blob#1", "--grow", "0", "-o", tmp_path / "out.mkv", "--json") == 0
    job = json.loads(capfd.readouterr().out.splitlines()[-1])
    assert job["spec"]["remove"]["prompts"][0]["name_hit"] == 1
    assert any("of these 1 is object 1" in note for note in job["notes"])
    assert job["take"]["engines"][0]["kind"] == "name-finder"


def test_name_that_is_not_found_fails_the_job_and_leaves_no_file(
    served: Path, clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(served, "remove", clip, "--name", "blob", "--out", "0", "-o", tmp_path / "out.mkv") != 0
    assert "no 'blob' was found on frame 0" in capfd.readouterr().err
    assert not (tmp_path / "out.mkv").exists()


def test_unknown_name_is_refused_before_any_work(
    served: Path, clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert _run(served, "remove", clip, "--name", "blub", "-o", tmp_path / "out.mkv") == 2
    assert "near it are blob" in capfd.readouterr().err
    assert _run(served, "jobs", "list") == 0
    assert "out.mkv" not in capfd.readouterr().out


def test_name_without_any_weights_says_how_to_get_some_and_what_else_to_do(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEANPLATE_WEIGHTS_FOLDER", str(tmp_path / "weights"))
    assert _run(tmp_path / "state", "remove", clip, "--name", "dog", "-o", tmp_path / "out.mkv") == 1
    told = capfd.readouterr().err
    assert "cleanplate weights pull maskrcnn-v2" in told
    assert "--click F@X,Y" in told


def test_matte_without_prompts_or_weights_says_how_to_get_some(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLEANPLATE_WEIGHTS_FOLDER", str(tmp_path / "weights"))
    assert _run(tmp_path / "state", "matte", clip, "-o", tmp_path / "out.mkv") == 1
    assert "cleanplate weights pull maskrcnn-v2" in capfd.readouterr().err


def test_clip_of_a_timeline_is_cleaned_by_name(served: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pictures = [np.full((64, 96, 3), 40, np.uint8) for _ in range(12)]
    for number, picture in enumerate(pictures[2:], start=2):
        picture[20:40, 10 + number : 30 + number] = 240
    frames = [av.VideoFrame.from_ndarray(p, format="rgb24").reformat(format="yuv422p10le") for p in pictures]
    recipe = Recipe(
        encoder="prores_ks", pix_fmt="yuv422p10le", options={}, size=(64, 96), count=12, rate=Fraction(25),
        timecode="01:00:00:00", frames=frames,
    )  # fmt: skip
    media = write_video(tmp_path / "blob.mov", recipe)
    span = otio.opentime.TimeRange(otio.opentime.RationalTime(90002, 25), otio.opentime.RationalTime(8, 25))
    whole = otio.opentime.TimeRange(otio.opentime.RationalTime(90000, 25), otio.opentime.RationalTime(12, 25))
    clip = otio.schema.Clip("blob", otio.schema.ExternalReference(str(media), whole), span)
    timeline = otio.schema.Timeline("cut")
    timeline.tracks.append(otio.schema.Track("V1", [clip], kind=otio.schema.TrackKind.Video))
    otio.adapters.write_to_file(timeline, str(tmp_path / "cut.otio"))
    arguments = ["--clip", "blob", "--name", "blob", "--handles", "0", "-o", tmp_path / "clean.otio"]
    assert _run(served, "timeline", "remove", tmp_path / "cut.otio", *arguments) == 0
    assert "'blob' was found on frame 2" in capfd.readouterr().err
    (clean,) = otio.adapters.read_from_file(str(tmp_path / "clean.otio")).find_clips()
    take = clean.media_references()[clean.active_media_reference_key].target_url
    assert take != str(media)
