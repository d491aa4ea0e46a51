"""One object on its way from frame to frame: where it is expected, what speaks for it, what is learned from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.appearance import Features, PixelClassifier
from cleanplate_server.models.embedded.edges import cut, edge_weights
from cleanplate_server.models.embedded.flow import sample_along
from cleanplate_server.models.embedded.motion import Change, local_motion, motion_evidence
from cleanplate_server.models.embedded.state import Stored
from cleanplate_server.models.protocols import Box, Flow, Mask

Picture = NDArray[np.float32]

FIRST_STEPS, LATER_STEPS, _BATCH = 400, 16, 1024
MEMORY_COUNT = 4096
"""Samples kept of each kind: from keys and from frames followed."""
_FRESH_COUNT = 512

_APPEARANCE, _APPEARANCE_BOUND = 0.9, 8.0
_OWN_SHARE = 0.5
"""How far an object's parts share their motion, in parts of its size."""
_BAND_SHARE, _BAND_PX = 0.03, 1.0
"""Distance from the expected border at which expectation counts 1, in parts of the object's size and in pixels."""
_OUTSIDE_BOUND, _INSIDE_BOUND = 6.0, 2.5
_HIDDEN_FLOOR = 2.0
"""Doubt about a place where the object should be but was not seen lately."""
_FADE = 0.9
_SEARCH_GROWTH = 0.15
"""How much farther a lost object is looked for each frame, in parts of its size."""
_SMOOTHNESS = 2.0

_MOVING, _SURELY_MOVING = 0.3, 0.6
"""Share of an object that must show change before the lack of it means ground."""
_FOR_CHANGE, _FOR_REST = 2.0, 3.0
_EXPLAINED = 0.7
"""Part of a doubt about looks that faint change takes away: what looks like ground is not ground where that changed."""
_FAINTEST = 0.3
"""Faint change beyond which what was not found is no lesson: it may be a limb that was missed."""
_LIMB_SHARE = 0.4
_LIMB_DOUBT = 3.0
"""How far from the expected place a limb may be found by its change, in parts of the object's size, and its doubt."""


@dataclass
class Scene:
    """What a step knows of the new frame, all at working size.

    Args:
        frame: its number.
        lab: float32 [h, w, 3] L*a*b* over 100.
        features: float32 [h, w, F].
        motion: float32 [h, w, 2] to the frame before; ``camera`` the background's part of it.
        change: what a locked camera shows to be no ground.
    """

    frame: int
    lab: Picture
    features: Features
    motion: Flow
    camera: Flow
    change: Change


