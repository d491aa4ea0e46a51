from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.demo.parallax_shot import light_at
from cleanplate_server.demo.recording import audio_digest, record
from cleanplate_server.demo.scoring import outside_max
from cleanplate_server.demo.shot import FRAME_COUNT, SIZE, Shot, ShotFrame
from cleanplate_server.demo.shots import DEFAULT_SHOT, SHOTS
from cleanplate_server.stages.decode import probe
from numpy.typing import NDArray

RATE = Fraction(24000, 1001)
Luma = NDArray[np.float32]


@pytest.fixture(scope="module", params=list(SHOTS))
def shot(request: pytest.FixtureRequest) -> Shot:
    return _drawn(request.param)


@pytest.fixture(scope="module")
def prompted(shot: Shot) -> ShotFrame:
    return shot.frame(shot.prompt_frames[0])


@pytest.fixture(scope="module")
def frame() -> ShotFrame:
    return _drawn(DEFAULT_SHOT).frame(24)


@cache
def _drawn(name: str) -> Shot:
    """A shot; drawing its planes takes longer than a frame."""
    return SHOTS[name]()


def test_shot_is_the_same_each_time_it_is_drawn(shot: Shot, prompted: ShotFrame) -> None:
    again = SHOTS[shot.name]().frame(shot.prompt_frames[0])
    assert np.array_equal(again.plate, prompted.plate)
    assert np.array_equal(again.object, prompted.object)


def test_truth_differs_from_the_plate_at_the_object_alone(prompted: ShotFrame) -> None:
    changed = np.abs(prompted.plate - prompted.truth).max(axis=2) > 0.1
    assert (changed & ~prompted.object).sum() < 0.05 * prompted.object.sum()
    assert changed[prompted.body].mean() > 0.9


def test_places_to_click_lie_on_the_object_and_on_its_shadow(shot: Shot) -> None:
    for number in shot.prompt_frames:
        frame = shot.frame(number)
        body, shadow = (
            tuple(round(value) for value in shot.on_screen(number, *pointing.click)) for pointing in shot.pointings
        )
        assert frame.body[body[::-1]]
        assert frame.shadow[shadow[::-1]]
        assert not frame.body[shadow[::-1]]


def test_boxes_hold_the_object_and_its_shadow(shot: Shot, prompted: ShotFrame) -> None:
    number = shot.prompt_frames[0]
    for pointing, mask in zip(shot.pointings, (prompted.body, prompted.shadow & ~prompted.body), strict=True):
        left, top = shot.on_screen(number, *pointing.box[:2])
        right, bottom = shot.on_screen(number, *pointing.box[2:])
        held = np.zeros(SIZE, np.bool_)
        held[round(top) : round(bottom), round(left) : round(right)] = True
        assert (mask & held).sum() > 0.9 * mask.sum()


def _movement(first: Luma, second: Luma, rows: slice) -> float:
    """How many pixels a band of rows went to the left, by the best of all shifts of it."""
    a, b = first[rows], second[rows]
    errors = [float(np.abs(a[:, shift : shift + 700] - b[:, :700]).mean()) for shift in range(80)]
    return float(np.argmin(errors))


def test_parallax_moves_what_is_near_farther_than_what_is_far() -> None:
    shot = _drawn("parallax")
    first, second = (shot.frame(number).truth.mean(axis=2) for number in (2, 6))
    sky, trees, wall = (_movement(first, second, rows) for rows in (slice(0, 40), slice(100, 190), slice(275, 365)))
    assert sky < trees < wall


def test_parallax_has_a_light_that_changes_softly_and_by_colour() -> None:
    lights = np.array([light_at(number) for number in range(FRAME_COUNT)])
    assert np.abs(np.diff(lights, axis=0)).max() < 0.03
    assert lights.min() < 0.75
    red_to_blue = lights[:, 0] / lights[:, 2]
    assert red_to_blue.max() - red_to_blue.min() > 0.1


def test_parallax_hides_the_object_behind_what_is_near() -> None:
    shot = _drawn("parallax")
    whole, hidden = (shot.frame(number) for number in (16, 30))
    assert hidden.body.sum() < 0.92 * whole.body.sum()


def test_recording_reads_back_as_the_camera_would_make_it(frame: ShotFrame, tmp_path: Path) -> None:
    file = tmp_path / "a.mov"
    record(file, [frame.plate, frame.truth], size=SIZE, rate=RATE)
    media = probe(file)
    assert (media.frame_count, media.rate, media.format.name, media.size) == (2, RATE, "yuv422p10le", SIZE)
    assert str(media.start_timecode) == "01:00:00:00"
    assert (media.tags.primaries, media.tags.transfer, media.tags.matrix, media.tags.full_range) == (1, 1, 1, False)
    assert [(track.sample_rate, track.channel_count) for track in media.audio] == [(48000, 2)]
    assert audio_digest(file) == audio_digest(file)


def test_outside_max_sees_a_change_outside_the_mask_and_not_inside(frame: ShotFrame, tmp_path: Path) -> None:
    for name, picture in (("a.mov", frame.plate), ("b.mov", frame.truth)):
        record(tmp_path / name, [picture], size=SIZE, rate=RATE)
    a, b = probe(tmp_path / "a.mov"), probe(tmp_path / "b.mov")
    everything = np.ones((1, *SIZE), np.bool_)
    assert outside_max(a, b, range(1), everything) == 0
    assert outside_max(a, b, range(1), ~everything) > 100
    assert outside_max(a, a, range(1), ~everything) == 0
