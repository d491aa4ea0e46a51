from __future__ import annotations

import click
import pytest
from cleanplate.v1 import media_pb2
from cleanplate_server.cli.times import MediaTimeline, Moment, MomentType
from cleanplate_server.errors import RangeError


def _timeline(timecode: str = "01:00:00:00", *, rate: tuple[int, int] = (25, 1)) -> MediaTimeline:
    fraction = media_pb2.Rational(numerator=rate[0], denominator=rate[1])
    return MediaTimeline.of(
        media_pb2.Clip(path="/m/a.mov", frame_rate=fraction, frame_count=2000, start_timecode=timecode)
    )


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "12:3", ""])
def test_moment_that_is_neither_frame_nor_timecode_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="neither a frame number"):
        MomentType().convert(text, None, None)


def test_frame_of_a_number_is_that_number() -> None:
    assert _timeline().frame(Moment("15")) == 15


def test_frame_of_a_timecode_counts_from_the_medias_first() -> None:
    assert _timeline().frame(Moment("01:00:02:05")) == 55


@pytest.mark.parametrize("text", ["00:01:00;02", "00:01:00:02"])
def test_timecode_on_drop_frame_media_is_drop_frame_however_written(text: str) -> None:
    assert _timeline("00:00:00;00", rate=(30000, 1001)).frame(Moment(text)) == 1800


def test_timecode_outside_the_media_is_refused_with_its_span() -> None:
    with pytest.raises(RangeError, match="from 01:00:00:00 to 01:01:19:24"):
        _timeline().frame(Moment("02:00:00:00"))


def test_timecode_on_media_without_is_refused() -> None:
    with pytest.raises(RangeError, match="has no timecode"):
        _timeline("").frame(Moment("01:00:00:00"))


def test_range_includes_the_out_frame() -> None:
    frames = _timeline().frame_range(Moment("10"), Moment("19"), 4)
    assert (frames.start_frame, frames.frame_count, frames.handle_frame_count) == (10, 10, 4)


def test_range_without_out_runs_to_the_end() -> None:
    assert not _timeline().frame_range(Moment("10"), None, 0).HasField("frame_count")


def test_range_with_out_before_in_is_refused_with_both() -> None:
    with pytest.raises(RangeError, match=r"frame 5, lies before the in point, frame 9"):
        _timeline().frame_range(Moment("9"), Moment("5"), 0)
