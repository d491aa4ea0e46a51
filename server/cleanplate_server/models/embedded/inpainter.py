"""Fills holes from the shot's other frames, and from the frame's own surroundings where none shows the background."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, takewhile
from pathlib import Path
from threading import Lock
from typing import Protocol

import numpy as np

from cleanplate_server.models.embedded.anchors import Anchor, anchor_frame, carry
from cleanplate_server.models.embedded.blending import Candidate, candidate, compose, shares
from cleanplate_server.models.embedded.camera import move_places
from cleanplate_server.models.embedded.exemplar import fill_from_surroundings
from cleanplate_server.models.embedded.fields import Field, Places, Weight, sample_free
from cleanplate_server.models.embedded.layers import Layer, split
from cleanplate_server.models.embedded.pieces import part
from cleanplate_server.models.embedded.refinement import refine
from cleanplate_server.models.embedded.registration import Registered, follow
from cleanplate_server.models.embedded.sources import SourceReader, View, ladder
from cleanplate_server.models.embedded.survey import CameraPath, walk
from cleanplate_server.models.embedded.target import Target, aim
from cleanplate_server.models.protocols import (
    RGB,
    Box,
    CleanedFrames,
    CleanRegion,
    Effort,
    EngineInfo,
    Mask,
    MaskedFrames,
    Tick,
)

_NEAR = (1, 2, 4, 7)
_FAR_GROWTH = 1.125
_STRIDE = 1.5
"""Growth of the steps on the way to a frame that was given clean."""
_PROBES = 4096
_LEAST_MASS = 1e-3
_SURROUNDINGS_PX = 32
_MOST_THREADS = 4
"""Frames that are filled at once; each holds its own candidates."""


@dataclass(frozen=True)
class _Settings:
    """What an effort means.

    Args:
        largest_px: longest side of the picture that sources are compared on.
        growth: ratio of one source's distance to the one before it.
        sources: looked at to each side before only what is still missing is looked for.
        finest: level of the flow search, see ``search_for``.
    """

    largest_px: int
    growth: float
    sources: int
    finest: int = 1


_SETTINGS: dict[Effort, _Settings] = {
    "fast": _Settings(largest_px=224, growth=1.6, sources=8, finest=2),
    "balanced": _Settings(largest_px=320, growth=1.33, sources=14),
    "best": _Settings(largest_px=480, growth=1.2, sources=24),
}


class _Trail(Protocol):
    """``follow`` for one target."""

    def __call__(
        self, frames: Iterable[int], *, layer: Weight, velocity: Field | None = None
    ) -> Iterator[Registered]: ...


class PlateInpainter:
    """Inpainter that needs no weights: registration, layers, rim-fitted blending, exemplar fill.

    Args:
        effort: how many frames are looked at, and how closely.
    """

    def __init__(self, effort: Effort = "balanced") -> None:
        self._settings = _SETTINGS[effort]

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("embedded")

    def survey(self, shot: MaskedFrames, folder: Path, tick: Tick) -> PlateFiller:
        """Walks the shot once and measures the camera's motion; see ``Inpainter.survey``."""
        return PlateFiller(shot, folder, walk(shot, folder, tick), self._settings)


