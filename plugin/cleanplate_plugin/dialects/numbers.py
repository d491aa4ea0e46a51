"""OTIO's times, which are floats, to and from exact frames."""

from __future__ import annotations

from fractions import Fraction

from opentimelineio.opentime import RationalTime, TimeRange

from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import smpte_rate

_NOISE = Fraction(2, 100_000)
"""Hosts write 37007.99999 and mean 37008."""
_MOST_PARTS = 10_000
"""Speeds are given with two digits of a percent at most, so a ten-thousandth of a frame tells positions apart."""


def exact(value: float) -> Fraction:
    """Gives the fraction that a float was written from.

    Raises:
        TimelineError: not a number.
    """
    if value != value or value in (float("inf"), float("-inf")):
        raise TimelineError(f"the timeline holds {value} where a time or a speed belongs; write it anew")
    near = Fraction(round(value))
    return near if abs(Fraction(value) - near) < _NOISE else Fraction(value).limit_denominator(_MOST_PARTS)


def frames_in(time: RationalTime, rate: Fraction) -> Fraction:
    """Counts a time in frames of a rate.

    Raises:
        TimelineError: its rate is none.
    """
    return exact(time.value) * rate / smpte_rate(time.rate)


def time_of(frames: Fraction, rate: Fraction, *, like: RationalTime | None = None) -> RationalTime:
    """Writes frames as a time.

    Args:
        frames: a count at ``rate``.
        rate: exact.
        like: a time whose rate is kept as it was written, rounded or not.
    """
    if like is None:
        return RationalTime(float(frames), float(rate))
    return RationalTime(float(frames * smpte_rate(like.rate) / rate), like.rate)


def range_of(start: Fraction, frame_count: int, rate: Fraction) -> TimeRange:
    """Writes a run of frames."""
    return TimeRange(time_of(start, rate), time_of(Fraction(frame_count), rate))
