"""OSVOS as a propagator, from a parent with seeded weights: what is promised whatever they are."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import DeviceMemoryError, EngineError, InputError, JobCancelledError, MaskError
from cleanplate_server.models.networks.osvos import Osvos
from cleanplate_server.models.networks.osvos_propagator import OsvosPropagator
from cleanplate_server.models.networks.propagators import load_osvos
from cleanplate_server.models.protocols import EngineInfo, Key, LearningPropagator, Mask, ShrinkingPropagator
from cleanplate_server.models.registry import EnginePlace, Registry
from fakes import ArrayFrames

SIZE = (24, 32)
INFO = EngineInfo("osvos", "GPL-3.0-only", weights="parent_epoch-239.pth")


@pytest.fixture(scope="module")
def parent() -> Mapping[str, torch.Tensor]:
    """Weights that see a little of each colour; a fresh network scores hundreds, this one about one."""
    torch.manual_seed(0)
    network = Osvos()
    with torch.no_grad():
        network.fuse.weight.mul_(0.1)
    return {name: value.clone() for name, value in network.state_dict().items()}


@pytest.fixture
def frames() -> ArrayFrames:
    """A bright square that moves over a dark ground, and a reddish one that stays."""
    random = np.random.default_rng(0)
    pictures = random.uniform(0.1, 0.2, (6, *SIZE, 3)).astype(np.float32)
    for t in range(6):
        pictures[t, 4:12, 4 + 2 * t : 12 + 2 * t] = 0.9
        pictures[t, 16:22, 4:12, 0] = 0.8
    return ArrayFrames(pictures, first=10)


def bright(frame: int) -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[4:12, 4 + 2 * (frame - 10) : 12 + 2 * (frame - 10)] = True
    return mask


def reddish() -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[16:22, 4:12] = True
    return mask


def engine(parent: Mapping[str, torch.Tensor], *, updates: int = 1, long_edge_px: int = 854) -> OsvosPropagator:
    return OsvosPropagator(parent, INFO, device="cpu", updates=updates, long_edge_px=long_edge_px)


def test_engine_is_one_that_learns_and_can_shrink_and_names_its_updates(parent: Mapping[str, torch.Tensor]) -> None:
    found = engine(parent, updates=7)
    assert isinstance(found, LearningPropagator)
    assert isinstance(found, ShrinkingPropagator)
    assert found.info.name == "osvos:updates=7"
    assert found.info.licence == "GPL-3.0-only"


def test_what_was_learned_is_kept_and_gives_the_same_masks(
    parent: Mapping[str, torch.Tensor], frames: ArrayFrames, tmp_path: Path
) -> None:
    keys = [Key(10, 2, bright(10)), Key(10, 1, reddish())]
    ticks: list[int] = []
    first = engine(parent, updates=2).learn(frames, keys, tmp_path, ticks.append)
    assert ticks[-1] == 4 == first.update_count(keys)
    assert ticks == sorted(ticks)
    assert len(list(tmp_path.glob("object-*.pth"))) == 2
    again: list[int] = []
    second = engine(parent, updates=2).learn(frames, keys, tmp_path, again.append)
    assert again == [2, 4]
    unprepared = engine(parent, updates=2)
    steps = [each.follow(frames, keys, keys).step(12) for each in (first, second, unprepared)]
    assert steps[0].shape == (2, *SIZE)
    assert steps[0].dtype == np.float32
    assert all(np.array_equal(step, steps[0]) for step in steps[1:])


def test_training_that_was_stopped_begins_anew_and_ends_alike(
    parent: Mapping[str, torch.Tensor], frames: ArrayFrames, tmp_path: Path
) -> None:
    key = Key(10, 1, bright(10))

    def stop(done: int) -> None:
        if done:
            raise JobCancelledError("stopped")

    with pytest.raises(JobCancelledError):
        engine(parent, updates=2).learn(frames, [key], tmp_path, stop)
    assert list(tmp_path.iterdir()) == []
    found = engine(parent, updates=2).learn(frames, [key], tmp_path, lambda done: None).follow(frames, [key], [key])
    whole = engine(parent, updates=2).follow(frames, [key], [key])
    assert np.array_equal(found.step(11), whole.step(11))


def test_further_keys_join_the_lessons(parent: Mapping[str, torch.Tensor], frames: ArrayFrames, tmp_path: Path) -> None:
    one, other = Key(10, 1, bright(10)), Key(15, 1, bright(15))
    alone = engine(parent).follow(frames, [one], [one]).step(12)
    both = engine(parent).follow(frames, [one, other], [one]).step(12)
    assert not np.array_equal(alone, both)


def test_updates_move_the_masks_towards_the_key(parent: Mapping[str, torch.Tensor], frames: ArrayFrames) -> None:
    key = Key(10, 1, bright(10))

    def contrast(updates: int) -> float:
        found = engine(parent, updates=updates).follow(frames, [key], [key]).step(12)[0].astype(np.float64)
        return float(found[bright(12)].mean() - found[~bright(12)].mean())

    assert contrast(12) > contrast(0)


def test_pixel_belongs_to_one_object(parent: Mapping[str, torch.Tensor], frames: ArrayFrames) -> None:
    keys = [Key(10, 2, bright(10)), Key(10, 1, reddish())]
    found = engine(parent, updates=0).follow(frames, keys, keys).step(12)
    assert ((found >= 0.5).sum(0) <= 1).all()


def test_frames_beyond_the_bound_are_seen_smaller_and_masks_are_native(
    parent: Mapping[str, torch.Tensor], frames: ArrayFrames
) -> None:
    found = engine(parent, updates=0, long_edge_px=16)
    assert found.working_size(SIZE) == (12, 16)
    key = Key(10, 1, bright(10))
    assert found.follow(frames, [key], [key]).step(11).shape == (1, *SIZE)
    assert engine(parent).working_size((1080, 1920)) == (480, 854)


def test_object_that_vanishes_at_working_size_is_refused(
    parent: Mapping[str, torch.Tensor], frames: ArrayFrames
) -> None:
    mask = np.zeros(SIZE, np.bool_)
    mask[3, 3] = True
    with pytest.raises(MaskError, match=r"object 1 on frame 10 \(1 pixels\) is too small"):
        engine(parent, long_edge_px=8).follow(frames, [Key(10, 1, mask)], [Key(10, 1, mask)])


def test_device_without_memory_is_told_with_what_it_was_doing(
    parent: Mapping[str, torch.Tensor], frames: ArrayFrames, tmp_path: Path
) -> None:
    short = dict(parent)
    found = engine(short)

    def tick(done: int) -> None:
        raise torch.OutOfMemoryError

    with pytest.raises(
        DeviceMemoryError, match=r"ran out of memory on cpu while it learned object 1 \(seen at 32 x 24\)"
    ):
        found.learn(frames, [Key(10, 1, bright(10))], tmp_path, tick)


def test_registry_without_the_parent_says_which_file_and_how_to_get_it(tmp_path: Path) -> None:
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    for name in ("osvos", "osvos:updates=200"):
        with pytest.raises(EngineError) as refused:
            registry.check("propagator", name)
        assert "parent_epoch-239.pth" in str(refused.value)
        assert "osvos-parent" in str(refused.value)
        assert "'embedded' would run instead" in str(refused.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("osvos:updates=many", "write osvos:updates=N with N from 0 to 20000"),
        ("osvos:updates=20001", "0 to 20000"),
        ("osvos:speed=3", "is no option"),
        ("embedded:updates=3", "'embedded' is not trained on your keys"),
    ],
)
def test_option_that_an_engine_does_not_have_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Registry(EnginePlace(tmp_path, "cpu")).check("propagator", name)


@pytest.mark.parametrize(("effort", "updates"), [("fast", 100), ("balanced", 500), ("best", 2000)])
def test_effort_sets_the_updates_unless_they_are_given(
    parent: Mapping[str, torch.Tensor], tmp_path: Path, effort: str, updates: int
) -> None:
    file = tmp_path / "parent_epoch-239.pth"
    torch.save(dict(parent), file)
    assert load_osvos(file, INFO, device="cpu", effort=effort).info.name == f"osvos:updates={updates}"
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    assert registry.propagator("osvos:updates=3", effort).info.name == "osvos:updates=3"
    assert registry.propagator("", effort).info.name == "embedded"


def test_weights_of_another_network_are_refused_by_name(tmp_path: Path) -> None:
    torch.save({"fuse.weight": torch.zeros(1)}, tmp_path / "parent.pth")
    with pytest.raises(InputError, match=r"parent\.pth does not hold the weights of osvos-parent"):
        load_osvos(tmp_path / "parent.pth", INFO, device="cpu", effort="fast")
