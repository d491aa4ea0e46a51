"""RNoT: what its encoding depends on, what answers, sizes, and that it can be taught."""

from __future__ import annotations

import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.rnot import Encoded, Rnot, gather
from torch import Tensor


@pytest.fixture(scope="module")
def network() -> Rnot:
    torch.manual_seed(0)
    return Rnot().eval()


def frame(seed: int, size: tuple[int, int] = (45, 61)) -> tuple[Tensor, Tensor]:
    hole = torch.zeros(1, 1, *size)
    hole[:, :, 10:25, 8 + 4 * seed : 30 + 4 * seed] = 1
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed)), hole


@pytest.mark.parametrize("size", [(33, 33), (45, 61), (48, 56)])
@torch.inference_mode()
def test_frame_of_any_size_is_painted_at_its_size(network: Rnot, size: tuple[int, int]) -> None:
    target, memory = network.encode(*frame(1, size)), gather([network.encode(*frame(s, size)) for s in (2, 3)])
    painted = network(target, memory)
    assert painted.shape == (1, 3, *size)
    assert 0 <= painted.min() <= painted.max() <= 1
    assert torch.equal(painted, network(target, memory))


@torch.inference_mode()
def test_encoding_depends_on_nothing_inside_the_hole_and_on_no_other_frame(network: Rnot) -> None:
    rgb, hole = frame(1)
    alone = network.encode(rgb, hole)
    garbled = network.encode(torch.where(hole > 0, torch.nan, rgb), hole)
    assert torch.equal(alone.key, garbled.key)
    assert torch.equal(alone.value, garbled.value)
    both = network.encode(*(torch.cat(parts) for parts in zip(frame(2), (rgb, hole), strict=True)))
    torch.testing.assert_close(both.value[1:], alone.value, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_hole_asks_wherever_one_of_sixteen_pixels_has_it(network: Rnot) -> None:
    hole = torch.zeros(1, 1, 48, 56)
    hole[0, 0, 13, 22] = 1
    encoded = network.encode(torch.rand(1, 3, 48, 56), hole)
    assert encoded.hole.nonzero().tolist() == [[0, 3, 5]]


@torch.inference_mode()
def test_memory_frame_that_is_all_hole_answers_nothing(network: Rnot) -> None:
    target, other = network.encode(*frame(1)), network.encode(*frame(2))
    unseen = network.encode(frame(3)[0], torch.ones(1, 1, 45, 61))
    assert torch.equal(network(target, gather([other])), network(target, gather([other, unseen])))
    assert torch.equal(network.read(target, gather([unseen])), target.value)


@torch.inference_mode()
def test_read_values_come_in_inside_the_hole_alone(network: Rnot) -> None:
    target, memory = network.encode(*frame(1)), gather([network.encode(*frame(2))])
    change = (network.read(target, memory) - target.value).abs().sum(1)
    assert (change > 0).equal(target.hole)


@torch.inference_mode()
def test_second_pass_sees_the_filled_frame_and_still_asks_where_the_hole_was(network: Rnot) -> None:
    rgb, hole = frame(1)
    first = network.encode(rgb, hole)
    second = network.encode(rgb, torch.zeros_like(hole), regions=hole)
    assert torch.equal(first.hole, second.hole)
    assert not torch.equal(first.key, second.key)


def test_frame_too_small_is_refused(network: Rnot) -> None:
    with pytest.raises(InputError, match="from 33 px a side, not 61 x 32"):
        network.encode(torch.zeros(1, 3, 32, 61), torch.zeros(1, 1, 32, 61))


def test_every_parameter_is_taught_by_the_hole() -> None:
    torch.manual_seed(0)
    network = Rnot()
    target: Encoded = network.encode(*frame(1))
    memory = gather([network.encode(*frame(2))])
    torch.autograd.backward((network(target, memory) * frame(1)[1]).square().sum())
    untaught = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.isfinite().all()]
    assert untaught == []
