"""The contracts between the pipeline and every engine: one Protocol for each kind.

One colour contract for all: ``RGB`` is float32 [H, W, 3] in R, G, B order, nominal black 0 and white 1, **not
clipped** (video-range overshoot and scene-linear values stay), in the media's own transfer. Masks are bool [H, W].
Alphas and probabilities are float32 [H, W] in [0, 1]. Sizes are (height, width), points (x, y) in pixels from the
centre of the top left pixel. Frames are numbered from 0 in the media. Engines never write to what they are given,
give the same result for the same input (seeded), and pull frames as they need them, so that nothing holds a clip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

RGB = NDArray[np.float32]
Luma = NDArray[np.float32]
Mask = NDArray[np.bool_]
Alpha = NDArray[np.float32]
Flow = NDArray[np.float32]

EngineKind = Literal["segmenter", "propagator", "inpainter", "matter", "name-finder"]
Effort = Literal["fast", "balanced", "best"]

Nearby = Callable[[int, tuple[int, int]], RGB | None]
"""Gives the frame so many frames later (earlier if negative, 0 is the frame itself), averaged down to (height, width);
None where there is none."""

NEARBY_REACH = 9
"""Frames to each side that are cheap to look at from a prompted frame."""

Tick = Callable[[int], None]
"""Called with the number of a frame (or of an update) each time an engine has done one; raises JobCancelledError to
stop it."""


@dataclass(frozen=True)
class Box:
    """Half-open pixel rectangle: columns x0 to x1 - 1, rows y0 to y1 - 1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def size(self) -> tuple[int, int]:
        return self.y1 - self.y0, self.x1 - self.x0

    def holds(self, other: Box) -> bool:
        """Whether the other box lies in this one."""
        return self.x0 <= other.x0 and self.y0 <= other.y0 and self.x1 >= other.x1 and self.y1 >= other.y1

    def grown(self, margin_px: int, size: tuple[int, int]) -> Box:
        """A box larger by a margin on each side, within a picture of (height, width)."""
        return Box(
            max(0, self.x0 - margin_px),
            max(0, self.y0 - margin_px),
            min(size[1], self.x1 + margin_px),
            min(size[0], self.y1 + margin_px),
        )


@dataclass(frozen=True)
class Point:
    """A click: inside the object, or on what does not belong to it."""

    x: float
    y: float
    inside: bool = True


@dataclass(frozen=True)
class Stroke:
    """A brush line through points (x, y), ``radius_px`` wide to each side."""

    points: tuple[tuple[float, float], ...]
    radius_px: float
    inside: bool = True


@dataclass(frozen=True)
class Prompt:
    """What a person said about one object on one frame.

    Args:
        frame: frame number in the media.
        object_id: from 1; each object is segmented and followed for itself.
        points, box, strokes, mask, name: any mixture; a mask is bool [H, W] and is the answer where it stands alone.
        candidate: which of the segmenter's answers is meant, from 1, best first; 0 is the best.
        name_hit: which of the things that a name means there, from 1, best first; 0 is all, each an object of its own.
        every_shot: look for the name in every shot of the range, not only in that of ``frame``.
    """

    frame: int
    object_id: int = 1
    points: tuple[Point, ...] = ()
    box: Box | None = None
    strokes: tuple[Stroke, ...] = ()
    mask: Mask | None = field(default=None, compare=False)
    name: str = ""
    name_hit: int = 0
    candidate: int = 0
    every_shot: bool = False


@dataclass(frozen=True, eq=False)
class NameHit:
    """One thing on a frame that a name may mean.

    Args:
        box: around it, in the picture, not empty.
        score: the engine's own confidence in [0, 1], and how well a colour that was named fits.
        label: what it is, in the language of the words where the engine knows it.
        mask: bool [H, W], its rough outline; None where the engine finds boxes alone.
    """

    box: Box
    score: float
    label: str
    mask: Mask | None = None


