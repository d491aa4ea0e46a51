"""Footage that leaves an engine little or nothing to work with, through whole operations with the real engines.

Each finishes with a sensible result or with one clear sentence; none leaves the object in the picture without a word.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError, PromptError
from cleanplate_server.models.protocols import Box, Point, Prompt
from cleanplate_server.models.registry import Registry
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import FillOperation, JobSpec, Output, RemoveOperation, Take
from cleanplate_server.pipeline.surroundings import check_surroundings
from cleanplate_server.stages.windows import MaskFiles, pack_alpha, write_arrays
from fakes import MemoryLedger
from media import write_images
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Bools = NDArray[np.bool_]

SIZE = (72, 96)
RADIUS = 9
CUT = 8


def wall(seed: int = 1, low: int = 90, high: int = 150, size: tuple[int, int] = SIZE) -> Picture:
    """Soft grey noise, BGR."""
    noise = np.random.default_rng(seed).integers(low, high, (*size, 3), dtype=np.uint8)
    return np.asarray(cv2.GaussianBlur(noise, (5, 5), 0), np.uint8)


def with_disc(picture: Picture, x: int, y: int = 36, radius: int = RADIUS) -> Picture:
    """A picture with a red disc, which is what must go."""
    return np.asarray(cv2.circle(picture.copy(), (x, y), radius, (30, 30, 230), -1), np.uint8)


def disc_mask(x: int, y: int = 36, radius: int = RADIUS + 2, size: tuple[int, int] = SIZE) -> Picture:
    return np.asarray(cv2.circle(np.zeros(size, np.uint8), (x, y), radius, 255, -1), np.uint8)


def write_pictures(folder: Path, pictures: list[Picture]) -> Path:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        cv2.imwrite(str(folder / f"{number:04d}.png"), picture)
    return folder


def read_pictures(take: Take) -> list[Picture]:
    return [np.asarray(cv2.imread(str(file)), np.uint8) for file in sorted(take.path.glob("*.png"))]


def filled(folder: Path, pictures: list[Picture], masks: list[Picture]) -> Take:
    operation = FillOperation(write_pictures(folder / "masks", masks))
    source = write_pictures(folder / "source", pictures)
    return fill(_job(folder, JobSpec(source, operation, Output(folder / "out"), effort="fast")), operation)


def removed(folder: Path, pictures: list[Picture], prompt: Prompt) -> Take:
    operation = RemoveOperation((prompt,))
    source = write_pictures(folder / "source", pictures)
    return remove(_job(folder, JobSpec(source, operation, Output(folder / "out"), effort="fast")), operation)


def _job(folder: Path, spec: JobSpec) -> Job:
    (folder / "job").mkdir()
    return Job(spec, MemoryLedger(folder / "job"), Registry())


def red_count(picture: Picture) -> int:
    """Pixels that the disc still shows through."""
    return int((picture[..., 2].astype(int) - picture[..., 1] > 60).sum())


def tells_unseen(take: Take) -> bool:
    return any("no frame of the shot shows what is behind" in note for note in take.notes)


def test_hole_that_covers_one_whole_frame_is_filled_from_the_others(tmp_path: Path) -> None:
    clean, whole = wall(), np.full(SIZE, 255, np.uint8)
    pictures = [with_disc(clean, 20 + 6 * number) for number in range(6)]
    masks = [whole if number == 2 else disc_mask(20 + 6 * number) for number in range(6)]
    result = read_pictures(filled(tmp_path, pictures, masks))[2]
    assert red_count(result) == 0
    assert np.abs(result.astype(int) - clean).mean() < 4


def test_hole_that_covers_every_whole_frame_is_refused_with_one_sentence(tmp_path: Path) -> None:
    holes = MaskFiles(SIZE)
    arrays = pack_alpha(np.ones(SIZE, np.float32), "0") | pack_alpha(np.ones(SIZE, np.float32), "1")
    write_arrays(tmp_path / "holes.npz", arrays)
    holes.add(range(2), tmp_path / "holes.npz")
    with pytest.raises(MaskError, match="whole picture in every frame from 0 to 1") as caught:
        check_surroundings([(range(2), holes)], SIZE, ())
    assert "\n" not in str(caught.value)
    check_surroundings([(range(2), holes)], SIZE, {1})
    check_surroundings([(range(3), holes)], SIZE, ())


@pytest.mark.parametrize("grain", [0, 3])
def test_hole_that_never_moves_on_a_locked_camera_is_painted_and_told(tmp_path: Path, grain: int) -> None:
    random, still = np.random.default_rng(2), with_disc(wall(), 48).astype(int)
    pictures = [
        np.clip(still + random.integers(-grain, grain + 1, still.shape), 0, 255).astype(np.uint8) for _ in range(5)
    ]
    take = filled(tmp_path, pictures, [disc_mask(48)] * 5)
    assert any("100.0%" in note for note in take.notes)
    hole = disc_mask(48) > 0
    for result in read_pictures(take):
        assert red_count(result) == 0
        assert 100 < result[hole].mean() < 140


@pytest.mark.parametrize("count", [1, 2])
def test_media_of_one_or_two_frames_are_cleaned_and_what_was_invented_is_told(tmp_path: Path, count: int) -> None:
    pictures = [with_disc(wall(), 20 + 6 * number) for number in range(count)]
    for name in ("given", "clicked"):
        (tmp_path / name).mkdir()
    given = filled(tmp_path / "given", pictures, [disc_mask(20 + 6 * number) for number in range(count)])
    clicked = removed(tmp_path / "clicked", pictures, Prompt(0, points=(Point(20, 36),)))
    for take in (given, clicked):
        results = read_pictures(take)
        assert len(results) == take.frame_count == count
        assert max(red_count(result) for result in results) == 0
        assert tells_unseen(take)


def test_nothing_is_borrowed_across_a_cut(tmp_path: Path) -> None:
    light, dark = wall(), wall(7, 10, 60)
    walls = [light if number < CUT else dark for number in range(CUT + 10)]
    pictures = [with_disc(walls[number], 12 + 2 * number) for number in range(CUT + 10)]
    results = read_pictures(filled(tmp_path, pictures, [disc_mask(12 + 2 * number) for number in range(CUT + 10)]))
    for number in (CUT - 2, CUT - 1, CUT, CUT + 1):
        hole = disc_mask(12 + 2 * number) > 0
        assert red_count(results[number]) == 0
        assert np.abs(results[number][hole].astype(int) - walls[number][hole]).mean() < 6


def test_shot_after_a_cut_without_a_prompt_is_left_alone_and_told(tmp_path: Path) -> None:
    walls = [wall() if number < CUT else wall(7, 10, 60) for number in range(CUT + 10)]
    pictures = [with_disc(walls[number], 12 + 2 * number) for number in range(CUT + 10)]
    take = removed(tmp_path, pictures, Prompt(0, points=(Point(12, 36),)))
    results = read_pictures(take)
    assert max(red_count(result) for result in results[:CUT]) == 0
    assert all(np.array_equal(a, b) for a, b in zip(results[CUT:], pictures[CUT:], strict=True))
    assert any(f"cut at frame {CUT}" in note and "click in it too" in note for note in take.notes)


def test_black_frames_stay_black(tmp_path: Path) -> None:
    results = read_pictures(filled(tmp_path, [np.zeros((*SIZE, 3), np.uint8)] * 4, [disc_mask(40)] * 4))
    assert len(results) == 4
    assert not any(result.any() for result in results)


@pytest.mark.parametrize("prompt", [Prompt(0, points=(Point(40, 36),)), Prompt(0, box=Box(20, 20, 60, 50))])
def test_prompt_on_black_frames_finds_nothing_to_spoil(tmp_path: Path, prompt: Prompt) -> None:
    end = _attempt(tmp_path, [np.zeros((*SIZE, 3), np.uint8)] * 3, prompt)
    if isinstance(end, Take):
        assert not any(result.any() for result in read_pictures(end))
    else:
        assert "nothing was found" in str(end)
        assert "\n" not in str(end)
        assert not (tmp_path / "out").exists()


def _attempt(folder: Path, pictures: list[Picture], prompt: Prompt) -> Take | PromptError:
    try:
        return removed(folder, pictures, prompt)
    except PromptError as error:
        return error


def test_picture_of_16_by_16_is_cleaned(tmp_path: Path) -> None:
    size = (16, 16)
    clean = wall(size=size)
    pictures = [with_disc(clean, 4 + number, 8, 2) for number in range(5)]
    for name in ("given", "clicked"):
        (tmp_path / name).mkdir()
    masks = [disc_mask(4 + number, 8, 3, size) for number in range(5)]
    given = filled(tmp_path / "given", pictures, masks)
    clicked = removed(tmp_path / "clicked", pictures, Prompt(0, points=(Point(4, 8),)))
    for take in (given, clicked):
        results = read_pictures(take)
        assert [result.shape for result in results] == [(16, 16, 3)] * 5
        assert max(red_count(result) for result in results) == 0


def test_8k_is_filled_and_unchanged_outside_the_hole(tmp_path: Path) -> None:
    size, x, y = (4320, 7680), 3000, 2000
    rows = np.linspace(60, 180, size[0]).astype(np.uint8)[:, None]
    luma = np.ascontiguousarray(np.broadcast_to(rows, size))
    cv2.circle(luma, (x, y), 40, 235, -1)
    source = _write_gray(tmp_path / "source.mkv", luma)
    operation = FillOperation(write_pictures(tmp_path / "masks", [disc_mask(x, y, 46, size)]))
    spec = JobSpec(source, operation, Output(tmp_path / "out.mkv", codec="ffv1"), effort="fast")
    take = fill(_job(tmp_path, spec), operation)
    result, hole = _read_gray(take.path), disc_mask(x, y, 46, size) > 0
    assert np.array_equal(result[~hole], luma[~hole])
    assert np.abs(result[hole].astype(int) - np.broadcast_to(rows, size)[hole]).max() < 40
    assert tells_unseen(take)


def _write_gray(path: Path, luma: Picture) -> Path:
    height, width = luma.shape
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = luma
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=Fraction(24))
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode(None))
    return path


def _read_gray(path: Path) -> Picture:
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        return np.asarray(frame.to_ndarray()[: frame.height], np.uint8)


def test_float_pixels_that_are_no_numbers_leave_the_fill_sound_and_stay_where_they_are(tmp_path: Path) -> None:
    clean = wall().astype(np.float32) / np.float32(255)
    sources, masks = list[NDArray[np.float32]](), list[Picture]()
    for number in range(6):
        x = 20 + 6 * number
        source = with_disc(wall(), x).astype(np.float32) / np.float32(255)
        source[2, 5], source[36, x + RADIUS + 4], source[30, x] = (
            np.nan,
            np.inf,
            np.nan,
        )  # far off, beside the hole, in it
        sources.append(source)
        masks.append(disc_mask(x))
    frames = [_float_frame(source) for source in sources]
    folder = write_images(tmp_path / "source", "a.%04d.exr", "exr", frames, first=0)
    operation = FillOperation(write_pictures(tmp_path / "masks", masks), feather_px=0)
    output = Output(tmp_path / "out", codec="exr")
    take = fill(_job(tmp_path, JobSpec(folder, operation, output, effort="fast")), operation)
    for source, mask, file in zip(sources, masks, sorted(take.path.glob("*.exr")), strict=True):
        with av.open(str(file)) as made:
            frame = next(made.decode(video=0))
            result = np.stack([_float_plane(frame, plane) for plane in (1, 0, 2)], -1)  # B, G, R
        hole = mask > 127
        np.testing.assert_array_equal(result[~hole], source[~hole])
        assert np.abs(result - clean)[hole].mean() < 0.02


def _float_frame(picture: NDArray[np.float32]) -> av.VideoFrame:
    frame = av.VideoFrame(picture.shape[1], picture.shape[0], "gbrpf32le")
    for plane, channel in zip(frame.planes, (1, 0, 2), strict=True):  # G, B, R of B, G, R
        rows = np.zeros((picture.shape[0], plane.line_size // 4), np.float32)
        rows[:, : picture.shape[1]] = picture[..., channel]
        plane.update(rows.tobytes())
    return frame


def _float_plane(frame: av.VideoFrame, number: int) -> NDArray[np.float32]:
    plane = frame.planes[number]
    rows = np.frombuffer(bytes(plane), np.float32).reshape(frame.height, plane.line_size // 4)
    return rows[:, : frame.width]
