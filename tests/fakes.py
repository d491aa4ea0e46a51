"""Engines and a ledger with known answers, handed in through the front door."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.errors import JobCancelledError, PromptError
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import (
    RGB,
    Alpha,
    Box,
    Candidate,
    CleanRegion,
    EngineInfo,
    Frames,
    Key,
    Luma,
    Mask,
    MaskedFrames,
    NameAnswer,
    NameHit,
    Nearby,
    Prompt,
    Tick,
)


@dataclass
class MemoryLedger:
    """A ledger that lives as long as the test.

    Args:
        folder: of the job.
        stop_after: cancels at so many calls of ``progress``; None never does.
    """

    folder: Path
    stop_after: int | None = None
    files: dict[tuple[str, str], tuple[Path, str]] = field(default_factory=dict)
    calls: list[tuple[str, int, int]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def finished(self, stage: str, window: str) -> Path | None:
        file, digest = self.files.get((stage, window), (None, ""))
        if file is None or not file.exists() or _digest(file) != digest:
            return None
        return file

    def finish(self, stage: str, window: str, file: Path) -> None:
        self.files[stage, window] = file, _digest(file)

    def progress(self, stage: str, done_frame_count: int, frame_count: int) -> None:
        self.calls.append((stage, done_frame_count, frame_count))
        if self.stop_after is not None and len(self.calls) >= self.stop_after:
            raise JobCancelledError("the job was cancelled")

    def note(self, sentence: str) -> None:
        self.notes.append(sentence)


class ArrayFrames:
    """Frames and holes held in arrays; all read-only.

    Args:
        pictures: float32 [T, H, W, 3].
        holes: bool [T, H, W], none by default.
        first: number of the first frame.
    """

    def __init__(self, pictures: RGB, holes: Mask | None = None, first: int = 0) -> None:
        self._pictures = pictures.astype(np.float32)
        self._holes = np.zeros(pictures.shape[:3], bool) if holes is None else holes
        self._pictures.flags.writeable = self._holes.flags.writeable = False
        self._first = first

    @property
    def frames(self) -> range:
        return range(self._first, self._first + len(self._pictures))

    @property
    def size(self) -> tuple[int, int]:
        return self._pictures.shape[1], self._pictures.shape[2]

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        picture = self._pictures[frame - self._first]
        return picture[box.slices] if box else picture

    def luma(self, frame: int) -> Luma:
        luma = (self.rgb(frame) @ np.array([0.2126, 0.7152, 0.0722], np.float32)).astype(np.float32)
        luma.flags.writeable = False
        return luma

    def mask(self, frame: int) -> Mask:
        return self._holes[frame - self._first]

    def hole_box(self, frame: int) -> Box | None:
        rows, columns = np.nonzero(self.mask(frame))
        if not rows.size:
            return None
        return Box(int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)


class BrightSegmenter:
    """Everything brighter than white's half is the object."""

    info = EngineInfo("bright")

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> BrightImage:
        return BrightImage(rgb.mean(axis=2) > 0.5)


@dataclass
class BrightImage:
    mask: Mask
    byte_count: int = 1

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        return (Candidate(prompt.mask if prompt.mask is not None else self.mask, 1.0),)


class BrightFinder:
    """Every bright region is a ``blob`` and a ``person``, the largest first; another word before it is not heeded."""

    info = EngineInfo("bright")

    def __init__(self, *, with_masks: bool = True) -> None:
        self._with_masks = with_masks
        self.looked_count = 0

    def find(self, rgb: RGB, words: str) -> NameAnswer:
        before = self.read(words)
        self.looked_count += 1
        count, labels, stats, _ = cv2.connectedComponentsWithStats((rgb.mean(axis=2) > 0.5).astype(np.uint8))
        hits = [self._hit(labels == number, stats[number]) for number in range(1, count)]
        hits.sort(key=lambda hit: -hit.score)
        return NameAnswer(tuple(hits), f"no word for '{before[0]}'" if before else "")

    @staticmethod
    def read(words: str) -> list[str]:
        """What stands before the name."""
        *before, noun = words.split()
        if noun not in ("blob", "person"):
            raise PromptError(f"'{words}' is not in the list of names; near it are blob")
        return before

    def _hit(self, mask: Mask, stats: np.ndarray) -> NameHit:
        x, y, width, height, area = (int(number) for number in stats)
        return NameHit(
            Box(x, y, x + width, y + height), min(1.0, area / 1000), "blob", mask if self._with_masks else None
        )


