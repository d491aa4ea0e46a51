"""RAFT beyond its case: any size, both files' names, and flow of grey pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.raft import Raft, RaftFlow, torchvision_names
from parity_networks.case import OWN_CASES, CaseFolder
from torch.nn import functional


@pytest.fixture(scope="module")
def network() -> Raft:
    torch.manual_seed(0)
    return Raft().eval()


def picture(seed: int, size: tuple[int, int]) -> torch.Tensor:
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.inference_mode()
def test_flow_of_an_odd_size_is_that_of_the_picture_with_its_edges_repeated(network: Raft) -> None:
    source, target = picture(1, (131, 141)), picture(2, (131, 141))
    flow = network(source, target, iterations=2)
    padded = [functional.pad(x, (1, 2, 2, 3), mode="replicate") for x in (source, target)]
    assert flow.shape == (1, 2, 131, 141)
    torch.testing.assert_close(flow, network(*padded, iterations=2)[:, :, 2:-3, 1:-2], rtol=0, atol=0)


@pytest.mark.parametrize("size", [(1, 1), (7, 150), (40, 33)])
@torch.inference_mode()
def test_flow_of_a_small_picture_is_finite_and_of_its_size(network: Raft, size: tuple[int, int]) -> None:
    flow = network(picture(1, size), picture(2, size), iterations=1)
    assert flow.shape == (1, 2, *size)
    assert flow.isfinite().all()


@torch.inference_mode()
def test_flow_is_the_same_again_and_keeps_no_comparison_in_memory(network: Raft) -> None:
    source, target = picture(1, (128, 136)), picture(2, (128, 136))
    first, again = (network(source, target, iterations=2) for _ in range(2))
    assert torch.equal(first, again)
    assert network.network.corr_block.corr_pyramid == []


@pytest.mark.parametrize(("other", "said"), [((128, 120), "128 x 128 and 120 x 128"), ((0, 5), "one size")])
def test_flow_between_two_sizes_is_refused(network: Raft, other: tuple[int, int], said: str) -> None:
    with pytest.raises(InputError, match=said):
        network(torch.zeros(1, 3, 128, 128), torch.zeros(1, 3, *other))


def test_flow_of_no_pixels_is_refused(network: Raft) -> None:
    with pytest.raises(InputError, match="with pixels, not 5 x 0"):
        network(torch.zeros(1, 3, 0, 5), torch.zeros(1, 3, 0, 5))


def test_names_of_the_authors_file_become_exactly_those_of_torchvision(network: Raft) -> None:
    published = CaseFolder.read("raft", OWN_CASES / "raft").state()
    renamed = torchvision_names(published)
    assert renamed.keys() == network.network.state_dict().keys()
    assert len(published) - len(renamed) == 10
    assert torchvision_names(renamed).keys() == renamed.keys()


def test_file_with_an_entry_too_many_or_too_few_is_not_loaded() -> None:
    state = CaseFolder.read("raft", OWN_CASES / "raft").state()
    with pytest.raises(RuntimeError, match="Unexpected key"):
        Raft().load_published({**state, "fnet.extra.weight": torch.zeros(1)})
    state.pop("cnet.conv1.weight")
    with pytest.raises(RuntimeError, match="Missing key"):
        Raft().load_published(state)


def luma(seed: int, size: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    values = np.random.default_rng(seed).random(size, np.float32)
    values.flags.writeable = False
    return values


def test_flow_of_grey_pictures_is_the_networks_own(network: Raft) -> None:
    source, target = luma(1, (61, 75)), luma(2, (61, 75))
    found = RaftFlow(network, iterations=2).flow(source, target)
    with torch.inference_mode():
        inputs = [torch.from_numpy(x * 2 - 1).expand(1, 3, -1, -1) for x in (source, target)]
        expected = network(*inputs, iterations=2)[0].permute(1, 2, 0).numpy()
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_flow_of_values_outside_the_nominal_range_is_that_of_clipped_ones(network: Raft) -> None:
    source, target = luma(1, (16, 24)) * 3 - 1, luma(2, (16, 24))
    estimator = RaftFlow(network, iterations=1)
    found = estimator.flow(source, target)
    np.testing.assert_array_equal(found, estimator.flow(np.clip(source, 0, 1), target))
    assert np.isfinite(estimator.flow(np.full_like(source, np.nan), target)).all()


def test_flow_of_a_large_picture_is_sought_in_a_small_one_and_in_the_large_ones_pixels(network: Raft) -> None:
    small, other = luma(1, (70, 80)), luma(2, (70, 80))
    large, beside = (np.repeat(np.repeat(x, 2, 0), 2, 1) for x in (small, other))
    estimator = RaftFlow(network, iterations=1, long_edge_px=80)
    found, expected = estimator.flow(large, beside), estimator.flow(small, other)
    assert found.shape == (140, 160, 2)
    np.testing.assert_allclose(found.mean((0, 1)), 2 * expected.mean((0, 1)), rtol=1e-3, atol=1e-3)