@dataclass
class Followed:
    """All that is known of one object.

    Args:
        chance: float32 [h, w] at working size, on the frame followed last.
        body: float32 [h, w], where the object must be, seen or hidden; fades where it is not seen.
        classifier: tells it from its surroundings.
        key_samples, own_samples: float32 [M, F + 1]: features and label, from keys and from frames followed.
        drift: float32 [2], its motion against the camera's, px a frame, to the frame before.
        area: px of the object when it was last seen whole.
        lost_count: frames since it was seen.
    """

    chance: Picture
    body: Picture
    classifier: PixelClassifier
    key_samples: Features
    own_samples: Features
    area: float
    drift: NDArray[np.float32] = field(default_factory=lambda: np.zeros(2, np.float32))
    lost_count: int = 0

    def pack(self, prefix: str) -> dict[str, Stored]:
        """Gives everything as named arrays."""
        counts = np.array([self.area, self.lost_count, self.classifier.steps_done], np.float64)
        return {
            prefix + "chance": self.chance,
            prefix + "body": self.body,
            prefix + "keys": self.key_samples,
            prefix + "own": self.own_samples,
            prefix + "drift": self.drift,
            prefix + "counts": counts,
            **{f"{prefix}net/{name}": w for name, w in self.classifier.weights.items()},
        }

    @classmethod
    def unpack(cls, arrays: Mapping[str, Stored], prefix: str) -> Followed:
        """Takes what `pack` gave."""
        net = prefix + "net/"
        weights = {n[len(net) :]: np.asarray(a, np.float32) for n, a in arrays.items() if n.startswith(net)}
        area, lost_count, steps = arrays[prefix + "counts"]
        chance, body, keys, own, drift = (
            np.asarray(arrays[prefix + name], np.float32) for name in ("chance", "body", "keys", "own", "drift")
        )
        classifier = PixelClassifier(weights, int(steps))
        return cls(chance, body, classifier, keys, own, float(area), drift, int(lost_count))

    def advance(self, scene: Scene) -> None:
        """Finds the object on the next frame and learns from it."""
        expected = sample_along(self.chance, scene.motion)
        own = self._own_motion(expected, scene)
        fade = _FADE if self.lost_count == 0 else 1.0
        body = np.maximum(expected, fade * sample_along(self.body, own))
        possible = self._possible(body)
        box = region_around(possible)
        self.chance, self.body = np.zeros_like(expected), body
        if box is None:
            return
        trust = self._trust(scene, expected)
        evidence = self._evidence(scene, body, own, box, trust)
        place = self._place(expected[box.slices], possible[box.slices])
        if trust > 0.0:
            limbs = self._limbs(scene.change.faint[box.slices], expected[box.slices])
            place[limbs] = np.maximum(place[limbs], trust * (_OUTSIDE_BOUND - _LIMB_DOUBT) - _OUTSIDE_BOUND)
        evidence += place
        labels = cut(evidence, edge_weights(scene.lab[box.slices]), smoothness=_SMOOTHNESS)
        self.chance[box.slices] = keep_expected_parts(labels, possible[box.slices])
        self.body = np.maximum(self.chance, body)
        self._note(scene, own)

    def _own_motion(self, expected: Picture, scene: Scene) -> Flow:
        """Motion of the object near each pixel, as if it went on unseen: float32 [h, w, 2]."""
        steady = scene.camera + self.drift
        seen = expected > 0.5
        if np.count_nonzero(seen) < 0.1 * self.area:
            return steady
        # The bulk decides: a thin part that leaked into the background must not vouch for itself.
        weight = np.asarray(cv2.distanceTransform(seen.astype(np.uint8), cv2.DIST_L2, 3), np.float32)
        weight /= weight.max()
        middle = np.median(scene.motion[weight > 0.5], axis=0).astype(np.float32)
        radius = max(3, int(_OWN_SHARE * np.sqrt(self.area)))
        return local_motion(
            scene.motion, weight, radius_px=radius, otherwise=np.broadcast_to(middle, scene.motion.shape)
        )

    def _trust(self, scene: Scene, expected: Picture) -> float:
        """How far change tells this object from the ground, 0 to 1: not at all while the object rests."""
        seen = expected > 0.5
        if scene.change.certainty == 0.0 or not seen.any():
            return 0.0
        moving = float(scene.change.level[seen].mean())
        return scene.change.certainty * float(np.clip((moving - _MOVING) / (_SURELY_MOVING - _MOVING), 0.0, 1.0))

    def _limbs(self, changed: Picture, expected: Picture) -> Mask:
        """Faintly changed pixels, bool [box], that hang together with the object and are not far from it."""
        inside = expected > 0.5
        if not inside.any():
            return np.zeros(inside.shape, np.bool_)
        _, parts = cv2.connectedComponents(((changed >= 0.4) | inside).astype(np.uint8), connectivity=8)
        away = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 3)
        touching = np.zeros(int(parts.max()) + 1, np.bool_)
        touching[parts[inside]] = True
        return np.asarray(touching[parts] & ~inside & (away < _LIMB_SHARE * np.sqrt(self.area)))

    def _evidence(self, scene: Scene, body: Picture, own: Flow, box: Box, trust: float) -> Picture:
        """Adds up what its looks and its motion say: float32 [box] log odds."""
        rows = scene.features[box.slices]
        looks = self.classifier.log_odds(rows.reshape(-1, rows.shape[-1])).reshape(box.size)
        looks = _APPEARANCE * np.clip(looks, -_APPEARANCE_BOUND, _APPEARANCE_BOUND)
        if trust > 0.0:
            level, faint = scene.change.level[box.slices], scene.change.faint[box.slices]
            looks = np.where(looks < 0.0, looks * (1.0 - np.float32(_EXPLAINED * trust) * faint), looks)
            looks += trust * (_FOR_CHANGE * faint - _FOR_REST * (1.0 - np.clip(level / 0.4, 0.0, 1.0)))
        size = float(np.sqrt(max(1.0, self.area)))
        outside = 1.0 - cv2.dilate(body, np.ones((5, 5), np.uint8))
        around = local_motion(scene.motion, outside, radius_px=max(4, int(0.3 * size)), otherwise=scene.camera)
        cut_out = box.slices
        moves = motion_evidence(
            scene.motion[cut_out], own=own[cut_out], backgrounds=(scene.camera[cut_out], around[cut_out])
        )
        return np.asarray(looks + moves, np.float32)

    def _possible(self, body: Picture) -> Mask:
        """Where the object may be found: where it must be, and ever farther around it while it is lost."""
        place = body > 0.4
        if self.lost_count == 0:
            return place
        reach = int(min(2.0, _SEARCH_GROWTH * self.lost_count) * np.sqrt(self.area))
        away = cv2.distanceTransform((~place).astype(np.uint8), cv2.DIST_L2, 3)
        return np.asarray(away <= reach) if place.any() else place

    def _place(self, expected: Picture, possible: Mask) -> Picture:
        """Log odds from where it was: nowhere it may be is it ruled out, but only its looks can bring it back there."""
        reach_px = _BAND_SHARE * float(np.sqrt(max(1.0, self.area))) + _BAND_PX
        place = expectation(expected, reach_px=reach_px)
        place[possible] = np.maximum(place[possible], -_HIDDEN_FLOOR)
        return place

    def _note(self, scene: Scene, own: Flow) -> None:
        """Remembers how the object moved and what it looked like."""
        mask = self.chance >= 0.5
        seen_area = np.count_nonzero(mask)
        if seen_area < 0.1 * self.area:
            self.lost_count += 1
            return
        self.lost_count = 0
        # Slow to shrink: what is hidden for a while is still there.
        self.area += (0.1 if seen_area > self.area else 0.03) * (seen_area - self.area)
        step = np.median((own - scene.camera)[mask], axis=0)
        self.drift = (0.7 * self.drift + 0.3 * step).astype(np.float32)
        edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
        # A part that was missed just now must not be learned as surroundings, or it never comes back.
        sure = ~edge & (mask | (self.body < 0.4))
        change = scene.change
        if change.certainty > 0.0:
            sure &= mask | (change.faint < _FAINTEST)
        others = ~mask & sure & (change.certainty * change.level > 0.5)
        fresh = draw_samples(scene.features, mask, sure, count=_FRESH_COUNT, seed=scene.frame, others=others)
        self.own_samples = np.concatenate([self.own_samples, fresh])[-MEMORY_COUNT:]
        teach(self.classifier, self.key_samples, self.own_samples, steps=LATER_STEPS, seed=scene.frame)


