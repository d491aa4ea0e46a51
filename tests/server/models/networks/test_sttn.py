"""STTN beyond its cases: sizes, patches, entries, what depends on what, the discriminator."""

from __future__ import annotations

import json

import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.sttn import (
    BAND_PATCHES,
    PUBLISHED_PATCHES,
    Discriminator,
    Sttn,
    attend,
    from_patches,
    to_patches,
)
from parity_networks.case import OWN_CASES
from torch import Tensor

PATCHES = ((6, 8), (3, 4), (2, 2), (1, 1))
SMALLEST = (24, 32)


@pytest.fixture(scope="module")
def network() -> Sttn:
    torch.manual_seed(0)
    built = Sttn(PATCHES).eval()
    # a fresh decoder gives next to nothing, and so would every comparison
    with torch.no_grad():
        built.decoder.get_parameter("6.weight").mul_(20)
    return built


@pytest.fixture
def discriminator() -> Discriminator:
    torch.manual_seed(0)
    return Discriminator().eval()


def clip(time: int, size: tuple[int, int] = SMALLEST, *, seed: int = 1) -> Tensor:
    return torch.rand(1, time, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.inference_mode()
def fill(network: Sttn, masked: Tensor) -> Tensor:
    filled: Tensor = network(masked)
    return filled


@pytest.mark.parametrize("size", [SMALLEST, (48, 32), (24, 96)])
@pytest.mark.parametrize("time", [1, 3])
def test_window_of_a_size_that_fits_gives_frames_of_that_size(network: Sttn, size: tuple[int, int], time: int) -> None:
    filled = fill(network, clip(time, size))
    assert filled.shape == (1, time, 3, *size)
    assert 0 < float(filled.abs().max()) < 1


@pytest.mark.parametrize(
    ("patches", "size", "fitting"),
    [
        (PUBLISHED_PATCHES, (240, 430), "432 x 240"),
        (PUBLISHED_PATCHES, (432, 240), "432 x 240"),
        (PUBLISHED_PATCHES, (0, 432), "432 x 240"),
        (BAND_PATCHES, (240, 432), "640 x 120"),
        (BAND_PATCHES, (121, 640), "640 x 120"),
    ],
)
def test_frames_of_a_size_that_patches_do_not_fill_are_refused(
    patches: tuple[tuple[int, int], ...], size: tuple[int, int], fitting: str
) -> None:
    with pytest.raises(InputError) as refused:
        Sttn(patches).encode(torch.zeros(1, 3, *size))
    assert f"these have {size[1]} x {size[0]}; resize them to {fitting}." in str(refused.value)
    assert "\n" not in str(refused.value)


def test_window_filled_twice_is_the_same_and_left_as_it_was(network: Sttn) -> None:
    masked = clip(3)
    before = masked.clone()
    assert torch.equal(fill(network, masked), fill(network, masked))
    assert torch.equal(masked, before)


def test_frames_in_another_order_are_filled_alike(network: Sttn) -> None:
    masked, order = clip(4), [2, 0, 3, 1]
    torch.testing.assert_close(fill(network, masked[:, order]), fill(network, masked)[:, order], atol=1e-4, rtol=0)


def test_a_frame_depends_on_the_others_of_its_window(network: Sttn) -> None:
    masked = clip(3)
    changed = masked.clone()
    changed[:, 2] = 0
    assert not torch.allclose(fill(network, masked)[:, 0], fill(network, changed)[:, 0], atol=1e-3)


def test_two_windows_at_once_are_as_each_alone(network: Sttn) -> None:
    windows = [clip(2, (48, 64), seed=seed) for seed in (1, 2)]
    together = fill(network, torch.cat(windows))
    alone = torch.cat([fill(network, window) for window in windows])
    torch.testing.assert_close(together, alone, atol=1e-4, rtol=0)


@torch.inference_mode()
def test_maps_kept_from_single_frames_give_what_the_whole_window_does(network: Sttn) -> None:
    masked = clip(3)
    kept = torch.cat([network.encode(frame[None]) for frame in masked[0]])
    decoded = network.decode(network.mix(kept[None])[0, :2])
    torch.testing.assert_close(decoded, fill(network, masked)[0, :2], atol=1e-4, rtol=0)


@pytest.mark.parametrize("patches", [PUBLISHED_PATCHES, BAND_PATCHES])
def test_entries_are_those_of_the_published_file_for_every_layout(patches: tuple[tuple[int, int], ...]) -> None:
    listed = json.loads((OWN_CASES / "sttn" / "state_dict.json").read_text(encoding="utf-8"))
    state = Sttn(patches).state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == {n: v["shape"] for n, v in listed.items()}


def test_state_with_an_entry_too_few_is_refused(network: Sttn) -> None:
    state = network.state_dict()
    del state["encoder.4.bias"]
    with pytest.raises(RuntimeError, match=r"encoder\.4\.bias"):
        Sttn(PATCHES).load_state_dict(state)


def test_patches_are_cut_row_by_row_and_put_together_again() -> None:
    maps = torch.rand(2, 3, 4, 6, 8)
    patches = to_patches(maps, (3, 2))
    assert patches.shape == (2, 3 * 2 * 4, 4 * 3 * 2)
    assert torch.equal(patches[1, 8 + 4 + 3], maps[1, 1, :, 3:6, 6:8].flatten())
    assert torch.equal(from_patches(patches, maps.shape, (3, 2)), maps)


def test_attention_of_large_patches_in_half_precision_stays_finite() -> None:
    maps = torch.full((1, 2, 64, 20, 36), 3.0, dtype=torch.float16)
    assert torch.equal(attend(maps, maps, maps, (20, 36)), maps)


def test_discriminator_gives_logits_for_every_frame_and_entries_as_listed(discriminator: Discriminator) -> None:
    with torch.inference_mode():
        assert discriminator(clip(3, (64, 96))).shape == (1, 3, 256, 1, 2)
    listed = json.loads((OWN_CASES / "sttn" / "state_dict_discriminator.json").read_text(encoding="utf-8"))
    state = discriminator.state_dict()
    assert {name: list(value.shape) for name, value in state.items()} == {n: v["shape"] for n, v in listed.items()}


@torch.inference_mode()
def test_discriminator_judges_each_clip_for_itself(discriminator: Discriminator) -> None:
    clips = [clip(3, (64, 64), seed=seed) for seed in (1, 2)]
    together = discriminator(torch.cat(clips))
    torch.testing.assert_close(together[1:], discriminator(clips[1]), atol=1e-5, rtol=0)


def test_discriminator_learns_its_norms_in_training_mode_alone(discriminator: Discriminator) -> None:
    before = discriminator.state_dict()["conv.2.weight_u"].clone()
    discriminator(clip(2, (64, 64)))
    assert torch.equal(discriminator.state_dict()["conv.2.weight_u"], before)
    discriminator.train()(clip(2, (64, 64))).mean().backward()
    assert not torch.equal(discriminator.state_dict()["conv.2.weight_u"], before)
    assert all(parameter.grad is not None for parameter in discriminator.parameters())
