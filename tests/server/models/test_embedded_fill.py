"""The embedded inpainter on little shots whose clean plate is known."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import JobCancelledError
from cleanplate_server.models.embedded.camera import frame_motion, move_places, shrink
from cleanplate_server.models.embedded.completion import complete
from cleanplate_server.models.embedded.exemplar import fill_from_surroundings
from cleanplate_server.models.embedded.inpainter import PlateInpainter
from cleanplate_server.models.embedded.sources import ladder
from cleanplate_server.models.protocols import RGB, Box, CleanRegion, Effort, Luma, Mask, MaskedFrames

OBJECT = np.array([0.95, 0.1, 0.9], np.float32)
"""A colour that the backgrounds never have."""


class Shot:
    """Read-only pictures and holes in memory; frame numbers start where they are told to."""

    def __init__(self, pictures: Iterable[RGB], holes: Iterable[Mask], *, first: int = 0) -> None:
        self.pictures, self.holes = [p.copy() for p in pictures], [h.copy() for h in holes]
        for array in (*self.pictures, *self.holes):
            array.setflags(write=False)
        self.frames = range(first, first + len(self.pictures))
        self.size: tuple[int, int] = self.holes[0].shape
        self.looked_at: list[int] = []

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        assert frame in self.frames
        self.looked_at.append(frame)
        picture = self.pictures[frame - self.frames.start]
        return picture if box is None else picture[box.slices]

    def luma(self, frame: int) -> Luma:
        assert frame in self.frames
        return self.pictures[frame - self.frames.start].mean(-1)

    def mask(self, frame: int) -> Mask:
        return self.holes[frame - self.frames.start]

    def hole_box(self, frame: int) -> Box | None:
        rows, columns = np.nonzero(self.mask(frame))
        if not len(rows):
            return None
        return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


def texture(height: int, width: int, seed: int = 3) -> RGB:
    """float32 [height, width, 3] in about [0.2, 0.6]: coarse and fine blots, no edge like another."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(
        random.uniform(0, 1, (height // 12 + 2, width // 12 + 2, 3)).astype(np.float32), (width, height)
    )
    fine = cv2.GaussianBlur(random.uniform(0, 1, (height, width, 3)).astype(np.float32), (0, 0), 1.2)
    return (0.2 + 0.3 * coarse + 0.4 * (fine - 0.35)).astype(np.float32)


def cover(plates: Iterable[RGB], holes: Iterable[Mask], *, first: int = 0) -> Shot:
    """The shot with the object over its clean plates."""
    held = list(holes)
    pictures = [np.where(hole[..., None], OBJECT, plate) for plate, hole in zip(plates, held, strict=True)]
    return Shot([picture.astype(np.float32) for picture in pictures], held, first=first)


def crossing(
    count: int = 10, size: tuple[int, int] = (96, 128), *, pan: int = 2, first: int = 0
) -> tuple[Shot, list[RGB]]:
    """A square of the object's colour that crosses a panning texture, and the clean plates."""
    height, width = size
    wide = texture(height, width + pan * count)
    plates = [wide[:, pan * t : pan * t + width] for t in range(count)]
    holes = []
    for t in range(count):
        hole = np.zeros(size, np.bool_)
        left = 12 + t * (width - 50) // count
        hole[height // 2 - 12 : height // 2 + 12, left : left + 24] = True
        holes.append(hole)
    return cover(plates, holes, first=first), plates


def run(shot: MaskedFrames, folder: Path, window: range | None = None) -> list[CleanRegion]:
    filler = PlateInpainter("fast").survey(shot, folder, lambda _: None)
    return list(filler.fill(shot.frames if window is None else window))


def has_object(region: CleanRegion, hole: Mask) -> bool:
    inside = region.rgb[hole[region.box.slices]]
    return bool((np.abs(inside - OBJECT).max(-1) < 0.15).any())


def test_fill_pan_gives_background_back(tmp_path: Path) -> None:
    shot, plates = crossing()
    regions = run(shot, tmp_path)
    assert [region.frame for region in regions] == list(shot.frames)
    for region, plate, hole in zip(regions, plates, shot.holes, strict=True):
        inside = hole[region.box.slices]
        error = np.abs(region.rgb - plate[region.box.slices])[inside]
        assert float(error.mean()) < 0.02
        assert region.rgb.dtype == np.float32
        assert region.rgb.shape == (*region.box.size, 3)
        assert not region.unseen.any()


def test_fill_frames_numbered_from_elsewhere_same_pixels(tmp_path: Path) -> None:
    (a, b) = (tmp_path / "a", tmp_path / "b")
    for folder in (a, b):
        folder.mkdir()
    here, there = run(crossing(6)[0], a), run(crossing(6, first=1000)[0], b)
    for one, other in zip(here, there, strict=True):
        assert other.frame == one.frame + 1000
        np.testing.assert_array_equal(one.rgb, other.rgb)


def test_fill_any_windows_any_order_same_bytes(tmp_path: Path) -> None:
    whole = {r.frame: r for r in run(crossing(8)[0], tmp_path)}
    shot, _ = crossing(8)
    filler = PlateInpainter("fast").survey(shot, tmp_path, lambda _: None)
    for window in (range(6, 8), range(0, 1), range(1, 6)):
        for region in filler.fill(window):
            assert region.box == whole[region.frame].box
            assert region.rgb.tobytes() == whole[region.frame].rgb.tobytes()
            assert region.unseen.tobytes() == whole[region.frame].unseen.tobytes()


def test_fill_unseen_in_any_order_same_bytes(tmp_path: Path) -> None:
    folders = [tmp_path / "forwards", tmp_path / "backwards"]
    results = []
    for folder, order in zip(folders, (1, -1), strict=True):
        folder.mkdir()
        filler = PlateInpainter("fast").survey(locked(5), folder, lambda _: None)
        found = [region for t in range(5)[::order] for region in filler.fill(range(t, t + 1))]
        results.append({region.frame: region.rgb.tobytes() for region in found})
    assert results[0] == results[1]


def test_fill_box_holds_every_hole_pixel(tmp_path: Path) -> None:
    shot, _ = crossing(3)
    for region in run(shot, tmp_path):
        outside = shot.mask(region.frame).copy()
        outside[region.box.slices] = False
        assert not outside.any()


def test_fill_frame_without_hole_left_out(tmp_path: Path) -> None:
    shot, _ = crossing(5)
    holes = [hole if t != 2 else np.zeros_like(hole) for t, hole in enumerate(shot.holes)]
    regions = run(Shot(shot.pictures, holes), tmp_path)
    assert [region.frame for region in regions] == [0, 1, 3, 4]


def test_fill_two_layers_each_follows_its_own_motion(tmp_path: Path) -> None:
    """A hole half over a wall that stands still, half over a thing that moves: both halves come back."""
    size, count = (120, 160), 12
    wall, thing = texture(*size, seed=1), texture(60, 160 + 4 * count, seed=2)
    plates, holes = [], []
    for t in range(count):
        plate = wall.copy()
        plate[60:] = thing[:, 4 * t : 4 * t + 160]
        hole = np.zeros(size, np.bool_)
        hole[45:75, 10 + 8 * t : 34 + 8 * t] = True
        plates.append(plate)
        holes.append(hole)
    shot = Shot(
        [np.where(h[..., None], OBJECT, p).astype(np.float32) for p, h in zip(plates, holes, strict=True)], holes
    )
    region = next(iter(run(shot, tmp_path, range(6, 7))))
    error = np.abs(region.rgb - plates[6][region.box.slices]).mean(-1)
    assert float(error[:12].mean()) < 0.03
    assert float(error[-12:].mean()) < 0.03


def locked(count: int, size: tuple[int, int] = (80, 96)) -> Shot:
    """A locked camera and a hole that never moves."""
    plate, hole = texture(*size), np.zeros(size, np.bool_)
    hole[30:50, 40:60] = True
    return cover([plate] * count, [hole] * count)


def test_fill_never_seen_is_invented_steady_and_marked(tmp_path: Path) -> None:
    shot = locked(6)
    regions = run(shot, tmp_path)
    for region in regions:
        assert region.unseen.all()
        assert not has_object(region, shot.mask(region.frame))
    for region in regions[1:]:
        assert float(np.abs(region.rgb - regions[0].rgb).max()) < 0.02


def test_fill_seen_only_far_away_is_found(tmp_path: Path) -> None:
    """The object stands still for ninety frames and then is gone."""
    plate, hole = texture(48, 64), np.zeros((48, 64), np.bool_)
    hole[16:30, 24:38] = True
    shot = cover([plate] * 100, [hole if t < 90 else np.zeros_like(hole) for t in range(100)])
    region = run(shot, tmp_path, range(3, 4))[0]
    assert not region.unseen.any()
    assert float(np.abs(region.rgb - plate[region.box.slices]).mean()) < 0.02


@pytest.mark.parametrize("count", [1, 2])
def test_fill_very_short_shot_object_gone(tmp_path: Path, count: int) -> None:
    shot, _ = crossing(count)
    for region in run(shot, tmp_path):
        assert np.isfinite(region.rgb).all()
        assert not has_object(region, shot.mask(region.frame))


@pytest.mark.parametrize("size", [(16, 16), (16, 64), (5, 7)])
def test_fill_tiny_picture_object_gone(tmp_path: Path, size: tuple[int, int]) -> None:
    height, width = size
    plates = [texture(height, width + 4)[:, t : t + width] for t in range(4)]
    holes = [np.zeros(size, np.bool_) for _ in plates]
    for t, hole in enumerate(holes):
        hole[1:4, 1 + t % 2 : 4] = True
    shot = Shot(
        [np.where(h[..., None], OBJECT, p).astype(np.float32) for p, h in zip(plates, holes, strict=True)], holes
    )
    for region in run(shot, tmp_path):
        assert np.isfinite(region.rgb).all()
        assert not has_object(region, shot.mask(region.frame))


@pytest.mark.parametrize("effort", ["balanced", "best"])
def test_fill_many_sources_alike_none_counts_most(tmp_path: Path, effort: Effort) -> None:
    """Every frame shows the same: shares are spread evenly over all, and the hole is filled all the same."""
    plate = np.full((64, 96, 3), 0.4, np.float32)
    holes = [np.zeros((64, 96), np.bool_) for _ in range(60)]
    holes[30][24:40, 40:56] = True
    shot = cover([plate] * len(holes), holes)
    region = next(PlateInpainter(effort).survey(shot, tmp_path, lambda _: None).fill(range(30, 31)))
    assert float(np.abs(region.rgb - 0.4).max()) < 0.01


@pytest.mark.parametrize("effort", ["fast", "balanced", "best"])
def test_fill_every_effort_pan_gives_background_back(tmp_path: Path, effort: Effort) -> None:
    shot, plates = crossing(6)
    filler = PlateInpainter(effort).survey(shot, tmp_path, lambda _: None)
    region = next(filler.fill(range(3, 4)))
    inside = shot.holes[3][region.box.slices]
    assert float(np.abs(region.rgb - plates[3][region.box.slices])[inside].mean()) < 0.02


def test_fill_one_frame_all_hole_gives_numbers(tmp_path: Path) -> None:
    hole = np.ones((16, 16), np.bool_)
    region = run(cover([texture(16, 16)], [hole]), tmp_path)[0]
    assert region.unseen.all()
    assert np.isfinite(region.rgb).all()


def test_fill_all_black_locked_hole_stays_black(tmp_path: Path) -> None:
    hole = np.zeros((48, 64), np.bool_)
    hole[12:30, 20:44] = True
    black = np.where(hole[..., None], OBJECT, 0).astype(np.float32)
    for region in run(Shot([black] * 3, [hole] * 3), tmp_path):
        assert region.unseen.all()
        assert float(np.abs(region.rgb).max()) < 0.01


@pytest.mark.parametrize("covered", [1, 4])
def test_fill_hole_over_whole_picture_object_gone(tmp_path: Path, covered: int) -> None:
    shot, _ = crossing(4)
    holes = [np.ones(shot.size, np.bool_) if t < covered else hole for t, hole in enumerate(shot.holes)]
    for region in run(cover(shot.pictures, holes), tmp_path):
        assert np.isfinite(region.rgb).all()
        assert not has_object(region, holes[region.frame])


def test_fill_large_static_hole_object_gone(tmp_path: Path) -> None:
    plate, hole = texture(720, 1280), np.zeros((720, 1280), np.bool_)
    hole[60:660, 200:1000] = True
    shot = cover([plate] * 25, [hole] * 25)
    region = run(shot, tmp_path, range(20, 21))[0]
    assert region.unseen.all()
    assert not has_object(region, hole)


def test_fill_black_frames_stay_black(tmp_path: Path) -> None:
    shot, _ = crossing(4)
    pictures = [np.where(hole[..., None], OBJECT, 0).astype(np.float32) for hole in shot.holes]
    for region in run(Shot(pictures, shot.holes), tmp_path):
        assert float(np.abs(region.rgb[shot.mask(region.frame)[region.box.slices]]).max()) < 0.01


def test_fill_values_beyond_white_kept(tmp_path: Path) -> None:
    shot, plates = crossing(8)
    bright = Shot([picture * 4 for picture in shot.pictures], shot.holes)
    region = run(bright, tmp_path, range(4, 5))[0]
    inside = shot.mask(4)[region.box.slices]
    assert float(np.abs(region.rgb - 4 * plates[4][region.box.slices])[inside].mean()) < 0.1


def test_fill_grain_as_strong_as_any_misfit_background_still_found(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    clean, plates = crossing()
    noisy = [(plate + random.normal(0, 0.09, plate.shape)).astype(np.float32) for plate in plates]
    for region, plate in zip(run(cover(noisy, clean.holes), tmp_path), plates, strict=True):
        inside = clean.holes[region.frame][region.box.slices]
        assert not region.unseen.any()
        assert float(np.abs(region.rgb - plate[region.box.slices])[inside].mean()) < 0.09


def test_fill_nothing_is_taken_that_does_not_fit_around_the_hole(tmp_path: Path) -> None:
    clean, plates = crossing(pan=0)
    passing = [plate.copy() for plate in plates]
    passing[5][20:] = (0.55, 0.5, 0.05)  # a wall that one frame alone shows stands around the hole, and behind it
    region = run(cover(passing, clean.holes), tmp_path)[5]
    inside = clean.holes[5][region.box.slices]
    assert float(np.abs(region.rgb - passing[5][region.box.slices])[inside].mean()) < 0.05


def test_survey_second_call_measures_nothing_again(tmp_path: Path) -> None:
    shot, _ = crossing(6)
    ticks: list[int] = []
    PlateInpainter().survey(shot, tmp_path, ticks.append)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    PlateInpainter().survey(shot, tmp_path, ticks.append)
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert ticks == [*shot.frames, *shot.frames]


def test_survey_cancelled_goes_on_later_same_result(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()

    def stop(frame: int) -> None:
        if frame == 70:
            raise JobCancelledError("stopped by the test")

    shot = crossing(80, (32, 48), pan=1)[0]
    with pytest.raises(JobCancelledError):
        PlateInpainter("fast").survey(shot, parts, stop)
    assert len(list(parts.iterdir())) == 1
    here, there = (run(shot, folder, range(40, 41))[0] for folder in (whole, parts))
    assert here.rgb.tobytes() == there.rgb.tobytes()


def test_frame_motion_pan_measured_despite_object() -> None:
    shot, _ = crossing(2, (180, 240), pan=3)
    (a, hole_a), (b, hole_b) = (shrink(shot.luma(t), shot.mask(t)) for t in (0, 1))
    motion = frame_motion(a, b, previous_hole=hole_a, current_hole=hole_b)
    assert np.abs(move_places(motion, np.float32([[[100, 90]]])) - (97, 90)).max() < 0.2


def test_places_are_moved_by_the_homography() -> None:
    places = np.random.default_rng(2).uniform(0, 1900, (5, 6, 2)).astype(np.float32)
    motion = np.array([[1.02, 0.03, -7], [-0.01, 0.98, 4], [2e-5, -1e-5, 1]])
    moved = np.dstack([places, np.ones((5, 6))]) @ motion.T
    np.testing.assert_allclose(move_places(motion, places), moved[..., :2] / moved[..., 2:], atol=2e-3)


def test_place_on_the_horizon_stays_a_number() -> None:
    motion = np.array([[1, 0, 0], [0, 1, 0], [1, 0, -8]], np.float64)
    assert np.isfinite(move_places(motion, np.float32([[[8, 3]]]))).all()


def test_ladder_far_frames_shared_by_neighbours() -> None:
    frames = range(0, 1000)
    far = [{f for f in ladder(t, frames, 1, growth=1.33) if f - t > 64} for t in (100, 101)]
    assert len(far[0] & far[1]) >= len(far[0]) // 2
    assert all(f in frames for f in far[0])


def test_complete_linear_field_known_kept() -> None:
    known = np.ones((40, 40), np.float32)
    known[15:25, 15:25] = 0
    field = np.full((40, 40, 2), 3.0, np.float32)
    done = complete(np.where(known[..., None] > 0, field, 99).astype(np.float32), known)
    np.testing.assert_allclose(done, field, atol=1e-3)


def test_exemplar_stripes_go_on_through_hole() -> None:
    stripes = np.where((np.arange(96) // 6 % 2 == 0)[:, None], 0.2, 0.7)
    picture = np.repeat(np.repeat(stripes, 96, 1)[..., None], 3, 2).astype(np.float32)
    hole = np.zeros((96, 96), np.bool_)
    hole[36:60, 36:60] = True
    given = np.where(hole[..., None], OBJECT, picture).astype(np.float32)
    given.setflags(write=False)
    filled = fill_from_surroundings(given, hole)
    assert float(np.abs(filled - picture)[hole].mean()) < 0.05
    np.testing.assert_array_equal(filled[~hole], picture[~hole])
