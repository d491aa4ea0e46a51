"""Frames and timecodes as an editor writes them, to frame numbers of the media."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import click
from cleanplate.v1 import media_pb2
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timecodes import smpte_rate

from cleanplate_server.clip import Timecode
from cleanplate_server.errors import RangeError


@dataclass(frozen=True)
class Moment:
    """A place in the media as it was written: a frame number, or a timecode.

    Args:
        text: ``15`` or ``01:00:00:15``.
    """

    text: str

    @property
    def is_timecode(self) -> bool:
        return not self.text.isdigit()


class MomentType(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """A frame number from 0, or the media's own timecode."""

    name = "F|TC"

    def convert(self, value: str | Moment, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        return value if isinstance(value, Moment) else self.read(value, param, ctx)

    def read(self, text: str, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        """Reads a frame number or what looks like a timecode.

        Raises:
            click.BadParameter: neither.
        """
        if not text.isdigit() and text.count(":") < 2:
            self.fail(f"'{text}' is neither a frame number from 0 nor a timecode HH:MM:SS:FF", param, ctx)
        return Moment(text)


class RateType(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """Frames a second: 25, 23.976 or 30000/1001."""

    name = "R"

    def convert(
        self, value: str | Fraction, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:  # fmt: skip
        if isinstance(value, Fraction):
            return value
        try:
            return smpte_rate(value)
        except TimelineError as error:
            self.fail(error.sentence, param, ctx)


@dataclass(frozen=True)
class MediaTimeline:
    """How the frames of a media are numbered.

    Args:
        path: of the media, for messages.
        rate: frames a second.
        frame_count: frames in it.
        start: timecode of frame 0, None without one.
    """

    path: str
    rate: Fraction
    frame_count: int
    start: Timecode | None

    @classmethod
    def of(cls, clip: media_pb2.Clip) -> MediaTimeline:
        """The timeline of an open clip."""
        rate = Fraction(clip.frame_rate.numerator, clip.frame_rate.denominator)
        start = Timecode.parse(clip.start_timecode, rate) if clip.start_timecode else None
        return cls(clip.path, rate, clip.frame_count, start)

    def frame(self, moment: Moment) -> int:
        """The frame number of a moment; whether the media has it is for the server to say.

        Raises:
            RangeError: a timecode that the media does not count by, or one before its first.
        """
        if not moment.is_timecode:
            return int(moment.text)
        if self.start is None:
            raise RangeError(
                f"{self.path} has no timecode, so {moment.text} names no frame of it; give a frame number from 0"
            )
        frame = self._parse(moment.text, self.start).frame - self.start.frame
        if not 0 <= frame < self.frame_count:
            last = self.start + (self.frame_count - 1)
            raise RangeError(
                f"timecode {moment.text} is not in {self.path}, which runs from {self.start} to {last};"
                " choose one of these, or a frame number from 0"
            )
        return frame

    def _parse(self, text: str, start: Timecode) -> Timecode:
        """Reads a timecode in the media's own counting: people write ':' for drop-frame too."""
        head, mark, frames = text[:-3], text[-3:-2], text[-2:]
        return Timecode.parse(f"{head};{frames}" if start.drop_frame and mark == ":" else text, self.rate)

    def frame_range(self, first: Moment | None, last: Moment | None, handle_count: int) -> media_pb2.FrameRange:
        """The range from in to out, out included, as the wire has it.

        Raises:
            RangeError: out before in.
        """
        start = self.frame(first) if first else 0
        if last is None:
            return media_pb2.FrameRange(start_frame=start, handle_frame_count=handle_count)
        end = self.frame(last)
        if end < start:
            raise RangeError(
                f"the out point, frame {end}, lies before the in point, frame {start}; give --in F --out F"
                " with the later frame as --out (it is included)"
            )
        return media_pb2.FrameRange(start_frame=start, frame_count=end - start + 1, handle_frame_count=handle_count)
