"""Regions hold the holes, at native resolution where that can be."""

from __future__ import annotations

import numpy as np
import pytest
from cleanplate_server.errors import EngineError
from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Region, Size, plan_region, union
from cleanplate_server.models.protocols import Box
from hypothesis import assume, given, settings
from hypothesis import strategies as st

HQ = AcceptedSizes((240, 432), (60, 108))
BASE = AcceptedSizes((240, 432), is_fixed=True)
SIDES = st.integers(1, 2200)


def everything_fits(size: Size) -> bool:
    return True


@settings(max_examples=150, deadline=None)
@given(SIDES, SIDES, st.data(), st.sampled_from([HQ, BASE, AcceptedSizes((240, 424), (8, 8))]))
def test_region_holds_the_holes_within_the_picture_at_a_size_the_network_takes(
    height: int, width: int, data: st.DataObject, sizes: AcceptedSizes
) -> None:
    y0, x0 = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    holes = Box(x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height)))
    region = plan_region(holes, (height, width), sizes, fits=everything_fits)
    assert 0 <= region.box.x0 <= holes.x0 < holes.x1 <= region.box.x1 <= width
    assert 0 <= region.box.y0 <= holes.y0 < holes.y1 <= region.box.y1 <= height
    assert sizes.padded(region.seen) == region.padded
    assert region.seen[0] <= region.padded[0]
    assert region.seen[1] <= region.padded[1]
    if sizes.is_fixed:
        assert region.padded == sizes.trained
    else:
        assert region.seen == region.box.size


def test_region_in_a_large_picture_needs_no_padding_and_has_surroundings() -> None:
    region = plan_region(Box(900, 500, 1100, 600), (1080, 1920), HQ, fits=everything_fits)
    assert region.seen == region.padded == region.box.size == (300, 432)
    assert region.box.x0 <= 900 - 100
    assert region.scale == 1


def test_small_hole_is_seen_at_native_resolution_by_a_network_of_one_size() -> None:
    region = plan_region(Box(10, 10, 110, 90), (1080, 1920), BASE, fits=everything_fits)
    assert region.box == Box(0, 0, 432, 240)
    assert region.scale == 1


def test_large_hole_is_seen_smaller_by_a_network_of_one_size_with_its_shape_kept() -> None:
    region = plan_region(Box(400, 200, 1400, 900), (1080, 1920), BASE, fits=everything_fits)
    assert region.scale > 2
    height, width = region.box.size
    assert height / region.seen[0] == pytest.approx(width / region.seen[1], rel=0.01)


def test_region_without_room_in_memory_is_seen_smaller_alone() -> None:
    holes = Box(400, 200, 1400, 900)
    large = plan_region(holes, (1080, 1920), HQ, fits=everything_fits)
    small = plan_region(holes, (1080, 1920), HQ, fits=lambda size: size[0] * size[1] < 300_000)
    assert small.box == large.box
    assert small.padded[0] * small.padded[1] < 300_000
    assert 1 < small.scale < 3.2


def test_memory_for_nothing_is_said_with_a_remedy() -> None:
    for sizes in (HQ, BASE):
        with pytest.raises(EngineError, match="inpainter=embedded"):
            plan_region(Box(0, 0, 10, 10), (480, 864), sizes, fits=lambda size: False)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 150), st.integers(0, 150))
def test_native_region_gives_back_the_very_pixels(height: int, width: int, down: int, right: int) -> None:
    assume(height + width > 2)
    region = Region(Box(7, 5, 7 + width, 5 + height), (height, width), (height + down, width + right))
    rgb = np.random.default_rng(1).random((height, width, 3), np.float32)
    padded = region.pad(region.shrink(rgb))
    assert padded.shape == (*region.padded, 3)
    assert np.array_equal(region.enlarge(padded, region.box), rgb)


def test_padding_mirrors_with_the_last_row_and_column_twice() -> None:
    region = Region(Box(0, 0, 3, 2), (2, 3), (4, 6))
    picture = np.arange(6, dtype=np.float32).reshape(2, 3, 1)
    assert region.pad(picture)[..., 0].tolist() == [
        [0, 1, 2, 2, 1, 0], [3, 4, 5, 5, 4, 3], [3, 4, 5, 5, 4, 3], [0, 1, 2, 2, 1, 0],
    ]  # fmt: skip


def test_smaller_region_shows_every_pixel_that_a_hole_touches_as_hole() -> None:
    region = Region(Box(0, 0, 60, 40), (20, 30), (20, 30))
    hole = np.zeros((40, 60), np.bool_)
    hole[5, 7] = True
    assert np.argwhere(region.shrink_hole(hole)).tolist() == [[2, 3]]


def test_enlarged_ramp_lies_where_it_was() -> None:
    ramp = np.repeat(np.linspace(0, 1, 80, dtype=np.float32)[None, :, None], 40, 0).repeat(3, 2)
    region = Region(Box(0, 0, 80, 40), (16, 32), (20, 36))
    back = region.enlarge(region.pad(region.shrink(ramp)), Box(10, 5, 70, 35))
    np.testing.assert_allclose(back, ramp[5:35, 10:70], atol=6e-4)


def test_union_of_nothing_is_nothing() -> None:
    assert union([None, None]) is None
    assert union([Box(1, 2, 3, 4), None, Box(0, 3, 2, 9)]) == Box(0, 2, 3, 9)
