"""Follows objects through a shot from key masks, by motion and learned appearance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.errors import MaskError
from cleanplate_server.models.embedded.appearance import FEATURE_COUNT, Features, PixelClassifier, describe
from cleanplate_server.models.embedded.edges import cut, edge_weights
from cleanplate_server.models.embedded.flow import DisFlow, Effort, sample_along, to_bytes
from cleanplate_server.models.embedded.state import Stored, pack_arrays, unpack_arrays
from cleanplate_server.models.protocols import RGB, Alpha, Box, EngineInfo, Flow, Frames, Key, Mask

Picture = NDArray[np.float32]

_WORKING_AREA_PX = {"fast": 320 * 180, "balanced": 640 * 360, "best": 854 * 480}
_FIRST_STEPS, _LATER_STEPS, _BATCH = 400, 16, 1024
_MEMORY_COUNT = 4096
"""Samples kept of each kind: object and surroundings, from keys and from frames followed."""


class FlowPropagator:
    """Key masks to masks on all frames, a `Propagator` that needs no weights.

    Args:
        effort: sets the working resolution and how fine the flow is.
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
        for key in (*keys, *start):
            if key.mask.shape != frames.size:
                raise MaskError(
                    f"the key on frame {key.frame} is {key.mask.shape}, the frames are {frames.size};"
                    " give a mask of the frames' size"
                )
        if saved is not None:
            return FlowTracker.resume(frames, saved, effort=self._effort)
        return FlowTracker.begin(frames, keys, start, effort=self._effort)


@dataclass
class Look:
    """One frame at working size: lab float32 [h, w, 3] over 100, grey uint8 [h, w]."""

    lab: Picture
    grey: NDArray[np.uint8]


def look_at(rgb: RGB, size: tuple[int, int]) -> Look:
    """Reduces float32 [H, W, 3] to the working size (height, width)."""
    small = np.clip(np.nan_to_num(rgb), 0.0, 1.0).astype(np.float32)
    if rgb.shape[:2] != size:
        small = np.asarray(cv2.resize(small, size[::-1], interpolation=cv2.INTER_AREA), np.float32)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), np.float32)
    lab = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), np.float32) / np.float32(100.0)
    return Look(lab, to_bytes(grey))


@dataclass
class Followed:
    """All that is known of one object.

    Args:
        chance: float32 [h, w] at working size, on the frame followed last.
        key_samples, own_samples: float32 [M, F + 1]: features and label, from keys and from frames followed.
        area: px at working size of the object when it was last seen whole.
    """

    chance: Picture
    classifier: PixelClassifier
    key_samples: Features
    own_samples: Features
    area: float

    def pack(self, prefix: str) -> dict[str, Stored]:
        """Gives everything as named arrays."""
        return {
            prefix + "chance": self.chance,
            prefix + "keys": self.key_samples,
            prefix + "own": self.own_samples,
            prefix + "counts": np.array([self.area, self.classifier.steps_done], np.float64),
            **{f"{prefix}net/{name}": w for name, w in self.classifier.weights.items()},
        }

    @classmethod
    def unpack(cls, arrays: Mapping[str, Stored], prefix: str) -> Followed:
        """Takes what `pack` gave."""
        net = prefix + "net/"
        weights = {n[len(net) :]: np.asarray(a, np.float32) for n, a in arrays.items() if n.startswith(net)}
        area, steps = arrays[prefix + "counts"]
        return cls(
            np.asarray(arrays[prefix + "chance"], np.float32),
            PixelClassifier(weights, int(steps)),
            np.asarray(arrays[prefix + "keys"], np.float32),
            np.asarray(arrays[prefix + "own"], np.float32),
            float(area),
        )


def region_around(weight: Mask, *, share: float = 0.3, least_px: int = 12) -> Box | None:
    """Box of the True pixels, wider by a share of its size; None without one."""
    rows, columns = np.flatnonzero(weight.any(1)), np.flatnonzero(weight.any(0))
    if not len(rows):
        return None
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    margin = int(share * max(y1 - y0, x1 - x0)) + least_px
    height, width = weight.shape
    return Box(max(0, x0 - margin), max(0, y0 - margin), min(width, x1 + margin), min(height, y1 + margin))


