"""Finds an object from clicks, boxes, strokes and earlier masks, without weights."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.edges import Cutter, cut, edge_weights, guided_lines
from cleanplate_server.models.embedded.motion import Movement, pinholes
from cleanplate_server.models.embedded.palette import Palette, Ways, part_at
from cleanplate_server.models.prompt_checks import refuse_unusable
from cleanplate_server.models.protocols import RGB, Box, Candidate, EngineInfo, Mask, Nearby, Prompt, Stroke

Picture = NDArray[np.float32]

_WORKING_AREA_PX = 360 * 202
_WORKING_BYTES_PER_PX = 64
"""What is kept for each pixel at working size: colours twice, steps, and what moves."""
_SCALES = (0.06, 0.11, 0.18, 0.27)
"""Radii that an object may have around one click, as shares of the root of the picture's area."""
_CORRECTION_SCALES = (0.05, 0.12, 0.24)
_SEED_SHARE = 0.008
"""Radius of what a click surely covers, as a share of the root of the picture's area."""
_SURE = 12.0
_FAR_OUT = -6.0
_FIRST_STEPS, _FURTHER_ROUNDS, _FURTHER_STEPS = 40, 3, 12
"""Steps of the first cut, and of those after it with colours learned anew, which keep its forces."""
_GUESS_WEIGHT, _SIZE_WEIGHT, _USUAL_SHARE = 0.15, 0.1, 0.035
"""What an unlikely size costs in score: against the size known or tried, and against the usual one."""
_PINHOLE_SHARE = 0.0008
"""Holes smaller than this share of the picture are no view of what lies behind."""
_TOLD_SHARE = 0.03
"""Seeds weigh at least as much as this share of the picture."""
_NEARBY_FRAMES = (2, 5, 9)
"""How many frames away motion is looked for: near enough to follow the camera, far enough to see slow things leave."""
_MOVING, _RESTING = 0.5, 0.25
"""A clicked thing that moves at least so surely is found by its motion; one below stands still."""
_MOVING_START = (1.0, 3.0)
"""Log odds inside what moves as one with the click, where the frames nearby lie badly and exactly on this one."""
_COLOUR_SHARE = 0.6
"""How much less colours count where exact frames show what moves."""
_GUIDE_PX = 2
"""Radius of the windows in which a mask is laid along the picture's own edges."""
_THREAD_COUNT = 2
_NECK_SHARES = (0.0, 0.012, 0.025)
"""Half widths of the necks at which moving things are told apart, as shares of the root of the picture's area."""


@dataclass(frozen=True)
class Seeds:
    """What a prompt says for certain, at working size: two bool [h, w]."""

    inside: Mask
    outside: Mask


class GrabCutSegmenter:
    """Iterated cuts with colour models learned from the prompt, a `Segmenter`.

    After GrabCut (Rother et al., SIGGRAPH 2004) and geodesic star convexity (Gulshan et al., CVPR 2010).
    """

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(name="embedded")

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> CutImage:
        """Makes one frame ready for prompts: float32 [H, W, 3], nominal 0 to 1."""
        return CutImage(rgb, nearby)


