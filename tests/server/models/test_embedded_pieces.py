"""Pieces of frames show the same however they came together."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from cleanplate_server.models.embedded.pieces import Pieces, tiled
from cleanplate_server.models.embedded.target import aim
from cleanplate_server.models.protocols import RGB, Box, Luma, Mask

SIZE = 301, 407
"""No whole number of tiles either way."""
SCALES = (1.0, 0.875, 0.625, 0.5, 0.3125, 0.125, 5 / 128)


class Shot:
    """Frames of noise, each its own, with a hole."""

    frames = range(4)
    size = SIZE

    def __init__(self) -> None:
        self.read_px = 0

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        picture = np.random.default_rng(frame).random((*SIZE, 3), np.float32)
        self.read_px += 0 if box is None else box.size[0] * box.size[1]
        return picture if box is None else picture[box.slices]

    def luma(self, frame: int) -> Luma:
        return self.rgb(frame).mean(-1)

    def mask(self, frame: int) -> Mask:
        mask = np.zeros(SIZE, np.bool_)
        mask[120:220, 100 + 8 * frame : 180 + 8 * frame] = True
        return mask

    def hole_box(self, frame: int) -> Box | None:
        return Box(100 + 8 * frame, 120, 180 + 8 * frame, 220)


@pytest.mark.parametrize("scale", SCALES)
def test_piece_that_grew_shows_what_one_read_at_once_shows(scale: float) -> None:
    boxes = [Box(140, 150, 200, 190), Box(60, 130, 210, 180), Box(300, 200, 407, 301), Box(0, 0, 407, 301)]
    grown = Pieces(Shot(), 64 << 20)
    for wanted in boxes:
        box = tiled(wanted, SIZE, scale, least_px=32)
        found = grown.read(2, box, scale)
        for one, other in zip(found, Pieces(Shot(), 64 << 20).read(2, box, scale), strict=True):
            np.testing.assert_array_equal(one, other)
        assert found[0].shape[:2] == found[1].shape


def test_piece_at_a_scale_is_free_where_all_that_its_pixels_cover_is() -> None:
    rgb, free = Pieces(Shot(), 64 << 20).read(0, Box(0, 0, SIZE[1], SIZE[0]), 0.25)
    whole = np.pad(~Shot().mask(0), ((0, 3), (0, 1)), mode="edge").reshape(76, 4, 102, 4)
    certain = np.asarray(whole.all((1, 3)))
    assert not free[~certain].any()
    assert set(np.unique(free)) == {0, 255}
    assert free[0, 0] == 255
    assert rgb.dtype == np.float32


def test_piece_is_read_once_while_there_is_room() -> None:
    shot = Shot()
    pieces = Pieces(shot, 64 << 20)
    for _ in range(3):
        pieces.read(1, Box(0, 0, 256, 256), 1.0)
    assert shot.read_px == 256 * 256
    pieces.read(1, Box(0, 0, 384, 256), 1.0)
    assert shot.read_px == 384 * 256


def test_pieces_beyond_the_limit_are_forgotten_the_longest_unused_first() -> None:
    shot = Shot()
    pieces = Pieces(shot, 3 * 128 * 128 * 13)
    box = Box(0, 0, 128, 128)
    for frame in (0, 1, 2, 0, 3, 0):  # 1 goes, not 0
        pieces.read(frame, box, 1.0)
    assert shot.read_px == 4 * 128 * 128


def test_pieces_that_several_threads_read_at_once_are_those_of_one() -> None:
    pieces = Pieces(Shot(), 2 << 20)
    boxes = [Box(x, y, x + 130, y + 90) for x in (0, 70, 200) for y in (10, 150)] * 4

    def differs(number: int) -> bool:
        scale, frame = SCALES[number % 3], number % 4
        box = tiled(boxes[number], SIZE, scale, least_px=32)
        alone = Pieces(Shot(), 64 << 20).read(frame, box, scale)
        return any(not np.array_equal(a, b) for a, b in zip(pieces.read(frame, box, scale), alone, strict=True))

    with ThreadPoolExecutor(8) as threads:
        assert not any(threads.map(differs, range(len(boxes))))


@pytest.mark.parametrize("largest_px", [48, 100, 224, 320, 1000])
def test_target_is_compared_at_a_scale_that_tiles_are_whole_at(largest_px: int) -> None:
    target = aim(Shot(), 0, largest_px=largest_px)
    assert target is not None
    assert 0.8 < max(target.size) / min(largest_px, max(target.box.size)) < 1.2
    numerator, denominator = target.scale.as_integer_ratio()
    assert 64 % denominator == 0
    assert numerator <= denominator
