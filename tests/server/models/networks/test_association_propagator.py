"""AOT and DeAOT as propagators, untrained: what is promised whatever the weights are."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import InputError, MaskError
from cleanplate_server.models.networks.aot import VARIANTS, build_aot
from cleanplate_server.models.networks.association.network import AssociationNetwork
from cleanplate_server.models.networks.association.propagator import (
    GIVEN_FRAMES,
    AssociationPropagator,
    choose_key_frames,
)
from cleanplate_server.models.networks.association.tracker import draw_keys
from cleanplate_server.models.networks.propagators import PROPAGATOR_NAMES, build_association, load_association
from cleanplate_server.models.protocols import RGB, Alpha, Box, EngineInfo, Key, Luma, Mask

SIZE = (40, 56)


class NoiseShot:
    """A shot of smooth noise that anyone may only read."""

    def __init__(self, size: tuple[int, int] = SIZE, count: int = 30) -> None:
        self._size = size
        self.frames = range(count)

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        picture = np.random.default_rng(frame).normal(0.5, 0.4, (*self._size, 3)).astype(np.float32)
        picture.flags.writeable = False
        return picture if box is None else picture[box.slices]

    def luma(self, frame: int) -> Luma:
        return np.asarray(self.rgb(frame).mean(-1), np.float32)


def square(top: int, left: int, side: int = 12, size: tuple[int, int] = SIZE) -> Mask:
    mask = np.zeros(size, np.bool_)
    mask[top : top + side, left : left + side] = True
    mask.flags.writeable = False
    return mask


def propagator(name: str = "deaott", *, gap: int = 1) -> AssociationPropagator:
    torch.manual_seed(0)
    network = build_association(name)
    network.variant = replace(network.variant, long_term_gap=gap)
    return AssociationPropagator(network, EngineInfo(name), effort="fast")


@pytest.mark.parametrize("name", ["aott", "deaott"])
@pytest.mark.parametrize("step", [1, -1])
def test_tracker_that_goes_on_from_saved_state_gives_identical_results(name: str, step: int) -> None:
    shot, engine = NoiseShot(), propagator(name)
    keys = [Key(10, 4, square(5, 5)), Key(10, 2, square(20, 30))]
    tracker = engine.follow(shot, keys, keys)
    walk = [10 + step * n for n in range(1, 9)]
    for frame in walk[:5]:
        tracker.step(frame)
    saved = tracker.save()
    again = propagator(name).follow(shot, keys, keys, saved)
    for frame in walk[5:]:
        before, after = tracker.step(frame), again.step(frame)
        assert np.array_equal(before, after)
        assert is_alpha(after, 2)


def is_alpha(found: Alpha, count: int) -> bool:
    fits = found.shape == (count, *SIZE) and found.dtype == np.float32
    return fits and bool((found >= 0).all() and (found.sum(0) <= 1 + 1e-5).all())


def test_memory_on_a_long_walk_stays_as_it_was() -> None:
    shot = NoiseShot()
    key = Key(0, 1, square(5, 5))
    tracker = propagator().follow(shot, [key], [key])
    sizes = []
    for frame in shot.frames[1:9]:
        tracker.step(frame)
        sizes.append(len(tracker.save()))
    assert sizes[0] < sizes[1] < sizes[2]
    # names in the container are padded, so that some bytes may differ
    assert max(sizes[2:]) - min(sizes[2:]) < 4096


def test_twelve_objects_at_once_share_every_pixel() -> None:
    shot = NoiseShot()
    keys = [Key(0, n, square(13 * (n // 4), 14 * (n % 4), side=10)) for n in range(12)]
    assert is_alpha(propagator("aott").follow(shot, keys, keys).step(1), 12)


@pytest.mark.parametrize("size", [(16, 16), (31, 45)])
@pytest.mark.parametrize("name", ["aott", "swinb-deaotl"])
def test_frames_of_any_size_give_masks_of_that_size(name: str, size: tuple[int, int]) -> None:
    key = Key(0, 1, square(2, 2, size=size))
    found = propagator(name).follow(NoiseShot(size), [key], [key]).step(1)
    assert found.shape == (1, *size)
    assert np.isfinite(found).all()


def test_values_beyond_white_and_missing_ones_do_not_spoil_the_result() -> None:
    class Burnt(NoiseShot):
        def rgb(self, frame: int, box: Box | None = None) -> RGB:
            picture = super().rgb(frame).copy()
            picture[0, 0], picture[1, 1] = np.nan, 1e6
            return picture

    key = Key(0, 1, square(5, 5))
    assert is_alpha(propagator().follow(Burnt(), [key], [key]).step(1), 1)


@pytest.mark.parametrize(
    ("mask", "words"), [(np.zeros(SIZE, np.bool_), "is empty"), (np.ones((3, 3), np.bool_), "the frames' size")]
)
def test_key_without_an_object_or_of_another_size_is_refused(mask: Mask, words: str) -> None:
    key = Key(0, 1, mask)
    with pytest.raises(MaskError, match=words):
        propagator().follow(NoiseShot(), [key], [key])


def test_object_that_vanishes_at_the_size_of_the_network_is_refused() -> None:
    mask = square(601, 900, side=1, size=(1200, 1800))
    key = Key(0, 3, mask)
    with pytest.raises(MaskError, match=r"object 3 on frame 0 \(1 pixels\) is too small"):
        propagator().follow(NoiseShot((1200, 1800)), [key], [key])


def test_key_frames_are_the_nearest_that_show_every_object_and_the_start_last() -> None:
    def both(frame: int) -> list[Key]:
        return [Key(frame, 1, square(0, 0)), Key(frame, 2, square(20, 20))]

    keys = [key for frame in (0, 10, 22, 28, 90) for key in both(frame)] + [Key(21, 1, square(0, 0))]
    chosen = choose_key_frames(keys, both(20))
    assert [found[0].frame for found in chosen] == [10, 28, 22, 20]
    assert all([key.object_id for key in found] == [1, 2] for found in chosen)


def test_overlapping_masks_leave_the_smaller_object_whole() -> None:
    small, large = Key(0, 1, square(8, 8, side=4)), Key(0, 2, square(4, 4, side=16))
    for keys in ([(1, small), (2, large)], [(2, large), (1, small)]):
        label = draw_keys(torch.zeros(SIZE, dtype=torch.int64), keys).numpy()
        assert np.array_equal(label == 1, small.mask)
        assert np.array_equal(label > 0, large.mask)


@pytest.mark.parametrize("name", ["aott", "deaott"])
def test_object_that_joins_comes_last_and_the_rest_of_the_walk_can_be_repeated(name: str) -> None:
    shot, first, second = NoiseShot(), Key(0, 7, square(5, 5)), Key(3, 2, square(20, 30))
    tracker = propagator(name).follow(shot, [first, second], [first])
    assert all(is_alpha(tracker.step(frame), 1) for frame in (1, 2, 3))
    tracker.join([second])
    saved = tracker.save()
    after = [tracker.step(frame) for frame in (4, 5)]
    again = propagator(name).follow(shot, [first, second], [first], saved)
    for frame, found in zip((4, 5), after, strict=True):
        assert is_alpha(found, 2)
        assert np.array_equal(again.step(frame), found)


def test_key_of_a_followed_object_corrects_it_and_leaves_the_order() -> None:
    shot = NoiseShot()
    keys = [Key(0, 7, square(5, 5)), Key(0, 2, square(20, 30))]
    plain, corrected = (propagator("aott").follow(shot, keys, keys) for _ in range(2))
    for frame in (1, 2):
        plain.step(frame)
        corrected.step(frame)
    corrected.join([Key(2, 7, square(25, 5))])
    left, found = plain.step(3), corrected.step(3)
    assert is_alpha(found, 2)
    assert not np.array_equal(left, found)


def test_an_eleventh_object_that_joins_begins_a_second_memory() -> None:
    shot = NoiseShot()
    places = [square(13 * (n // 4), 14 * (n % 4), side=10) for n in range(12)]
    keys = [Key(0, n, places[n]) for n in range(10)]
    tracker = propagator("aott").follow(shot, keys, keys)
    tracker.step(1)
    tracker.join([Key(1, 10, places[10]), Key(1, 11, places[11])])
    assert is_alpha(tracker.step(2), 12)


def test_memory_does_not_grow_over_a_long_walk_with_ever_more_corrections() -> None:
    shot = NoiseShot((16, 16), count=60)
    key = Key(0, 1, square(2, 2, side=8, size=(16, 16)))
    engine = propagator("aott")
    tracker = engine.follow(shot, [key], [key])
    stored, lengths = [], []
    for frame in shot.frames[1:]:
        tracker.step(frame)
        if frame % 4 == 0:
            tracker.join([Key(frame, 1, square(2, 2, side=8, size=(16, 16)))])
        tensors = torch.load(io.BytesIO(tracker.save()), weights_only=True)
        given = tensors["0/given"].tolist()
        stored.append((sum(given), len(given) - sum(given)))
        lengths.append(sum(value.numel() for value in tensors.values()))
    assert max(kept for kept, _ in stored) == GIVEN_FRAMES
    assert max(kept for _, kept in stored) == 3, "what fast effort may store of followed frames"
    assert len(set(stored[32:])) == len(set(lengths[32:])) == 1


def test_half_precision_keeps_the_masks() -> None:
    # on a CPU too, so that what a GPU does by itself is tried everywhere
    torch.manual_seed(0)
    network = build_association("aott")
    key = Key(0, 1, square(5, 5, side=20))
    full, half = (
        AssociationPropagator(network, EngineInfo("aott"), effort="fast", precision=precision).follow(
            NoiseShot(), [key], [key]
        )
        for precision in ("float32", "half")
    )
    for frame in (1, 2, 3):
        exact, near = full.step(frame), half.step(frame)
        assert near.dtype == np.float32
        assert np.abs(exact - near).max() < 0.05


def test_smaller_sizes_come_to_an_end() -> None:
    size = (1080, 1920)
    engine, sizes = propagator(), []
    while engine is not None:
        sizes.append(engine.working_size(size))
        engine = engine.smaller(size)
    assert sizes == [(353, 641), (273, 481)]


def test_frames_that_are_small_already_are_not_made_smaller() -> None:
    assert propagator().smaller((480, 360)) is None


def test_published_file_with_optimizer_and_wrapped_names_is_loaded(tmp_path: Path) -> None:
    network = untrained()
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state, "optimizer": {"state": {0: {"step": 1}}}, "scaler": {}}, tmp_path / "aott.pth")
    loaded = load_association("aott", tmp_path / "aott.pth", device="cpu")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in network.state_dict().items())
    assert not loaded.training


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    torch.save(untrained().state_dict(), tmp_path / "aott.pth")
    with pytest.raises(InputError, match=r"aott\.pth does not hold the weights of deaott"):
        load_association("deaott", tmp_path / "aott.pth", device="cpu")


def untrained() -> AssociationNetwork:
    torch.manual_seed(0)
    return build_aot(VARIANTS["aott"])


def test_names_are_those_of_the_manifest() -> None:
    assert len(PROPAGATOR_NAMES) == 12
    assert {"aott", "r50-aotl", "deaotb", "swinb-deaotl"} <= set(PROPAGATOR_NAMES)