class CutImage:
    """One frame made ready, a `PreparedImage`."""

    def __init__(self, rgb: RGB, nearby: Nearby | None) -> None:
        self._picture = _clipped(rgb)
        height, width = rgb.shape[:2]
        shrink = float(np.sqrt(_WORKING_AREA_PX / (height * width)))
        self._shrink = shrink if shrink < 1.0 else 1.0
        self._size = max(1, round(height * self._shrink)), max(1, round(width * self._shrink))
        self._small = self._shrunk(self._picture)
        self._lab = np.asarray(cv2.cvtColor(self._small, cv2.COLOR_RGB2LAB), np.float32) / np.float32(100.0)
        self._weights = edge_weights(self._lab)
        # A step costs 1 on an edge and little on smooth ground, so that distance means "how much is between".
        self._ways = Ways((1.02 - self._weights[0], 1.02 - self._weights[1]))
        self._palettes = (Palette.of(self._lab, radius_px=0), Palette.of(self._lab, radius_px=4))
        self._movement = None if nearby is None else self._look_around(nearby)

    @property
    def byte_count(self) -> int:
        return int(self._picture.nbytes + _WORKING_BYTES_PER_PX * self._lab[..., 0].size)

    @property
    def _exactness(self) -> float:
        return 0.0 if self._movement is None else self._movement.exactness

    def _shrunk(self, picture: RGB) -> RGB:
        return np.asarray(cv2.resize(picture, self._size[::-1], interpolation=cv2.INTER_AREA), np.float32)

    def _look_around(self, nearby: Nearby) -> Movement | None:
        """What moves, by frames at working size, asked for in order of time, which decodes fastest.

        The frame itself is asked for too: made small in the same way as the others it lies on them exactly.
        """
        before = [nearby(-away, self._size) for away in reversed(_NEARBY_FRAMES)]
        own = nearby(0, self._size)
        after = [nearby(away, self._size) for away in _NEARBY_FRAMES]
        sides = [[_clipped(rgb) for rgb in side if rgb is not None] for side in (before, after)]
        return Movement.of(self._small if own is None else _clipped(own), sides)

    def segment(self, prompt: Prompt, previous: Mask | None = None) -> tuple[Candidate, ...]:
        """Finds the object; see `PreparedImage.segment`."""
        refuse_unusable(prompt, previous, (self._picture.shape[0], self._picture.shape[1]))
        if prompt.mask is not None and not (prompt.points or prompt.strokes or prompt.box):
            return (Candidate(prompt.mask.copy(), 1.0),)
        seeds = self._seeds(prompt)
        known = prompt.mask if prompt.mask is not None else previous
        count = 0 if known is None else round(np.count_nonzero(known) * self._shrink**2)
        near = self._ways.lengths(seeds.inside)
        motion = self._motion(seeds.inside)
        starts = self._starts(prompt, seeds, known)
        judged = motion
        if prompt.box is None and count == 0:
            moving, judged = self._moving_starts(motion, seeds.inside)
            # The moving region tells the size; every second guess is enough beside it.
            starts = moving + (starts[1::2] if moving else starts)

        def settled(start: Picture) -> tuple[Picture, float]:
            u = self._settle(seeds, start, near=near, motion=motion)
            score, moving_score = self._score(u, start, count), self._motion_contrast(u, judged)
            return u, score if moving_score is None else float(np.clip(0.5 * (score + moving_score), 0.0, 1.0))

        with ThreadPoolExecutor(_THREAD_COUNT) as threads:
            found = sorted(threads.map(settled, starts), key=lambda pair: -pair[1])[:3]
            masks = threads.map(lambda pair: self._sharpened(pair[0], seeds), found)
            return tuple(Candidate(mask, score) for mask, (_, score) in zip(masks, found, strict=True))

    def _seeds(self, prompt: Prompt) -> Seeds:
        inside, outside = np.zeros(self._size, np.uint8), np.zeros(self._size, np.uint8)
        radius = max(1, round(_SEED_SHARE * float(np.sqrt(self._size[0] * self._size[1]))))
        for point in prompt.points:
            target = inside if point.inside else outside
            cv2.circle(target, self._place(point.x, point.y), radius, 1, cv2.FILLED)
        for stroke in prompt.strokes:
            self._draw(inside if stroke.inside else outside, stroke)
        if prompt.box is not None:
            outside[~self._box_mask(prompt.box)] = 1
        return Seeds((inside > 0) & (outside == 0), outside > 0)

    def _place(self, x: float, y: float) -> tuple[int, int]:
        return (
            min(self._size[1] - 1, int((x + 0.5) * self._shrink)),
            min(self._size[0] - 1, int((y + 0.5) * self._shrink)),
        )

    def _draw(self, target: NDArray[np.uint8], stroke: Stroke) -> None:
        radius = round(max(0.0, stroke.radius_px) * self._shrink)
        places = [self._place(x, y) for x, y in stroke.points]
        for a, b in pairwise([places[0], *places]):
            cv2.line(target, a, b, 1, thickness=2 * radius + 1)

    def _box_mask(self, box: Box) -> Mask:
        mask = np.zeros(self._size, np.bool_)
        (x0, y0), (x1, y1) = self._place(box.x0, box.y0), self._place(box.x1 - 1, box.y1 - 1)
        mask[y0 : y1 + 1, x0 : x1 + 1] = True
        return mask

    def _starts(self, prompt: Prompt, seeds: Seeds, known: Mask | None) -> list[Picture]:
        """First guesses, as log odds float32 [h, w]: one for each size that the object may have."""
        if known is not None and known.any():
            return self._corrections(seeds, known)
        if prompt.box is not None:
            inside = self._box_mask(prompt.box).astype(np.float32)
            return [inside * np.float32(1.3) - np.float32(1.5)]
        return [self._bump(seeds.inside, share) for share in _SCALES]

    def _corrections(self, seeds: Seeds, known: Mask) -> list[Picture]:
        """What is known, changed around the clicks that contradict it, by more or by less."""
        small = cv2.resize(known.astype(np.float32), self._size[::-1], interpolation=cv2.INTER_AREA)
        base = (np.asarray(small, np.float32) - np.float32(0.5)) * np.float32(3.0)
        missed, excess = seeds.inside & (base < 0), seeds.outside & (base > 0)
        if not (missed.any() or excess.any()):
            return [base]
        return [
            np.minimum(np.maximum(base, self._bump(missed, share)), -self._bump(excess, share))
            for share in _CORRECTION_SCALES
        ]

    def _bump(self, seeds: Mask, share: float) -> Picture:
        """Log odds of a round thing of a size around seeds: 2 at them, far below 0 away from them and without any."""
        if not seeds.any():
            return np.full(self._size, _FAR_OUT, np.float32)
        away = np.asarray(cv2.distanceTransform((~seeds).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
        radius = share * float(np.sqrt(self._size[0] * self._size[1]))
        return np.asarray(np.clip((radius - away) / np.float32(0.5 * radius), _FAR_OUT, 2.0), np.float32)

    def _motion(self, inside: Mask) -> Picture:
        """Log odds float32 [h, w] from motion: the thing under the clicks moves, or moving things are not it."""
        movement = self._movement
        if movement is None or not inside.any():
            return np.zeros(self._size, np.float32)
        sure = movement.at(inside)
        if sure >= _MOVING:
            return movement.evidence(inside)
        if sure <= _RESTING:
            return -np.maximum(movement.shifted, movement.changed)
        return np.zeros(self._size, np.float32)

    def _moving_starts(self, motion: Picture, inside: Mask) -> tuple[list[Picture], Picture]:
        """First guesses from the moving region under the clicks, cut at necks of several widths.

        Returns:
            The guesses, none where nothing moves, and the motion with what lies beyond a neck counted as another thing.
        """
        starts: list[Picture] = []
        if not (motion > 0).any():
            return starts, motion
        region = cut(motion, self._weights, smoothness=2.0, steps=60) >= 0.5
        root = float(np.sqrt(region.size))
        areas: list[int] = []
        judged, sure = motion, np.float32(np.interp(self._exactness, (0.0, 1.0), _MOVING_START))
        for share in _NECK_SHARES:
            part = part_at(region, inside, share * root)
            area = int(np.count_nonzero(part))
            if area < 2 * np.count_nonzero(inside) or any(abs(area - a) < 0.1 * a for a in areas):
                continue
            if areas:
                judged = np.where(region & ~part, np.minimum(motion, np.float32(-1.0)), motion)
            areas.append(area)
            away = np.asarray(cv2.distanceTransform((~part).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
            outward = np.clip(-away / np.float32(0.015 * root), _FAR_OUT, 0.0)
            solid = part & (motion > 0)
            starts.append(np.where(solid | pinholes(solid, _PINHOLE_SHARE), sure, outward))
        return starts, judged

    def _settle(self, seeds: Seeds, start: Picture, *, near: Picture, motion: Picture) -> Picture:
        """Cuts, learns colours, and cuts again: u float32 [h, w] in [0, 1]."""
        bound = self._pull(seeds, start, near) + motion
        trust = 1.0 - _COLOUR_SHARE * self._exactness if (motion > 0).any() else 1.0
        u = np.asarray(1.0 / (1.0 + np.exp(-2.0 * start)), np.float32)
        cutter = Cutter(self._weights, smoothness=2.5)
        u = cutter.cut(self._evidence(seeds, u, start, bound, trust=trust), steps=_FIRST_STEPS)
        for _ in range(_FURTHER_ROUNDS):
            evidence = self._evidence(seeds, u, start, bound, trust=trust)
            u = cutter.cut(evidence, steps=_FURTHER_STEPS)
        return self._connected(u, seeds)

    def _pull(self, seeds: Seeds, start: Picture, near: Picture) -> Picture:
        """Log odds from which seeds lie nearer along the picture."""
        far = self._ways.lengths(seeds.outside | (start <= -1.4))
        if not seeds.inside.any():  # A box alone: what little lies between a place and the box's outside tells.
            return np.asarray(2.0 * far / max(1e-3, float(far.max())) - 1.0, np.float32)
        return np.asarray(2.0 * (far - near) / (far + near + 1e-3), np.float32)

    def _evidence(self, seeds: Seeds, u: Picture, start: Picture, bound: Picture, *, trust: float) -> Picture:
        colour = np.zeros(self._size, np.float32)
        for palette in self._palettes:
            colour += palette.log_odds(u + self._told(seeds.inside), 1.0 - u + self._told(seeds.outside))
        evidence = trust * np.clip(np.float32(0.6) * colour, -4.0, 4.0) + np.float32(0.5) * start + bound
        evidence[seeds.inside], evidence[seeds.outside] = _SURE, -_SURE
        return np.asarray(evidence, np.float32)

    def _told(self, seeds: Mask) -> Picture:
        """Weights that let a few seeds count as examples beside all that is guessed."""
        count = int(np.count_nonzero(seeds)) or 1
        return np.asarray(seeds * max(1.0, _TOLD_SHARE * seeds.size / count), np.float32)

    def _connected(self, u: Picture, seeds: Seeds) -> Picture:
        """Keeps the parts that hold a seed, or all where there is none, and closes small holes."""
        if not seeds.inside.any():
            return u
        _, labels = cv2.connectedComponents((u >= 0.5).astype(np.uint8), connectivity=4)
        held = np.unique(labels[seeds.inside])
        kept = np.where(np.isin(labels, held[held > 0]), u, np.float32(0.0))
        return np.where(pinholes(kept >= 0.5, _PINHOLE_SHARE) & ~seeds.outside, np.float32(1.0), kept)

    def _score(self, u: Picture, start: Picture, known_count: int) -> float:
        """How much it looks like one whole thing, from 0 to 1: edges, colours, and a likely size."""
        mask = u >= 0.5
        area = int(np.count_nonzero(mask))
        if not area:
            return 0.0
        guessed = known_count or max(1, int(np.count_nonzero(start > 0)))
        surprise = _GUESS_WEIGHT * abs(np.log(area / guessed)) + _SIZE_WEIGHT * abs(
            np.log(area / u.size / _USUAL_SHARE)
        )
        return float(np.clip(0.5 * (self._edge_share(mask) + self._colour_contrast(mask)) - surprise, 0.0, 1.0))

    def _edge_share(self, mask: Mask) -> float:
        """How much of the border lies on edges of the picture."""
        across, down = mask[:, 1:] ^ mask[:, :-1], mask[1:] ^ mask[:-1]
        length = int(np.count_nonzero(across) + np.count_nonzero(down)) or 1
        on_edge = (1.0 - self._weights[0][:, :-1])[across].sum() + (1.0 - self._weights[1][:-1])[down].sum()
        return float(on_edge / length)

    def _colour_contrast(self, mask: Mask) -> float:
        """How much more often its colours occur inside than in a ring around it."""
        ring = (cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0) & ~mask
        if not ring.any():
            return 0.0
        weights = mask.astype(np.float32), (~mask).astype(np.float32)
        odds = self._palettes[0].log_odds(*weights) + self._palettes[1].log_odds(*weights)
        return float(np.mean(odds[mask] > 0) - np.mean(odds[ring] > 0))

    def _motion_contrast(self, u: Picture, motion: Picture) -> float | None:
        """How much more of what moves with it lies inside than in a ring around it; None where motion says nothing."""
        mask = u >= 0.5
        ring = (cv2.dilate(mask.astype(np.uint8), np.ones((15, 15), np.uint8)) > 0) & ~mask
        if not (motion > 0).any():
            return None
        if not (mask.any() and ring.any()):
            return 0.0
        return float(np.mean(motion[mask] > 0) - np.mean(motion[ring] > 0))

    def _sharpened(self, u: Picture, seeds: Seeds) -> Mask:
        """Brings u to full size along the picture's own edges, what was clicked always inside: bool [H, W]."""
        height, width = self._picture.shape[:2]
        found = np.zeros((height, width), np.bool_)
        rows, columns = np.flatnonzero(u.any(axis=1)), np.flatnonzero(u.any(axis=0))
        if rows.size:
            box = Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)
            # Twice the radius away from where anything is, slopes and offsets are 0.
            near = box.grown(4 * _GUIDE_PX + 2, self._size)
            fitted = guided_lines(self._small[near.slices], u[near.slices], radius_px=_GUIDE_PX, epsilon=1e-4)
            around = self._enlarged(box.grown(2 * _GUIDE_PX + 1, self._size))
            lines = self._enlarge(np.dstack(fitted), around, origin=(near.x0, near.y0))
            soft = lines[..., 3] + np.einsum("ijk,ijk->ij", lines[..., :3], self._picture[around.slices])
            found[around.slices] = soft >= 0.5
        told = cv2.resize(seeds.inside.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
        return np.asarray(found | told)

    def _enlarge(self, field: Picture, box: Box, *, origin: tuple[int, int]) -> Picture:
        """Brings a part of the picture from working to full size, linearly between its places.

        Args:
            field: float32 [h, w, c] at working size.
            box: at full size.
            origin: (x, y) of the field's first pixel at working size.

        Returns:
            float32 [H, W, c] of the box.
        """
        height, width = self._picture.shape[:2]
        right, down = self._size[1] / width, self._size[0] / height
        x = ((np.arange(box.x0, box.x1) + 0.5) * right - 0.5 - origin[0]).astype(np.float32)
        y = ((np.arange(box.y0, box.y1) + 0.5) * down - 0.5 - origin[1]).astype(np.float32)
        columns, rows = np.broadcast_to(x, box.size), np.broadcast_to(y[:, None], box.size)
        return np.asarray(
            cv2.remap(field, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32
        )

    def _enlarged(self, box: Box) -> Box:
        """A box of the working size at full size, rounded outwards."""
        height, width = self._picture.shape[:2]
        down, right = height / self._size[0], width / self._size[1]
        return Box(
            int(box.x0 * right), int(box.y0 * down), min(width, ceil(box.x1 * right)), min(height, ceil(box.y1 * down))
        )


def _clipped(rgb: RGB) -> RGB:
    return np.clip(np.nan_to_num(rgb), 0.0, 1.0).astype(np.float32)