@dataclass(frozen=True, eq=False)
class NameAnswer:
    """What a frame shows of a name.

    Args:
        hits: best first; none where it shows nothing of it.
        remark: one sentence on what of the words was not heeded; empty when all was.
    """

    hits: tuple[NameHit, ...]
    remark: str = ""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One answer to a prompt: bool [H, W] and the engine's own confidence in [0, 1]."""

    mask: Mask
    score: float


@dataclass(frozen=True, eq=False)
class Key:
    """A mask that a person confirmed on a frame: bool [H, W]."""

    frame: int
    object_id: int
    mask: Mask


@dataclass(frozen=True, eq=False)
class CleanRegion:
    """The filled part of one frame.

    Args:
        frame: frame number in the media.
        box: where it lies; holds every hole pixel of the frame.
        rgb: float32 [h, w, 3], the box's pixels; those outside the hole are not used.
        unseen: bool [h, w], hole pixels whose background no frame of the shot shows.
    """

    frame: int
    box: Box
    rgb: RGB
    unseen: Mask


@dataclass(frozen=True)
class EngineInfo:
    """What an engine says of itself; goes into the manifest of every take.

    Args:
        name: as in ``--engine KIND=NAME``.
        licence: SPDX name of the weights' licence (of the code's, where there are none).
        commercial_use: whether that licence allows it.
        weights: file name in the manifest, empty when none are needed.
        weights_sha256: of the files that were loaded, in that order; empty before they are.
    """

    name: str
    licence: str = "Apache-2.0"
    commercial_use: bool = True
    weights: str = ""
    weights_sha256: str = ""


class Frames(Protocol):
    """Random access to the frames of one shot, from several threads at once.

    Calls are cheap for frames near the last one asked for.
    """

    @property
    def frames(self) -> range:
        """Frame numbers of the shot."""

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        """float32 [h, w, 3] of the box, or of the whole picture; finite."""

    def luma(self, frame: int) -> Luma:
        """float32 [H, W], nominal 0 to 1, finite; cheaper than ``rgb``."""


class MaskedFrames(Frames, Protocol):
    """Frames with the hole of each."""

    def mask(self, frame: int) -> Mask:
        """bool [H, W]; all False where the frame has no hole."""

    def hole_box(self, frame: int) -> Box | None:
        """Bounding box of the hole, None without one; needs no decoding."""


@runtime_checkable
class CleanedFrames(MaskedFrames, Protocol):
    """Masked frames of which a person gave some clean: those have no hole, and are worth a look from any distance."""

    @property
    def clean_frames(self) -> tuple[int, ...]:
        """Numbers of the frames that were given clean, ascending."""


class FlowEstimator(Protocol):
    """Dense motion between two pictures."""

    def flow(self, source: Luma, target: Luma) -> Flow:
        """float32 [H, W, 2]: (dx, dy) in pixels from each source pixel to its place in the target."""


class PreparedImage(Protocol):
    """One frame made ready, so that each further prompt answers fast."""

    @property
    def byte_count(self) -> int:
        """Memory that it holds, about; frames that were asked for longest ago are let go by it."""

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        """Finds the object; best candidate first, at least one.

        Raises:
            PromptError: no positive evidence, or a prompt outside the picture.
        """


class Segmenter(Protocol):
    """Prompt to mask on one frame."""

    @property
    def info(self) -> EngineInfo: ...

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> PreparedImage:
        """Makes one frame ready for prompts.

        Args:
            rgb: float32 [H, W, 3], the frame.
            nearby: gives frames before and after it, for engines that see things by their motion; it is called within
                ``prepare`` alone.
        """


class NameFinder(Protocol):
    """An object's name to the places where it may be on a frame."""

    @property
    def info(self) -> EngineInfo: ...

    def find(self, rgb: RGB, words: str) -> NameAnswer:
        """Finds everything on a frame that words may mean.

        Args:
            rgb: float32 [H, W, 3], the frame.
            words: such as ``dog``, ``red car`` or ``人``.

        Raises:
            PromptError: a name or a language that the engine does not know.
        """


