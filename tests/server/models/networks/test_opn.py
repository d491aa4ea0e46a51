"""OPN beyond its case: any size, what may answer, when it ends, and its temporal network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cleanplate_server.errors import MaskError
from cleanplate_server.models.networks.asymmetric_attention import AsymmetricAttention, Memory
from cleanplate_server.models.networks.opn import (
    Opn,
    TemporalNetwork,
    TemporalState,
    fill_frame,
    hole_distances,
    remember,
)
from cleanplate_server.models.protocols import RGB, Mask
from parity_networks.case import OWN_CASES, CaseFolder


@pytest.fixture(scope="module")
def network() -> Opn:
    torch.manual_seed(0)
    return Opn().eval()


def frame(seed: int, size: tuple[int, int] = (45, 58)) -> tuple[RGB, Mask]:
    rgb = np.random.default_rng(seed).random((*size, 3), np.float32)
    hole = np.zeros(size, np.bool_)
    hole[8:34, 10 + seed : 40 + seed] = True
    rgb.flags.writeable = hole.flags.writeable = False
    return rgb, hole


@torch.inference_mode()
def test_filled_frame_of_an_odd_size_keeps_what_was_no_hole(network: Opn) -> None:
    rgb, hole = frame(1)
    filled = fill_frame(network, remember(network, [frame(2), frame(3)]), rgb, hole)
    assert filled.shape == rgb.shape
    assert filled.dtype == np.float32
    np.testing.assert_array_equal(filled[~hole], rgb[~hole])
    assert 0 <= filled.min() <= filled.max() <= 1
    np.testing.assert_array_equal(filled, fill_frame(network, remember(network, [frame(2), frame(3)]), rgb, hole))


@torch.inference_mode()
def test_filled_frame_does_not_depend_on_what_lies_in_any_hole(network: Opn) -> None:
    def garbled(given: tuple[RGB, Mask]) -> tuple[RGB, Mask]:
        return np.where(given[1][..., None], np.float32(np.nan), given[0]), given[1]

    filled = fill_frame(network, remember(network, [frame(2)]), *frame(1))
    np.testing.assert_array_equal(
        filled, fill_frame(network, remember(network, [garbled(frame(2))]), *garbled(frame(1)))
    )


@torch.inference_mode()
def test_frame_without_a_hole_comes_back_and_clipped(network: Opn) -> None:
    rgb = frame(1)[0] * 1.5
    filled = fill_frame(network, remember(network, [frame(2)]), rgb, np.zeros(rgb.shape[:2], np.bool_))
    np.testing.assert_array_equal(filled, np.minimum(rgb, 1))


@torch.inference_mode()
def test_frame_whose_memory_is_empty_is_filled_all_the_same(network: Opn) -> None:
    nothing = remember(network, [frame(2)]).only([])
    assert np.isfinite(fill_frame(network, nothing, *frame(1))).all()


def test_hole_without_a_rim_is_refused(network: Opn) -> None:
    with pytest.raises(MaskError, match="covers all 58 x 45 pixels"):
        fill_frame(network, Memory(*torch.zeros(3, 1)), frame(1)[0], np.ones((45, 58), np.bool_))


def test_distances_count_from_one_at_the_rim() -> None:
    hole = np.zeros((9, 9), np.bool_)
    hole[2:7, 2:7] = True
    distances = hole_distances(hole)
    assert distances[4].tolist() == [0, 0, 1, 2, 3, 2, 1, 0, 0]
    assert not hole_distances(np.zeros((5, 5), np.bool_)).any()


def a_memory() -> Memory:
    chance = torch.Generator().manual_seed(3)
    keys, values = (torch.randn(2, c, 3, 5, 6, generator=chance) for c in (8, 4))
    return Memory(keys, values, torch.rand(2, 3, 5, 6, generator=chance) > 0.6)


def test_reading_is_the_same_in_parts_one_by_one_and_with_enough_best_answers() -> None:
    keys, asking = torch.randn(2, 8, 5, 6), torch.rand(2, 5, 6) > 0.5
    memory = a_memory()
    read = AsymmetricAttention()(keys, asking, memory)
    second = Memory(memory.keys[1:], memory.values[1:], memory.holes[1:])
    torch.testing.assert_close(AsymmetricAttention()(keys[1:], asking[1:], second), read[1:])
    torch.testing.assert_close(AsymmetricAttention(numbers_at_once=1)(keys, asking, memory), read)
    torch.testing.assert_close(AsymmetricAttention(most=10_000)(keys, asking, memory), read)
    assert not read.permute(0, 2, 3, 1)[~asking].any()


def test_reading_of_the_one_best_answer_is_that_answers_value() -> None:
    memory = a_memory()
    asking = torch.zeros(2, 5, 6, dtype=torch.bool)
    asking[0, 1, 1] = True
    keys = torch.randn(2, 8, 5, 6)
    seen = ~memory.holes[0]
    scores = torch.einsum("k,km->m", keys[0, :, 1, 1], memory.keys[0][:, seen])
    read = AsymmetricAttention(most=1)(keys, asking, memory)[0, :, 1, 1]
    torch.testing.assert_close(read, memory.values[0][:, seen][:, scores.argmax()])


@pytest.mark.parametrize("size", [(1, 1), (41, 54), (48, 64)])
@torch.inference_mode()
def test_temporal_network_carries_its_state_over_frames_of_any_size(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = TemporalNetwork().eval()
    hole = torch.zeros(1, 1, *size)
    first = network(torch.rand(1, 3, *size), hole, TemporalState.before_first(hole))
    second = network(torch.rand(1, 3, *size), hole, first)
    assert second.rgb.shape == (1, 3, *size)
    assert first.hidden is not None
    assert 0 <= second.rgb.min() <= second.rgb.max() <= 1
    forgetful = network(torch.zeros(1, 3, *size), hole, TemporalState(first.rgb, hole))
    remembering = network(torch.zeros(1, 3, *size), hole, first)
    assert forgetful.hidden is not None
    assert remembering.hidden is not None
    assert not torch.equal(forgetful.hidden, remembering.hidden)


@pytest.mark.parametrize(
    ("file", "build"), [("state_dict.json", Opn), ("state_dict_tcn.json", TemporalNetwork)], ids=["opn", "tcn"]
)
def test_files_with_or_without_colour_constants_load_and_others_do_not(
    file: str, build: type[Opn] | type[TemporalNetwork]
) -> None:
    state = CaseFolder.read("opn", OWN_CASES / "opn").state(file)
    network = build()
    network.load_published(state)
    bare = {name: value for name, value in state.items() if not name.endswith(("mean", "mean3d", "std"))}
    assert len(bare) < len(state)
    network.load_published(bare)
    with pytest.raises(RuntimeError, match="Missing key"):
        network.load_published({name: value for name, value in state.items() if "conv2." not in name})
    with pytest.raises(RuntimeError, match="Unexpected key"):
        network.load_published({**state, "Encoder.extra": torch.zeros(1)})
