"""What a session hands to a job: masks that were followed before, and a wish to see a few frames first."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError, RangeError
from cleanplate_server.models.protocols import Point, Prompt
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.remove import preview, remove
from cleanplate_server.pipeline.spec import FollowedObject, JobSpec, Output, RemoveOperation
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.viewing import to_picture
from fakes import FakeEngines, MemoryLedger
from media import Recipe, write_video

SIZE = (64, 96)
COUNT = 20
CLICK = Prompt(10, points=(Point(30, 30),))


def square(frame: int) -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[24:40, 10 + frame : 26 + frame] = True
    return mask


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A bright square that moves one pixel a frame over noise."""
    random = np.random.default_rng(1)
    frames = []
    for number in range(COUNT):
        gray = random.integers(40, 80, SIZE, dtype=np.uint8)
        gray[square(number)] = 220
        frames.append(av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p"))
    recipe = Recipe(encoder="ffv1", size=SIZE, count=COUNT, rate=Fraction(25), options={}, frames=frames)
    return write_video(tmp_path / "clip.mkv", recipe)


def _job(clip: Path, folder: Path, operation: RemoveOperation, output: Output, engines: FakeEngines) -> Job:
    folder.mkdir()
    return Job(JobSpec(clip, operation, output), MemoryLedger(folder), engines)


def _write_masks(folder: Path, frames: range, *, columns: slice) -> FollowedObject:
    folder.mkdir()
    mask = np.zeros(SIZE, np.uint8)
    mask[4:12, columns] = 255
    for frame in frames:
        cv2.imwrite(str(folder / f"{frame:05d}.png"), mask)
    return FollowedObject(1, folder)


def test_remove_with_followed_masks_takes_them_and_follows_only_what_is_open(clip: Path, tmp_path: Path) -> None:
    engines = FakeEngines()
    followed = _write_masks(tmp_path / "given", range(8, 15), columns=slice(50, 60))
    operation = RemoveOperation((CLICK,), 0, 0, followed=(followed,))
    take = remove(_job(clip, tmp_path / "job", operation, Output(tmp_path / "out.mkv"), engines), operation)
    assert take.masks_path is not None
    assert sorted(engines.propagate.walked) == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, *range(11, 20)]
    shown = [cv2.imread(str(take.masks_path / f"{frame:05d}.png"), 0) > 0 for frame in range(COUNT)]
    given = np.zeros(SIZE, bool)
    given[4:12, 50:60] = True
    assert all(np.array_equal(shown[frame], given) for frame in range(8, 15))
    assert all(np.array_equal(shown[frame], square(frame)) for frame in (0, 7, 15, 19))


def test_remove_with_every_mask_followed_walks_nothing(clip: Path, tmp_path: Path) -> None:
    engines = FakeEngines()
    followed = _write_masks(tmp_path / "given", range(COUNT), columns=slice(50, 60))
    operation = RemoveOperation((CLICK,), 0, 0, followed=(followed,))
    remove(_job(clip, tmp_path / "job", operation, Output(tmp_path / "out.mkv"), engines), operation)
    assert engines.propagate.walked == []


def test_followed_mask_of_another_size_is_refused_with_its_size(clip: Path, tmp_path: Path) -> None:
    folder = tmp_path / "given"
    folder.mkdir()
    cv2.imwrite(str(folder / "00010.png"), np.full((8, 9), 255, np.uint8))
    operation = RemoveOperation((CLICK,), followed=(FollowedObject(1, folder),))
    with pytest.raises(MaskError, match="is 9x8, and 96x64 is needed"):
        remove(_job(clip, tmp_path / "job", operation, Output(tmp_path / "out.mkv"), FakeEngines()), operation)


def test_preview_shows_the_same_pictures_as_the_whole_job(clip: Path, tmp_path: Path) -> None:
    operation = RemoveOperation((CLICK,), 2, 1)
    whole = remove(_job(clip, tmp_path / "whole", operation, Output(tmp_path / "out.mkv"), FakeEngines()), operation)
    output = Output(tmp_path / "look", unseen_path=tmp_path / "maps")
    engines = FakeEngines()
    take = preview(_job(clip, tmp_path / "few", operation, output, engines), operation, range(6, 9))
    assert (take.path, take.frame_count, engines.inpaint.filled) == (tmp_path / "look", 3, [6, 7, 8])
    media = probe(whole.path)
    with Decoder(media) as decoder:
        for frame in range(6, 9):
            seen = cv2.cvtColor(cv2.imread(str(take.path / f"{frame:05d}.png")), cv2.COLOR_BGR2RGB)
            assert np.array_equal(seen, to_picture(decoder.plate(frame).planes, media.format, media.tags))
    assert take.unseen_share == 1.0
    assert (tmp_path / "maps" / "00000.png").is_file()


def test_preview_outside_the_range_or_without_masks_is_refused(clip: Path, tmp_path: Path) -> None:
    operation = RemoveOperation((CLICK,))
    job = _job(clip, tmp_path / "job", operation, Output(tmp_path / "look"), FakeEngines())
    with pytest.raises(RangeError, match="frames 19 to 20 lies outside the range, frames 0 to 19"):
        preview(job, operation, range(19, 21))
    assert not (tmp_path / "look").exists()
