"""The adapters of E2FGVI, STTN and OPN, and loading them by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import EngineError, InputError, MaskError
from cleanplate_server.models.networks.dfgvi import VARIANTS, build_dfc
from cleanplate_server.models.networks.e2fgvi import build_e2fgvi_hq
from cleanplate_server.models.networks.e2fgvi.network import BASE_SIZE, FEWEST_LOCAL_FRAMES, MULTIPLE
from cleanplate_server.models.networks.filling.budget import device_budget
from cleanplate_server.models.networks.filling.dfgvi import DfgviWindows
from cleanplate_server.models.networks.filling.e2fgvi import E2fgviWindows
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.networks.filling.rnot import MOST_REMEMBERED, remembered_places
from cleanplate_server.models.networks.filling.torch_clips import masked_clip, memory_watched
from cleanplate_server.models.networks.filling.traits import TRAITS
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.inpainters import INPAINTER_NAMES, load_inpainter
from cleanplate_server.models.networks.opn import MEMORY_GAP
from cleanplate_server.models.networks.opn import SIZE as OPN_SIZE
from cleanplate_server.models.protocols import Box, EngineInfo, Flow, Luma
from cleanplate_server.models.registry import EnginePlace, Registry
from fakes import ArrayFrames
from fill_networks import PLENTY, a_shot, a_texture, fill_all, worst
from published_files import FILES, Published, save_files
from window_networks import SMALLEST, untrained

SEES_THE_OBJECT = {"propainter", "dfgvi-dis"}
"""They look at how it moves, not at its colours; motion is found with it in the pictures."""


def a_window(size: tuple[int, int], *, object_level: float = 0.9) -> tuple[Clip, Holes]:
    holes = np.zeros((3, *size), np.bool_)
    holes[:, 8:16, 10:20] = True
    frames = np.stack([a_texture(size, seed=seed) for seed in range(3)])
    frames[holes] = object_level
    return frames, holes


@pytest.mark.parametrize("name", SMALLEST)
def test_window_gives_its_local_frames(name: str) -> None:
    filled = untrained(name).fill(*a_window(SMALLEST[name]), 2)
    assert filled.shape == (2, *SMALLEST[name], 3)
    assert filled.dtype == np.float32
    assert 0 <= filled.min() < filled.max() <= 1


@pytest.mark.parametrize("name", sorted(SMALLEST.keys() - SEES_THE_OBJECT))
def test_window_is_filled_alike_whatever_the_object_looks_like(name: str) -> None:
    one = untrained(name).fill(*a_window(SMALLEST[name]), 2)
    other = untrained(name).fill(*a_window(SMALLEST[name], object_level=0.1), 2)
    assert np.array_equal(one, other)


@pytest.mark.parametrize("name", SMALLEST)
def test_window_that_is_all_hole_is_filled_or_refused_with_a_remedy(name: str) -> None:
    frames, holes = a_window(SMALLEST[name])
    if name == "opn":
        with pytest.raises(MaskError, match="inpainter=embedded"):
            untrained(name).fill(frames, np.ones_like(holes), 2)
    else:
        assert np.isfinite(untrained(name).fill(frames, np.ones_like(holes), 2)).all()


@pytest.mark.parametrize("name", SMALLEST)
@pytest.mark.parametrize(("count", "size"), [(1, (9, 13)), (2, (5, 4))], ids=["one frame", "tiny"])
def test_shot_of_one_frame_or_below_a_networks_smallest_size_is_filled(
    name: str, count: int, size: tuple[int, int], tmp_path: Path
) -> None:
    pictures = np.stack([a_texture(size, seed=seed) for seed in range(count)])
    holes = np.zeros((count, *size), np.bool_)
    holes[:, 1:4, 1:3] = True
    engine = NetworkInpainter(untrained(name), EngineInfo(name), budget_bytes=PLENTY)
    regions = fill_all(engine.survey(ArrayFrames(pictures, holes), tmp_path, lambda frame: None), [range(count)])
    assert [region.box for region in regions.values()] == [Box(1, 1, 3, 4)] * count
    assert all(np.isfinite(region.rgb).all() for region in regions.values())


@pytest.mark.parametrize("name", SMALLEST)
def test_picture_that_memory_has_no_room_for_is_refused_with_a_remedy(name: str, tmp_path: Path) -> None:
    holes = np.zeros((1, 64, 96), np.bool_)
    holes[0, 20:30, 20:30] = True
    shot = ArrayFrames(np.zeros((1, 64, 96, 3), np.float32), holes)
    engine = NetworkInpainter(untrained(name), EngineInfo(name), budget_bytes=1 << 10)
    with pytest.raises(EngineError, match=r"not enough memory to fill a region of \d+ x \d+ pixels; choose --effort"):
        fill_all(engine.survey(shot, tmp_path, lambda frame: None), [range(1)])


@pytest.mark.parametrize("name", TRAITS)
def test_memory_of_a_window_grows_with_area_and_frames(name: str) -> None:
    cost = TRAITS[name].cost
    least = cost.window_bytes((240, 432), 5)
    assert least < cost.window_bytes((240, 432), 21) < cost.window_bytes((480, 864), 21)


def test_traits_are_those_of_the_networks() -> None:
    assert TRAITS["e2fgvi"].sizes.padded((7, 9)) == BASE_SIZE
    assert TRAITS["e2fgvi-hq"].sizes.multiple == MULTIPLE
    assert TRAITS["e2fgvi-hq"].least_local == FEWEST_LOCAL_FRAMES
    assert (TRAITS["opn"].sizes.trained, TRAITS["opn"].schedule.reference_gap) == (OPN_SIZE, MEMORY_GAP)
    assert TRAITS.keys() == set(INPAINTER_NAMES)


@torch.inference_mode()
def test_clip_is_what_the_networks_were_trained_on() -> None:
    frames, holes = a_window((24, 32))
    masked = masked_clip(frames, holes, torch.device("cpu"))
    assert masked.shape == (1, 3, 3, 24, 32)
    assert float(masked[0, :, :, 8:16, 10:20].abs().max()) == 0
    assert np.array_equal(masked[0, 1, :, 3, 4].numpy(), 2 * frames[1, 3, 4] - 1)


@torch.inference_mode()
def test_window_of_e2fgvi_is_what_the_network_gives_for_it() -> None:
    torch.manual_seed(0)
    network = build_e2fgvi_hq()
    frames, holes = a_window((60, 108))
    direct = network(masked_clip(frames, holes, torch.device("cpu")), 2).frames[0, :2]
    found = E2fgviWindows(network, TRAITS["e2fgvi-hq"], "e2fgvi-hq").fill(frames, holes, 2)
    np.testing.assert_allclose(found, (direct.permute(0, 2, 3, 1).numpy() + 1) / 2, atol=1e-5)


class StillCamera:
    """Motion of which there is none."""

    def flow(self, source: Luma, target: Luma) -> Flow:
        return np.zeros((*source.shape, 2), np.float32)


def test_dfgvi_under_a_still_camera_brings_back_what_other_frames_show(tmp_path: Path) -> None:
    still = build_dfc(VARIANTS["dfgvi-movie"])
    for parameter in still.layer5.parameters():
        torch.nn.init.zeros_(parameter)
    background = a_texture((60, 128), sigma_px=3)
    shot = a_shot(background, 4, side=10, step=28)
    network = DfgviWindows([still], StillCamera(), TRAITS["dfgvi-dis"], "dfgvi-dis", size=(30, 48))
    engine = NetworkInpainter(network, EngineInfo("dfgvi-dis"), budget_bytes=PLENTY)
    regions = fill_all(engine.survey(shot, tmp_path, lambda frame: None), [shot.frames])
    assert regions.keys() == set(shot.frames)
    assert worst(shot, regions, background) < 1e-5


@pytest.mark.parametrize(
    ("place", "local_count", "count", "places"),
    [(0, 1, 1, [0]), (3, 6, 8, [0, 1, 2, 4, 5, 6, 7]), (9, 11, 13, [0, 5, 7, 8, 10, 11, 12])],
)
def test_rnot_remembers_neighbours_every_fifth_frame_and_references_but_not_the_frame_itself(
    place: int, local_count: int, count: int, places: list[int]
) -> None:
    assert remembered_places(place, local_count, count) == places
    assert len(remembered_places(place, local_count, 50)) <= MOST_REMEMBERED


def test_opn_with_a_frame_that_is_all_hole_says_what_to_choose() -> None:
    frames, holes = a_window((24, 32))
    whole = holes.copy()
    whole[1] = True
    with pytest.raises(MaskError, match="inpainter=embedded"):
        untrained("opn").fill(frames, whole, 2)


def test_opn_fills_from_what_is_left_when_a_reference_is_all_hole() -> None:
    frames, holes = a_window((24, 32))
    whole = holes.copy()
    whole[2] = True
    assert np.isfinite(untrained("opn").fill(frames, whole, 2)).all()


def test_memory_that_runs_out_is_said_with_a_remedy() -> None:
    frames = np.zeros((2, 4, 6, 3), np.float32)
    refused = pytest.raises(EngineError, match=r"2 frames of 6 x 4; choose --effort fast")
    with refused, memory_watched("e2fgvi-hq", torch.device("cpu"), frames):
        raise torch.OutOfMemoryError


def test_budget_of_a_cpu_leaves_room_for_others() -> None:
    assert 1 << 28 < device_budget("cpu") <= 8 << 30


SHOTS: dict[str, Callable[[], ArrayFrames]] = {
    "e2fgvi-hq": lambda: a_shot(a_texture((60, 108)), 3, side=16),
    "sttn": lambda: a_shot(a_texture((300, 500)), 1, side=170),
    "opn": lambda: a_shot(a_texture((36, 44)), 3),
    "rnot": lambda: a_shot(a_texture((40, 48)), 2),
}


@pytest.mark.parametrize("name", SHOTS)
def test_published_files_are_loaded_and_fill_a_shot(name: str, tmp_path: Path) -> None:
    checkpoints = save_files(name, tmp_path)
    shot = SHOTS[name]()
    engine = load_inpainter(EngineInfo(name), checkpoints, device="cpu", effort="fast")
    regions = fill_all(engine.survey(shot, tmp_path, lambda frame: None), [shot.frames])
    assert regions.keys() == set(shot.frames)
    for frame, region in regions.items():
        hole = shot.mask(frame)[region.box.slices]
        assert np.isfinite(region.rgb).all()
        assert region.rgb[hole].std() > 1e-3
        assert -0.5 < region.rgb[hole].min() <= region.rgb[hole].max() < 1.5


@pytest.mark.parametrize("name", ["e2fgvi", "dfgvi", "dfgvi-davis", "dfgvi-dis", "propainter"])
def test_published_file_of_a_network_that_fills_slowly_is_loaded(name: str, tmp_path: Path) -> None:
    assert load_inpainter(EngineInfo(name), save_files(name, tmp_path), device="cpu").info.name == name


def test_file_of_another_network_is_refused_by_name(tmp_path: Path) -> None:
    file = Published("opn", gains="OPN").save(tmp_path / "sttn.pth")
    with pytest.raises(InputError, match=r"does not hold the weights of sttn; `cleanplate weights verify sttn`"):
        load_inpainter(EngineInfo("sttn"), [file], device="cpu")


def test_registry_knows_all_of_them_with_licence_and_says_which_file_is_missing(tmp_path: Path) -> None:
    (tmp_path / "OPN.pth").touch()
    statuses = {s.info.name: s for s in Registry(EnginePlace(tmp_path, "cpu")).engines() if s.kind == "inpainter"}
    assert tuple(statuses) == ("embedded", *INPAINTER_NAMES)
    assert not any(statuses[name].available for name in INPAINTER_NAMES)
    assert not statuses["e2fgvi-hq"].info.commercial_use
    assert statuses["e2fgvi"].info.licence == "CC-BY-NC-4.0"
    assert statuses["opn"].info.weights == "OPN.pth + TCN.pth"
    assert statuses["opn"].reason.startswith("TCN.pth is not here; `cleanplate weights pull opn-tcn`")
    assert statuses["sttn"].reason.startswith("sttn.pth is not here; `cleanplate weights pull sttn`")


@pytest.mark.parametrize("name", ["sttn", "opn"])
def test_registry_with_the_files_in_place_builds_the_engine(name: str, tmp_path: Path) -> None:
    status = next(s for s in Registry(EnginePlace(tmp_path, "cpu")).engines() if s.info.name == name)
    for published, file in zip(FILES[name], status.info.weights.split(" + "), strict=True):
        published.save(tmp_path / file)
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    assert next(s for s in registry.engines() if s.info.name == name).available
    info = registry.inpainter(name, "fast").info
    assert replace(info, weights_sha256="") == status.info
    assert len(info.weights_sha256.split(" + ")) == len(FILES[name])
    assert registry.inpainter().info.name == "embedded"
