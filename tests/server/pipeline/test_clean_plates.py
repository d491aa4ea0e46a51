"""Painted frames and maps of what no frame shows, through whole jobs with the embedded inpainter."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import InputError, JobCancelledError, NotFoundError, OutputError, RangeError
from cleanplate_server.models.embedded.inpainter import PlateInpainter
from cleanplate_server.models.protocols import Mask, Point, Prompt
from cleanplate_server.pipeline.fill import fill
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.remove import remove
from cleanplate_server.pipeline.spec import CleanPlate, FillOperation, JobSpec, Output, RemoveOperation, Take
from fakes import FakeEngines, MemoryLedger

SIZE = (96, 128)
COUNT = 8
OBJECT = (230, 60, 235)


@dataclass
class RealFill(FakeEngines):
    """The embedded inpainter among engines with known answers."""

    inpaint: PlateInpainter = field(default_factory=lambda: PlateInpainter("fast"))


def wall() -> np.ndarray:
    """uint8 [96, 128, 3]: blots, darker than the object."""
    random = np.random.default_rng(5)
    coarse = cv2.resize(random.uniform(0, 1, (9, 12, 3)).astype(np.float32), SIZE[::-1])
    fine = cv2.GaussianBlur(random.uniform(0, 1, (*SIZE, 3)).astype(np.float32), (0, 0), 1.2)
    return np.rint((0.1 + 0.2 * coarse + 0.3 * fine) * 255).astype(np.uint8)


def hole(frame: int, swing: int) -> Mask:
    """40 x 40 pixels that swing to the right and back."""
    mask = np.zeros(SIZE, np.bool_)
    left = 40 + swing * (frame % 2)
    mask[30:70, left : left + 40] = True
    return mask


@dataclass(frozen=True)
class Shot:
    """A locked wall with an object that stands, or swings, and masks of it."""

    folder: Path
    holes: Sequence[Mask]

    @property
    def masks(self) -> Path:
        return self.folder / "masks"

    def write(self, name: str, picture: np.ndarray) -> Path:
        path = self.folder / name
        cv2.imwrite(str(path), picture)
        return path

    def spec(self, operation: object, name: str = "out", **output: object) -> JobSpec:
        return JobSpec(self.folder / "clip", operation, Output(self.folder / name, **{"codec": "png", **output}))

    def frames(self, name: str) -> list[np.ndarray]:
        return [cv2.imread(str(file)) for file in sorted((self.folder / name).glob("0*.png"))]

    def job(self, spec: JobSpec, ledger: MemoryLedger | None = None) -> Job:
        folder = self.folder / f"job-{spec.output.path.name}"
        folder.mkdir(exist_ok=True)
        return Job(spec, ledger or MemoryLedger(folder), RealFill())

    def fill(self, operation: FillOperation, name: str = "out", **output: object) -> Take:
        return fill(self.job(self.spec(operation, name, **output)), operation)


def make_shot(folder: Path, swing: int, count: int = COUNT) -> Shot:
    shot = Shot(folder, [hole(t, swing) for t in range(count)])
    for name in ("clip", "masks"):
        (folder / name).mkdir()
    for t, mask in enumerate(shot.holes):
        picture = wall()
        picture[mask] = OBJECT
        shot.write(f"clip/{t:05d}.png", picture)
        shot.write(f"masks/{t:05d}.png", mask * np.uint8(255))
    return shot


@pytest.fixture
def still(tmp_path: Path) -> Shot:
    return make_shot(tmp_path, swing=0)


@pytest.fixture
def swinging(tmp_path: Path) -> Shot:
    return make_shot(tmp_path, swing=20)


def test_painted_frame_fills_what_no_frame_showed_and_nothing_else_changes(still: Shot) -> None:
    operation = FillOperation(still.masks, clean_plates=(CleanPlate(4, still.write("p.png", wall())),))
    take = still.fill(operation)
    before, after = still.frames("clip"), still.frames("out")
    assert len(after) == COUNT
    for t, (old, new, mask) in enumerate(zip(before, after, still.holes, strict=True)):
        assert np.array_equal(old[~mask], new[~mask])
        differs = np.abs(new.astype(int) - wall())[mask]
        assert differs.max() == 0 if t == 4 else differs.mean() < 1
    assert take.unseen_share == 0
    assert not take.notes
    manifest = json.loads(take.manifest_path.read_text())
    assert manifest["operation"]["clean_plates"] == [{"frame": 4, "path": str(still.folder / "p.png")}]
    assert manifest["unseen"] == {"share": 0.0, "maps": None}


def test_painted_frame_that_is_moved_and_darker_is_registered(still: Shot) -> None:
    moved = cv2.warpAffine(wall(), np.float64([[1, 0, 5], [0, 1, -3]]), SIZE[::-1], borderMode=cv2.BORDER_REFLECT)
    plate = still.write("p.png", np.rint(moved * 0.85).astype(np.uint8))
    still.fill(FillOperation(still.masks, clean_plates=(CleanPlate(4, plate),)))
    for new, mask in zip(still.frames("out"), still.holes, strict=True):
        assert np.abs(new.astype(int) - wall())[mask].mean() < 4


def test_without_a_painted_frame_the_job_asks_for_one_before_it_fills(still: Shot) -> None:
    ledger = MemoryLedger(still.folder / "job-out")
    operation = FillOperation(still.masks)
    take = fill(still.job(still.spec(operation), ledger), operation)
    assert "about 100% of the hole; to have it your way, paint frame 4 clean" in take.notes[0]
    assert "--clean-plate 4@FILE" in take.notes[0]
    assert "100.0% of the filled pixels" in take.notes[1]
    assert ledger.notes == list(take.notes)
    assert take.unseen_share == 1


def test_maps_show_what_no_frame_shows(swinging: Shot) -> None:
    maps = swinging.folder / "maps"
    take = swinging.fill(FillOperation(swinging.masks), unseen_path=maps)
    assert (take.unseen_path, sorted(f.name for f in maps.iterdir())[-1]) == (maps, "overview.png")
    never = np.logical_and.reduce(swinging.holes)
    around = cv2.dilate(never.astype(np.uint8), np.ones((13, 13), np.uint8)) > 0
    unseen = hole_pixels = 0
    for t, mask in enumerate(swinging.holes):
        shown = cv2.imread(str(maps / f"{t:05d}.png"), cv2.IMREAD_UNCHANGED)
        assert set(np.unique(shown)) == {0, 255}
        assert (shown[never] == 255).all()
        assert not (shown[~(around & mask)] == 255).any()
        unseen, hole_pixels = unseen + int((shown == 255).sum()), hole_pixels + int(mask.sum())
    assert take.unseen_share == pytest.approx(unseen / hole_pixels)
    sheet = cv2.imread(str(maps / "overview.png"))
    assert ((sheet[..., 1] < 120) & (sheet[..., 0] > 150) & (sheet[..., 2] > 150)).sum() > 1000
    assert not list(swinging.folder.glob(".*"))


def test_matte_with_maps_looks_ahead_without_filling(swinging: Shot) -> None:
    maps = swinging.folder / "maps"
    take = swinging.fill(FillOperation(swinging.masks), delivery="matte", unseen_path=maps)
    assert take.engines == ()
    assert take.unseen_share is None
    never = np.logical_and.reduce(swinging.holes)
    shown = cv2.imread(str(maps / "00003.png"), cv2.IMREAD_UNCHANGED) > 0
    assert (shown & never).sum() / (shown | never).sum() > 0.9
    assert "about 50% of the hole" in take.notes[0]
    for picture, mask in zip(swinging.frames("out"), swinging.holes, strict=True):
        assert np.array_equal(picture[..., 0] > 127, mask)


def test_removed_object_takes_a_painted_frame_too(still: Shot) -> None:
    plate = CleanPlate(4, still.write("p.png", wall()))
    operation = RemoveOperation((Prompt(3, points=(Point(60, 50),)),), grow_px=2, feather_px=0, clean_plates=(plate,))
    take = remove(still.job(still.spec(operation)), operation)
    assert np.array_equal(still.frames("out")[4], wall())
    assert take.unseen_share == 0


def test_plate_for_a_frame_without_a_hole_is_not_used_and_that_is_told(still: Shot) -> None:
    still.write("masks/00004.png", np.zeros(SIZE, np.uint8))
    take = still.fill(FillOperation(still.masks, clean_plates=(CleanPlate(4, still.write("p.png", wall())),)))
    assert "frame 4 has no hole, so its clean plate p.png was not used" in take.notes
    assert np.array_equal(still.frames("out")[4], still.frames("clip")[4])


def test_part_that_is_not_painted_is_filled_by_the_engine(still: Shot) -> None:
    alpha = np.full((*SIZE, 1), 255, np.uint8)
    alpha[50:] = 0
    plate = still.write("p.png", np.concatenate([wall(), alpha], axis=2))
    take = still.fill(FillOperation(still.masks, clean_plates=(CleanPlate(4, plate),)))
    after = still.frames("out")[4]
    assert np.array_equal(after[:50], wall()[:50])
    assert not (np.abs(after[50:70, 40:80].astype(int) - np.array(OBJECT)).max(axis=2) < 20).any()
    assert take.unseen_share == pytest.approx(0.5, abs=0.08)


def test_stopped_anywhere_and_resumed_gives_the_same(tmp_path: Path) -> None:
    swinging = make_shot(tmp_path, swing=20, count=18)
    plate = CleanPlate(4, swinging.write("p.png", wall()))
    operation = FillOperation(swinging.masks, clean_plates=(plate,))
    swinging.fill(operation, "whole", unseen_path=swinging.folder / "whole-maps")
    expected = swinging.frames("whole") + swinging.frames("whole-maps")
    for stop_after in (30, 62):
        name = f"out-{stop_after}"
        spec = swinging.spec(operation, name, unseen_path=swinging.folder / f"{name}-maps")
        ledger = MemoryLedger(swinging.folder / f"job-{name}", stop_after=stop_after)
        with pytest.raises(JobCancelledError):
            fill(swinging.job(spec, ledger), operation)
        kept = {key for key in ledger.files if key[0] == "clean-plates"}
        ledger.stop_after = None
        fill(swinging.job(spec, ledger), operation)
        assert all(ledger.finished(*key) for key in kept)
        got = swinging.frames(name) + swinging.frames(f"{name}-maps")
        assert all(np.array_equal(a, b) for a, b in zip(got, expected, strict=True))


def test_maps_never_replace_what_is_there_unasked_nor_other_files_at_all(swinging: Shot) -> None:
    maps, operation = swinging.folder / "maps", FillOperation(swinging.masks)
    swinging.fill(operation, unseen_path=maps)
    with pytest.raises(OutputError, match="already holds maps"):
        swinging.fill(operation, "second", unseen_path=maps)
    swinging.fill(operation, "third", unseen_path=maps, overwrite=True)
    for folder in (swinging.folder / "clip", swinging.folder):
        with pytest.raises(OutputError, match=r"holds other files|cannot go to"):
            swinging.fill(operation, "fourth", unseen_path=folder, overwrite=True)
    assert len(swinging.frames("clip")) == COUNT
    assert not (swinging.folder / "fourth").exists()


def test_bad_clean_plates_are_refused_with_one_sentence_before_anything_is_written(still: Shot) -> None:
    small, good = still.write("small.png", wall()[::2, ::2]), still.write("p.png", wall())
    other = still.write("other.png", np.random.default_rng(1).integers(0, 255, (*SIZE, 3), dtype=np.uint8))
    cases = [
        (InputError, "small.png for frame 4 is 64x48 and the picture is 128x96", CleanPlate(4, small)),
        (NotFoundError, "no.png for frame 4 is not there", CleanPlate(4, still.folder / "no.png")),
        (RangeError, "frame 8 is outside the range, frames 0 to 7", CleanPlate(8, good)),
        (InputError, "other.png does not show what frame 4 shows", CleanPlate(4, other)),
    ]
    for error, words, plate in cases:
        with pytest.raises(error) as caught:
            still.fill(FillOperation(still.masks, clean_plates=(plate,)))
        assert words in str(caught.value)
        assert "\n" not in str(caught.value)
        assert not (still.folder / "out").exists()
