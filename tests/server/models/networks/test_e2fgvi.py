"""E2FGVI and E2FGVI-HQ beyond their cases: sizes, counts, entries, what depends on what."""

from __future__ import annotations

import json

import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.by_parts import PLACES_AT_ONCE, by_parts
from cleanplate_server.models.networks.e2fgvi import build_e2fgvi, build_e2fgvi_hq
from cleanplate_server.models.networks.e2fgvi.network import E2fgvi, Filled
from cleanplate_server.models.networks.e2fgvi.transformer import surrounding_index
from cleanplate_server.models.networks.token_windows import to_windows
from cleanplate_server.models.networks.warping import warp
from parity_networks.case import OWN_CASES
from torch import Tensor

SMALLEST = (60, 108)
BUILDERS = {"e2fgvi": build_e2fgvi, "e2fgvi_hq": build_e2fgvi_hq}


@pytest.fixture(scope="module")
def base() -> E2fgvi:
    torch.manual_seed(0)
    return build_e2fgvi()


@pytest.fixture(scope="module")
def network() -> E2fgvi:
    torch.manual_seed(0)
    built = build_e2fgvi_hq()
    # a fresh decoder gives next to nothing, and so would every comparison
    with torch.no_grad():
        built.decoder.get_parameter("6.weight").mul_(20)
    return built


def clip(time: int, size: tuple[int, int] = SMALLEST, *, seed: int = 1) -> Tensor:
    return torch.rand(1, time, 3, *size, generator=torch.Generator().manual_seed(seed)) * 2 - 1


@torch.inference_mode()
def fill(network: E2fgvi, masked: Tensor, local_count: int) -> Filled:
    filled: Filled = network(masked, local_count)
    return filled


@pytest.mark.parametrize("size", [SMALLEST, (120, 108), (60, 216)])
def test_window_of_a_size_that_fits_gives_frames_of_that_size_and_flow_at_a_quarter(
    network: E2fgvi, size: tuple[int, int]
) -> None:
    filled = fill(network, clip(3, size), 2)
    assert filled.frames.shape == (1, 3, 3, *size)
    assert filled.flow_next.shape == filled.flow_previous.shape == (1, 1, 2, size[0] // 4, size[1] // 4)
    assert 0.05 < float(filled.frames.abs().max()) < 1


@pytest.mark.parametrize("size", [(60, 100), (64, 108), (720, 1280), (0, 108), (54, 54)])
def test_hq_with_a_size_that_does_not_fit_says_what_fits(network: E2fgvi, size: tuple[int, int]) -> None:
    with pytest.raises(InputError) as refused:
        network(torch.zeros(1, 2, 3, *size), 2)
    assert "multiple of 108" in str(refused.value)
    assert f"{size[1]} x {size[0]}" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [(120, 216), (432, 240), (480, 864)])
def test_base_with_another_size_says_which_one_it_takes(base: E2fgvi, size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=f"432 x 240 pixels only and these have {size[1]} x {size[0]}"):
        base(torch.zeros(1, 2, 3, *size), 2)


@pytest.mark.parametrize("local_count", [0, 1, 4])
def test_window_with_too_few_or_too_many_local_frames_is_refused(network: E2fgvi, local_count: int) -> None:
    with pytest.raises(InputError, match=f"at least 2 .* got {local_count} of 3"):
        network(clip(3), local_count)


def test_window_filled_twice_is_the_same_and_left_as_it_was(network: E2fgvi) -> None:
    masked = clip(3)
    before = masked.clone()
    first, again = fill(network, masked, 2), fill(network, masked, 2)
    assert torch.equal(first.frames, again.frames)
    assert torch.equal(first.flow_next, again.flow_next)
    assert torch.equal(masked, before)


def test_window_without_references_is_filled(network: E2fgvi) -> None:
    assert fill(network, clip(2), 2).frames.shape == (1, 2, 3, *SMALLEST)


def test_references_in_another_order_leave_local_frames_alike(network: E2fgvi) -> None:
    masked = clip(4)
    one = fill(network, masked, 2).frames
    other = fill(network, masked[:, [0, 1, 3, 2]], 2).frames
    torch.testing.assert_close(other[:, :2], one[:, :2], atol=1e-4, rtol=0)
    torch.testing.assert_close(other[:, 3], one[:, 2], atol=1e-4, rtol=0)


