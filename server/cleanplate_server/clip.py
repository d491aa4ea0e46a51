"""The nouns of editorial time and picture: rate, timecode, range, format, tags, plate.

Nothing here reads files or touches pixels' values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.errors import RangeError

Plane = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]

_TIMECODE = re.compile(r"(\d{1,2}):(\d{2}):(\d{2})([:;.])(\d{2,3})")


@dataclass(frozen=True)
class Timecode:
    """A frame count since 00:00:00:00 with the rate that it is counted at.

    Args:
        frame: frames since 00:00:00:00, real frames, so drop-frame numbering never changes it.
        rate: frames a second, exact (30000/1001, never 29.97).
        drop_frame: numbers are skipped each minute but the tenth (SMPTE ST 12-1; 29.97 and its multiples alone).
    """

    frame: int
    rate: Fraction
    drop_frame: bool = False

    @property
    def nominal_rate(self) -> int:
        """Frame numbers a second as they are written: 30 for 30000/1001."""
        return max(1, round(self.rate))

    @classmethod
    def parse(cls, text: str, rate: Fraction) -> Timecode:
        """Reads ``HH:MM:SS:FF``, or ``HH:MM:SS;FF`` for drop-frame.

        Raises:
            RangeError: not a timecode, a field beyond its limit, a number that drop-frame skips,
                or drop-frame at a rate that has none.
        """
        found = _TIMECODE.fullmatch(text.strip())
        if not found:
            raise RangeError(f"'{text}' is not a timecode; write HH:MM:SS:FF, or HH:MM:SS;FF for drop-frame")
        hours, minutes, seconds, frames = (int(found[i]) for i in (1, 2, 3, 5))
        drop = found[4] in ";."
        nominal = max(1, round(rate))
        if minutes > 59 or seconds > 59 or frames >= nominal:
            raise RangeError(f"timecode '{text}' has a field beyond its limit at {nominal} frames a second; correct it")
        skipped = cls._dropped_each_minute(rate) if drop else 0
        if drop and not skipped:
            raise RangeError(f"'{text}' is drop-frame, which {rate} frames a second do not have; write ':' for ';'")
        if drop and seconds == 0 and frames < skipped and minutes % 10:
            raise RangeError(f"timecode '{text}' does not exist: drop-frame skips it; use the next, ;{skipped:02d}")
        whole_minutes = hours * 60 + minutes
        count = (whole_minutes * 60 + seconds) * nominal + frames - skipped * (whole_minutes - whole_minutes // 10)
        return cls(count, rate, drop)

    @staticmethod
    def _dropped_each_minute(rate: Fraction) -> int:
        nominal = round(rate)
        return nominal // 15 if rate == Fraction(nominal * 1000, 1001) and nominal % 30 == 0 else 0

    @classmethod
    def can_drop(cls, rate: Fraction) -> bool:
        """Whether drop-frame numbering exists at this rate."""
        return cls._dropped_each_minute(rate) > 0

    def __add__(self, frames: int) -> Timecode:
        return Timecode(self.frame + frames, self.rate, self.drop_frame)

    def __str__(self) -> str:
        nominal = self.nominal_rate
        skipped = self._dropped_each_minute(self.rate) if self.drop_frame else 0
        minute = nominal * 60 - skipped
        ten_minutes = minute * 10 + skipped
        tens, rest = divmod(self.frame % (ten_minutes * 144), ten_minutes)
        number = self.frame % (ten_minutes * 144) + skipped * 9 * tens
        if skipped and rest >= nominal * 60:
            number += skipped * ((rest - nominal * 60) // minute + 1)
        seconds, frames = divmod(number, nominal)
        width = len(str(nominal - 1)) if nominal > 100 else 2
        hours = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        return f"{hours}{';' if self.drop_frame else ':'}{frames:0{width}d}"


@dataclass(frozen=True)
class ColorTags:
    """What the media says its code values mean, as ITU-T H.273 code points; 2 is unspecified.

    Args:
        primaries, transfer, matrix: H.273 code points (1 BT.709, 9 BT.2020, 16 PQ, 18 HLG; matrix 0 is RGB).
        full_range: None when the media does not say (then video range is assumed for Y'CbCr, full for RGB).
        chroma_location: FFmpeg's AVChromaLocation (0 unspecified, 1 left, 2 centre, 3 top left).
    """

    primaries: int = 2
    transfer: int = 2
    matrix: int = 2
    full_range: bool | None = None
    chroma_location: int = 0


@dataclass(frozen=True)
class PixelFormat:
    """How one frame lies in its planes.

    Args:
        model: ``yuv`` (planes Y, Cb, Cr), ``rgb`` (planes R, G, B) or ``gray`` (one plane).
        bit_depth: 8 to 16, stored in the low bits of uint8 or uint16; 32 is float32.
        chroma_shift: log2 of the horizontal and vertical chroma subsampling, (1, 0) is 4:2:2.
        has_alpha: a last plane holds straight alpha.
        name: FFmpeg's name of the format as it is in the media, e.g. ``yuv422p10le``.
    """

    model: str
    bit_depth: int
    chroma_shift: tuple[int, int]
    has_alpha: bool
    name: str

    @property
    def is_float(self) -> bool:
        return self.bit_depth == 32

    @property
    def max_code(self) -> int:
        """The greatest code value of an integer format."""
        return (1 << self.bit_depth) - 1


@dataclass(frozen=True)
class AudioTrack:
    """One audio stream as the media has it."""

    stream_index: int
    codec: str
    sample_rate: int
    channel_count: int


@dataclass(frozen=True)
class Media:
    """What is known of a video stream or an image sequence before a frame of it is decoded.

    Args:
        path: the file, or the pattern of an image sequence (``shot.%04d.exr``).
        stream_index: the video stream; 0 for sequences.
        size: (height, width) of the stored picture, before rotation.
        format, tags: of the stored picture.
        rate: nominal frames a second, exact.
        time_base: seconds in one PTS unit.
        frame_count: frames that can be shown.
        start_timecode: of frame 0, None when the media has none.
        pixel_aspect: sample aspect ratio, 1 when unknown.
        rotation_degrees: clockwise turn that a player applies: 0, 90, 180 or 270.
        field_order: ``progressive``, ``tt``, ``bb``, ``tb``, ``bt`` or ``unknown``.
        variable_rate: whether PTS steps differ.
        audio: audio streams, in order.
        first_number: number in the name of the sequence's first image; None for video files.
        reel: tape or reel name, empty when unknown.
        codec: FFmpeg's name of the codec.
        missing_frame_count: frames that a truncated file announces after the last good one.
        rate_assumed: the rate of an image sequence that names none (24 is taken).
    """

    path: Path
    stream_index: int
    size: tuple[int, int]
    format: PixelFormat
    tags: ColorTags
    rate: Fraction
    time_base: Fraction
    frame_count: int
    start_timecode: Timecode | None = None
    pixel_aspect: Fraction = Fraction(1)
    rotation_degrees: int = 0
    field_order: str = "progressive"
    variable_rate: bool = False
    audio: tuple[AudioTrack, ...] = ()
    first_number: int | None = None
    reel: str = ""
    codec: str = ""
    missing_frame_count: int = 0
    rate_assumed: bool = False

    @property
    def plate_bytes(self) -> int:
        """Bytes of one decoded frame, at most."""
        sample_bytes = 4 if self.format.is_float else 1 if self.format.bit_depth <= 8 else 2
        return (3 + self.format.has_alpha) * self.size[0] * self.size[1] * sample_bytes

    @property
    def is_sequence(self) -> bool:
        return self.first_number is not None


@dataclass(frozen=True)
class ClipRange:
    """The part of a media that is worked on.

    Args:
        media: the media.
        start_frame: first frame, counted from 0 in the media, without handles.
        frame_count: frames, without handles.
        handle_frames: spare frames kept on each side, cut short where the media ends.
    """

    media: Media
    start_frame: int
    frame_count: int
    handle_frames: int = 0

    def __post_init__(self) -> None:
        last = self.media.frame_count - 1
        if self.frame_count <= 0:
            raise RangeError(
                f"the range from frame {self.start_frame} holds {self.frame_count} frames;"
                " the out point is included and must not lie before the in point"
            )
        if self.start_frame < 0 or self.start_frame + self.frame_count - 1 > last:
            raise RangeError(
                f"frames {self.start_frame} to {self.start_frame + self.frame_count - 1} are not all in"
                f" {self.media.path.name}, which has frames 0 to {last}; choose in and out within them"
            )
        if self.handle_frames < 0:
            raise RangeError(f"handles of {self.handle_frames} frames make no sense; give 0 or more")

    @property
    def frames(self) -> range:
        """All frame numbers with handles."""
        first = max(0, self.start_frame - self.handle_frames)
        stop = min(self.media.frame_count, self.start_frame + self.frame_count + self.handle_frames)
        return range(first, stop)


@dataclass(frozen=True)
class Plate:
    """One decoded frame in its own planes and code values.

    Args:
        planes: uint8 | uint16 | float32, each [H, W] (chroma smaller by the format's shifts), in the order that
            ``PixelFormat.model`` names, then alpha if the format has one. Read-only.
        frame: number from 0 in the media.
        pts: presentation time in the media's time base.
        duration: in the media's time base, 0 when unknown.
    """

    planes: tuple[Plane, ...]
    frame: int
    pts: int
    duration: int = 0
