"""AOT and DeAOT beyond their cases: every published layout, and what is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from cleanplate_server.models.networks import aot, deaot
from cleanplate_server.models.networks.association.attention import (
    OFFSET_COUNT,
    RADIUS,
    SPAN,
    attend,
    by_offset,
    mix_window,
    weigh_window,
)
from cleanplate_server.models.networks.association.following import (
    Follower,
    Following,
    Rules,
    bank_sizes,
    label_in_bank,
    merge_banks,
)
from cleanplate_server.models.networks.association.network import AssociationNetwork, Scene, Variant
from cleanplate_server.models.networks.association.picture import network_size, prepare_picture
from parity_networks.case import OWN_CASES

Build = Callable[[Variant], AssociationNetwork]

LAYOUTS = [
    *[("aot", name, f"state_dict_{ {'aotl': 'aotb'}.get(name, name) }.json") for name in aot.VARIANTS],
    *[("deaot", name, f"state_dict_{ {'deaotb': 'deaotl'}.get(name, name) }.json") for name in deaot.VARIANTS],
]


@pytest.mark.parametrize(("family", "name", "file"), LAYOUTS)
def test_network_of_every_variant_has_the_published_entries(family: str, name: str, file: str) -> None:
    with torch.device("meta"):
        network = aot.build_aot(aot.VARIANTS[name]) if family == "aot" else deaot.build_deaot(deaot.VARIANTS[name])
    ours = {key: (list(v.shape), str(v.dtype).removeprefix("torch.")) for key, v in network.state_dict().items()}
    listed = json.loads((OWN_CASES / family / file).read_text())
    assert ours == {key: (entry["shape"], entry["dtype"]) for key, entry in listed.items()}


def test_load_with_a_missing_entry_is_refused_and_with_the_unused_token_is_not() -> None:
    network = aot.build_aot(aot.VARIANTS["aott"])
    state = network.state_dict()
    network.load_published({**state, "LSTT.mask_token": torch.zeros(1, 1, 256)})
    state.pop("encoder_projector.bias")
    with pytest.raises(RuntimeError, match=r"encoder_projector\.bias"):
        network.load_published(state)


def test_window_attention_equals_its_definition() -> None:
    torch.manual_seed(3)
    grid, heads, width = (9, 17), 2, 8
    q, k, v = torch.randn(3, grid[0] * grid[1], 1, width)
    bias = torch.randn(1, heads * OFFSET_COUNT, *grid)
    places = torch.randn(heads, width // heads, OFFSET_COUNT)
    weights = weigh_window(q, k, bias, grid=grid, heads=heads)
    found = mix_window(weights, v, grid=grid, heads=heads)
    found = found + torch.einsum("nghwj,gcj->hwngc", by_offset(weights), places).flatten(3).flatten(0, 1)
    expected = torch.zeros_like(found)
    for y, x, head in np.ndindex(*grid, heads):
        own = slice(head * width // heads, (head + 1) * width // heads)
        offsets = [
            (j, (y + j // SPAN - RADIUS) * grid[1] + x + j % SPAN - RADIUS)
            for j in range(OFFSET_COUNT)
            if 0 <= y + j // SPAN - RADIUS < grid[0] and 0 <= x + j % SPAN - RADIUS < grid[1]
        ]
        index, tokens = torch.tensor(offsets).T
        token = y * grid[1] + x
        scores = k[tokens, 0, own] @ q[token, 0, own] / (width // heads) ** 0.5
        chances = (scores + bias[0, head * OFFSET_COUNT + index, y, x]).softmax(0)
        expected[token, 0, own] = chances @ (v[tokens, 0, own] + places[head, :, index].T)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


def test_attention_of_two_heads_equals_its_definition() -> None:
    torch.manual_seed(4)
    q, k, v = torch.randn(6, 1, 8), torch.randn(10, 1, 8), torch.randn(10, 1, 4)
    found = attend(q, k, v, heads=2)
    for head in range(2):
        chances = (q[:, 0, 4 * head : 4 * head + 4] @ k[:, 0, 4 * head : 4 * head + 4].T / 2).softmax(1)
        torch.testing.assert_close(found[:, 0, 2 * head : 2 * head + 2], chances @ v[:, 0, 2 * head : 2 * head + 2])


def follow(network: AssociationNetwork, rules: Rules, *, frames: int) -> list[Following]:
    """What is known after each frame of a tiny shot of noise, with one object given on the first."""
    torch.manual_seed(1)
    label = torch.zeros(49, 65, dtype=torch.int64)
    label[10:30, 20:40] = 1
    follower = Follower(network, rules)
    known = follower.begin(scene_of(network), label, object_count=1)
    history = [known]
    for _ in range(frames):
        known, glimpse = follower.look(known, scene_of(network))
        known = follower.remember(known, glimpse, label)
        history.append(known)
    return history


def scene_of(network: AssociationNetwork) -> Scene:
    return network.encode(torch.randn(1, 3, 49, 65))


@pytest.fixture(params=["aott", "deaott"])
def network(request: pytest.FixtureRequest) -> AssociationNetwork:
    torch.manual_seed(0)
    name: str = request.param
    return aot.build_aot(aot.VARIANTS[name]) if name == "aott" else deaot.build_deaot(deaot.VARIANTS[name])


@torch.inference_mode()
def test_long_term_memory_with_a_limit_keeps_given_frames_and_the_newest(network: AssociationNetwork) -> None:
    history = follow(network, Rules(long_term_gap=1, long_term_limit=2), frames=5)
    free = follow(network, Rules(long_term_gap=1), frames=5)
    assert [len(known.banks[0].long) for known in history] == [1, 2, 3, 3, 3, 3]
    assert [len(known.banks[0].long) for known in free] == [1, 2, 3, 4, 5, 6]
    assert [stored.given for stored in history[-1].banks[0].long] == [False, False, True]


@torch.inference_mode()
def test_long_term_memory_below_its_limit_changes_nothing(network: AssociationNetwork) -> None:
    bounded = follow(network, Rules(long_term_gap=1, long_term_limit=3), frames=3)[-1].banks[0]
    free = follow(network, Rules(long_term_gap=1), frames=3)[-1].banks[0]
    for ours, theirs in zip(bounded.long, free.long, strict=True):
        assert torch.equal(ours.layers[0].value, theirs.layers[0].value)


@torch.inference_mode()
def test_short_term_memory_of_two_frames_recalls_the_older(network: AssociationNetwork) -> None:
    history = follow(network, Rules(long_term_gap=99, short_term_frames=2), frames=3)
    assert history[-1].banks[0].short[0] is history[-2].banks[0].short[1]


@torch.inference_mode()
def test_what_is_known_is_never_written_to(network: AssociationNetwork) -> None:
    torch.manual_seed(2)
    follower = Follower(network, Rules(long_term_gap=1))
    label = torch.ones(49, 65, dtype=torch.int64)
    known = follower.begin(scene_of(network), label, object_count=1)
    scene = scene_of(network)
    first = follower.look(known, scene)[1].attended[0].maps.clone()
    later, glimpse = follower.look(known, scene)
    follower.remember(later, glimpse, label)
    assert torch.equal(follower.look(known, scene)[1].attended[0].maps, first)


@torch.inference_mode()
def test_decoded_logits_of_one_bank_hold_its_objects_alone(network: AssociationNetwork) -> None:
    follower = Follower(network, Rules(long_term_gap=5))
    label = torch.zeros(49, 65, dtype=torch.int64)
    label[5:20, 5:20], label[25:40, 30:50] = 1, 2
    known = follower.begin(scene_of(network), label, object_count=2)
    known, glimpse = follower.look(known, scene_of(network))
    chances = follower.decode(known, glimpse, (30, 44)).softmax(1)
    assert chances.shape == (1, 3, 30, 44)
    assert (chances > 0).all()


def test_objects_are_shared_out_to_banks_of_ten() -> None:
    assert [bank_sizes(count) for count in (1, 10, 11, 20)] == [[1], [10], [10, 1], [10, 10]]
    label = torch.arange(23)
    assert label_in_bank(label, 0).tolist() == [*range(11), *[0] * 12]
    assert label_in_bank(label, 1).tolist() == [*[0] * 11, *range(1, 11), 0, 0]


def test_merged_banks_agree_on_nothing() -> None:
    sure = torch.full((1, 11, 1, 1), -20.0)
    nothing, object_three = sure.clone(), sure.clone()
    nothing[:, 0], object_three[:, 3] = 20.0, 20.0
    assert merge_banks([nothing, nothing]).argmax(1).item() == 0
    assert merge_banks([nothing, object_three]).argmax(1).item() == 13
    assert merge_banks([nothing]) is nothing


def test_network_size_of_pictures_is_aligned_and_bounded() -> None:
    assert network_size((480, 854), align_corners=True) == (481, 849)
    assert network_size((480, 854), align_corners=False) == (480, 848)
    assert network_size((1080, 1920), align_corners=True) == (577, 1041)
    assert network_size((4, 30), align_corners=True) == (17, 33)


def test_prepared_picture_keeps_what_lies_beyond_white() -> None:
    rgb = np.full((16, 16, 3), 1.5, np.float32)
    assert prepare_picture(rgb, (17, 17)).min() > (1.0 - 0.485) / 0.229


def test_variants_differ_in_how_corners_lie() -> None:
    variant = aot.VARIANTS["aotl"]
    assert variant.align_corners
    assert not replace(variant, encoder="swin_b").align_corners