class Tracker(Protocol):
    """Objects on their way through a shot in one direction."""

    def step(self, frame: int) -> Alpha:
        """Follows to the next frame in the direction of travel.

        Returns:
            float32 [N, H, W] probability of each object, in the order of the keys that it started from.
        """

    def save(self) -> bytes:
        """All state after the last step, so that ``Propagator.follow`` goes on with identical results."""


class Propagator(Protocol):
    """Key masks to a mask for every frame."""

    @property
    def info(self) -> EngineInfo: ...

    def follow(self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None) -> Tracker:
        """Starts to follow objects.

        Args:
            frames: the shot.
            keys: every key of these objects in the shot; an engine may learn appearance from all of them.
            start: the keys to start from, one for each object, all on the same frame.
            saved: what ``Tracker.save`` gave, to go on from there.
        """


@runtime_checkable
class JoinableTracker(Tracker, Protocol):
    """A tracker that takes in further keys on its way."""

    def join(self, keys: Sequence[Key]) -> None:
        """Learns keys on the frame of the last step.

        Args:
            keys: of new objects, which come last in what ``step`` gives from then on, in this order; or of objects that
                it follows already, which are corrected.
        """


@runtime_checkable
class SharedPropagator(Propagator, Protocol):
    """A propagator whose objects know of each other, so that they are followed together; it gives `JoinableTracker`."""

    @property
    def memory_object_count(self) -> int:
        """Objects that share one memory; more are followed in groups of so many, each with a memory of its own."""


@runtime_checkable
class ShrinkingPropagator(Propagator, Protocol):
    """A propagator that can do with less memory at a smaller working size."""

    def smaller(self, size: tuple[int, int]) -> Propagator | None:
        """The same engine at the next smaller size for frames of (height, width); None at its smallest."""

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size (height, width) at which it sees frames of a size."""


@runtime_checkable
class LearningPropagator(Propagator, Protocol):
    """A propagator that is trained on the keys of a shot before it follows them."""

    def update_count(self, keys: Sequence[Key]) -> int:
        """How many updates ``learn`` makes for these keys."""

    def learn(self, frames: Frames, keys: Sequence[Key], folder: Path, tick: Tick) -> Propagator:
        """Trains on all keys of a shot; what it gives follows their objects.

        Args:
            frames: the shot.
            keys: of all objects.
            folder: an existing folder of this shot alone; what was learned is kept there, so that a second call with
                the same keys and folder does not train again.
            tick: called with how many updates are done, also for those of an earlier call.
        """


class Filler(Protocol):
    """A surveyed shot, ready to be filled window by window, in any order."""

    def fill(self, window: range) -> Iterator[CleanRegion]:
        """Fills the frames of a window that have a hole, in order.

        The result for a frame depends on the shot alone, never on the windows chosen or on what was filled before.
        """


@runtime_checkable
class RemarkingFiller(Filler, Protocol):
    """A filler that has something to say of its shot, such as that it saw a region smaller than it is."""

    def remarks(self) -> tuple[str, ...]:
        """Sentences for the person and the manifest, known once the shot is surveyed; the same each time."""


class Inpainter(Protocol):
    """Holes to a clean plate."""

    @property
    def info(self) -> EngineInfo: ...

    def survey(self, shot: MaskedFrames, folder: Path, tick: Tick) -> Filler:
        """First pass: walks the shot once and keeps small things for each frame.

        Args:
            shot: frames and holes.
            folder: an existing folder of this shot alone; what the pass learns is kept there, so that a second call
                with the same shot and folder goes on where the first one stopped.
            tick: called once for each frame walked.
        """


class MatteWalk(Protocol):
    """Soft alpha along a shot, frame by frame, forwards."""

    def step(self, frame: int) -> Alpha:
        """float32 [H, W] alpha of the next frame."""

    def save(self) -> bytes:
        """All state after the last step."""


class Matter(Protocol):
    """Masks to soft alpha."""

    @property
    def info(self) -> EngineInfo: ...

    def start(self, shot: MaskedFrames, saved: bytes | None = None) -> MatteWalk:
        """Starts at the shot's first frame, or goes on after ``saved``; here a frame's mask is the object."""
