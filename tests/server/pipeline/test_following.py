"""Objects followed through shots: together and apart, with engines that learn, with devices that are too small."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import DeviceMemoryError, JobCancelledError
from cleanplate_server.models.networks.association.propagator import AssociationPropagator
from cleanplate_server.models.networks.propagators import build_association
from cleanplate_server.models.protocols import Alpha, EngineInfo, Frames, Key, Mask, Prompt, Propagator, Tick
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.spec import JobSpec, Output, Take, TrackOperation
from cleanplate_server.pipeline.track import track
from cleanplate_server.pipeline.tracking import ShotTracking
from cleanplate_server.stages.given_masks import FollowedMasks
from cleanplate_server.stages.windows import write_mask
from fakes import ArrayFrames, BrightPropagator, BrightTracker, FakeEngines, MemoryLedger
from media import Recipe, write_video

COUNT = 40
SIZE = (16, 24)
FRAMES = ArrayFrames(np.zeros((COUNT, *SIZE, 3), np.float32))


def mark(object_id: int, frame: int = 0) -> Mask:
    """A column for each object, a row for each eighth frame."""
    mask = np.zeros(SIZE, np.bool_)
    mask[: 1 + frame // 8, object_id] = True
    return mask


@dataclass
class SharedFake:
    """Gives every object its own mark, and keeps who was followed to which frame, in which order."""

    info = EngineInfo("shared")
    memory_object_count: int = 2
    seen: dict[tuple[int, int], list[int]] = field(default_factory=dict)

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> SharedTracker:
        objects = json.loads(saved) if saved else [key.object_id for key in start]
        return SharedTracker(self, objects, start[0].frame)


@dataclass
class SharedTracker:
    owner: SharedFake
    objects: list[int]
    began: int

    def step(self, frame: int) -> Alpha:
        self.owner.seen[self.began, frame] = list(self.objects)
        return np.stack([mark(object_id, frame) for object_id in self.objects]).astype(np.float32)

    def join(self, keys: Sequence[Key]) -> None:
        self.objects += [key.object_id for key in keys if key.object_id not in self.objects]

    def save(self) -> bytes:
        return json.dumps(self.objects).encode()


def follow(engine: Propagator, keys: Sequence[Key], ledger: MemoryLedger, *, together: bool) -> ShotTracking:
    tracking = ShotTracking(FRAMES, keys, ledger, together=together)
    tracking.follow(engine, 0, tracking.step_count)
    return tracking


KEYS = (Key(2, 1, mark(1, 2)), Key(20, 2, mark(2, 20)), Key(20, 3, mark(3, 20)), Key(30, 1, mark(1, 30)))


@pytest.mark.parametrize("together", [True, False])
def test_object_whose_first_key_comes_later_has_masks_before_and_after_it(tmp_path: Path, together: bool) -> None:
    masks = follow(SharedFake(), KEYS, MemoryLedger(tmp_path), together=together).masks()
    for object_id in (1, 2, 3):
        for frame in FRAMES.frames:
            assert np.array_equal(masks[object_id].mask(frame), mark(object_id, frame)), (object_id, frame)


def test_objects_that_share_a_memory_join_it_at_their_keys(tmp_path: Path) -> None:
    engine = SharedFake()
    follow(engine, KEYS, MemoryLedger(tmp_path), together=True)
    forward = {frame: objects for (began, frame), objects in engine.seen.items() if began == 2 and frame > 2}
    assert [forward[frame] for frame in (3, 20, 21, 30, 39)] == [[1], [1], [1, 2, 3], [1, 2, 3], [1, 2, 3]]
    back = {frame: objects for (began, frame), objects in engine.seen.items() if began == 30 and frame < 30}
    assert [back[frame] for frame in (29, 20, 19, 3, 2, 0)] == [[1], [1], [1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]]


def test_shared_walk_that_was_stopped_goes_on_with_the_same_masks(tmp_path: Path) -> None:
    whole = follow(SharedFake(), KEYS, MemoryLedger(tmp_path / "a"), together=True).masks()
    ledger = MemoryLedger(tmp_path / "b", stop_after=35)
    with pytest.raises(JobCancelledError):
        follow(SharedFake(), KEYS, ledger, together=True)
    ledger.stop_after = None
    later = SharedFake()
    masks = follow(later, KEYS, ledger, together=True).masks()
    assert (2, 3) not in later.seen
    for object_id, found in masks.items():
        assert all(np.array_equal(found.mask(frame), whole[object_id].mask(frame)) for frame in FRAMES.frames)


def test_shared_walks_reach_as_far_as_given_masks_leave_something_open(tmp_path: Path) -> None:
    def given(object_id: int, frames: range) -> FollowedMasks:
        for frame in frames:
            write_mask(tmp_path / str(object_id) / f"{frame:05d}.png", mark(object_id, frame))
        return FollowedMasks(tmp_path / str(object_id), SIZE)

    keys, ledger = (KEYS[0], KEYS[1]), MemoryLedger(tmp_path / "job")
    half = {1: given(1, FRAMES.frames), 2: given(2, range(0, 30))}
    (open_walk,) = ShotTracking(FRAMES, keys, ledger, given=half, together=True).walks
    assert (open_walk.frames, open_walk.objects_on(39)) == (range(3, 40), (1, 2))
    whole = half | {2: given(2, FRAMES.frames)}
    assert ShotTracking(FRAMES, keys, ledger, given=whole, together=True).walks == []


@dataclass
class Line(FakeEngines):
    """Engines by name."""

    by_name: dict[str, Propagator] = field(default_factory=dict)

    def propagator(self, name: str = "", effort: str = "balanced") -> Propagator:
        return self.by_name[name]


@dataclass
class ShortOfMemory:
    """Bright things, by a device whose memory ends at a frame, unless frames are seen small enough."""

    fails_at: int
    long_edge_px: int = 96
    enough_px: int = 24

    info = EngineInfo("large")

    def smaller(self, size: tuple[int, int]) -> ShortOfMemory | None:
        edge = self.long_edge_px // 2
        return replace(self, long_edge_px=edge) if edge >= 24 else None

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.long_edge_px * size[0] // size[1], self.long_edge_px

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> ShortTracker:
        return ShortTracker(BrightPropagator(), frames, len(start), 0, self)


@dataclass
class ShortTracker(BrightTracker):
    short: ShortOfMemory

    def step(self, frame: int) -> Alpha:
        if frame >= self.short.fails_at and self.short.long_edge_px > self.short.enough_px:
            raise DeviceMemoryError(f"large ran out of memory at frame {frame}; choose another")
        return super().step(frame)


class Last(BrightPropagator):
    info = EngineInfo("embedded")


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_video(tmp_path / "source.mkv", Recipe("ffv1", count=COUNT, options={}))


OPERATION = TrackOperation((Prompt(0, mask=np.ones((64, 96), np.bool_)),))


def run(folder: Path, clip: Path, engines: FakeEngines, operation: TrackOperation = OPERATION) -> tuple[Take, Job]:
    job_folder = folder / "job"
    job_folder.mkdir(exist_ok=True)
    spec = JobSpec(clip, operation, Output(folder / "out.mkv", delivery="matte", overwrite=True))
    job = Job(spec, MemoryLedger(job_folder), engines)
    return track(job, operation), job


def propagators(take: Take) -> list[str]:
    return [use.info.name for use in take.engines if use.kind == "propagator"]


def test_device_that_is_too_small_sees_smaller_frames_and_says_so(tmp_path: Path, clip: Path) -> None:
    take, job = run(tmp_path, clip, Line(by_name={"": ShortOfMemory(fails_at=20), "embedded": Last()}))
    assert propagators(take) == ["large"]
    assert [note for note in take.notes if "memory" in note] == [
        "large ran out of memory at frame 20; it goes on seeing frames at 48 x 32",
        "large ran out of memory at frame 20; it goes on seeing frames at 24 x 16",
    ]
    assert set(take.notes) <= set(job.ledger.notes)


def test_engine_that_fits_at_no_size_gives_way_to_the_embedded_one_and_says_so(tmp_path: Path, clip: Path) -> None:
    last = Last()
    engines = Line(by_name={"": ShortOfMemory(fails_at=20, long_edge_px=24, enough_px=0), "embedded": last})
    take, _ = run(tmp_path, clip, engines)
    assert "large ran out of memory at frame 20; embedded follows the objects instead" in take.notes
    assert propagators(take) == ["large", "embedded"]
    assert last.walked == list(range(1, COUNT))
    assert [use["name"] for use in json.loads(take.manifest_path.read_text())["engines"]] == [
        "bright", "large", "embedded",
    ]  # fmt: skip


def test_job_that_was_stopped_goes_on_with_the_engine_that_took_over(tmp_path: Path, clip: Path) -> None:
    engines = Line(by_name={"": ShortOfMemory(fails_at=20, long_edge_px=24, enough_px=0), "embedded": Last()})
    ledger = MemoryLedger(tmp_path / "job")
    ledger.folder.mkdir()
    spec = JobSpec(clip, OPERATION, Output(tmp_path / "out.mkv", delivery="matte"))
    ledger.stop_after = 90
    with pytest.raises(JobCancelledError):
        track(Job(spec, ledger, engines), OPERATION)
    assert ledger.finished("propagate", "engines") is not None
    ledger.stop_after = None
    last = Last()
    again = Line(by_name={"": ShortOfMemory(fails_at=0, long_edge_px=24, enough_px=0), "embedded": last})
    take = track(Job(spec, ledger, again), OPERATION)
    assert [note for note in take.notes if "memory" in note] == [
        "large ran out of memory at frame 20; embedded follows the objects instead"
    ]
    assert propagators(take) == ["large", "embedded"]


@dataclass
class TooLargeToLoad(Line):
    """The preferred engine does not even fit the device."""

    def propagator(self, name: str = "", effort: str = "balanced") -> Propagator:
        if name == "":
            raise DeviceMemoryError("large does not fit the memory of cuda:0; choose another")
        return super().propagator(name, effort)


def test_engine_that_cannot_be_loaded_gives_way_aloud(tmp_path: Path, clip: Path) -> None:
    take, _ = run(tmp_path, clip, TooLargeToLoad(by_name={"embedded": Last()}))
    assert "large does not fit the memory of cuda:0; embedded follows the objects instead" in take.notes
    assert propagators(take) == ["embedded"]


def test_embedded_engine_without_memory_has_nobody_behind_it(tmp_path: Path, clip: Path) -> None:
    alone = ShortOfMemory(fails_at=20, long_edge_px=24, enough_px=0)
    with pytest.raises(DeviceMemoryError, match="at frame 20"):
        run(tmp_path, clip, Line(by_name={"": alone, "embedded": alone}))


def test_network_whose_device_runs_out_of_memory_sees_smaller_frames(tmp_path: Path) -> None:
    long = write_video(tmp_path / "long.mkv", Recipe("ffv1", size=(16, 704), count=4, options={}))
    torch.manual_seed(0)
    network = build_association("aott")

    def refuse_large(module: torch.nn.Module, pictures: tuple[torch.Tensor]) -> None:
        if pictures[0].shape[3] > 500:
            raise torch.OutOfMemoryError

    network.encoder.register_forward_pre_hook(refuse_large)
    engines = Line(by_name={"": AssociationPropagator(network, EngineInfo("aott")), "embedded": Last()})
    operation = TrackOperation((Prompt(0, mask=np.ones((16, 704), np.bool_)),))
    take, _ = run(tmp_path, long, engines, operation)
    assert propagators(take) == ["aott"]
    assert [note for note in take.notes if "memory" in note] == [
        "aott ran out of memory on cpu at frame 0 (1 objects, seen at 705 x 17); it goes on seeing frames at 497 x 17"
    ]


def test_more_objects_than_a_memory_holds_are_followed_in_groups_and_that_is_said(tmp_path: Path, clip: Path) -> None:
    operation = TrackOperation(tuple(Prompt(0, number, mask=np.ones((64, 96), np.bool_)) for number in (1, 2, 3)))
    ledger = MemoryLedger(tmp_path)
    spec = JobSpec(clip, operation, Output(tmp_path / "out.mkv", delivery="matte"))
    with pytest.raises(JobCancelledError):
        track(Job(spec, ledger, Line(by_name={"": Told()})), operation)
    assert ledger.notes == [
        "shared holds 2 objects in one memory, so the 3 of frames 0 to 39 are followed in 2 groups, which compete for"
        " pixels but do not learn from each other"
    ]


class Told(SharedFake):
    """Stops the job once it has been asked to follow."""

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> SharedTracker:
        raise JobCancelledError("seen enough")


class LearningFake(BrightPropagator):
    """Learns three updates for each key, and keeps that it has."""

    info = EngineInfo("learning")

    def __init__(self) -> None:
        super().__init__()
        self.learned = 0

    def update_count(self, keys: Sequence[Key]) -> int:
        return 3 * len(keys)

    def learn(self, frames: Frames, keys: Sequence[Key], folder: Path, tick: Tick) -> Propagator:
        for done in range(1, self.update_count(keys) + 1):
            if not (folder / str(done)).exists():
                self.learned += 1
                (folder / str(done)).touch()
            tick(done)
        return self


def test_engine_that_learns_shows_its_updates_and_learns_once(tmp_path: Path, clip: Path) -> None:
    prompts = tuple(Prompt(frame, mask=np.ones((64, 96), np.bool_)) for frame in (0, 20))
    operation = TrackOperation(prompts)
    first = LearningFake()
    _, job = run(tmp_path, clip, Line(by_name={"": first}), operation)
    told = [(done, total) for stage, done, total in job.ledger.calls if stage == "learn"]
    assert told == [(n, 6) for n in range(1, 7)]
    assert first.learned == 6
    again = LearningFake()
    run(tmp_path, clip, Line(by_name={"": again}), operation)
    assert again.learned == 0
