"""Long holes are filled in parts where the whole would be seen smaller."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.models.networks.filling.regions import AcceptedSizes
from cleanplate_server.models.networks.filling.schedule import Schedule
from cleanplate_server.models.networks.filling.tiles import is_long, plan_tiles
from cleanplate_server.models.protocols import Box
from fakes import ArrayFrames
from fill_networks import MeanNetwork, a_texture, fill_all, survey, worst
from hypothesis import given, settings
from hypothesis import strategies as st

SIZES = AcceptedSizes((48, 64), (4, 4))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 40), st.integers(60, 300), st.integers(0, 60), st.integers(0, 90), st.integers(4_000, 60_000),
    st.booleans(),
)  # fmt: skip
def test_parts_cover_a_long_hole_and_count_for_one_everywhere(
    width: int, length: int, down: int, right: int, room: int, upright: bool
) -> None:
    holes = Box(right, down, right + length, down + width)
    picture = down + width + 30, right + length + 20
    if upright:
        holes, picture = Box(holes.y0, holes.x0, holes.y1, holes.x1), picture[::-1]
    tiles = plan_tiles(holes, picture, SIZES, fits=lambda size: size[0] * size[1] <= room)
    mass = np.zeros(holes.size)
    for tile in tiles:
        box = tile.region.box
        part = Box(*(max(a, b) for a, b in zip((holes.x0, holes.y0), (box.x0, box.y0), strict=True)),
                   *(min(a, b) for a, b in zip((holes.x1, holes.y1), (box.x1, box.y1), strict=True)))  # fmt: skip
        inside = slice(part.y0 - holes.y0, part.y1 - holes.y0), slice(part.x0 - holes.x0, part.x1 - holes.x0)
        mass[inside] += tile.share(part)
        assert tile.region.padded[0] * tile.region.padded[1] <= room
    assert np.allclose(mass, 1, atol=1e-4)


def test_long_hole_that_fits_is_filled_whole_and_a_compact_one_is_never_parted() -> None:
    line, block = Box(20, 90, 380, 110), Box(100, 20, 250, 110)
    assert len(plan_tiles(line, (120, 400), SIZES, fits=lambda size: True)) == 1
    assert not is_long(block)
    assert len(plan_tiles(block, (120, 400), SIZES, fits=lambda size: size[0] * size[1] < 24_000)) == 1
    parts = plan_tiles(line, (120, 400), SIZES, fits=lambda size: size[0] * size[1] < 24_000)
    assert len(parts) > 3
    assert max(part.region.scale for part in parts) == 1


@pytest.mark.parametrize("upright", [False, True])
def test_subtitles_are_filled_exactly_at_their_own_size_and_the_parts_are_told(tmp_path: Path, upright: bool) -> None:
    background = a_texture((120, 400))
    holes = np.zeros((8, 120, 400), np.bool_)
    for t in range(8):
        holes[t, 60 + 24 * (t % 2) : 80 + 24 * (t % 2), 20:380] = True  # two lines, each free when the other is not
    if upright:
        background, holes = background.swapaxes(0, 1).copy(), holes.swapaxes(1, 2).copy()
    pictures = np.repeat(background[None], 8, 0)
    pictures[holes] = 1.0
    shot = ArrayFrames(pictures, holes)
    network = MeanNetwork(SIZES, Schedule())
    filler = survey(network, shot, tmp_path / "s", budget_bytes=24_000 * 11)
    regions = fill_all(filler, [shot.frames])
    assert worst(shot, regions, background) < 1e-5
    assert filler.remarks()[0].startswith("mean filled the long hole in")
