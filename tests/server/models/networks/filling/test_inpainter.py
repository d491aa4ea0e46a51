"""Fill networks as inpainters, shown with networks whose answers are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.models.networks.filling.regions import AcceptedSizes
from cleanplate_server.models.networks.filling.schedule import Schedule
from cleanplate_server.models.networks.filling.traits import TRAITS
from cleanplate_server.models.networks.filling.window_network import Clip
from cleanplate_server.models.protocols import RGB, Mask, RemarkingFiller
from fakes import ArrayFrames
from fill_networks import MeanNetwork, a_shot, a_texture, fill_all, survey, worst

SIZE = (48, 96)


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule(stride=1, reach=2, reference_gap=3),
        Schedule(stride=3, reach=3, reference_gap=4),
        Schedule(stride=5, reach=5, reference_gap=10),
        Schedule(stride=4, reach=9, reference_gap=1),
        *{traits.schedule: None for traits in TRAITS.values()},
    ],
)
@pytest.mark.parametrize("sizes", [AcceptedSizes((24, 32), (4, 4)), AcceptedSizes((48, 96), is_fixed=True)])
def test_exact_network_gives_the_background_whatever_its_windows(
    tmp_path: Path, schedule: Schedule, sizes: AcceptedSizes
) -> None:
    background = a_texture(SIZE)
    shot = a_shot(background)
    regions = fill_all(survey(MeanNetwork(sizes, schedule), shot, tmp_path / "s"), [shot.frames])
    assert regions.keys() == set(shot.frames)
    assert worst(shot, regions, background) < 1e-6


def test_result_is_the_same_to_the_bit_whatever_is_asked_for_at_a_time(tmp_path: Path) -> None:
    def uneven(right: Clip) -> Clip:
        ramp = np.linspace(0, 0.03, right.shape[2], dtype=np.float32)[:, None]
        return 0.95 * right + ramp * np.arange(1, len(right) + 1, dtype=np.float32)[:, None, None, None]

    shot = a_shot(a_texture(SIZE))
    whole = fill_all(survey(MeanNetwork(off=uneven), shot, tmp_path / "a"), [shot.frames])
    parts = [range(28, 32), range(20, 21), range(24, 28), range(21, 24)]
    again = fill_all(survey(MeanNetwork(off=uneven), shot, tmp_path / "b"), parts)
    assert whole.keys() == again.keys()
    for frame, region in whole.items():
        assert np.array_equal(region.rgb, again[frame].rgb)
        assert np.array_equal(region.unseen, again[frame].unseen)


def test_windows_are_blended_by_their_weights_and_divided_once(tmp_path: Path) -> None:
    levels = iter((0.40, 0.46, 0.52, 0.58))

    def flat(right: Clip) -> Clip:
        return np.full_like(right, next(levels))

    holes = np.ones((4, *SIZE), np.bool_)  # nothing around them that colours could be fitted to
    shot = ArrayFrames(np.full((4, *SIZE, 3), 0.5, np.float32), holes)
    network = MeanNetwork(AcceptedSizes(SIZE), Schedule(stride=1, reach=2), off=flat)
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    first = (3 * 0.40 + 2 * 0.46 + 1 * 0.52) / 6
    second = (2 * 0.40 + 3 * 0.46 + 2 * 0.52 + 1 * 0.58) / 8
    assert np.allclose(regions[0].rgb, first, atol=1e-6)
    assert np.allclose(regions[1].rgb, second, atol=1e-6)


def test_long_shot_is_filled_with_every_window_made_once_and_few_frames_in_each(tmp_path: Path) -> None:
    background = a_texture((32, 48))
    shot = a_shot(background, 400)
    network = MeanNetwork(schedule=Schedule())
    filler = survey(network, shot, tmp_path / "s")
    regions = fill_all(filler, [shot.frames[i : i + 16] for i in range(0, 400, 16)])
    assert worst(shot, regions, background) < 1e-5
    assert len(network.windows) == 80
    assert max(count for _, count in network.windows) <= 11 + 10


def test_effort_sets_how_many_references_a_window_has(tmp_path: Path) -> None:
    shot = a_shot(a_texture((32, 48)), 300)
    counts = []
    for effort in ("fast", "balanced", "best"):
        network = MeanNetwork(schedule=Schedule())
        list(survey(network, shot, tmp_path / effort, effort=effort).fill(range(170, 171)))
        counts.append(max(count - local for local, count in network.windows))
    assert counts == [4, 10, 20]


def test_frames_without_a_hole_are_neither_given_nor_worked_on(tmp_path: Path) -> None:
    pictures = np.repeat(a_texture(SIZE)[None], 30, 0)
    holes = np.zeros((30, *SIZE), np.bool_)
    holes[7, 10:20, 10:20] = True
    shot = ArrayFrames(pictures, holes)
    network = MeanNetwork()
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    assert regions.keys() == {7}
    assert len(network.windows) == 2


@pytest.mark.parametrize("transfer", ["screen", "log", "linear"])
def test_ramp_keeps_its_levels_to_the_10_bit_code(tmp_path: Path, transfer: str) -> None:
    columns = np.linspace(0, 1, SIZE[1])
    ramp = {"screen": 64 + 876 * columns, "log": 95 + 500 * columns, "linear": 1023 * 12 * columns**4}[transfer]
    codes = np.repeat(np.rint(ramp)[None], SIZE[0], 0)
    background = np.repeat((codes / 1023)[..., None], 3, 2).astype(np.float32)
    shot = a_shot(background, object_level=0.2)
    regions = fill_all(survey(MeanNetwork(), shot, tmp_path / "s"), [shot.frames])
    for frame, region in regions.items():
        hole = shot.mask(frame)[region.box.slices]
        found = np.rint(region.rgb.astype(np.float64)[hole] * 1023)
        wanted = codes[region.box.slices][hole]
        assert np.array_equal(found, np.repeat(wanted[:, None], 3, 1))


def test_ramp_seen_smaller_keeps_its_levels_to_half_a_10_bit_code(tmp_path: Path) -> None:
    size = (120, 320)
    ramp = np.linspace(0.1, 0.6, size[1])
    background = np.repeat(np.repeat(ramp[None], size[0], 0)[..., None], 3, 2).astype(np.float32)
    shot = a_shot(background, 4, side=50, step=60)
    network = MeanNetwork(AcceptedSizes((40, 108), (4, 4)))
    filler = survey(network, shot, tmp_path / "s", budget_bytes=60 * 160 * 12)
    regions = fill_all(filler, [shot.frames])
    assert filler.remarks()
    assert worst(shot, regions, background) * 1023 < 0.5


def rim_step(region_rgb: RGB, hole: Mask, plate: RGB) -> float:
    """Mean difference between the outermost hole pixels and the plate's right outside."""
    inside = hole & ~(cv2.erode(hole.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    return float(np.abs(region_rgb - plate)[inside].mean())


@pytest.mark.parametrize(
    ("gain", "lift"), [(1.0, 0.05), (0.9, 0.0), (0.85, 0.1)], ids=["brighter", "flatter", "greyer"]
)
def test_network_whose_colours_drift_leaves_no_seam(tmp_path: Path, gain: float, lift: float) -> None:
    background = 0.2 + 0.5 * a_texture(SIZE, sigma_px=12)
    shot = a_shot(background, side=20, object_level=0.95)
    network = MeanNetwork(off=lambda right: (gain * right + lift).astype(np.float32))
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    for frame, region in regions.items():
        hole = shot.mask(frame)[region.box.grown(1, SIZE).slices]
        inner = np.zeros((*hole.shape, 3), np.float32)
        around = region.box.grown(1, SIZE)
        inner[region.box.y0 - around.y0 :, region.box.x0 - around.x0 :][: region.box.size[0], : region.box.size[1]] = (
            region.rgb
        )
        assert rim_step(inner, hole, background[around.slices]) < 1 / 255
        off = np.abs(region.rgb - background[region.box.slices])[hole[1:-1, 1:-1]]
        assert off.mean() < 0.25 * (abs(lift + (gain - 1) * 0.45) + 0.01)


def test_windows_that_drift_each_their_own_way_do_not_flicker(tmp_path: Path) -> None:
    background = 0.2 + 0.5 * a_texture(SIZE, sigma_px=6)
    holes = np.zeros((24, *SIZE), np.bool_)
    for t in range(24):
        left = 30 + 2 * (t % 16)
        holes[t, 14:34, left : left + 20] = True
    shot = ArrayFrames(np.repeat(background[None], 24, 0), holes)
    lifts = iter(np.random.default_rng(4).uniform(-0.08, 0.08, 100))
    network = MeanNetwork(schedule=Schedule(), off=lambda right: (right + next(lifts)).astype(np.float32))
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    assert worst(shot, regions, background) < 2 / 255


def test_gradients_of_a_fill_stay_where_its_colour_is_moved(tmp_path: Path) -> None:
    background = 0.2 + 0.5 * a_texture(SIZE, sigma_px=1)
    shot = a_shot(background, side=20, object_level=0.95)
    network = MeanNetwork(off=lambda right: right + np.float32(0.06))
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    for region in regions.values():
        change = np.diff(region.rgb - background[region.box.slices], axis=1)
        assert np.abs(change).max() < 0.004


def grain(picture: RGB, where: Mask) -> float:
    """Strength of what a picture has beyond its own blur."""
    fine = picture - cv2.GaussianBlur(picture, (0, 0), 1.5)
    return float(fine[where].std())


def test_fill_seen_smaller_is_as_sharp_as_the_picture_around_it_and_says_so(tmp_path: Path) -> None:
    size = (240, 320)
    background = np.clip(0.3 * a_texture(size, sigma_px=0.8) + 0.6 * a_texture(size, seed=9, sigma_px=30), 0, 1)
    shot = a_shot(background, 5, side=70, step=50)
    network = MeanNetwork(AcceptedSizes((80, 108), (4, 4)))
    filler = survey(network, shot, tmp_path / "s", budget_bytes=80 * 108 * 12)
    regions = fill_all(filler, [shot.frames])
    assert isinstance(filler, RemarkingFiller)
    assert [remark.split(" pixels ")[0] for remark in filler.remarks()] == ["mean saw the 320 x 240"]
    for frame, region in regions.items():
        hole = shot.mask(frame)
        picture = shot.rgb(frame).copy()
        picture[region.box.slices][hole[region.box.slices]] = region.rgb[hole[region.box.slices]]
        core = cv2.erode(hole.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
        ring = (cv2.dilate(hole.astype(np.uint8), np.ones((61, 61), np.uint8)) > 0) & ~hole
        assert 0.75 < grain(picture, core) / grain(background, ring & ~hole) < 1.25
        soft = cv2.GaussianBlur(picture - background, (0, 0), 6)[core]
        assert np.abs(soft).mean() < 0.02


def test_texture_mostly_stands_still_under_a_still_camera_while_the_hole_moves(tmp_path: Path) -> None:
    size = (240, 320)
    background = np.clip(0.3 * a_texture(size, sigma_px=0.8) + 0.6 * a_texture(size, seed=9, sigma_px=30), 0, 1)
    holes = np.zeros((6, *size), np.bool_)
    for t in range(6):
        holes[t, 90:150, 100 + 3 * t : 160 + 3 * t] = True
    small = cv2.resize(background, (80, 60), interpolation=cv2.INTER_AREA)  # soft, and right
    network = MeanNetwork(
        AcceptedSizes((60, 80), is_fixed=True), Schedule(), off=lambda right: np.repeat(small[None], len(right), 0)
    )
    holes[:, 4, 4] = holes[:, -4, -4] = True  # so that the region is the whole picture
    shot = ArrayFrames(np.repeat(background[None], 6, 0), holes)
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    change = []
    for frame in range(5):
        both = (holes[frame] & holes[frame + 1])[regions[frame].box.slices]
        change.append(np.abs(regions[frame + 1].rgb - regions[frame].rgb)[both].mean())
    fine = np.abs(background - cv2.resize(small, size[::-1], interpolation=cv2.INTER_LINEAR)).mean()
    assert np.mean(change) < 0.5 * fine


def test_texture_mostly_moves_along_when_the_camera_pans(tmp_path: Path) -> None:
    size, count, step = (240, 320), 6, 8
    wide_size = (size[0], size[1] + step * count)
    wide = np.clip(0.3 * a_texture(wide_size, sigma_px=0.8) + 0.6 * a_texture(wide_size, seed=9, sigma_px=30), 0, 1)
    pictures = np.stack([wide[:, step * t : step * t + size[1]] for t in range(count)])
    holes = np.zeros((count, *size), np.bool_)
    holes[:, 90:150, 130:190] = holes[:, 4:5, 4:5] = holes[:, -5:-4, -5:-4] = True  # the region is the whole picture
    small = np.stack([cv2.resize(picture, (80, 60), interpolation=cv2.INTER_AREA) for picture in pictures])
    network = MeanNetwork(AcceptedSizes((60, 80), is_fixed=True), Schedule(), off=lambda right: small[: len(right)])
    regions = fill_all(survey(network, ArrayFrames(pictures, holes), tmp_path / "s"), [range(count)])
    filled = []
    for frame, region in regions.items():
        picture = pictures[frame].copy()
        picture[region.box.slices][holes[frame][region.box.slices]] = region.rgb[holes[frame][region.box.slices]]
        filled.append(picture)
    along = [np.abs(filled[t + 1][90:150, 130 : 190 - step] - filled[t][90:150, 130 + step : 190]) for t in range(5)]
    fine = np.abs(pictures[0] - cv2.resize(small[0], size[::-1], interpolation=cv2.INTER_LINEAR)).mean()
    assert np.mean(along) < 0.8 * fine  # 1.2 where pieces do not move along


def test_fill_at_native_resolution_has_nothing_to_remark(tmp_path: Path) -> None:
    assert survey(MeanNetwork(), a_shot(a_texture(SIZE)), tmp_path / "s").remarks() == ()


def test_shot_begun_again_with_more_memory_goes_on_as_before(tmp_path: Path) -> None:
    shot = a_shot(a_texture((96, 128)), 5, side=40)
    network = MeanNetwork(AcceptedSizes((48, 64), (4, 4)))
    small = fill_all(survey(network, shot, tmp_path / "s", budget_bytes=48 * 64 * 12), [shot.frames])
    again = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    fresh = fill_all(survey(network, shot, tmp_path / "t"), [shot.frames])
    assert all(np.array_equal(region.rgb, again[frame].rgb) for frame, region in small.items())
    assert not all(np.array_equal(region.rgb, fresh[frame].rgb) for frame, region in small.items())


def test_shot_shorter_than_a_network_needs_repeats_its_last_frame(tmp_path: Path) -> None:
    background = a_texture(SIZE)
    network = MeanNetwork(least_local=2)
    shot = a_shot(background, 1)
    regions = fill_all(survey(network, shot, tmp_path / "s"), [shot.frames])
    assert network.windows == [(2, 2)]
    assert regions[20].rgb.shape == (10, 10, 3)


@pytest.mark.parametrize(
    ("count", "size", "hole"),
    [
        (1, (48, 64), np.s_[10:30, 10:40]),
        (2, (48, 64), np.s_[:, :]),
        (3, (16, 16), np.s_[4:9, 0:16]),
        (3, (33, 47), np.s_[0:1, 0:1]),
    ],
)
@pytest.mark.parametrize("level", [0.0, 0.6])
@pytest.mark.parametrize("is_fixed", [False, True])
def test_flat_frames_of_any_size_stay_flat(
    tmp_path: Path, count: int, size: tuple[int, int], hole: tuple[slice, slice], level: float, is_fixed: bool
) -> None:
    holes = np.zeros((count, *size), np.bool_)
    holes[:, hole[0], hole[1]] = True
    shot = ArrayFrames(np.full((count, *size, 3), level, np.float32), holes)
    sizes = AcceptedSizes((24, 32), is_fixed=is_fixed)
    drifting = MeanNetwork(sizes, least_local=2, off=lambda right: np.full_like(right, np.median(right) + 0.03))
    regions = fill_all(survey(drifting, shot, tmp_path / "s"), [shot.frames])
    for frame, region in regions.items():
        used = region.rgb[holes[frame][region.box.slices]]
        assert np.isfinite(used).all()
        if not holes.all():
            assert np.allclose(used, level, atol=0.02)


def test_endless_light_beside_a_hole_does_not_spread(tmp_path: Path) -> None:
    background = a_texture(SIZE)
    pictures = np.repeat(background[None], 6, 0)
    pictures[:, 3, 3] = np.inf
    holes = np.zeros((6, *SIZE), np.bool_)
    holes[2, 2:12, 5:15] = True
    shot = ArrayFrames(pictures, holes)
    regions = fill_all(survey(MeanNetwork(), shot, tmp_path / "s"), [shot.frames])
    assert worst(shot, regions, background) < 1e-4


def test_unseen_are_the_pixels_that_a_standing_object_always_covers(tmp_path: Path) -> None:
    background = a_texture((96, 128))
    holes = np.zeros((8, 96, 128), np.bool_)
    for t in range(8):
        holes[t, 30:60, 40 + 2 * t : 80 + 2 * t] = True
    shot = ArrayFrames(np.repeat(background[None], 8, 0), holes)
    regions = fill_all(survey(MeanNetwork(), shot, tmp_path / "s"), [shot.frames])
    for frame, region in regions.items():
        unseen = np.zeros((96, 128), np.bool_)
        unseen[region.box.slices] = region.unseen
        always = holes.all(0)
        assert not (unseen & ~holes[frame]).any()
        assert (unseen & always).sum() > 0.8 * always.sum()
        assert (unseen & ~always).sum() < 0.2 * always.sum()
