"""Whole operations on tiny real media, with engines whose answers are known."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from cleanplate_server.errors import (
    JobCancelledError,
    MaskError,
    MediaError,
    OutputError,
    PromptError,
    RangeError,
)
from cleanplate_server.models.protocols import Point, Prompt
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.matte import matte
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import (
    FillOperation,
    JobSpec,
    MatteOperation,
    Output,
    RemoveOperation,
    TrackOperation,
)
from cleanplate_server.pipeline.track import track
from fakes import FakeEngines, FlatInpainter, MemoryLedger
from media import Recipe, write_video

SIZE = (64, 96)
CLICK = RemoveOperation((Prompt(10, points=(Point(30, 30),)),), grow_px=2, feather_px=1)


def square(frame: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[24:40, 10 + frame : 26 + frame] = True
    return mask


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """40 frames of 10-bit 4:2:2 noise with a bright square that moves one pixel a frame; a cut at frame 30."""
    path = tmp_path / "source.mkv"
    random = np.random.default_rng(1)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=Fraction(25))
        stream.width, stream.height, stream.pix_fmt = SIZE[1], SIZE[0], "yuv422p10le"
        for t in range(40):
            low, high = (100, 300) if t < 30 else (400, 480)
            luma = random.integers(low, high, SIZE, dtype=np.uint16)
            if t < 30:
                luma[square(t)] = 900
            frame = av.VideoFrame(SIZE[1], SIZE[0], "yuv422p10le")
            for plane, array in zip(
                frame.planes, (luma, np.full((64, 48), 512, np.uint16), np.full((64, 48), 512, np.uint16)), strict=True
            ):
                padded = np.zeros((64, plane.line_size // 2), np.uint16)
                padded[:, : array.shape[1]] = array
                plane.update(padded.tobytes())
            frame.pts, frame.time_base = t, Fraction(1, 25)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def a_job(tmp_path: Path, spec: JobSpec, ledger: MemoryLedger | None = None, engines: FakeEngines | None = None) -> Job:
    folder = tmp_path / "job"
    folder.mkdir(exist_ok=True)
    return Job(spec, ledger or MemoryLedger(folder), engines or FakeEngines())


def a_spec(clip: Path, operation: object, name: str = "out.mkv", **changes: object) -> JobSpec:
    output = Output(clip.parent / name, delivery=changes.pop("delivery", "plate"))
    return replace(JobSpec(clip, operation, output), **changes)


def lumas(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as box:
        return [
            np.frombuffer(bytes(f.planes[0]), np.uint16).reshape(f.height, -1)[:, : f.width].copy()
            for f in box.decode(video=0)
        ]


def test_remove_changes_the_object_and_nothing_else(tmp_path: Path, clip: Path) -> None:
    take = remove(a_job(tmp_path, a_spec(clip, CLICK)), CLICK)
    before, after = lumas(clip), lumas(take.path)
    assert len(after) == len(before) == take.frame_count
    for t in range(30):
        changed = before[t] != after[t]
        near = cv2.dilate(square(t).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert not (changed & ~near).any()
        assert after[t][square(t)].max() < 400
    assert all(np.array_equal(a, b) for a, b in zip(before[30:], after[30:], strict=True))


def test_remove_tells_engines_licences_growth_and_shots_without_a_prompt(tmp_path: Path, clip: Path) -> None:
    take = remove(a_job(tmp_path, a_spec(clip, CLICK)), CLICK)
    manifest = json.loads(take.manifest_path.read_text())
    assert {e["kind"]: e["name"] for e in manifest["engines"]} == {
        "segmenter": "bright",
        "propagator": "bright",
        "inpainter": "flat",
    }
    assert [e["commercial_use"] for e in manifest["engines"]] == [True, True, False]
    assert manifest["operation"]["prompts"][0]["points"][0]["x"] == 30
    assert any("grown by 2 pixels" in note for note in take.notes)
    assert any("cut at frame 30" in note for note in take.notes)
    assert any("100.0%" in note for note in take.notes)
    assert len(list(take.masks_path.glob("*.png"))) == 40


def test_remarks_of_a_filler_are_told_and_stay_when_its_windows_are_kept(tmp_path: Path, clip: Path) -> None:
    ledger = MemoryLedger(tmp_path / "job")
    (tmp_path / "job").mkdir()
    said = FakeEngines(inpaint=FlatInpainter(remark="seen at half size"))
    first = remove(a_job(tmp_path, a_spec(clip, CLICK), ledger, said), CLICK)
    again = remove(a_job(tmp_path, a_spec(clip, CLICK, "again.mkv"), ledger, FakeEngines()), CLICK)
    assert "seen at half size" in first.notes
    assert "seen at half size" in again.notes


def test_remove_with_range_and_handles_delivers_just_those_frames(tmp_path: Path, clip: Path) -> None:
    spec = a_spec(clip, CLICK, start_frame=8, frame_count=10, handle_count=3)
    take = remove(a_job(tmp_path, spec), CLICK)
    after = lumas(take.path)
    assert len(after) == take.frame_count == 16
    assert np.array_equal(after[0][:20], lumas(clip)[5][:20])


@pytest.mark.parametrize(("omitted", "streams"), [(False, 1), (True, 0)])
def test_plate_carries_the_sources_sound_unless_it_is_left_out(tmp_path: Path, omitted: bool, streams: int) -> None:
    source = write_video(tmp_path / "sound.mkv", Recipe("ffv1", count=6, audio="pcm_s16le", options={}))
    masks = tmp_path / "masks"
    masks.mkdir()
    for t in range(6):
        cv2.imwrite(str(masks / f"{t:05d}.png"), square(t).astype(np.uint8) * 255)
    operation = FillOperation(masks)
    spec = JobSpec(source, operation, Output(tmp_path / "out.mkv", omit_audio=omitted))
    with av.open(str(fill(a_job(tmp_path, spec), operation).path)) as made:
        assert len(made.streams.audio) == streams


def test_patch_holds_only_the_filled_pixels(tmp_path: Path, clip: Path) -> None:
    take = remove(a_job(tmp_path, a_spec(clip, CLICK, delivery="patch")), CLICK)
    with av.open(str(take.path)) as box:
        frames = list(box.decode(video=0))
    assert len(frames) == 40
    assert frames[0].format.name == "yuva444p10le"
    alpha = np.frombuffer(bytes(frames[5].planes[3]), np.uint16).reshape(64, -1)[:, :96]
    assert (alpha[square(5)] == 1023).all()
    assert not np.frombuffer(bytes(frames[35].planes[3]), np.uint16).any()


def test_remove_as_matte_delivers_the_alpha_without_filling(tmp_path: Path, clip: Path) -> None:
    engines = FakeEngines()
    take = remove(a_job(tmp_path, a_spec(clip, CLICK, delivery="matte"), engines=engines), CLICK)
    assert engines.inpaint.filled == []
    assert (lumas(take.path)[5][square(5)] == 65535).all()


def test_job_stopped_anywhere_and_resumed_gives_the_same_frames_and_does_no_window_twice(
    tmp_path: Path, clip: Path
) -> None:
    whole = remove(a_job(tmp_path, a_spec(clip, CLICK, "whole.mkv")), CLICK)
    expected = lumas(whole.path)
    for stop_after in (5, 45, 60, 85, 120, 150):
        folder = tmp_path / f"stopped-{stop_after}"
        folder.mkdir()
        engines = FakeEngines()
        ledger = MemoryLedger(folder, stop_after=stop_after)
        spec = a_spec(clip, CLICK, f"{stop_after}.mkv")
        with pytest.raises(JobCancelledError):
            remove(Job(spec, ledger, engines), CLICK)
        assert not list(tmp_path.glob(f"*{stop_after}.mkv*"))
        ledger.stop_after = None
        filled_before = len(engines.inpaint.filled)
        take = remove(Job(spec, ledger, engines), CLICK)
        assert all(np.array_equal(a, b) for a, b in zip(lumas(take.path), expected, strict=True))
        assert len(engines.inpaint.filled) <= 30 + 16
        assert len(engines.inpaint.filled) >= max(30, filled_before)


def test_job_killed_after_its_rename_may_write_its_own_output_again_but_not_anothers(
    tmp_path: Path, clip: Path
) -> None:
    ledger = MemoryLedger(tmp_path / "job")
    spec = a_spec(clip, CLICK)
    take = remove(a_job(tmp_path, spec, ledger), CLICK)
    assert remove(a_job(tmp_path, spec, ledger), CLICK).path == take.path
    other = take.path.read_bytes()
    take.path.rename(tmp_path / "kept.mkv")
    take.path.write_bytes(other)
    with pytest.raises(OutputError, match="exists"):
        remove(a_job(tmp_path, spec, ledger), CLICK)


def test_a_later_key_replaces_what_was_followed_from_the_first(tmp_path: Path, clip: Path) -> None:
    other = np.zeros(SIZE, bool)
    other[2:6, 2:6] = True
    operation = TrackOperation((Prompt(0, points=(Point(20, 30),)), Prompt(12, mask=other)))
    take = track(a_job(tmp_path, a_spec(clip, operation, "masks")), operation)
    masks = [cv2.imread(str(f), 0) for f in sorted(take.path.glob("*.png"))]
    assert len(masks) == 40
    assert np.array_equal(masks[12] > 0, other)
    assert np.array_equal(masks[11] > 0, square(11))
    assert set(np.unique(masks[5])) == {0, 255}


def test_tracked_masks_can_be_given_to_fill_which_changes_nothing_outside_them(tmp_path: Path, clip: Path) -> None:
    follow = TrackOperation(CLICK.prompts)
    masks = track(a_job(tmp_path, a_spec(clip, follow, "masks")), follow).path
    (tmp_path / "second").mkdir()
    operation = FillOperation(masks)
    take = fill(a_job(tmp_path / "second", a_spec(clip, operation)), operation)
    for t, (before, after) in enumerate(zip(lumas(clip), lumas(take.path), strict=True)):
        expected = square(t) if t < 30 else np.zeros(SIZE, bool)
        assert np.array_equal(before != after, expected)


def test_matte_is_the_matters_alpha(tmp_path: Path, clip: Path) -> None:
    operation = MatteOperation(CLICK.prompts)
    take = matte(a_job(tmp_path, a_spec(clip, operation, "alpha.mkv")), operation)
    alpha = lumas(take.path)[7]
    assert (alpha[square(7)] == 32768).all()
    assert not alpha[~square(7)].any()


def test_cut_off_media_is_refused_with_its_last_good_frame_and_works_up_to_it(tmp_path: Path) -> None:
    recipe = Recipe("libx264", "yuv420p", count=60, gop=6, container={"movflags": "+faststart"})
    whole = write_video(tmp_path / "whole.mp4", recipe).read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole[: len(whole) * 3 // 4])
    operation = RemoveOperation((Prompt(2, mask=square(2)),))
    with pytest.raises(MediaError, match=r"cut off: frame \d+ is the last good one of 60") as caught:
        remove(a_job(tmp_path, a_spec(cut, operation)), operation)
    last = int(caught.value.metadata["last_good_frame"])
    assert 10 < last < 59
    take = remove(a_job(tmp_path, a_spec(cut, operation, frame_count=last + 1)), operation)
    assert take.frame_count == last + 1


def masks_in(folder: Path, count: int, size: tuple[int, int] = SIZE, level: int = 255) -> Path:
    folder.mkdir()
    for i in range(count):
        cv2.imwrite(str(folder / f"{i:05d}.png"), np.full(size, level, np.uint8))
    return folder


def test_bad_requests_are_refused_with_one_sentence_and_leave_nothing(tmp_path: Path, clip: Path) -> None:
    def job(operation: object, **changes: object) -> Job:
        return a_job(tmp_path, a_spec(clip, operation, **changes))

    outside = RemoveOperation((Prompt(5, points=(Point(96, 10),)),))
    late = RemoveOperation((Prompt(30, points=(Point(5, 5),)),))
    cases = [
        (PromptError, "no prompt|nothing says", lambda: remove(job(RemoveOperation(())), RemoveOperation(()))),
        (PromptError, r"\(96, 10\).*96x64", lambda: remove(job(outside), outside)),
        (RangeError, "frame 30 is outside the range", lambda: remove(job(late, frame_count=20), late)),
        (RangeError, "holds 0 frames", lambda: remove(job(CLICK, frame_count=0), CLICK)),
        (OutputError, "source itself", lambda: remove(job(CLICK, name="source.mkv"), CLICK)),
    ]
    given = [
        (MaskError, "3 masks", masks_in(tmp_path / "few", 3)),
        (MaskError, "32x16", masks_in(tmp_path / "small", 40, (16, 32))),
        (MaskError, "empty", masks_in(tmp_path / "empty", 40, level=0)),
    ]
    cases += [
        (error, words, lambda path=path: fill(job(FillOperation(path)), FillOperation(path)))
        for error, words, path in given
    ]
    before = set(tmp_path.iterdir()) | {tmp_path / "job"}
    for error, words, run in cases:
        with pytest.raises(error, match=words) as caught:
            run()
        assert str(caught.value).count("\n") == 0
    assert set(tmp_path.iterdir()) == before