def draw_samples(features: Features, mask: Mask, sure: Mask, *, count: int, seed: int) -> Features:
    """Draws up to ``count`` labelled samples of the object, and as many of what is around it and far from it."""
    draw = np.random.default_rng(seed)
    reach = max(8, int(0.5 * np.sqrt(np.count_nonzero(mask))))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    parts = []
    for where, label, share in ((mask & sure, 1.0, 1.0), (near & ~mask & sure, 0.0, 0.6), (~near & sure, 0.0, 0.4)):
        places = np.flatnonzero(where)
        if len(places):
            chosen = draw.choice(places, min(len(places), int(count * share)), replace=False)
            rows = features.reshape(-1, features.shape[-1])[chosen]
            parts.append(np.column_stack([rows, np.full(len(rows), label, np.float32)]))
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, features.shape[-1] + 1), np.float32)


def teach(classifier: PixelClassifier, key_samples: Features, own_samples: Features, *, steps: int, seed: int) -> None:
    """Trains on batches, half object and half surroundings, of which half come from keys."""
    draw = np.random.default_rng(seed)
    pools = []
    for samples in (key_samples, own_samples):
        for label in (0.0, 1.0):
            pools.append(samples[samples[:, -1] == label])
    pools = [p for p in pools if len(p)]
    for _ in range(steps):
        batch = np.concatenate([p[draw.integers(len(p), size=_BATCH // len(pools))] for p in pools])
        classifier.train(batch[:, :-1], batch[:, -1])


class FlowTracker:
    """Objects on their way through a shot in one direction, a `Tracker`."""

    def __init__(self, frames: Frames, *, objects: list[Followed], frame: int, effort: Effort) -> None:
        self._frames = frames
        self._objects = objects
        self._frame = frame
        height, width = frames.size
        shrink = min(1.0, float(np.sqrt(_WORKING_AREA_PX[effort] / (height * width))))
        self._size = max(1, round(height * shrink)), max(1, round(width * shrink))
        self._flow = DisFlow(effort=effort)
        self._last = look_at(frames.rgb(frame), self._size)

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
            parts.append(draw_samples(features, mask, np.ones_like(mask), count=_MEMORY_COUNT, seed=key.frame))
        samples = np.concatenate(parts)
        classifier = PixelClassifier.untrained(samples[:, :-1], seed=0)
        none = np.zeros((0, FEATURE_COUNT + 1), np.float32)
        teach(classifier, samples, none, steps=_FIRST_STEPS, seed=start.frame)
        chance = self._reduced(start.mask)
        return Followed(chance, classifier, samples, none, float(chance.sum()))

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
        rgb = self._frames.rgb(frame)
        look = look_at(rgb, self._size)
        motion = self._flow.flow_of_bytes(look.grey, self._last.grey)
        features = describe(look.lab)
        result = np.zeros((len(self._objects), *self._frames.size), np.float32)
        for number, thing in enumerate(self._objects):
            self._advance(thing, look, motion, features, frame)
            result[number] = self._enlarged(thing.chance, rgb)
        self._last, self._frame = look, frame
        return result

    def _advance(self, thing: Followed, look: Look, motion: Flow, features: Features, frame: int) -> None:
        expected = sample_along(thing.chance, motion)
        box = region_around(expected > 0.3)
        thing.chance = np.zeros_like(expected)
        if box is None:
            return
        rows = features[box.slices]
        seen = thing.classifier.log_odds(rows.reshape(-1, rows.shape[-1])).reshape(box.size)
        prior = expected[box.slices]
        inside = (prior > 0.5).astype(np.uint8)
        size = np.sqrt(max(1.0, float(inside.sum())))
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
        expectation = np.clip(distance / np.float32(0.04 * size + 1.0), -6.0, 3.0)
        evidence = np.float32(0.5) * seen + expectation
        labels = cut(evidence, edge_weights(look.lab[box.slices]), smoothness=3.0)
        thing.chance[box.slices] = labels
        self._update(thing, features, box, frame)

    def _update(self, thing: Followed, features: Features, box: Box, frame: int) -> None:
        mask = thing.chance >= 0.5
        if not mask.any():
            return
        edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
        fresh = draw_samples(features, mask, ~edge, count=512, seed=frame)
        thing.own_samples = np.concatenate([thing.own_samples, fresh])[-_MEMORY_COUNT:]
        teach(thing.classifier, thing.key_samples, thing.own_samples, steps=_LATER_STEPS, seed=frame)

    def _enlarged(self, chance: Picture, rgb: RGB) -> Alpha:
        height, width = self._frames.size
        if chance.shape == (height, width):
            return chance
        return np.asarray(cv2.resize(chance, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
