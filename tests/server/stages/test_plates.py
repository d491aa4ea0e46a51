"""Plates kept: what was decoded is decoded once, and no more is held than there is room for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.clip import PixelFormat, Plate
from cleanplate_server.stages.decode import Decoder, probe
from cleanplate_server.stages.plates import PlateCache, ShotPlates
from media import X264, Recipe, write_video

COUNT = 60
LONG_GROUP = Recipe(options={**X264, "bf": "3"}, gop=250, count=COUNT)


class Counting:
    """A decoder that says how often each frame was made."""

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder
        self.made: list[int] = []

    def plates_to(self, frame: int, most: int) -> Iterator[Plate]:
        for plate in self.decoder.plates_to(frame, most):
            self.made.append(plate.frame)
            yield plate


@pytest.fixture
def decoder(tmp_path: Path) -> Iterator[Decoder]:
    with Decoder(probe(write_video(tmp_path / "long.mp4", LONG_GROUP))) as opened:
        yield opened


def test_plates_on_the_way_are_those_before_the_frame_and_the_frame_is_the_same(decoder: Decoder) -> None:
    alone = decoder.plate(40)
    way = list(decoder.plates_to(30, 4))
    assert [plate.frame for plate in way] == [26, 27, 28, 29, 30]
    assert [plate.frame for plate in decoder.plates_to(40, 0)] == [40]
    assert all(np.array_equal(a, b) for a, b in zip(alone.planes, decoder.plate(40).planes, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(way[1].planes, decoder.plate(27).planes, strict=True))


def test_frames_to_both_sides_of_each_frame_are_decoded_once(decoder: Decoder) -> None:
    counting = Counting(decoder)
    cache = PlateCache(counting, limit_bytes=1 << 30)
    for frame in range(COUNT):
        for other in (frame, frame + 1, frame + 4, frame + 9, frame - 1, frame - 4, frame - 9):
            if 0 <= other < COUNT:
                assert cache.plate(other).frame == other
    assert sorted(counting.made) == list(range(COUNT))


def test_what_is_passed_takes_a_part_of_the_room_alone(decoder: Decoder) -> None:
    counting = Counting(decoder)
    plate_bytes = sum(plane.nbytes for plane in decoder.plate(0).planes)
    cache = PlateCache(counting, limit_bytes=12 * plate_bytes)
    for frame in (0, 1, 2, 3):
        cache.plate(frame)
    counting.made.clear()
    cache.plate(50)
    assert counting.made == [47, 48, 49, 50]
    for frame in (0, 1, 2, 3):
        cache.plate(frame)
    assert counting.made == [47, 48, 49, 50]


def test_engines_get_numbers_where_float_media_hold_none(tmp_path: Path) -> None:
    media = probe(write_video(tmp_path / "small.mp4", Recipe(options=X264, count=2)))
    floats = replace(media, format=PixelFormat("rgb", 32, (0, 0), False, "gbrpf32le"))
    plane = np.full(media.size, 0.25, np.float32)
    plane[2, 3:6] = np.nan, np.inf, -np.inf

    class Burnt:
        def plate(self, frame: int) -> Plate:
            return Plate((plane, plane, plane), frame, frame, 1)

    shot = ShotPlates(Burnt(), floats, range(2))
    for picture in (shot.rgb(0), shot.luma(0)):
        assert np.isfinite(picture).all()
        assert picture[2, 3].max() == 0
        assert picture[2, 4].min() > 1e4
        assert picture[0, 0].max() == pytest.approx(0.25)
    assert np.isnan(plane[2, 3])
