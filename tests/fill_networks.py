"""Networks with known answers and shots with known backgrounds, for the adapter of fill networks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.models.networks.filling.inpainter import NetworkFiller, NetworkInpainter
from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Size
from cleanplate_server.models.networks.filling.schedule import Schedule
from cleanplate_server.models.networks.filling.traits import WindowCost, WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.protocols import RGB, CleanRegion, Effort, EngineInfo
from fakes import ArrayFrames

PLENTY = 1 << 40
SIZES = AcceptedSizes((24, 32), (4, 4))
SCHEDULE = Schedule(stride=3, reach=3, reference_gap=4)


@dataclass
class MeanNetwork:
    """Exact where the camera stands: each pixel is the mean of what the window's frames show there.

    Args:
        sizes: what it says that it takes; anything else fails.
        schedule: its windows.
        least_local: fewest local frames.
        grown_px: how far it wants holes grown.
        off: what its colours are off by, given what is right.
        windows: how many frames each call had, local ones and all.
    """

    sizes: AcceptedSizes = SIZES
    schedule: Schedule = SCHEDULE
    least_local: int = 1
    grown_px: int = 0
    off: Callable[[Clip], Clip] = lambda right: right
    windows: list[tuple[int, int]] = field(default_factory=list)

    @property
    def traits(self) -> WindowTraits:
        cost = WindowCost(fixed_bytes=0, each_bytes=1)
        return WindowTraits(self.sizes, self.schedule, self.least_local, self.grown_px, cost)

    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        size = (frames.shape[1], frames.shape[2])
        assert self.sizes.padded(size) == size
        assert frames.shape[:3] == holes.shape
        assert frames.dtype == np.float32
        assert 0 <= frames.min() <= frames.max() <= 1
        assert local_count >= self.least_local
        self.windows.append((local_count, len(frames)))
        known = ~holes[..., None]
        shown = np.where(known, frames, 0).astype(np.float64).sum(0) / np.maximum(known.sum(0), 1)
        right = np.repeat(np.where(known.any(0), shown, 0.5)[None], local_count, 0).astype(np.float32)
        return self.off(right)


def a_texture(size: Size, *, seed: int = 3, sigma_px: float = 1.5) -> RGB:
    """Smooth noise over the whole range of a screen."""
    noise = np.random.default_rng(seed).uniform(0, 1, (*size, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma_px) if sigma_px else noise
    return np.asarray((smooth - smooth.min()) / np.ptp(smooth), np.float32)


def a_shot(
    background: RGB, count: int = 12, *, side: int = 10, step: int = 4, object_level: float = 1.0
) -> ArrayFrames:
    """A square that crosses a still background, and holes that cover it; frames are numbered from 20."""
    height, width = background.shape[:2]
    pictures, holes = np.repeat(background[None], count, 0), np.zeros((count, height, width), np.bool_)
    top = height // 2 - side // 2
    for t in range(count):
        left = 2 + (t * step) % (width - side - 4)
        holes[t, top : top + side, left : left + side] = True
    pictures[holes] = object_level
    return ArrayFrames(pictures, holes, first=20)


def survey(
    network: MeanNetwork, shot: ArrayFrames, folder: Path, *, budget_bytes: int = PLENTY, effort: Effort = "balanced"
) -> NetworkFiller:
    folder.mkdir(exist_ok=True)
    engine = NetworkInpainter(network, EngineInfo("mean"), budget_bytes=budget_bytes, effort=effort)
    return engine.survey(shot, folder, lambda frame: None)


def fill_all(filler: NetworkFiller, windows: Sequence[range]) -> dict[int, CleanRegion]:
    return {region.frame: region for window in windows for region in filler.fill(window)}


def worst(shot: ArrayFrames, regions: dict[int, CleanRegion], background: RGB) -> float:
    """The largest difference to the truth in any hole."""
    off = [np.abs(r.rgb - background[r.box.slices])[shot.mask(r.frame)[r.box.slices]].max() for r in regions.values()]
    return float(max(off))
