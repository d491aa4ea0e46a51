"""What a video file says of its picture besides the pixels: colour, fields, aspect, turn, timecode, reel, audio."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from cleanplate_server.clip import AudioTrack, ColorTags, Timecode
from cleanplate_server.errors import RangeError

_log = logging.getLogger(__name__)

FIELD_ORDERS = ("unknown", "progressive", "tt", "bb", "tb", "bt")
"""By FFmpeg's AVFieldOrder."""

_MATROSKA_FIELD_ORDERS = {0: "progressive", 1: "tt", 6: "bb", 9: "tb", 14: "bt"}
_MASTERS = {0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x55B0}
"""Segment, Tracks, TrackEntry, Video, Colour (RFC 9559)."""
_INTERLACED, _FIELD_ORDER, _SITING_ACROSS, _SITING_DOWN = 0x9A, 0x9D, 0x55B7, 0x55B8
_CHROMA_SITINGS = {(1, 2): 1, (2, 2): 2, (1, 1): 3, (2, 1): 4}


def color_tags(context: VideoCodecContext, header: dict[int, int]) -> ColorTags:
    """The colour tags of an opened stream.

    Args:
        context: its decoder, after a first frame, so that what the bitstream says is in.
        header: what ``stream_header`` gave.
    """
    known_range = {1: False, 2: True}.get(int(context.color_range))
    if known_range is None and context.name == "prores":
        known_range = False  # by its definition; FFmpeg before version 8 leaves it open
    siting = header.get(_SITING_ACROSS, 0), header.get(_SITING_DOWN, 0)
    return ColorTags(
        primaries=int(context.color_primaries),
        transfer=int(context.color_trc),
        matrix=int(context.colorspace),
        full_range=known_range,
        chroma_location=_CHROMA_SITINGS.get(siting, 0),
    )


def stream_header(stream: VideoStream) -> dict[int, int]:
    """Chroma siting and field order, as Matroska elements by their id.

    PyAV gives no chroma location (and before version 16 no field order), but FFmpeg carries both into the header of
    a Matroska file; so one without frames is written to memory and read.
    """
    memory = io.BytesIO()
    try:
        with av.open(memory, "w", format="matroska") as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
    except (ValueError, av.error.FFmpegError):  # Matroska holds no such codec; DNxHD is one, and says neither
        return {}
    data = memory.getvalue()
    return dict(_elements(data, 0, len(data)))


def _elements(data: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """(id, value) of the unsigned elements in the track's picture description (EBML, RFC 8794)."""
    while start < stop:
        id_length = 9 - data[start].bit_length()
        element = int.from_bytes(data[start : start + id_length], "big")
        start += id_length
        size_length = 9 - data[start].bit_length()
        size = int.from_bytes(data[start : start + size_length], "big") & ((1 << 7 * size_length) - 1)
        start += size_length
        end = stop if size == (1 << 7 * size_length) - 1 else min(stop, start + size)
        if element in _MASTERS:
            yield from _elements(data, start, end)
        elif end - start <= 8:
            yield element, int.from_bytes(data[start:end], "big")
        start = end


def field_order(context: VideoCodecContext, header: dict[int, int], first: av.VideoFrame) -> str:
    """The field order; a first frame that is not flagged as interlaced settles what the file leaves open."""
    known = FIELD_ORDERS[int(getattr(context, "field_order", 0))]
    if known == "unknown":
        known = _MATROSKA_FIELD_ORDERS.get(header.get(_FIELD_ORDER, -1), "unknown")
        if header.get(_INTERLACED) == 2:
            known = "progressive"
    return "progressive" if known == "unknown" and not first.interlaced_frame else known


def pixel_aspect(stream: VideoStream) -> Fraction:
    """The sample aspect ratio, 1 when the file gives none."""
    return Fraction(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)


def rotation_degrees(first: av.VideoFrame) -> int:
    """The clockwise turn that a player applies, to the nearest quarter."""
    return round(-first.rotation / 90) * 90 % 360


def start_timecode(container: InputContainer, stream: VideoStream, rate: Fraction) -> Timecode | None:
    """The timecode of the first frame: of the stream, a timecode track, or the file."""
    for metadata in _places(container, stream):
        text = metadata.get("timecode") or metadata.get("TIMECODE")
        if not text:
            continue
        try:
            return Timecode.parse(text, rate)
        except RangeError as error:
            _log.warning("the timecode %s of %s is left out: %s", text, container.name, error)
    return None


def reel_name(container: InputContainer, stream: VideoStream) -> str:
    """The tape or reel name, empty when the file has none."""
    for metadata in _places(container, stream):
        name = metadata.get("reel_name") or metadata.get("REEL_NAME")
        if name:
            return name
    return ""


def _places(container: InputContainer, stream: VideoStream) -> list[dict[str, str]]:
    return [stream.metadata, *(s.metadata for s in container.streams if s.type == "data"), container.metadata]


def audio_tracks(container: InputContainer) -> tuple[AudioTrack, ...]:
    """The audio streams, in order."""
    return tuple(
        AudioTrack(s.index, s.codec_context.name, s.codec_context.sample_rate, s.codec_context.layout.nb_channels)
        for s in container.streams.audio
    )
