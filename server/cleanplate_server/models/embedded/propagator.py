"""Follows objects through a shot from key masks, by motion and learned appearance."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.appearance import FEATURE_COUNT, Features, PixelClassifier, describe
from cleanplate_server.models.embedded.fields import to_bytes
from cleanplate_server.models.embedded.flow import DisFlow
from cleanplate_server.models.embedded.following import FIRST_STEPS, MEMORY_COUNT, Followed, Scene, draw_samples, teach
from cleanplate_server.models.embedded.motion import Change, StillGround, camera_motion
from cleanplate_server.models.embedded.state import Stored, pack_arrays, unpack_arrays
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import RGB, Alpha, Effort, EngineInfo, Flow, Frames, Key, Mask

Picture = NDArray[np.float32]

_WORKING_AREA_PX = {"fast": 480 * 270, "balanced": 640 * 360, "best": 854 * 480}
_THREAD_COUNT = 2
"""The next frame is looked at while objects are found on this one, and two objects are found at once."""


class FlowPropagator:
    """Key masks to masks on all frames, a `Propagator` that needs no weights.

    Args:
        effort: sets the working resolution.
    """

    def __init__(self, *, effort: Effort = "balanced") -> None:
        self._effort: Effort = effort

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(name="embedded")

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> FlowTracker:
        """Starts to follow objects; see `Propagator.follow`."""
        refuse_unusable_keys((*keys, *start), frames.size)
        if saved is not None:
            return FlowTracker.resume(frames, saved, effort=self._effort)
        return FlowTracker.begin(frames, keys, start, effort=self._effort)


@dataclass
class Look:
    """One frame at working size: rgb uint8 [h, w, 3], lab float32 [h, w, 3] over 100, grey uint8 [h, w]."""

    rgb: NDArray[np.uint8]
    lab: Picture
    grey: NDArray[np.uint8]


@dataclass
class Sight:
    """What a frame shows whatever the objects on it do; fields as in `Scene`."""

    frame: int
    look: Look
    features: Features
    motion: Flow
    change: Change


def look_at(rgb: RGB, size: tuple[int, int]) -> Look:
    """Reduces float32 [H, W, 3] to the working size (height, width)."""
    small = np.fmin(np.fmax(rgb, np.float32(0.0)), np.float32(1.0))  # what is not a number becomes 0
    if rgb.shape[:2] != size:
        small = np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32) / np.float32(100.0)
    return Look(to_bytes(small), lab, to_bytes(grey))


class FlowTracker:
    """Objects on their way through a shot in one direction, a `Tracker`."""

    def __init__(self, frames: Frames, *, objects: list[Followed], frame: int, effort: Effort) -> None:
        self._frames = frames
        self._objects = objects
        self._frame = frame
        height, width = frames.size
        shrink = min(1.0, float(np.sqrt(_WORKING_AREA_PX[effort] / (height * width))))
        self._size = max(1, round(height * shrink)), max(1, round(width * shrink))
        self._flow = DisFlow()
        self._ground = StillGround(frames, self._size)
        self._last = look_at(frames.rgb(frame), self._size)
        self._ahead: tuple[int, Future[Sight]] | None = None

    @classmethod
    def begin(cls, frames: Frames, keys: Sequence[Key], start: Sequence[Key], *, effort: Effort) -> FlowTracker:
        tracker = cls(frames, objects=[], frame=start[0].frame, effort=effort)
        for key in start:
            own = [k for k in keys if k.object_id == key.object_id] or [key]
            tracker._objects.append(tracker._learn(key, own))
        return tracker

    def _learn(self, start: Key, keys: Sequence[Key]) -> Followed:
        parts = []
        for key in keys:
            look = look_at(self._frames.rgb(key.frame), self._size)
            mask = self._reduced(key.mask) >= 0.5
            features = describe(look.lab)
            parts.append(draw_samples(features, mask, np.ones_like(mask), count=MEMORY_COUNT, seed=key.frame))
        samples = np.concatenate(parts)
        classifier = PixelClassifier.untrained(samples[:, :-1], seed=0)
        none = np.zeros((0, FEATURE_COUNT + 1), np.float32)
        teach(classifier, samples, none, steps=FIRST_STEPS, seed=start.frame)
        chance = self._reduced(start.mask)
        return Followed(chance, chance, classifier, samples, none, float(chance.sum()))

    def _reduced(self, mask: Mask) -> Picture:
        return np.asarray(cv2.resize(mask.astype(np.float32), self._size[::-1], interpolation=cv2.INTER_AREA))

    @classmethod
    def resume(cls, frames: Frames, saved: bytes, *, effort: Effort) -> FlowTracker:
        arrays = unpack_arrays(saved)
        frame, count = (int(n) for n in arrays["where"])
        objects = [Followed.unpack(arrays, f"{i}/") for i in range(count)]
        return cls(frames, objects=objects, frame=frame, effort=effort)

    def save(self) -> bytes:
        """All state after the last step, as the bytes of an ``.npz`` without pickles."""
        arrays: dict[str, Stored] = {"where": np.array([self._frame, len(self._objects)], np.int64)}
        for number, thing in enumerate(self._objects):
            arrays.update(thing.pack(f"{number}/"))
        return pack_arrays(arrays)

    def step(self, frame: int) -> Alpha:
        """Follows to the next frame; see `Tracker.step`."""
        # No thread outlives the step: whoever owns the frames may close them after any.
        with ThreadPoolExecutor(_THREAD_COUNT) as threads:
            if self._ahead is not None and self._ahead[0] == frame:
                sight = self._ahead[1].result()
            else:
                sight = self._see(frame, self._last)
            following = 2 * frame - self._frame
            self._ahead = None
            if following in self._frames.frames:
                self._ahead = following, threads.submit(self._see, following, sight.look)
            scene = self._scene(sight)
            result = np.stack(list(threads.map(lambda thing: self._advanced(thing, scene), self._objects)))
        self._last, self._frame = sight.look, frame
        return result

    def _see(self, frame: int, last: Look) -> Sight:
        """Does what needs no object, so that it can be done while the objects of the frame before are found."""
        look = look_at(self._frames.rgb(frame), self._size)
        motion = self._flow.flow_of_bytes(look.grey, last.grey)
        return Sight(frame, look, describe(look.lab), motion, self._ground.change(frame, look.rgb))

    def _scene(self, sight: Sight) -> Scene:
        free = np.max([thing.body for thing in self._objects], axis=0) < 0.1
        camera = camera_motion(sight.motion, free)
        return Scene(sight.frame, sight.look.lab, sight.features, sight.motion, camera, sight.change)

    def _advanced(self, thing: Followed, scene: Scene) -> Picture:
        thing.advance(scene)
        return self._enlarged(thing.chance)

    def _enlarged(self, chance: Picture) -> Alpha:
        height, width = self._frames.size
        if chance.shape == (height, width):
            return chance
        return np.asarray(cv2.resize(chance, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