class PlateFiller:
    """A surveyed shot; see ``Filler``."""

    def __init__(self, shot: MaskedFrames, folder: Path, camera: CameraPath, settings: _Settings) -> None:
        self._shot = shot
        self._folder = folder
        self._camera = camera
        self._settings = settings
        self._given = shot.clean_frames if isinstance(shot, CleanedFrames) else ()
        self._reader = SourceReader(shot)
        self._anchoring = Lock()

    def fill(self, window: range) -> Iterator[CleanRegion]:
        """Fills the frames of a window that have a hole, in order, a few of them at once."""
        holed = (frame for frame in window if self._shot.hole_box(frame) is not None)
        count = min(_MOST_THREADS, os.cpu_count() or 1)
        with ThreadPoolExecutor(count, thread_name_prefix="fill") as threads:
            begun = deque(threads.submit(self._fill, frame) for frame in islice(holed, count))
            try:
                while begun:
                    done = begun.popleft().result()
                    begun.extend(threads.submit(self._fill, frame) for frame in islice(holed, 1))
                    yield done
            finally:
                for waiting in begun:
                    waiting.cancel()

    def _fill(self, frame: int) -> CleanRegion:
        target = aim(self._shot, frame, largest_px=self._settings.largest_px)
        tight = self._shot.hole_box(frame)
        assert target is not None
        assert tight is not None
        rgb, unseen = self._fill_seen(target, tight)
        if unseen.any():
            rgb = self._invent(target, tight, rgb, unseen)
        return CleanRegion(target.frame, tight, rgb, unseen)

    def _fill_seen(self, target: Target, box: Box) -> tuple[RGB, Mask]:
        """The box filled from other frames, and what none of them shows; outside the hole the plate."""
        hole = self._shot.mask(target.frame)[box.slices]
        found = self._candidates(target)
        weights = shares(found) if found else []
        if found:
            found, weights = refine(target, found, weights, finest=self._settings.finest)
        rgb, mass = compose(target, hole, box, found, weights)
        seen = hole & (mass > _LEAST_MASS)
        return np.where(seen[..., None], rgb, self._shot.rgb(target.frame, box)).astype(np.float32), hole & ~seen

    def _invent(self, target: Target, box: Box, rgb: RGB, unseen: Mask) -> RGB:
        frame = anchor_frame(self._shot, target.frame)
        if frame != target.frame:
            with self._anchoring:  # one thread makes it, the others find it in the folder
                anchor = self._anchor(frame)
            outer = box.grown(_SURROUNDINGS_PX, self._shot.size)
            picture, wanted = self._embed(target.frame, outer, box, rgb, unseen)
            motion = self._camera.between(target.frame, frame)
            picture, wanted = carry(anchor, motion, box=outer, rgb=picture, wanted=wanted)
            rgb, unseen = part(picture, outer, box), part(wanted, outer, box)
        if unseen.any():
            rgb = part(self._exemplar(target.frame, box, rgb, unseen).rgb, box.grown(_reach(box), self._shot.size), box)
        return rgb

    def _anchor(self, frame: int) -> Anchor:
        """The anchor of a frame, from the folder where it is there; it depends on the shot alone."""
        anchor = Anchor.load(self._folder, frame)
        if anchor is None:
            target = aim(self._shot, frame, largest_px=self._settings.largest_px)
            tight = self._shot.hole_box(frame)
            assert target is not None
            assert tight is not None
            anchor = self._exemplar(frame, tight, *self._fill_seen(target, tight))
            anchor.save(self._folder)
        return anchor

    def _exemplar(self, frame: int, box: Box, rgb: RGB, unseen: Mask) -> Anchor:
        """The surroundings of a box, filled with pieces of themselves."""
        outer = box.grown(_reach(box), self._shot.size)
        picture, wanted = self._embed(frame, outer, box, rgb, unseen)
        return Anchor(frame, outer, fill_from_surroundings(picture, wanted))

    def _embed(self, frame: int, outer: Box, box: Box, rgb: RGB, unseen: Mask) -> tuple[RGB, Mask]:
        picture, wanted = self._shot.rgb(frame, outer).copy(), np.zeros(outer.size, np.bool_)
        part(picture, outer, box)[:] = rgb
        part(wanted, outer, box)[:] = unseen
        return picture, wanted

    def _candidates(self, target: Target) -> list[Candidate]:
        trail = partial(follow, target, partial(self._look, target, {}), finest=self._settings.finest)
        everywhere = np.ones_like(target.near_halved)
        near = [source for way in (1, -1) for source in trail(self._near(target, way), layer=everywhere)]
        layers, found = split(target, near), []
        for number, layer in enumerate(layers):
            for way in (1, -1):
                frames = islice(self._ladder(target, way), self._settings.sources)
                for source in trail(frames, layer=layer.seen, velocity=layer.velocity):
                    found.append(candidate(target, source, number))
        shown = [made for made in found if made is not None]
        shown += self._given_candidates(target, trail, layers[0], {made.source.view.frame for made in shown})
        hole = target.hole[target.inner]
        missing = hole.copy()
        for made in shown:
            missing &= ~made.shown
        if missing.any():
            shown += self._far_candidates(target, trail, layers[0], missing)
        return [made for made in shown if (made.seen & hole).any()]

    def _given_candidates(self, target: Target, trail: _Trail, layer: Layer, reached: set[int]) -> list[Candidate]:
        """From frames that a person cleaned and no ladder reached: over ever wider steps, else in one."""
        made = list[Candidate | None]()
        for way in (1, -1):
            given = [frame for frame in self._given if (frame - target.frame) * way > 0 and frame not in reached]
            path = self._path_to(target.frame, given, way)
            steps = trail(path, layer=layer.seen, velocity=layer.velocity)
            walked = {source.view.frame: source for source in steps}
            for frame in given:
                sources = [walked[frame]] if frame in walked else trail([frame], layer=layer.seen)
                made += [candidate(target, source, 0) for source in sources]
        return [one for one in made if one is not None]

    def _path_to(self, start: int, given: list[int], way: int) -> list[int]:
        """Given frames in one direction and steps to the last of them, nearest first."""
        last = max((abs(frame - start) for frame in given), default=0)
        steps = ladder(start, self._shot.frames, way, growth=_STRIDE)
        between = set(takewhile(lambda step: abs(step - start) < last, steps))
        return sorted(between | set(given), key=lambda frame: abs(frame - start))

    def _far_candidates(self, target: Target, trail: _Trail, layer: Layer, missing: Mask) -> list[Candidate]:
        """Goes on to the shot's ends for what is still missing, with the layer that most of the surroundings are in."""
        far: list[Candidate] = []
        for way in (1, -1):
            near = list(islice(self._ladder(target, way), self._settings.sources))
            reached = abs(near[-1] - target.frame) if near else 0
            frames = chain(near[::3], self._far_frames(target, way, reached, missing))
            for source in trail(frames, layer=layer.seen, velocity=layer.velocity):
                made = candidate(target, source, 0) if source.view.distance > reached else None
                if made is not None:
                    far.append(made)
                    missing &= ~made.shown
        return far

    def _far_frames(self, target: Target, way: int, reached: int, missing: Mask) -> Iterator[int]:
        """Frames beyond ``reached`` that show something missing, if the camera alone moved; ever fewer of them."""
        frames = self._shot.frames
        end = frames[-1] if way > 0 else frames[0]
        for frame in chain(ladder(target.frame, frames, way, growth=_FAR_GROWTH), (end,)):
            if not missing.any():
                return
            if abs(frame - target.frame) > reached and self._shows(frame, target, missing):
                yield frame

    def _shows(self, frame: int, target: Target, missing: Mask) -> bool:
        # a few thousand points are enough to tell, and as many as OpenCV moves in one row
        some = slice(None, None, 1 + int(missing.sum()) // _PROBES)
        points = target.lattice[target.inner][missing][some]
        there = move_places(self._camera.between(target.frame, frame) @ target.to_full, points[:, None])
        return bool(sample_free((~self._shot.mask(frame)).view(np.uint8), there).any())

    def _near(self, target: Target, way: int) -> Iterator[int]:
        steps = (target.frame + way * distance for distance in _NEAR)
        return (frame for frame in steps if frame in self._shot.frames)

    def _ladder(self, target: Target, way: int) -> Iterator[int]:
        return ladder(target.frame, self._shot.frames, way, growth=self._settings.growth)

    def _look(self, target: Target, looked: dict[int, View], frame: int, places: Places) -> View | None:
        kept = looked.get(frame)
        motion = self._camera.between(target.frame, frame) if kept is None else kept.motion
        view = self._reader.view(target, frame, motion, places=places, kept=kept)
        if view is not None:
            looked[frame] = view
        return view


def _reach(box: Box) -> int:
    """How far around a hole pieces are looked for: as far as the hole is long."""
    return max(_SURROUNDINGS_PX, max(box.size))
