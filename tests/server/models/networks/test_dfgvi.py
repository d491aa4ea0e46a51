"""DFGVI beyond its cases: shots with a known background, short clips, odd sizes, files of old."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.dfgvi import (
    VARIANTS,
    DfcNet,
    build_dfc,
    complete,
    propagate,
    propagate_all,
    refine,
)
from cleanplate_server.models.networks.dfgvi.completion import prepare_field
from cleanplate_server.models.networks.dfgvi.membrane import stretch
from cleanplate_server.models.protocols import Flow, Mask
from numpy.typing import NDArray
from parity_networks.case import OWN_CASES, CaseFolder

SHOT = 6
PAN_PX = 3
"""How far the background of the tests' shot moves to the left with each frame."""


@pytest.fixture(scope="module")
def stage1() -> DfcNet:
    torch.manual_seed(0)
    return build_dfc(VARIANTS["dfgvi-stage1"])


@pytest.fixture(scope="module")
def stage2() -> DfcNet:
    torch.manual_seed(0)
    return build_dfc(VARIANTS["dfgvi-stage2"])


class Pan:
    """A shot along a wide picture, with a hole that stays where it is in the frame."""

    def __init__(self, dtype: type[np.uint8] | type[np.float32]) -> None:
        chance = np.random.default_rng(0)
        size = (24, 40 + PAN_PX * SHOT, 3)
        wide = chance.integers(1, 256, size).astype(np.uint8) if dtype is np.uint8 else chance.normal(0.5, 3, size)
        self.truth = [wide[:, PAN_PX * t : PAN_PX * t + 40].astype(dtype) for t in range(SHOT)]
        hole = np.zeros((24, 40), np.bool_)
        hole[8:15, 16:22] = True
        self.holes = [hole] * SHOT
        self.pictures = [np.where(hole[..., None], dtype(77), truth) for truth in self.truth]
        for array in (*self.pictures, hole):
            array.flags.writeable = False
        self.forward = [still((24, 40), -PAN_PX)] * (SHOT - 1)
        self.backward = [still((24, 40), PAN_PX)] * (SHOT - 1)


def still(size: tuple[int, int], across: float) -> Flow:
    """The same motion everywhere."""
    return np.tile(np.array([across, 0], np.float32), (*size, 1))


def refuse(frame: int, picture: NDArray[Any], hole: Mask) -> NDArray[Any]:
    raise AssertionError(f"frame {frame} was to be filled from other frames")


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_hole_seen_in_other_frames_gets_exactly_their_pixels(dtype: type[np.uint8] | type[np.float32]) -> None:
    pan = Pan(dtype)
    done = propagate_all(pan.pictures, pan.holes, pan.forward, pan.backward, fallback=refuse)
    assert len(done) == SHOT
    for found, truth in zip(done, pan.truth, strict=True):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, truth)


def test_last_frame_is_left_out_by_the_authors_way() -> None:
    pan = Pan(np.uint8)
    done = propagate(pan.pictures, pan.holes, pan.forward, pan.backward, fallback=refuse)
    np.testing.assert_array_equal(np.stack(done), np.stack(pan.truth[:-1]))


def test_hole_that_no_frame_shows_is_filled_in_few_frames_and_carried_on() -> None:
    pan = Pan(np.uint8)
    motion = [still((24, 40), 0.0)] * (SHOT - 1)
    asked = []

    def paint(frame: int, picture: NDArray[Any], hole: Mask) -> NDArray[np.float64]:
        assert not picture[hole].any()
        asked.append(frame)
        return np.full(picture.shape, 9.7)

    done = propagate_all(pan.pictures, pan.holes, motion, motion, fallback=paint)
    assert asked == [0, SHOT - 1]
    for found, picture, hole in zip(done, pan.pictures, pan.holes, strict=True):
        assert (found[hole] == 9).all()
        np.testing.assert_array_equal(found[~hole], picture[~hole])


def test_motion_that_disagrees_brings_nothing() -> None:
    pan = Pan(np.uint8)
    disagreeing = [still((24, 40), PAN_PX + 2.0)] * (SHOT - 1)

    def black(frame: int, picture: NDArray[Any], hole: Mask) -> NDArray[Any]:
        return picture

    done = propagate_all(pan.pictures, pan.holes, pan.forward, disagreeing, fallback=black, threshold_px=1.0)
    assert all(not found[hole].any() for found, hole in zip(done, pan.holes, strict=True))


def test_motion_of_another_size_is_brought_to_the_pictures() -> None:
    pan = Pan(np.uint8)
    small = [[still((12, 20), across)] * (SHOT - 1) for across in (-PAN_PX / 2, PAN_PX / 2)]
    done = propagate_all(pan.pictures, pan.holes, *small, fallback=refuse)
    np.testing.assert_array_equal(np.stack(done), np.stack(pan.truth))


