from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from cleanplate_server.demo.recording import audio_digest, record
from cleanplate_server.demo.scoring import outside_max
from cleanplate_server.demo.shot import SIZE, Shot, ShotFrame, on_screen
from cleanplate_server.stages.decode import probe

RATE = Fraction(24000, 1001)


@pytest.fixture(scope="module")
def frame() -> ShotFrame:
    return Shot().frame(24)


def test_shot_is_the_same_each_time_it_is_drawn(frame: ShotFrame) -> None:
    again = Shot().frame(24)
    assert np.array_equal(again.plate, frame.plate)
    assert np.array_equal(again.object, frame.object)


def test_truth_differs_from_the_plate_at_the_walker_alone(frame: ShotFrame) -> None:
    changed = np.abs(frame.plate - frame.truth).max(axis=2) > 0.1
    assert (changed & ~frame.object).sum() < 0.05 * frame.object.sum()
    assert changed[frame.body].mean() > 0.9


def test_places_to_click_lie_on_walker_and_shadow(frame: ShotFrame) -> None:
    x, y = (round(value) for value in on_screen(24, 0, -110))
    assert frame.body[y, x]
    x, y = (round(value) for value in on_screen(24, 60, 15))
    assert frame.shadow[y, x]
    assert not frame.body[y, x]


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