def test_local_frames_depend_on_references(network: E2fgvi) -> None:
    masked = clip(3)
    changed = masked.clone()
    changed[:, 2] = 0
    assert not torch.allclose(fill(network, masked, 2).frames[:, 0], fill(network, changed, 2).frames[:, 0], atol=1e-3)


def test_two_windows_at_once_are_as_each_alone(network: E2fgvi) -> None:
    windows = [clip(3, (120, 108), seed=seed) for seed in (1, 2)]
    together = fill(network, torch.cat(windows), 2)
    for index, window in enumerate(windows):
        alone = fill(network, window, 2)
        torch.testing.assert_close(together.frames[index], alone.frames[0], atol=1e-4, rtol=0)
        torch.testing.assert_close(together.flow_next[index], alone.flow_next[0], atol=1e-4, rtol=0)


@torch.inference_mode()
def test_decoding_some_frames_gives_what_decoding_all_does(network: E2fgvi) -> None:
    masked = clip(3)
    local = network.decode(network.complete(masked, 2).maps[0, :2])
    torch.testing.assert_close(local, fill(network, masked, 2).frames[0, :2], atol=1e-5, rtol=0)


def test_flow_in_mixed_precision_is_that_of_full_precision(network: E2fgvi) -> None:
    masked = clip(2)
    full = fill(network, masked, 2)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = fill(network, masked, 2)
    assert torch.equal(mixed.flow_next, full.flow_next)
    torch.testing.assert_close(mixed.frames.float(), full.frames, atol=0.05, rtol=0)


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_entries_are_those_of_the_published_file(name: str, base: E2fgvi, network: E2fgvi) -> None:
    listed = json.loads((OWN_CASES / name / "state_dict.json").read_text(encoding="utf-8"))
    state = {"e2fgvi": base, "e2fgvi_hq": network}[name].state_dict()
    assert {entry: list(value.shape) for entry, value in state.items()} == {e: v["shape"] for e, v in listed.items()}
    assert {entry for entry, value in state.items() if value.dtype == torch.int64} == {
        entry for entry, value in listed.items() if value["dtype"] == "int64"
    }


def test_entries_of_the_other_network_are_refused(base: E2fgvi, network: E2fgvi) -> None:
    with pytest.raises(RuntimeError, match=r"sc\.bias_conv\.weight"):
        network.load_state_dict(base.state_dict())


def test_fresh_network_has_the_published_constants(network: E2fgvi) -> None:
    overrides = json.loads((OWN_CASES / "e2fgvi_hq" / "case.json").read_text(encoding="utf-8"))["overrides"]
    assert surrounding_index().tolist() == overrides["*.attn.valid_ind_rolled"]
    assert network.update_spynet.mean.flatten().tolist() == pytest.approx(overrides["update_spynet.mean"])
    assert network.update_spynet.std.flatten().tolist() == pytest.approx(overrides["update_spynet.std"])


def test_warp_by_whole_pixels_fetches_from_where_the_flow_points() -> None:
    maps = torch.rand(1, 2, 5, 7)
    flow = torch.tensor([2.0, -1.0]).reshape(1, 2, 1, 1).expand(1, 2, 5, 7)
    warped = warp(maps, flow)
    torch.testing.assert_close(warped[:, :, 1:, :-2], maps[:, :, :-1, 2:], atol=1e-5, rtol=0)
    assert float(warped[:, :, 0].abs().max()) < 1e-5
    at_border = warp(maps, flow, outside="border")
    torch.testing.assert_close(at_border[:, :, 0, :-2], maps[:, :, 0, 2:], atol=1e-5, rtol=0)


def test_windows_hold_every_token_once_row_by_row() -> None:
    tokens = torch.arange(2 * 3 * 10 * 27 * 4).reshape(2, 3, 10, 27, 4)
    windows = to_windows(tokens)
    assert torch.equal(windows[1, 4, 2, 9 + 3], tokens[1, 2, 5 + 1, 9 + 3])
    assert torch.equal(windows.flatten().sort().values, tokens.flatten())


def test_work_by_parts_is_the_work_on_all_frames() -> None:
    frames = torch.rand(7, 2, 5, 6)
    assert torch.equal(by_parts(lambda part: 2 * part, frames, PLACES_AT_ONCE // 3), 2 * frames)
    assert torch.equal(by_parts(lambda part: 2 * part, frames, 9 * PLACES_AT_ONCE), 2 * frames)
