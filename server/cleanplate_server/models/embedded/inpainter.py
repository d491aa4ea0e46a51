"""Fills holes from the shot's other frames, and from the frame's own surroundings where none shows the background."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from cleanplate_server.models.embedded.blending import Candidate, candidate, compose, shares
from cleanplate_server.models.embedded.layers import split
from cleanplate_server.models.embedded.registration import follow
from cleanplate_server.models.embedded.sources import SourceReader, Target, View, aim, ladder
from cleanplate_server.models.embedded.survey import CameraPath, walk
from cleanplate_server.models.protocols import CleanRegion, EngineInfo, Luma, MaskedFrames, Tick

_NEAR = (1, 2, 4, 7)
Effort = Literal["fast", "balanced", "best"]


@dataclass(frozen=True)
class _Settings:
    largest_px: int
    growth: float
    sources: int


_SETTINGS: dict[Effort, _Settings] = {
    "fast": _Settings(largest_px=224, growth=1.5, sources=9),
    "balanced": _Settings(largest_px=320, growth=1.33, sources=14),
    "best": _Settings(largest_px=480, growth=1.2, sources=24),
}


class PlateInpainter:
    """Inpainter that needs no weights: registration, layers, rim-fitted blending, exemplar fill.

    Args:
        effort: how many frames are looked at, and how closely.
    """

    def __init__(self, effort: Effort = "balanced") -> None:
        self._settings = _SETTINGS[effort]

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("plate")

    def survey(self, shot: MaskedFrames, folder: Path, tick: Tick) -> PlateFiller:
        """Walks the shot once and measures the camera's motion; see ``Inpainter.survey``."""
        return PlateFiller(shot, walk(shot, folder, tick), self._settings)


class PlateFiller:
    """A surveyed shot; see ``Filler``."""

    def __init__(self, shot: MaskedFrames, camera: CameraPath, settings: _Settings) -> None:
        self._shot = shot
        self._camera = camera
        self._settings = settings
        self._reader = SourceReader(shot)

    def fill(self, window: range) -> Iterator[CleanRegion]:
        """Fills the frames of a window that have a hole, in order."""
        for frame in window:
            target = aim(self._shot, frame, largest_px=self._settings.largest_px)
            if target is not None:
                yield self._fill(target)

    def _fill(self, target: Target) -> CleanRegion:
        box = self._shot.hole_box(target.frame)
        assert box is not None
        hole = self._shot.mask(target.frame)[box.slices]
        found = self._candidates(target)
        rgb, mass = compose(target, box, found, shares(found) if found else [])
        unseen = hole & (mass < 1e-3)
        own = self._shot.rgb(target.frame, box)
        rgb = np.where(hole[..., None], rgb, own)
        if unseen.any():
            for c in range(3):
                flat = np.rint(np.clip(rgb[..., c], 0, 1) * 255).astype(np.uint8)
                rgb[..., c] = np.where(
                    unseen,
                    cv2.inpaint(flat, unseen.astype(np.uint8), 5, cv2.INPAINT_TELEA) / np.float32(255),
                    rgb[..., c],
                )
        return CleanRegion(target.frame, box, rgb.astype(np.float32), unseen)

    def _candidates(self, target: Target) -> list[Candidate]:
        look = partial(self._look, target)
        everywhere = np.ones(target.hole.shape, np.float32)
        near = [source for way in (1, -1) for source in follow(target, look, self._near(target, way), layer=everywhere)]
        found = []
        for number, layer in enumerate(split(target, near)):
            for way in (1, -1):
                frames = islice(self._ladder(target, way), self._settings.sources)
                for source in follow(target, look, frames, layer=layer.seen, velocity=layer.velocity):
                    found.append(candidate(target, source, number))
        return [one for one in found if one is not None]

    def _near(self, target: Target, way: int) -> Iterator[int]:
        steps = (target.frame + way * distance for distance in _NEAR)
        return (frame for frame in steps if frame in self._shot.frames)

    def _ladder(self, target: Target, way: int) -> Iterator[int]:
        return ladder(target.frame, self._shot.frames, way, growth=self._settings.growth)

    def _look(self, target: Target, frame: int, x: Luma, y: Luma) -> View | None:
        return self._reader.view(target, frame, self._camera.between(target.frame, frame), places=(x, y))
