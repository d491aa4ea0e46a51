"""From a plate's own code values through a fill network and back to them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plane, Plate
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.protocols import Box, EngineInfo, Mask
from cleanplate_server.stages.composite import composite, paste
from cleanplate_server.stages.plates import MaskedShot
from fill_networks import PLENTY, MeanNetwork

SIZE = (48, 160)
COUNT = 6

TAGS = {
    "bt709": (ColorTags(1, 1, 1, False, 1), (64, 940)),
    "log, untagged": (ColorTags(), (110, 640)),
    "pq": (ColorTags(9, 16, 9, False, 3), (64, 600)),
    "hlg": (ColorTags(9, 18, 9, False, 1), (64, 760)),
    "full range": (ColorTags(1, 1, 1, True, 1), (0, 1023)),
}


class MovingHole:
    """A square of 20 pixels that goes to the right."""

    def box(self, frame: int) -> Box:
        return Box(8 + 20 * frame, 12, 28 + 20 * frame, 32)

    def mask(self, frame: int) -> Mask:
        mask = np.zeros(SIZE, np.bool_)
        mask[self.box(frame).slices] = True
        return mask


class RampPlates:
    """A ramp of code values in every plane, with an object of one code on it."""

    def __init__(self, format: PixelFormat, ends: tuple[int, int], holes: MovingHole) -> None:
        self._format = format
        self._ends = ends
        self._holes = holes

    def clean(self) -> tuple[Plane, ...]:
        width = SIZE[1] >> self._format.chroma_shift[0]
        middle = 1 << (self._format.bit_depth - 1)
        luma = np.rint(np.linspace(*self._ends, SIZE[1]))
        tint = np.rint(np.linspace(middle - 12, middle + 12, width))
        rows = SIZE[0] >> self._format.chroma_shift[1]
        return tuple(
            np.repeat(line[None].astype(np.uint16), count, 0)
            for line, count in ((luma, SIZE[0]), (tint, rows), (tint[::-1], rows))
        )

    def plate(self, frame: int) -> Plate:
        planes = []
        for index, plane in enumerate(self.clean()):
            shift = self._format.chroma_shift if index else (0, 0)
            hole = self._holes.mask(frame)[:: 1 << shift[1], :: 1 << shift[0]]
            planes.append(np.where(hole, 700, plane).astype(np.uint16))
        return Plate(tuple(planes), frame, frame)


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (1, 1)], ids=["444", "422", "420"])
@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("name", TAGS)
def test_ramp_behind_an_object_comes_back_in_the_plates_own_code_values(
    tmp_path: Path, name: str, bits: int, shift: tuple[int, int]
) -> None:
    tags, (low, high) = TAGS[name]
    format = PixelFormat("yuv", bits, shift, False, f"yuv{bits}")
    media = Media(Path("ramp.mkv"), 0, SIZE, format, tags, Fraction(24), Fraction(1, 24), COUNT)
    holes, step = MovingHole(), 1 << (bits - 10)
    plates = RampPlates(format, (low * step, high * step), holes)
    shot = MaskedShot(plates, media, range(COUNT), holes)
    engine = NetworkInpainter(MeanNetwork(grown_px=2), EngineInfo("mean"), budget_bytes=PLENTY)
    for region in engine.survey(shot, tmp_path, lambda frame: None).fill(shot.frames):
        plate, alpha = plates.plate(region.frame), holes.mask(region.frame).astype(np.float32)
        made = paste(plate, composite(plate, region, alpha, media), format)
        covered = [alpha > 0, *[alpha[:: 1 << shift[1], :: 1 << shift[0]] > 0] * 2]
        for found, source, wanted, hole in zip(made.planes, plate.planes, plates.clean(), covered, strict=True):
            assert np.array_equal(found[~hole], source[~hole])
            assert np.array_equal(found[hole], wanted[hole])
