"""Any network that fills windows of frames, as an inpainter.

Held at a time: one window (``Schedule.local_limit`` local frames and ``reference_limit`` references at most, at the
size that the network sees, 11 + 10 as a rule), the holes and their rims as filled in the few windows that a frame can
lie in (three as a rule), and one native crop of a frame. None of it grows with the shot.
"""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.survey import CameraPath, walk
from cleanplate_server.models.networks.filling.display import DisplayCurve, fit_curve
from cleanplate_server.models.networks.filling.drift import background_drift
from cleanplate_server.models.networks.filling.regions import Region, Size, union
from cleanplate_server.models.networks.filling.rim import RIM_PX, meet_rim
from cleanplate_server.models.networks.filling.schedule import REFERENCE_LIMITS, ShotWindow
from cleanplate_server.models.networks.filling.texture import REACH_PX, add_texture, texture_grid
from cleanplate_server.models.networks.filling.tiles import Tile, is_long, plan_tiles, plan_whole
from cleanplate_server.models.networks.filling.unseen import find_unseen
from cleanplate_server.models.networks.filling.window_network import Clip, Holes, WindowNetwork
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

_PLANS_KEPT = 16
_PLAN_FILE = "network-plan.json"
_LEVEL_FRAMES = 16
_LEVELS_EACH = 1 << 15
_CROSS = np.asarray(cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3)), np.uint8)


@dataclass(frozen=True)
class ShotPlan:
    """What the first pass settles for a shot, kept in its folder, so that a later start goes on alike.

    Args:
        curve: from the plate's levels to a screen's.
        budget_bytes: what a window may need.
    """

    curve: DisplayCurve
    budget_bytes: int

    def save(self, file: Path) -> None:
        """Writes beside the target and renames."""
        part = file.with_suffix(".part")
        part.write_text(json.dumps(asdict(self)), encoding="utf-8")
        part.replace(file)

    @classmethod
    def load(cls, file: Path) -> ShotPlan:
        """Reads what ``save`` wrote."""
        stored = json.loads(file.read_text(encoding="utf-8"))
        return cls(DisplayCurve(**stored["curve"]), int(stored["budget_bytes"]))


class NetworkInpainter:
    """A fill network as an ``Inpainter``.

    Args:
        network: with its weights.
        info: name, licence, weights.
        effort: how many references each window has.
        budget_bytes: what a window may need; larger regions are seen smaller.
    """

    def __init__(
        self, network: WindowNetwork, info: EngineInfo, *, budget_bytes: int, effort: Effort = "balanced"
    ) -> None:
        self._network = network
        self._info = info
        self._budget_bytes = budget_bytes
        self._reference_limit = REFERENCE_LIMITS[effort]

    @property
    def info(self) -> EngineInfo:
        return self._info

    def survey(self, shot: MaskedFrames, folder: Path, tick: Tick) -> NetworkFiller:
        """Walks the shot once for the camera's motion, and settles the shot's levels; see ``Inpainter.survey``."""
        camera = walk(shot, folder, tick)
        file = folder / _PLAN_FILE
        if not file.exists():
            ShotPlan(fit_curve(sample_levels(shot)), self._budget_bytes).save(file)
        plan = ShotPlan.load(file)
        return NetworkFiller(
            shot, self._network, plan, camera=camera, reference_limit=self._reference_limit, name=self._info.name
        )