def test_one_frame_alone_is_the_fallbacks() -> None:
    pan = Pan(np.float32)
    done = propagate_all(
        pan.pictures[:1], pan.holes[:1], [], [], fallback=lambda _frame, picture, _hole: np.full_like(picture, 0.25)
    )
    assert (done[0][pan.holes[0]] == 0.25).all()


def test_membrane_goes_on_with_a_slope_and_is_level_at_the_pictures_edge() -> None:
    y, x = np.mgrid[0:30, 0:40].astype(np.float64)
    hole = np.zeros((30, 40), np.bool_)
    hole[5:20, 8:30] = True
    plane = 3 * x - 2 * y + 1
    np.testing.assert_allclose(stretch(np.where(hole, np.nan, plane), hole), plane, atol=1e-7)
    bottom = np.zeros((30, 40), np.bool_)
    bottom[20:] = True
    np.testing.assert_allclose(stretch(x, bottom)[20:].mean(), x.mean(), atol=1e-7)
    np.testing.assert_allclose(stretch(y, bottom)[20:], 19.0, atol=1e-7)


def test_membrane_with_nothing_known_is_zero_and_without_a_hole_is_what_was_given() -> None:
    values = np.ones((4, 5))
    assert not stretch(values, np.ones((4, 5), np.bool_)).any()
    np.testing.assert_array_equal(stretch(values, np.zeros((4, 5), np.bool_)), values)


def test_prepared_field_is_in_the_networks_pixels_and_hides_the_objects_motion() -> None:
    flow = still((40, 60), 4.0)
    hole = np.zeros((80, 120), np.bool_)
    hole[30:50, 40:70] = True
    flow[16:24, 21:34] = 1000.0
    field = prepare_field(flow, hole, (20, 30), guesses=True)
    np.testing.assert_allclose(field.flow[0], 2.0, atol=0.05)
    assert prepare_field(flow, hole, (20, 30), guesses=False).flow[0].max() == 30.0


def shot_motion(frames: int) -> tuple[list[Flow], list[Mask]]:
    chance = np.random.default_rng(0)
    hole = np.zeros((40, 56), np.bool_)
    hole[12:25, 20:36] = True
    return [chance.normal(0, 2, (40, 56, 2)).astype(np.float32) for _ in range(frames)], [hole] * frames


@pytest.mark.parametrize("frames", [1, 12])
def test_completed_motion_is_the_given_one_outside_the_hole(stage1: DfcNet, frames: int) -> None:
    flows, holes = shot_motion(frames)
    completed = list(complete(stage1, flows, holes, size=(40, 56)))
    assert len(completed) == frames
    for found, flow, hole in zip(completed, flows, holes, strict=True):
        assert np.isfinite(found).all()
        np.testing.assert_array_equal(found[~hole], flow[~hole])
        assert not np.array_equal(found[hole], flow[hole])
    again = list(complete(stage1, flows, holes, size=(40, 56)))
    np.testing.assert_array_equal(np.stack(completed), np.stack(again))


def test_refined_motion_has_both_directions_and_the_asked_size(stage2: DfcNet) -> None:
    flows, holes = shot_motion(3)
    refined = list(refine(stage2, flows[:2], flows, holes, size=(48, 64)))
    assert len(refined) == 3
    assert {r.forward.shape for r in refined} | {r.backward.shape for r in refined} == {(48, 64, 2)}


@pytest.mark.parametrize("size", [(8, 9), (33, 47), (60, 106)])
@torch.inference_mode()
def test_networks_answer_at_the_size_they_are_asked(stage1: DfcNet, size: tuple[int, int]) -> None:
    assert stage1(torch.zeros(1, 33, *size)).shape == (1, 2, *size)


def test_fields_too_small_are_refused(stage1: DfcNet) -> None:
    with pytest.raises(InputError, match="8 px a side or more, not 20 x 7"):
        stage1(torch.zeros(1, 33, 7, 20))


def test_file_without_counters_loads_and_one_without_a_layer_does_not(stage1: DfcNet) -> None:
    state = CaseFolder.read("dfgvi", OWN_CASES / "dfgvi").state("state_dict_resnet50_stage1.json")
    old = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    assert len(old) < len(state)
    network = build_dfc(VARIANTS["dfgvi-stage1"])
    network.load_published(old)
    assert torch.equal(network.state_dict()["layer5.conv3.bias"], state["layer5.conv3.bias"])
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_published({name: value for name, value in old.items() if not name.startswith("layer5.conv3")})
