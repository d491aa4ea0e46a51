"""Timecodes and rates as text."""

from __future__ import annotations

from fractions import Fraction

import pytest
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import can_drop, frames_of, seems_drop, smpte_rate, timecode_of
from hypothesis import given, settings
from hypothesis import strategies as st

NTSC = [Fraction(n * 1000, 1001) for n in (24, 30, 60, 120)]
RATES = [*NTSC, *map(Fraction, (24, 25, 30, 48, 50, 60, 100, 120)), Fraction(25, 2)]
DAY = 24 * 60 * 60


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (23.976, NTSC[0]),
        (23.98, NTSC[0]),
        (23.976023976023978, NTSC[0]),
        ("23.976", NTSC[0]),
        (29.97, NTSC[1]),
        (29.97002997, NTSC[1]),
        ("30000/1001", NTSC[1]),
        (59.94, NTSC[2]),
        (119.88, NTSC[3]),
        (24, Fraction(24)),
        (24.0, Fraction(24)),
        (25, Fraction(25)),
        (60, Fraction(60)),
        (12.5, Fraction(25, 2)),
        (14.985, Fraction(15000, 1001)),
    ],
)
def test_rate_rounded_becomes_exact(value: float | str, rate: Fraction) -> None:
    assert smpte_rate(value) == rate


@pytest.mark.parametrize("value", [0, -25, "fast", "1/0", float("nan"), float("inf")])
def test_rate_that_is_none_is_refused(value: float | str) -> None:
    with pytest.raises(TimelineError, match="not a frame rate"):
        smpte_rate(value)


@pytest.mark.parametrize("rate", RATES)
def test_rate_as_float_comes_back(rate: Fraction) -> None:
    assert smpte_rate(float(rate)) == rate


@pytest.mark.parametrize(
    ("text", "rate", "frames"),
    [
        ("01:00:00:00", NTSC[1], 108000),
        ("01:00:00;00", NTSC[1], 107892),
        ("01:00:00;00", NTSC[2], 215784),
        ("01:00:00;000", NTSC[3], 431568),
        ("00:00:59;29", NTSC[1], 1799),
        ("00:01:00;02", NTSC[1], 1800),
        ("00:01:00;04", NTSC[2], 3600),
        ("00:10:00;00", NTSC[1], 17982),
        ("01:00:00:00", NTSC[0], 86400),
        ("00:00:01:24", Fraction(25), 49),
        ("00:00:01:119", Fraction(120), 239),
    ],
)
def test_timecode_known_is_counted(text: str, rate: Fraction, frames: int) -> None:
    assert frames_of(text, rate) == frames
    assert timecode_of(frames, rate, drop_frame=";" in text) == text


@pytest.mark.parametrize(
    ("text", "rate", "reason"),
    [
        ("one hour", Fraction(25), "not a timecode"),
        ("00:00:00:25", Fraction(25), "beyond its limit"),
        ("00:60:00:00", Fraction(25), "beyond its limit"),
        ("00:00:00;10", Fraction(30), "do not have"),
        ("00:00:00;10", NTSC[0], "do not have"),
        ("00:01:00;00", NTSC[1], "does not exist.*;02"),
        ("00:01:00;03", NTSC[2], "does not exist.*;04"),
    ],
)
def test_timecode_wrong_is_refused(text: str, rate: Fraction, reason: str) -> None:
    with pytest.raises(TimelineError, match=reason):
        frames_of(text, rate)


def test_drop_frame_at_a_rate_without_is_refused() -> None:
    with pytest.raises(TimelineError, match="no drop-frame"):
        timecode_of(10, Fraction(25), drop_frame=True)


@given(st.sampled_from(RATES), st.integers(0, DAY * 12 - 1), st.booleans())
@settings(deadline=None)
def test_timecode_of_any_frame_comes_back(rate: Fraction, frames: int, drop: bool) -> None:
    drop = drop and can_drop(rate)
    assert frames_of(timecode_of(frames, rate, drop_frame=drop), rate) == frames


def test_timecode_after_a_day_begins_anew() -> None:
    assert timecode_of(DAY * 25, Fraction(25), drop_frame=False) == "00:00:00:00"
    assert timecode_of(-1, NTSC[1], drop_frame=True) == "23:59:59;29"


@pytest.mark.parametrize(
    ("frames", "rate", "drops"),
    [
        (107892, Fraction(30000, 1001), True),
        (108000, Fraction(30000, 1001), False),
        (0, Fraction(30000, 1001), False),
        (215784, Fraction(60000, 1001), True),
        (86400, Fraction(24), False),
    ],
)
def test_start_seems_drop_frame_where_that_makes_it_a_round_time(frames: int, rate: Fraction, drops: bool) -> None:
    assert seems_drop(frames, rate) is drops
