from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_server.clip import ClipRange, ColorTags, Media, PixelFormat, Timecode
from cleanplate_server.errors import RangeError
from hypothesis import given
from hypothesis import strategies as st

NTSC = Fraction(30000, 1001)
RATES = [
    Fraction(24000, 1001),
    Fraction(24),
    Fraction(25),
    NTSC,
    Fraction(30),
    Fraction(50),
    Fraction(60000, 1001),
    Fraction(60),
]


def a_media(frame_count: int) -> Media:
    return Media(
        Path("shot.mov"), 0, (4, 4), PixelFormat("yuv", 8, (1, 1), False, "yuv420p"), ColorTags(), Fraction(25),
        Fraction(1, 25), frame_count,
    )  # fmt: skip


@given(st.sampled_from(RATES), st.booleans(), st.integers(0, 24 * 60 * 60 * 23))
def test_timecode_written_and_read_is_the_same_frame(rate: Fraction, drop: bool, frame: int) -> None:
    timecode = Timecode(frame, rate, drop and Timecode.can_drop(rate))
    assert Timecode.parse(str(timecode), rate) == timecode


@pytest.mark.parametrize(
    ("frame", "text"),
    [(0, "00:00:00;00"), (1799, "00:00:59;29"), (1800, "00:01:00;02"), (17982, "00:10:00;00"), (107892, "01:00:00;00")],
)
def test_timecode_drop_frame_skips_two_numbers_each_minute_but_the_tenth(frame: int, text: str) -> None:
    assert str(Timecode(frame, NTSC, drop_frame=True)) == text


@pytest.mark.parametrize(("frame", "text"), [(3599, "00:00:59;59"), (3600, "00:01:00;04"), (35964, "00:10:00;00")])
def test_timecode_drop_frame_at_double_rate_skips_four(frame: int, text: str) -> None:
    assert str(Timecode(frame, Fraction(60000, 1001), drop_frame=True)) == text


@pytest.mark.parametrize("text", ["1:2:3", "00:00:61:00", "00:00:00:25", "00:00:00;00", "words"])
def test_timecode_that_cannot_be_is_refused_with_its_text(text: str) -> None:
    with pytest.raises(RangeError, match=text):
        Timecode.parse(text, Fraction(25))


def test_timecode_number_that_drop_frame_skips_is_refused() -> None:
    with pytest.raises(RangeError, match="skips"):
        Timecode.parse("00:01:00;00", NTSC)


def test_range_with_handles_stops_at_the_ends_of_the_media() -> None:
    assert ClipRange(a_media(10), 2, 6, handle_frames=5).frames == range(0, 10)


@pytest.mark.parametrize(("start", "count"), [(0, 0), (3, -1), (-1, 2), (8, 3), (10, 1)])
def test_range_that_does_not_fit_the_media_is_refused(start: int, count: int) -> None:
    with pytest.raises(RangeError):
        ClipRange(a_media(10), start, count)
