"""Timecode as text, and rates as editors write them, to and from whole frames and exact fractions."""

from __future__ import annotations

import re
from fractions import Fraction

from opentimelineio import opentime

from cleanplate_plugin.errors import TimelineError

_TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.,])(\d{2,3})")
_DROP_RATE = Fraction(30000, 1001)
_DAY_SECONDS = 24 * 60 * 60
_WHOLE_TOLERANCE = 0.001
"""A rate written with three digits or more that is meant to be whole."""
_NTSC_TOLERANCE = 0.005
"""Editors round 24000/1001 to 23.98."""
_LOWEST_NTSC = 10
"""Below this a whole rate and its NTSC neighbour are too near to tell apart."""


def smpte_rate(value: float | str) -> Fraction:
    """Gives the exact rate that a rounded one stands for.

    Args:
        value: frames a second: 23.976, 23.98, 29.97, 59.94, 119.88, 25, ``30000/1001``.

    Raises:
        TimelineError: not a rate.
    """
    try:
        rate = Fraction(value)
    except (ValueError, OverflowError, ZeroDivisionError):
        rate = Fraction(0)
    if rate <= 0:
        raise TimelineError(f"'{value}' is not a frame rate; give frames a second, such as 25, 23.976 or 30000/1001")
    nominal = round(rate)
    if abs(rate - nominal) < _WHOLE_TOLERANCE:
        return Fraction(nominal)
    # 29.97 is less than 30, and 23.976 less than 24, by a thousandth: rounding finds the nominal rate up to 500.
    ntsc = Fraction(nominal * 1000, 1001)
    if nominal >= _LOWEST_NTSC and abs(rate - ntsc) < _NTSC_TOLERANCE:
        return ntsc
    return rate.limit_denominator(1001)


def can_drop(rate: Fraction) -> bool:
    """Whether drop-frame numbers exist at a rate: 29.97 and its multiples."""
    return (rate / _DROP_RATE).denominator == 1


def frames_of(text: str, rate: Fraction) -> int:
    """Counts the frames since 00:00:00:00 that a timecode names.

    Args:
        text: ``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` for drop-frame.
        rate: frames a second, exact.

    Raises:
        TimelineError: not a timecode, a field beyond its limit, a number that drop-frame skips, or drop-frame at a
            rate that has none.
    """
    found = _TIMECODE.fullmatch(text.strip())
    if not found:
        raise TimelineError(f"'{text}' is not a timecode; write HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame")
    hours, minutes, seconds, frames = (int(found[group]) for group in (1, 2, 3, 5))
    if minutes > 59 or seconds > 59 or frames >= _nominal(rate):
        raise TimelineError(
            f"timecode '{text}' has a field beyond its limit at {_nominal(rate)} frames a second; correct it"
        )
    if found[4] == ":":
        return ((hours * 60 + minutes) * 60 + seconds) * _nominal(rate) + frames
    return _drop_frames_of(text, rate, clock=f"{hours:02d}:{minutes:02d}:{seconds:02d}", frames=frames)


def _drop_frames_of(text: str, rate: Fraction, *, clock: str, frames: int) -> int:
    if not can_drop(rate):
        raise TimelineError(f"'{text}' is drop-frame, which {rate} frames a second do not have; write ':' for ';'")
    # At 59.94 and 119.88 each number of 29.97 is two and four frames; so one table serves all.
    fold = int(rate / _DROP_RATE)
    counted: int = opentime.from_timecode(f"{clock};{frames // fold:02d}", float(_DROP_RATE)).to_frames()
    count = counted * fold + frames % fold
    if _drop_fields(count, rate) != (clock, frames):
        raise TimelineError(
            f"timecode '{text}' does not exist: drop-frame skips it; use the next, {clock};{2 * fold:02d}"
        )
    return count


def timecode_of(frames: int, rate: Fraction, *, drop_frame: bool) -> str:
    """Writes a count of frames since 00:00:00:00 as timecode, which begins anew after 24 hours.

    Raises:
        TimelineError: drop-frame at a rate that has none.
    """
    if drop_frame and not can_drop(rate):
        raise TimelineError(f"{rate} frames a second have no drop-frame timecode; write it without")
    if drop_frame:
        clock, number = _drop_fields(frames, rate)
        return f"{clock};{number:0{_digits(rate)}d}"
    seconds, number = divmod(frames % (_DAY_SECONDS * _nominal(rate)), _nominal(rate))
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{number:0{_digits(rate)}d}"


def seems_drop(frames: int, rate: Fraction) -> bool:
    """Whether a start that is not said to be drop-frame is, by which way of counting makes it a round time.

    Timelines and tapes begin at full seconds: 107892 frames of 29.97 are 01:00:00;00 and 00:59:56:12.
    """
    if not can_drop(rate):
        return False
    dropped, counted = (timecode_of(frames, rate, drop_frame=drop) for drop in (True, False))
    return dropped.endswith(";00") and not counted.endswith(":00")


def _drop_fields(frames: int, rate: Fraction) -> tuple[str, int]:
    fold = int(rate / _DROP_RATE)
    # Drop-frame keeps step with the clock: ten minutes are 17982 frames of 29.97, without remainder.
    day = _DAY_SECONDS // 600 * 17982 * fold
    count, rest = divmod(frames % day, fold)
    written = opentime.to_timecode(opentime.RationalTime(count, float(_DROP_RATE)), float(_DROP_RATE), drop_frame=True)
    clock, _, number = written.partition(";")
    return clock, int(number) * fold + rest


def _nominal(rate: Fraction) -> int:
    return max(1, round(rate))


def _digits(rate: Fraction) -> int:
    return len(str(_nominal(rate) - 1)) if rate > 100 else 2
