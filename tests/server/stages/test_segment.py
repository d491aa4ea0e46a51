"""Frames kept ready for prompts, and segmenters that give way to lighter ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.clip import ClipRange, Media
from cleanplate_server.errors import DeviceMemoryError, PromptError
from cleanplate_server.models.lighter import YieldingSegmenter
from cleanplate_server.models.protocols import RGB, Candidate, EngineInfo, Mask, Nearby, Point, Prompt
from cleanplate_server.pipeline.tracking import segment_prompts
from cleanplate_server.stages.decode import probe
from cleanplate_server.stages.segment import ClipSession
from fakes import MemoryLedger
from media import Recipe, write_video

CLICK = Prompt(0, points=(Point(5, 5),))


@dataclass
class Sized:
    """Finds everything; each frame made ready holds a hundred bytes, and ten more for each answer.

    Args:
        name: of the engine.
        fails: what does not fit the memory: ``load``, ``prepare``, ``segment``, or nothing.
        prepared: how many frames were made ready.
    """

    name: str = "sized"
    fails: str = ""
    prepared: int = 0

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(self.name)

    def check(self, step: str) -> None:
        if step == self.fails:
            raise DeviceMemoryError(f"{self.name} is too large to {step}; choose another")

    def build(self) -> Sized:
        self.check("load")
        return self

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> SizedImage:
        self.check("prepare")
        self.prepared += 1
        return SizedImage(self, np.ones(rgb.shape[:2], np.bool_))


@dataclass
class SizedImage:
    owner: Sized
    mask: Mask
    byte_count: int = field(default=100)

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        self.owner.check("segment")
        self.byte_count += 10
        return (Candidate(self.mask, 1.0),)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Media:
    return probe(write_video(tmp_path_factory.mktemp("media") / "clip.mp4", Recipe(count=8)))


@pytest.fixture
def engine() -> Sized:
    return Sized()


@pytest.fixture
def session(clip: Media, engine: Sized) -> Iterator[ClipSession]:
    with ClipSession(clip, lambda name: engine, keep_bytes=340) as made:
        yield made


def test_frame_is_made_ready_once_for_all_its_prompts(session: ClipSession, engine: Sized) -> None:
    for _ in range(3):
        session.segment(CLICK)
    assert engine.prepared == 1


def test_frames_made_ready_are_let_go_by_their_bytes_the_oldest_first(session: ClipSession, engine: Sized) -> None:
    for frame in (0, 1, 2):
        session.segment(replace(CLICK, frame=frame))
    assert engine.prepared == 3
    session.segment(replace(CLICK, frame=0))
    assert engine.prepared == 3
    session.segment(replace(CLICK, frame=3))
    session.segment(replace(CLICK, frame=0))
    assert engine.prepared == 4
    session.segment(replace(CLICK, frame=1))
    assert engine.prepared == 5


def test_last_frame_stays_ready_however_large_it_is(clip: Media, engine: Sized) -> None:
    with ClipSession(clip, lambda name: engine, keep_bytes=0) as session:
        session.segment(CLICK)
        session.segment(CLICK)
    assert engine.prepared == 1


@dataclass
class Several:
    """Finds the left half, then all of the picture."""

    info = EngineInfo("several")
    byte_count: int = 1

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> Several:
        self.size = rgb.shape[:2]
        return self

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        left = np.zeros(self.size, np.bool_)
        left[:, : self.size[1] // 2] = True
        return Candidate(left, 0.9), Candidate(np.ones(self.size, np.bool_), 0.7)


@pytest.mark.parametrize(("candidate", "share"), [(0, 0.5), (1, 0.5), (2, 1.0)])
def test_key_is_the_outline_that_is_meant_and_the_best_by_default(clip: Media, candidate: int, share: float) -> None:
    with ClipSession(clip, lambda name: Several()) as session:
        assert session.key(replace(CLICK, candidate=candidate)).mask.mean() == share
        with pytest.raises(PromptError, match=r"no outline #3 .*#1 with 0\.90, #2 with 0\.70"):
            session.key(replace(CLICK, candidate=3))


@pytest.mark.parametrize("fails", ["load", "prepare", "segment"])
def test_crowded_device_makes_a_lighter_engine_answer_and_the_job_says_so(
    tmp_path: Path, clip: Media, fails: str
) -> None:
    heavy, light = Sized("heavy", fails), Sized("light")
    engine = YieldingSegmenter([heavy.build, Sized("middle", "load").build, light.build])
    ledger = MemoryLedger(tmp_path)
    prompts = [CLICK, replace(CLICK, frame=1)]
    keys = segment_prompts(ClipRange(clip, 0, 8), prompts, lambda name: engine, engine="heavy", ledger=ledger)
    assert [key.frame for key in keys] == [0, 1]
    assert engine.info.name == "light"
    assert light.prepared == 2
    assert ledger.notes == [f"heavy is too large to {fails}; light finds objects instead"]


def test_crowded_device_without_a_lighter_engine_is_told_in_a_sentence(clip: Media) -> None:
    engine = YieldingSegmenter([Sized("only", "prepare").build])
    with (
        ClipSession(clip, lambda name: engine) as session,
        pytest.raises(DeviceMemoryError, match="only is too large to prepare; choose another"),
    ):
        session.segment(CLICK)


def test_engine_that_gave_way_meanwhile_is_not_skipped_twice() -> None:
    engine = YieldingSegmenter([Sized("a").build, Sized("b").build, Sized("c").build])
    error = DeviceMemoryError("a is full; choose another")
    assert engine.give_way("a", error)
    assert engine.give_way("a", error)
    assert engine.info.name == "b"
    assert engine.remarks == ("a is full; b finds objects instead",)