def expectation(expected: Picture, *, reach_px: float) -> Picture:
    """Log odds of the object from the distance to its expected border: float32 [h, w], bounded both ways."""
    inside = (expected > 0.5).astype(np.uint8)
    if not inside.any():
        return np.full(expected.shape, -_OUTSIDE_BOUND, np.float32)
    depth = cv2.distanceTransform(inside, cv2.DIST_L2, 3) if not inside.all() else np.full(inside.shape, 1e3)
    signed = depth - cv2.distanceTransform(1 - inside, cv2.DIST_L2, 3)
    return np.asarray(np.clip(signed / reach_px, -_OUTSIDE_BOUND, _INSIDE_BOUND), np.float32)


def keep_expected_parts(labels: Picture, expected: Mask) -> Picture:
    """Drops parts of float32 [h, w] labels that hardly touch the place, bool [h, w], where the object was expected."""
    count, parts = cv2.connectedComponents((labels >= 0.5).astype(np.uint8), connectivity=8)
    areas = np.bincount(parts.ravel(), minlength=count)
    overlaps = np.bincount(parts.ravel(), expected.ravel(), minlength=count)
    good = overlaps >= 0.3 * areas
    good[0] = True
    return np.where(good[parts], labels, 0.0).astype(np.float32)


def region_around(weight: Mask, *, share: float = 0.3, least_px: int = 12) -> Box | None:
    """Box of the True pixels, wider by a share of its size; None without one."""
    rows, columns = np.flatnonzero(weight.any(1)), np.flatnonzero(weight.any(0))
    if not len(rows):
        return None
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    margin = int(share * max(y1 - y0, x1 - x0)) + least_px
    height, width = weight.shape
    return Box(max(0, x0 - margin), max(0, y0 - margin), min(width, x1 + margin), min(height, y1 + margin))


def draw_samples(
    features: Features, mask: Mask, sure: Mask, *, count: int, seed: int, others: Mask | None = None
) -> Features:
    """Draws up to ``count`` labelled samples of the object, and as many of what is around it and far from it.

    Args:
        features: float32 [h, w, F].
        mask, sure: bool [h, w], the object, and where that is certain.
        count: samples of each label, apart from those of ``others``.
        seed: of the draw.
        others: bool [h, w], other moving things, of which half as many are drawn besides.
    """
    draw = np.random.default_rng(seed)
    reach = max(8, int(0.5 * np.sqrt(np.count_nonzero(mask))))
    near = cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0
    kinds = [(mask & sure, 1.0, 1.0), (near & ~mask & sure, 0.0, 0.6), (~near & sure, 0.0, 0.4)]
    if others is not None:
        kinds.append((others, 0.0, 0.5))
    parts = []
    for where, label, share in kinds:
        places = np.flatnonzero(where)
        if len(places):
            chosen = draw.choice(places, min(len(places), int(count * share)), replace=False)
            rows = features.reshape(-1, features.shape[-1])[chosen]
            parts.append(np.column_stack([rows, np.full(len(rows), label, np.float32)]))
    return np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, features.shape[-1] + 1), np.float32)


def teach(classifier: PixelClassifier, key_samples: Features, own_samples: Features, *, steps: int, seed: int) -> None:
    """Trains on batches, half object and half surroundings, of which half come from keys."""
    draw = np.random.default_rng(seed)
    pools = [s[s[:, -1] == label] for s in (key_samples, own_samples) for label in (0.0, 1.0)]
    pools = [p for p in pools if len(p)]
    for _ in range(steps):
        batch = np.concatenate([p[draw.integers(len(p), size=_BATCH // len(pools))] for p in pools])
        classifier.train(batch[:, :-1], batch[:, -1])