class BrightPropagator:
    """Follows whatever is brighter than half; its state is how many frames it has walked.

    Attributes:
        pause: called before each step, for tests that wait or fail in one.
    """

    info = EngineInfo("bright")

    def __init__(self) -> None:
        self.walked: list[int] = []
        self.pause: Callable[[int], object] | None = None

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> BrightTracker:
        refuse_unusable_keys((*keys, *start), frames.size)
        count = int(np.load(io.BytesIO(saved))) if saved else 0
        return BrightTracker(self, frames, len(start), count)


@dataclass
class BrightTracker:
    owner: BrightPropagator
    frames: Frames
    object_count: int
    count: int

    def step(self, frame: int) -> Alpha:
        self.count += 1
        if self.owner.pause is not None:
            self.owner.pause(frame)
        self.owner.walked.append(frame)
        found = (self.frames.rgb(frame).mean(axis=2) > 0.5).astype(np.float32)
        return np.repeat(found[None], self.object_count, axis=0)

    def save(self) -> bytes:
        out = io.BytesIO()
        np.save(out, np.array(self.count))
        return out.getvalue()


class FlatInpainter:
    """Fills every hole with one grey, and says that nothing was ever seen there."""

    info = EngineInfo("flat", licence="CC-BY-NC-4.0", commercial_use=False)

    def __init__(self, level: float = 0.25, *, remark: str = "") -> None:
        self._level = level
        self.remark = remark
        self.filled: list[int] = []

    def survey(self, shot: MaskedFrames, folder: Path, tick: Tick) -> FlatFiller:
        for frame in shot.frames:
            tick(frame)
        return FlatFiller(self, shot, self._level)


@dataclass
class FlatFiller:
    owner: FlatInpainter
    shot: MaskedFrames
    level: float

    def remarks(self) -> tuple[str, ...]:
        return (self.owner.remark,) if self.owner.remark else ()

    def fill(self, window: range) -> Iterator[CleanRegion]:
        for frame in window:
            box = self.shot.hole_box(frame)
            if box is not None:
                self.owner.filled.append(frame)
                yield CleanRegion(
                    frame, box, np.full((*box.size, 3), self.level, np.float32), self.shot.mask(frame)[box.slices]
                )


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@dataclass
class FakeEngines:
    """Engines with known answers for a pipeline (``pipeline.job.Engines``)."""

    propagate: BrightPropagator = field(default_factory=BrightPropagator)
    inpaint: FlatInpainter = field(default_factory=FlatInpainter)
    find: BrightFinder = field(default_factory=BrightFinder)

    def segmenter(self, name: str = "", effort: str = "balanced") -> BrightSegmenter:
        return BrightSegmenter()

    def segmenter_info(self, name: str = "") -> EngineInfo:
        return self.segmenter(name).info

    def propagator(self, name: str = "", effort: str = "balanced") -> BrightPropagator:
        return self.propagate

    def inpainter(self, name: str = "", effort: str = "balanced") -> FlatInpainter:
        return self.inpaint

    def matter(self, name: str = "", effort: str = "balanced") -> HalfMatter:
        return HalfMatter()

    def name_finder(self, name: str = "", effort: str = "balanced") -> BrightFinder:
        return self.find


class HalfMatter:
    """Gives one half wherever the mask is."""

    info = EngineInfo("half")

    def start(self, shot: MaskedFrames, saved: bytes | None = None) -> HalfWalk:
        return HalfWalk(shot)


@dataclass
class HalfWalk:
    shot: MaskedFrames

    def step(self, frame: int) -> Alpha:
        return self.shot.mask(frame).astype(np.float32) / 2

    def save(self) -> bytes:
        return b"none"
