"""Runs of a session: cut off by a killed server, by engines that learn first, by short memory; and what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from cleanplate.v1 import job_pb2, media_pb2, picker_pb2, picker_pb2_grpc
from cleanplate_server.config import Settings
from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.protocols import Alpha, Effort, EngineInfo, EngineKind, Frames, Key, Propagator, Tick
from cleanplate_server.service.server import Server
from fakes import BrightPropagator, BrightTracker
from sessions_made import COUNT, BrightRegistry, Picker, click, mask_prompt, square, write_walker

RUN = picker_pb2.Run
FORWARD = picker_pb2.PropagateRequest.FORWARD
LONG_COUNT = 40
STUCK_AT = 30


@dataclass
class Named(BrightRegistry):
    """Engines by name; the embedded one is the bright one."""

    others: dict[str, Propagator] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    def propagator(self, name: str = "", effort: Effort = "balanced") -> Propagator:
        return self.others.get(name, self.bright)

    def check(self, kind: EngineKind, name: str) -> None:
        assert name in self.others


@pytest.fixture
def open_picker(picker_settings: Settings, walker: Path) -> Iterator[Callable[[BrightRegistry], Picker]]:
    servers: list[Server] = []

    def open_one(registry: BrightRegistry) -> Picker:
        servers.append(Server(picker_settings, registry=registry))
        servers[-1].start()
        person = Picker.at(servers[-1])
        person.open(walker)
        return person

    yield open_one
    for server in servers:
        server.stop()


def _choose(picker: Picker, name: str) -> None:
    engines = [job_pb2.EngineChoice(kind="propagator", name=name)]
    picker.ask("PutSettings", settings=picker_pb2.TakeSettings(engines=engines))


# ---- a server that is killed


def serve_and_get_stuck(settings: Settings) -> None:
    """A server whose engine never comes back from a frame; in a process of its own, to be killed."""
    registry = BrightRegistry()
    registry.bright.pause = lambda frame: time.sleep(60) if frame >= STUCK_AT else None
    server = Server(settings, registry=registry)
    server.start()
    server.wait()


_SERVE = """
import sys
from cleanplate_server.config import Settings
from server.service.test_session_runs import serve_and_get_stuck
serve_and_get_stuck(Settings.from_json(sys.argv[1]))
"""


def _until_there(file: Path) -> None:
    end = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_run_under_a_killed_server_is_interrupted_and_goes_on_from_there(
    picker_settings: Settings, walker: Path, registry: BrightRegistry
) -> None:
    write_walker(walker, count=LONG_COUNT)
    paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    arguments = [sys.executable, "-c", _SERVE, picker_settings.to_json()]
    with subprocess.Popen(arguments, env={**os.environ, "PYTHONPATH": paths}) as process:
        address = picker_settings.state_folder / "server.json"
        _until_there(address)
        token = (picker_settings.state_folder / "token").read_text()
        with grpc.insecure_channel(json.loads(address.read_text())["address"]) as channel:
            stub = picker_pb2_grpc.SessionServiceStub(channel)
            person = Picker(stub, (("authorization", f"Bearer {token}"),))
            person.open(walker)
            person.say(click(2))
            person.ask("Propagate", direction=FORWARD)
            person.until(lambda session: session.run.done_frame_count == STUCK_AT - 3)
            process.send_signal(signal.SIGKILL)
    with Server(picker_settings, registry=registry) as server:
        again = Picker.at(server)
        assert again.open(walker).name == person.name
        run = again.session.run
        assert (run.kind, run.state, run.frame_count) == (RUN.PROPAGATE, RUN.INTERRUPTED, LONG_COUNT - 3)
        assert run.message.startswith("the server ended when about ")
        assert "\n" not in run.message
        assert again.states() == {2: "KEY"} | dict.fromkeys(range(3, STUCK_AT), "FOLLOWED")
        before = {frame.frame: frame.revision for frame in again.ask("GetSession").tracks[0].frames}
        run = again.follow(direction=FORWARD)
        assert (run.state, run.frame_count, run.message) == (RUN.DONE, LONG_COUNT - STUCK_AT, "")
        after = {frame.frame: frame.revision for frame in again.ask("GetSession").tracks[0].frames}
        assert before.items() <= after.items()
        assert len(after) == LONG_COUNT - 2
        assert min(registry.bright.walked) == 19  # what the tracker knew is kept every sixteen frames


def test_run_under_a_server_that_ends_is_interrupted_and_the_last_one_is_known(
    picker_settings: Settings, walker: Path, registry: BrightRegistry
) -> None:
    gate = threading.Event()
    registry.bright.pause = lambda frame: gate.wait(20) if frame >= 8 else None
    with Server(picker_settings, registry=registry) as server:
        person = Picker.at(server)
        person.open(walker)
        person.say(click(2))
        person.ask("Propagate", direction=FORWARD)
        person.until(lambda session: session.run.done_frame_count >= 5)
        threading.Timer(0.3, gate.set).start()
    registry.bright.walked.clear()
    for state in (RUN.INTERRUPTED, RUN.DONE):
        with Server(picker_settings, registry=registry) as server:
            person = Picker.at(server)
            person.open(walker)
            assert person.session.run.state == state
            person.follow(direction=FORWARD)
    assert min(registry.bright.walked) > 8


# ---- an engine that learns first


@dataclass
class Learner(BrightPropagator):
    """Makes twenty updates for each object, and waits for a gate at the eighth."""

    info = EngineInfo("learner")
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        super().__init__()

    def update_count(self, keys: Sequence[Key]) -> int:
        return 20 * len({key.object_id for key in keys})

    def learn(self, frames: Frames, keys: Sequence[Key], folder: Path, tick: Tick) -> Propagator:
        assert folder.is_dir()
        for update in range(1, self.update_count(keys) + 1):
            tick(update)
            if update == 8:
                self.gate.wait(20)
        return self


def test_learning_is_told_and_stopped_at_once_and_begun_again(open_picker: Callable[..., Picker]) -> None:
    learner = Learner()
    picker = open_picker(Named({"learner": learner}))
    _choose(picker, "learner")
    picker.say(click(2))
    picker.ask("Propagate")
    run = picker.until(lambda session: session.run.learned_update_count == 8).run
    assert (run.state, run.update_count, run.done_frame_count) == (RUN.RUNNING, 20, 0)
    began = time.monotonic()
    assert picker.ask("StopRun").session.run.state == RUN.STOPPED
    assert time.monotonic() - began < 1
    learner.gate.set()
    run = picker.follow()
    assert (run.state, run.learned_update_count, run.update_count) == (RUN.DONE, 20, 20)
    assert len(learner.walked) == COUNT - 1


# ---- a device whose memory is short


@dataclass
class Large(BrightPropagator):
    """Runs out of memory on a frame, unless it sees frames small enough."""

    fails_at: int
    edge_px: int = 96
    enough_px: int = 0
    info = EngineInfo("large")

    def __post_init__(self) -> None:
        super().__init__()

    def smaller(self, size: tuple[int, int]) -> Large | None:
        edge = self.edge_px // 2
        return Large(self.fails_at, edge, self.enough_px) if edge >= 24 else None

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        return self.edge_px * size[0] // size[1], self.edge_px

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> LargeTracker:
        return LargeTracker(self, frames, len(start), 0, self)


@dataclass
class LargeTracker(BrightTracker):
    large: Large

    def step(self, frame: int) -> Alpha:
        if frame >= self.large.fails_at and self.large.edge_px > self.large.enough_px:
            raise DeviceMemoryError(f"large ran out of memory at frame {frame}; choose another")
        return super().step(frame)


def test_device_that_is_too_small_sees_smaller_frames_and_the_session_says_so(
    open_picker: Callable[..., Picker],
) -> None:
    picker = open_picker(Named({"large": Large(fails_at=8, enough_px=48)}))
    _choose(picker, "large")
    picker.say(click(2))
    run = picker.follow()
    assert (run.state, run.done_frame_count, run.frame_count) == (RUN.DONE, COUNT - 1, COUNT - 1)
    assert list(run.notes) == ["large ran out of memory at frame 8; it goes on seeing frames at 48 x 32"]
    assert set(picker.states().values()) == {"KEY", "FOLLOWED"}


def test_engine_that_fits_at_no_size_gives_way_to_the_embedded_one_for_what_is_left(
    open_picker: Callable[..., Picker],
) -> None:
    registry = Named({"large": Large(fails_at=8)})
    picker = open_picker(registry)
    _choose(picker, "large")
    picker.say(click(2))
    run = picker.follow(direction=FORWARD)
    assert run.state == RUN.DONE
    assert run.notes[-1] == "large ran out of memory at frame 8; bright follows the objects instead"
    assert set(picker.states().values()) == {"KEY", "FOLLOWED"}
    assert registry.bright.walked[-1] == COUNT - 1


# ---- many at once


def test_clicks_runs_and_watchers_do_not_wait_for_each_other(picker: Picker, picking: Server) -> None:
    ended = threading.Event()

    def watch() -> None:
        second = Picker.at(picking)
        second.name = picker.name
        for _ in second.watch():
            if ended.is_set():
                return

    watchers = [threading.Thread(target=watch, daemon=True) for _ in range(4)]
    for each in watchers:
        each.start()
    for number in range(60):
        picker.say(click(2 + 8 * (number % 2)))
        if number % 10 == 0:
            picker.follow()
        picker.ask("ClearPrompt", object_id=1, frame=2 + 8 * (number % 2))
    ended.set()
    picker.say(click(2))
    for each in watchers:
        each.join(20)
        assert not each.is_alive()


# ---- what is left behind


def _store_bytes(settings: Settings) -> int:
    return sum(file.stat().st_size for file in (settings.state_folder / "sessions").glob("*/session.db*"))


def _correct_often(picker: Picker, times: int) -> None:
    for number in range(times):
        mask = square(9).copy()
        mask[:2, : 2 + 4 * number] = True
        picker.say(mask_prompt(9, mask))
        picker.follow()


def test_masks_of_many_corrections_are_bounded_while_the_session_is_open(
    picker: Picker, registry: BrightRegistry
) -> None:
    picker.say(click(2))
    picker.follow()
    _correct_often(picker, 8)
    registry.bright.walked.clear()
    picker.ask("ClearPrompt", object_id=1, frame=9)
    assert picker.states()[5] == "STALE"  # as it was eight corrections ago
    picker.follow()
    assert 5 in registry.bright.walked


def test_closed_session_keeps_what_is_shown_and_frees_the_rest(
    picker: Picker, registry: BrightRegistry, picker_settings: Settings
) -> None:
    picker.say(click(2))
    picker.follow()
    picker.say(click(9))
    picker.follow()
    picker.ask("PutObject", object=picker_pb2.PickedObject(name="gone"))
    picker.say(mask_prompt(4, square(4), object_id=2))
    picker.follow()
    picker.ask("DeleteObject", object_id=2)
    before = picker.ask("GetSession").tracks
    size = _store_bytes(picker_settings)
    picker.ask("CloseSession")
    assert _store_bytes(picker_settings) < size
    assert picker.ask("GetSession").tracks == before
    assert all((picker.mask(frame) == square(frame)).all() for frame in range(COUNT))
    registry.bright.walked.clear()
    picker.ask("ClearPrompt", object_id=1, frame=9)
    picker.follow()
    assert {5, 9} <= set(registry.bright.walked)


def test_masks_outside_the_range_outlive_the_session_that_is_closed(picker: Picker, registry: BrightRegistry) -> None:
    picker.say(click(2))
    picker.follow()
    picker.ask("PutRange", range=media_pb2.FrameRange(start_frame=0, frame_count=6))
    picker.ask("CloseSession")
    picker.ask("PutRange", range=media_pb2.FrameRange(start_frame=0, frame_count=COUNT))
    assert picker.states() == {frame: "KEY" if frame == 2 else "FOLLOWED" for frame in range(COUNT)}
    assert (picker.mask(12) == square(12)).all()


def test_session_that_is_opened_again_is_freed_of_what_was_replaced(
    picker_settings: Settings, walker: Path, registry: BrightRegistry
) -> None:
    with Server(picker_settings, registry=registry) as server:
        person = Picker.at(server)
        person.open(walker)
        person.say(click(2))
        person.follow()
        _correct_often(person, 3)
        before = person.ask("GetSession").tracks
    registry.bright.walked.clear()
    with Server(picker_settings, registry=registry) as server:
        person = Picker.at(server)
        person.open(walker)
        assert person.ask("GetSession").tracks == before
        assert (person.mask(5) == square(5)).all()
        assert person.follow().state == RUN.DONE
        assert registry.bright.walked == []
        person.ask("ClearPrompt", object_id=1, frame=9)
        person.follow()
        assert 5 in registry.bright.walked
