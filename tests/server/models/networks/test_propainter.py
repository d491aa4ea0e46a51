"""ProPainter beyond its cases: sizes, counts, entries, shots with a known background, what depends on what."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.propainter import (
    FlowCompletion,
    Flows,
    ProPainter,
    Window,
    build_flow_completion,
    build_propainter,
    complete_flows,
    predict_flows,
    propagate_pixels,
)
from cleanplate_server.models.networks.propainter.flows import agree, fetch_nearest
from cleanplate_server.models.networks.propainter.transformer import WindowAttention, surrounding_index
from parity_networks.case import OWN_CASES
from torch import Tensor, nn

SIZE = (32, 48)
SHOT = 5
PAN_PX = 6
"""How far the background of the tests' shot moves to the left with each frame."""


@pytest.fixture(scope="module")
def completion() -> FlowCompletion:
    torch.manual_seed(0)
    return build_flow_completion()


@pytest.fixture(scope="module")
def painter() -> ProPainter:
    torch.manual_seed(0)
    built = build_propainter()
    # a fresh decoder gives next to nothing, and so would every comparison
    with torch.no_grad():
        built.decoder.get_parameter("6.weight").mul_(20)
    return built


def uniform(*shape: int, seed: int = 1, reach: float = 1.0) -> Tensor:
    return (torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * reach


def masks_of(count: int, size: tuple[int, int] = SIZE) -> Tensor:
    """A hole in the upper left quarter."""
    masks = torch.zeros(1, count, 1, *size)
    masks[..., size[0] // 8 : size[0] // 2, size[1] // 8 : size[1] // 2] = 1
    return masks


def motion(count: int, size: tuple[int, int] = SIZE, *, seed: int = 2) -> Flows:
    return Flows(uniform(1, count, 2, *size, seed=seed, reach=4), uniform(1, count, 2, *size, seed=seed + 50, reach=4))


def pan(count: int, across: float, size: tuple[int, int] = SIZE) -> Flows:
    """The same motion everywhere."""
    to_next = torch.tensor([-across, 0.0]).reshape(1, 1, 2, 1, 1).expand(1, count, 2, *size)
    return Flows(to_next, -to_next)


def window(time: int, local_count: int, size: tuple[int, int] = SIZE, *, seed: int = 1) -> Window:
    masks = masks_of(time, size)
    left = masks * (uniform(1, time, 1, *size, seed=seed + 90) > 0)
    frames = uniform(1, time, 3, *size, seed=seed) * (1 - left)
    return Window(frames, masks, left, motion(local_count - 1, size, seed=seed + 7))


@torch.inference_mode()
def paint(painter: ProPainter, given: Window) -> Tensor:
    painted: Tensor = painter(given)
    return painted


# motion


@pytest.mark.parametrize("size", [(8, 8), (16, 40), (72, 8)])
@pytest.mark.parametrize("count", [1, 3])
@torch.inference_mode()
def test_completed_motion_is_the_given_one_outside_holes_and_found_inside(
    completion: FlowCompletion, size: tuple[int, int], count: int
) -> None:
    flows, masks = motion(count, size), masks_of(count + 1, size)
    done = complete_flows(completion, flows, masks)
    for found, given in ((done.to_next, flows.to_next), (done.to_previous, flows.to_previous)):
        hole = (masks[:, :count] > 0).expand_as(given)
        assert found.shape == given.shape
        assert found.isfinite().all()
        assert torch.equal(found[~hole], given[~hole])
        assert not torch.isclose(found[hole], given[hole]).all()


@torch.inference_mode()
def test_motion_of_the_object_itself_is_not_looked_at(completion: FlowCompletion) -> None:
    flows, masks = motion(2), masks_of(3)
    wild = flows.each(lambda flow: flow + 1000 * masks[:, :2])
    one, other = predict_flows(completion, flows, masks), predict_flows(completion, wild, masks)
    assert torch.equal(one.to_next, other.to_next)
    assert torch.equal(one.to_previous, other.to_previous)


@torch.inference_mode()
def test_shot_run_backwards_has_its_two_ways_swapped(completion: FlowCompletion) -> None:
    flows = motion(3)
    masks = torch.stack([masks_of(1)[0, 0].roll(2 * frame, 2) for frame in range(4)])[None]
    found = predict_flows(completion, flows, masks)
    turned = Flows(flows.to_previous.flip(1), flows.to_next.flip(1))
    swapped = predict_flows(completion, turned, masks.flip(1))
    assert torch.equal(swapped.to_next.flip(1), found.to_previous)
    assert torch.equal(swapped.to_previous.flip(1), found.to_next)
    assert not torch.allclose(found.to_next, found.to_previous, atol=1e-3)


@torch.inference_mode()
def test_motion_in_mixed_precision_is_that_of_full_precision(completion: FlowCompletion) -> None:
    full = predict_flows(completion, motion(2), masks_of(3))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = predict_flows(completion, motion(2), masks_of(3))
    assert torch.equal(full.to_next, mixed.to_next)


@pytest.mark.parametrize(("size", "count"), [((12, 16), 2), ((16, 20), 2), ((0, 16), 2), ((16, 16), 0)])
def test_motion_of_an_unusable_size_or_count_is_refused(
    completion: FlowCompletion, size: tuple[int, int], count: int
) -> None:
    with pytest.raises(InputError) as refused:
        complete_flows(completion, motion(count, size), torch.zeros(1, count + 1, 1, *size))
    assert "multiples of 8 pixels" in str(refused.value)
    assert f"got {count} fields of {size[1]} x {size[0]}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_motion_with_too_few_masks_is_refused(completion: FlowCompletion) -> None:
    with pytest.raises(InputError, match=r"one mask more .* there are 2 the other way and 2 masks of 48 x 32"):
        complete_flows(completion, motion(2), masks_of(2))


def test_place_fetched_is_the_nearest_and_nothing_lies_beyond_the_edge() -> None:
    maps = uniform(1, 2, 5, 7)
    flow = torch.tensor([1.6, -1.4]).reshape(1, 2, 1, 1).expand(1, 2, 5, 7)
    found = fetch_nearest(maps, flow)
    assert torch.equal(found[:, :, 1:, :-2], maps[:, :, :-1, 2:])
    assert not found[:, :, 0].any()
    assert not found[..., -2:].any()
    assert torch.equal(fetch_nearest(maps, torch.full_like(flow, torch.nan)), torch.zeros_like(maps))


def test_ways_that_lead_home_agree_and_others_do_not() -> None:
    there = pan(1, PAN_PX).to_previous[:, 0]
    assert agree(there, -there)[..., :-PAN_PX].all()
    assert agree(there, -there + 0.6)[..., :-PAN_PX].all()
    assert not agree(there, -there + 2)[..., :-PAN_PX].any()


# pixels


def along(across: int) -> Tensor:
    """A shot along a wide picture: [1, 5, 3, 32, 48]."""
    wide = uniform(3, SIZE[0], SIZE[1] + across * SHOT, seed=5)
    return torch.stack([wide[..., across * t : across * t + SIZE[1]] for t in range(SHOT)])[None]


def test_hole_that_other_frames_show_gets_exactly_their_pixels() -> None:
    truth, masks = along(PAN_PX), masks_of(SHOT)
    done = propagate_pixels(truth * (1 - masks) + 77 * masks, masks, pan(SHOT - 1, PAN_PX))
    assert torch.equal(done.frames * (1 - done.left), truth * (1 - done.left))
    assert not (done.frames * done.left).any()
    # the hole is 18 wide and moves by 6 with each frame: the middle one's is seen in the others, but for none of it
    assert not done.left[:, 2].any()
    assert done.left.dtype == masks.dtype


def test_hole_that_no_frame_shows_is_left() -> None:
    truth, masks = along(0), masks_of(SHOT)
    done = propagate_pixels(truth, masks, pan(SHOT - 1, 0))
    assert torch.equal(done.left, masks)
    assert torch.equal(done.frames, truth * (1 - masks))


def test_motion_that_disagrees_brings_nothing() -> None:
    truth, masks = along(PAN_PX), masks_of(SHOT)
    there = pan(SHOT - 1, PAN_PX)
    done = propagate_pixels(truth, masks, Flows(there.to_next, there.to_previous + 3))
    assert torch.equal(done.left, masks)


def test_shot_of_one_frame_and_what_was_given_stay_as_they_are() -> None:
    frames, masks = along(PAN_PX)[:, :1], masks_of(1)
    before = frames.clone(), masks.clone()
    done = propagate_pixels(frames, masks, pan(0, PAN_PX))
    assert torch.equal(done.left, masks)
    assert torch.equal(frames, before[0])
    assert torch.equal(masks, before[1])


@pytest.mark.parametrize("count", [SHOT - 2, SHOT])
def test_pixels_with_motion_of_another_count_are_refused(count: int) -> None:
    with pytest.raises(InputError, match=f"one fewer motion fields .* there are 5 of 48 x 32 and {count} of 48 x 32"):
        propagate_pixels(along(PAN_PX), masks_of(SHOT), pan(count, PAN_PX))


# painting


@pytest.mark.parametrize("size", [(4, 4), (20, 36), (64, 80)])
@pytest.mark.parametrize(("time", "local_count"), [(2, 2), (4, 3), (2, 1)])
def test_window_of_a_size_that_fits_gives_its_local_frames(
    painter: ProPainter, size: tuple[int, int], time: int, local_count: int
) -> None:
    painted = paint(painter, window(time, local_count, size))
    assert painted.shape == (1, local_count, 3, *size)
    assert 0 < float(painted.abs().max()) <= 1


@pytest.mark.parametrize("size", [(30, 48), (32, 50), (0, 48)])
def test_window_of_an_unusable_size_says_what_fits(painter: ProPainter, size: tuple[int, int]) -> None:
    with pytest.raises(InputError) as refused:
        painter(window(2, 2, size))
    assert "multiples of 4 pixels" in str(refused.value)
    assert f"{size[1]} x {size[0]}" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_window_of_one_frame_or_with_motion_of_more_is_refused(painter: ProPainter) -> None:
    with pytest.raises(InputError, match=r"at least 2 frames .* got 1 with motion of 1"):
        painter(window(1, 1))
    with pytest.raises(InputError, match="got 2 with motion of 3"):
        painter(replace(window(2, 2), flows=motion(2)))


def test_window_with_masks_or_motion_of_another_size_is_refused(painter: ProPainter) -> None:
    given = window(2, 2)
    for other in (replace(given, left=masks_of(3)), replace(given, flows=motion(1, (16, 24)))):
        with pytest.raises(InputError, match="both masks of each of 2 frames"):
            painter(other)


def test_window_painted_twice_is_the_same_and_left_as_it_was(painter: ProPainter) -> None:
    given, untouched = window(3, 2), window(3, 2)
    assert torch.equal(paint(painter, given), paint(painter, given))
    assert torch.equal(given.frames, untouched.frames)
    assert torch.equal(given.masks, untouched.masks)
    assert torch.equal(given.flows.to_next, untouched.flows.to_next)


def test_two_windows_at_once_are_as_each_alone(painter: ProPainter) -> None:
    one, two = window(3, 2, (64, 48), seed=1), window(3, 2, (64, 48), seed=2)
    # a hole elsewhere, so that other windows of tokens are active
    two = replace(two, masks=two.masks.flip(3), left=two.left.flip(3))
    together = paint(
        painter,
        Window(
            torch.cat([one.frames, two.frames]),
            torch.cat([one.masks, two.masks]),
            torch.cat([one.left, two.left]),
            Flows(
                torch.cat([one.flows.to_next, two.flows.to_next]),
                torch.cat([one.flows.to_previous, two.flows.to_previous]),
            ),
        ),
    )
    for index, alone in enumerate((one, two)):
        torch.testing.assert_close(together[index], paint(painter, alone)[0], atol=1e-4, rtol=0)


def test_references_are_looked_at_only_where_there_are_holes(painter: ProPainter) -> None:
    given = window(3, 2)
    frames = given.frames.clone()
    frames[:, 2] = -frames[:, 2]
    assert not torch.allclose(paint(painter, given), paint(painter, replace(given, frames=frames)), atol=1e-3)
    masks = given.masks.clone()
    masks[:, :2] = 0
    whole = replace(given, masks=masks, left=torch.zeros_like(masks))
    assert torch.equal(paint(painter, whole), paint(painter, replace(whole, frames=frames)))


def test_window_in_mixed_precision_is_near_full_precision(painter: ProPainter) -> None:
    full = paint(painter, window(3, 2))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = paint(painter, window(3, 2))
    torch.testing.assert_close(mixed.float(), full, atol=0.05, rtol=0)


@torch.inference_mode()
def test_frames_decoded_one_by_one_are_those_decoded_together(painter: ProPainter) -> None:
    given = window(3, 2)
    maps = painter.complete(given)
    alone = torch.cat([painter.decode(maps[:, frame]) for frame in range(2)])
    torch.testing.assert_close(alone, paint(painter, given)[0], atol=1e-5, rtol=0)


@torch.inference_mode()
def test_windows_of_tokens_do_not_depend_on_whether_others_have_holes() -> None:
    torch.manual_seed(0)
    attention = WindowAttention(1)
    tokens = uniform(1, 3, 22, 45, 512)
    everywhere = attention(tokens, torch.ones(1, 25, dtype=torch.bool))
    for only in (0, 17):
        here = attention(tokens, torch.arange(25)[None] == only)
        row, column = only // 5 * 5, only % 5 * 9
        place = (0, slice(None), slice(row, row + 5), slice(column, column + 9))
        torch.testing.assert_close(here[place], everywhere[place], atol=1e-5, rtol=0)
        assert not torch.allclose(here[0, :, -1], everywhere[0, :, -1], atol=1e-4)


# entries


@pytest.mark.parametrize(
    ("build", "file"),
    [(build_propainter, "state_dict.json"), (build_flow_completion, "state_dict_flow_completion.json")],
)
def test_entries_are_those_of_the_published_file(build: type[nn.Module], file: str) -> None:
    listed = json.loads((OWN_CASES / "propainter" / file).read_text(encoding="utf-8"))
    state = build().state_dict()
    found = {name: (list(value.shape), str(value.dtype).removeprefix("torch.")) for name, value in state.items()}
    assert found == {name: (entry["shape"], entry["dtype"]) for name, entry in listed.items()}


def test_entries_short_of_one_or_of_the_other_network_are_refused(
    painter: ProPainter, completion: FlowCompletion
) -> None:
    state = dict(completion.state_dict())
    with pytest.raises(RuntimeError, match=r"ss\.embedding\.weight"):
        painter.load_state_dict(state)
    del state["edgeDetector.out_layer.bias"]
    with pytest.raises(RuntimeError, match=r"edgeDetector\.out_layer\.bias"):
        completion.load_state_dict(state)


def test_fresh_network_has_the_published_surroundings() -> None:
    overrides = json.loads((OWN_CASES / "propainter" / "case.json").read_text(encoding="utf-8"))["overrides"]
    assert surrounding_index().tolist() == overrides["*.attention.valid_ind_rolled"]