class NetworkFiller:
    """A surveyed shot; see ``Filler``.

    Args:
        shot: frames and holes.
        network: fills windows.
        plan: what the survey settled.
        camera: the background's motion, which tells what is never seen.
        reference_limit: references of a window at most.
        name: of the engine, for remarks.
    """

    def __init__(
        self, shot: MaskedFrames, network: WindowNetwork, plan: ShotPlan, *, camera: CameraPath, reference_limit: int,
        name: str,
    ) -> None:  # fmt: skip
        self._shot = shot
        self._network = network
        self._plan = plan
        self._camera = camera
        traits = network.traits
        self._traits = traits
        limit = min(reference_limit, traits.schedule.reference_limit)
        self._schedule = replace(traits.schedule, reference_limit=limit)
        self._given: Sequence[int] = shot.clean_frames if isinstance(shot, CleanedFrames) else ()
        self._name = name
        self._done: OrderedDict[tuple[int, int], dict[int, RGB]] = OrderedDict()
        self._planned: OrderedDict[int, tuple[Tile, ...]] = OrderedDict()
        self._kept_windows = math.ceil(self._schedule.local_limit / self._schedule.stride)

    def fill(self, window: range) -> Iterator[CleanRegion]:
        """Fills the frames of a window that have a hole, in order."""
        for frame in window:
            box = self._shot.hole_box(frame)
            if box is not None:
                yield self._clean(frame, box)

    def remarks(self) -> tuple[str, ...]:
        """What a person should know of the shot before it is filled; needs no decoding."""
        smaller: list[tuple[float, int, Region]] = []
        parts = 1
        for centre in self._schedule.centres(self._shot.frames):
            window = self._window(centre)
            if union(self._shot.hole_box(frame) for frame in window.local) is not None:
                tiles = self._tiles(window)
                parts = max(parts, len(tiles))
                smaller += [(tile.region.scale, centre, tile.region) for tile in tiles if tile.region.scale > 1]
        said = []
        if parts > 1:
            said.append(f"{self._name} filled the long hole in {parts} parts side by side, to see it at its own size")
        if smaller:
            scale, centre, region = max(smaller, key=lambda found: found[0])
            height, width = region.box.size
            said.append(
                f"{self._name} saw the {width} x {height} pixels around the hole at {region.seen[1]} x"
                f" {region.seen[0]} (1/{scale:.2f}, the least of all, near frame {centre});"
                " fine texture there is taken from the hole's surroundings"
            )
        return tuple(said)

    def _clean(self, frame: int, box: Box) -> CleanRegion:
        hole = self._shot.mask(frame)
        windows = self._windows_over(frame)
        near, scale = self._near(frame), max(tile.region.scale for window in windows for tile in self._tiles(window))
        total, mass = np.zeros((*near.size, 3), np.float64), np.zeros(near.size, np.float64)
        for window in windows:
            for place, tile in enumerate(self._tiles(window)):
                part = _common(near, tile.region.box)
                share = window.weight(frame) * tile.share(part)
                if share.any():
                    inside = _within(part, near).slices
                    total[inside] += share[..., None] * self._filled(frame, window, place)
                    mass[inside] += share
        fill = (total / mass[..., None]).astype(np.float32)
        plate = self._plan.curve.show(self._shot.rgb(frame, near))
        fill = meet_rim(fill, plate, hole[near.slices], scale=scale)
        shown = self._textured(frame, box, near, fill, scale)
        rgb = np.where(hole[box.slices][..., None], self._plan.curve.restore(shown), self._shot.rgb(frame, box))
        return CleanRegion(frame, box, rgb.astype(np.float32), find_unseen(self._shot, self._camera, frame, box))

    def _windows_over(self, frame: int) -> list[ShotWindow]:
        return [self._window(centre) for centre in self._schedule.centres_over(frame, self._shot.frames)]

    def _near(self, frame: int) -> Box:
        """A frame's hole and its rim, as far as every window shows it."""
        tiles = [self._tiles(window) for window in self._windows_over(frame)]
        box = self._shot.hole_box(frame)
        assert box is not None, "only frames with a hole are filled"
        scale = max(tile.region.scale for each in tiles for tile in each)
        grown = box.grown(math.ceil(RIM_PX * scale), self._shot.size)
        for each in tiles:
            seen = union(tile.region.box for tile in each)
            assert seen is not None, "there is at least one tile"
            grown = _common(grown, seen)
        return grown

    def _textured(self, frame: int, box: Box, near: Box, fill: RGB, scale: float) -> RGB:
        """The hole's box as a screen shows it, with fine texture where the network saw less than the plate has."""
        if scale <= 1:
            return fill[_within(box, near).slices]
        wide = box.grown(math.ceil(REACH_PX * scale), self._shot.size)
        wide, beyond = self._on_grid(frame, wide, texture_grid(scale))
        picture = self._plan.curve.show(self._shot.rgb(frame, wide)).copy()
        hole = self._shot.mask(frame)
        picture[_within(near, wide).slices][hole[near.slices]] = fill[hole[near.slices]]
        picture = np.pad(picture, (*beyond, (0, 0)), mode="symmetric")
        textured = add_texture(picture, np.pad(hole[wide.slices], beyond), scale=scale)
        return textured[beyond[0][0] :, beyond[1][0] :][_within(box, wide).slices]

    def _on_grid(self, frame: int, box: Box, step: int) -> tuple[Box, tuple[tuple[int, int], tuple[int, int]]]:
        """The smallest box that holds a box and begins on a grid, which moves with the background.

        Returns:
            The box as far as the picture goes, and how far beyond the picture it begins and ends, down and across.
        """
        right, down = np.rint(self._drift[self._shot.frames.index(frame)]).astype(int).tolist()
        y0, x0 = (start - (start - shift) % step for start, shift in ((box.y0, down), (box.x0, right)))
        shown = Box(max(0, x0), max(0, y0), box.x1, box.y1)
        return shown, ((shown.y0 - y0, 0), (shown.x0 - x0, 0))

    @cached_property
    def _drift(self) -> NDArray[np.float64]:
        return background_drift(self._camera, self._shot.frames, self._shot.size)

    def _window(self, centre: int) -> ShotWindow:
        return self._schedule.window(centre, self._shot.frames, self._given)

    def _tiles(self, window: ShotWindow) -> tuple[Tile, ...]:
        if window.centre not in self._planned:
            self._planned[window.centre] = self._plan_tiles(window)
            while len(self._planned) > _PLANS_KEPT:
                self._planned.popitem(last=False)
        return self._planned[window.centre]

    def _plan_tiles(self, window: ShotWindow) -> tuple[Tile, ...]:
        boxes = [self._shot.hole_box(frame) for frame in window.local]
        holes = union(boxes)
        assert holes is not None, "a window is filled for a frame that has a hole"
        count = self._schedule.local_limit + len(window.references)

        def fits(size: Size) -> bool:
            return self._traits.cost.window_bytes(size, count) <= self._plan.budget_bytes

        # a small thing that moves leaves a long way, along which its surroundings are seen in other frames
        plan = plan_tiles if all(is_long(box) for box in boxes if box) else plan_whole
        return plan(holes, self._shot.size, self._traits.sizes, fits=fits)

    def _filled(self, frame: int, window: ShotWindow, place: int) -> RGB:
        """What a tile shows of a frame's hole and rim; that of other frames is kept until they are asked for."""
        key = window.centre, place
        if frame not in self._done.get(key, {}):
            self._done[key] = self._run(window, self._tiles(window)[place].region)
            while len({centre for centre, _ in self._done}) > self._kept_windows:
                self._done.popitem(last=False)
        self._done.move_to_end(key)
        return self._done[key].pop(frame)

    def _run(self, window: ShotWindow, region: Region) -> dict[int, RGB]:
        local = [*window.local, *[window.local[-1]] * (self._traits.least_local - len(window.local))]
        frames, holes = self._look([*local, *window.references], region)
        filled = self._network.fill(frames, holes, len(local))
        wanted = [frame for frame in window.local if self._shot.hole_box(frame) is not None]
        return {frame: self._kept(filled[frame - window.local.start], frame, region) for frame in wanted}

    def _kept(self, filled: RGB, frame: int, region: Region) -> RGB:
        """What a region shows of a frame's hole and rim, at native resolution and free of the rest."""
        return np.array(region.enlarge(filled, _common(self._near(frame), region.box)), np.float32)

    def _look(self, frames: Sequence[int], region: Region) -> tuple[Clip, Holes]:
        """Frames and holes as the network gets them."""
        clip = np.empty((len(frames), *region.padded, 3), np.float32)
        holes = np.empty((len(frames), *region.padded), np.bool_)
        for place, frame in enumerate(frames):
            shown = np.nan_to_num(self._plan.curve.show(self._shot.rgb(frame, region.box)))
            hole = region.shrink_hole(self._shot.mask(frame)[region.box.slices])
            # what lies beyond black and white was never seen in training
            clip[place] = region.pad(np.clip(region.shrink(shown), 0, 1))
            grown = grow_cross(hole, self._traits.grown_px)
            holes[place] = region.pad(grown[..., None].astype(np.float32))[..., 0] > 0
        return clip, holes


def sample_levels(shot: MaskedFrames) -> NDArray[np.float32]:
    """Some known pixels of some frames over the whole shot: float32 [n, 3]."""
    frames = shot.frames[:: -(-len(shot.frames) // _LEVEL_FRAMES)]
    found: list[NDArray[np.float32]] = []
    for frame in frames:
        known = shot.rgb(frame)[~shot.mask(frame)]
        found.append(known[:: max(1, len(known) // _LEVELS_EACH)])
    return np.concatenate(found)


def grow_cross(hole: Mask, times: int) -> Mask:
    """Grows a hole by a 3 x 3 cross so many times."""
    if not times:
        return hole
    grown = cv2.dilate(hole.astype(np.uint8), _CROSS, iterations=times)
    return np.asarray(grown > 0, np.bool_)


def _common(one: Box, other: Box) -> Box:
    return Box(max(one.x0, other.x0), max(one.y0, other.y0), min(one.x1, other.x1), min(one.y1, other.y1))


def _within(box: Box, outer: Box) -> Box:
    """A box counted from the corner of another."""
    return Box(box.x0 - outer.x0, box.y0 - outer.y0, box.x1 - outer.x0, box.y1 - outer.y0)
