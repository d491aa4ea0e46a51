"""One video file: the encoder, the tags, the timecode, and the source's audio packets in their place."""

from __future__ import annotations

import io
import itertools
import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import av.error
import av.filter
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.filter.context import FilterContext
from av.video.stream import VideoStream

from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plate, Timecode
from cleanplate_server.errors import OutputError
from cleanplate_server.stages.codecs import CONTAINERS, Encoder
from cleanplate_server.stages.containers import FIELD_ORDERS
from cleanplate_server.stages.formats import to_frame
from cleanplate_server.stages.media_index import open_media, read_index
from cleanplate_server.stages.track_header import write_rotation

if TYPE_CHECKING:
    from cleanplate_server.stages.encode import Target

_log = logging.getLogger(__name__)

_BUFFER_BYTES = 1 << 20
_MXF_AUDIO = {"pcm_s16le", "pcm_s24le"}
_FIELD_MODES = {"tt": "tff", "tb": "tff", "bb": "bff", "bt": "bff"}
_WITH_EDIT_LISTS = {"mov", "mp4"}


class FileSink:
    """Encodes frames and muxes them with the source's audio.

    The file is written through our own file object, so that every error of the disk is seen, the last flush's too.

    Args:
        frames: the range whose audio goes along; None for none.
        time_base: of the PTS given to ``write``.
    """

    def __init__(
        self,
        encoder: Encoder,
        partial_path: Path,
        target: Target,
        *,
        media: Media,
        format: PixelFormat,
        tags: ColorTags,
        timecode: Timecode | None,
        time_base: Fraction,
        frames: range | None,
    ) -> None:
        self._partial, self._path, self._overwrite = partial_path, target.path, target.overwrite
        self._media, self._format, self._time_base = media, format, time_base
        self._muxer = CONTAINERS[target.path.suffix.lower()]
        self._file = partial_path.open("xb+", buffering=0)
        self._container = _open_container(self._file, self._muxer)
        self._stream = _video_stream(self._container, encoder, media, format, tags=tags, time_base=time_base)
        self._describe(timecode)
        self._filters = FrameProperties(media, format, tags, time_base)
        self._audio = _AudioFeed(self._container, media, frames, self._muxer) if frames and media.audio else None
        self._durations: dict[int, int] = {}

    def _describe(self, timecode: Timecode | None) -> None:
        for metadata in (self._container.metadata, self._stream.metadata):
            if timecode:
                metadata["timecode"] = str(timecode)
            if self._media.reel:
                metadata["reel_name"] = self._media.reel
        if self._media.rotation_degrees and self._muxer == "matroska":
            self._stream.set_display_rotation(-self._media.rotation_degrees)

    def write(self, plate: Plate, pts: int) -> None:
        frame = to_frame(plate.planes, self._format)
        frame.pts, frame.time_base = pts, self._time_base
        step = plate.duration if self._media.variable_rate else 1
        self._durations[pts] = step
        self._mux(self._stream.encode(self._filters.set_on(frame)))
        if self._audio:
            self._container.mux(list(self._audio.until((pts + step) * self._time_base)))

    def _mux(self, packets: list[av.Packet[VideoStream]]) -> None:
        for packet in packets:
            if packet.pts is not None:
                packet.duration = self._durations.pop(packet.pts, 0)
        self._container.mux(packets)

    def finish(self) -> None:
        self._mux(self._stream.encode(None))
        if self._audio:
            self._container.mux(list(self._audio.until(None)))
            self._audio.close()
        self._container.close()
        if self._media.rotation_degrees and self._muxer in _WITH_EDIT_LISTS:
            write_rotation(self._file, self._media.rotation_degrees, self._media.size)
        os.fsync(self._file.fileno())
        self._file.close()
        if not self._overwrite and self._path.exists():
            raise OutputError(f"{self._path} came into being meanwhile; choose another name or allow overwriting")
        self._partial.replace(self._path)

    def abandon(self) -> None:
        if self._audio:
            self._audio.close()
        try:
            self._container.close()  # before the file, which older PyAV would still write to when it is collected
        except (av.error.FFmpegError, OSError) as error:
            _log.debug("closing the abandoned %s: %s", self._partial, error)
        self._file.close()


def _open_container(file: io.FileIO, muxer: str) -> OutputContainer:
    # Audio that began before the first frame has a negative time, which must not push the picture off zero.
    options = {"avoid_negative_ts": "disabled"} if muxer == "matroska" else {}
    return av.open(file, "w", format=muxer, container_options=options, buffer_size=_BUFFER_BYTES)


def _video_stream(
    container: OutputContainer,
    encoder: Encoder,
    media: Media,
    format: PixelFormat,
    *,
    tags: ColorTags,
    time_base: Fraction,
) -> VideoStream:
    options = {**dict(encoder.options), **_tag_options(media, tags), **_picture_options(encoder, media, format)}
    stream = container.add_stream(encoder.name, rate=media.rate, options=options)
    assert isinstance(stream, VideoStream)
    stream.height, stream.width = media.size
    stream.pix_fmt = format.name
    stream.codec_context.time_base = time_base
    stream.codec_context.thread_type = "AUTO"
    stream.codec_context.thread_count = min(8, os.cpu_count() or 1)
    if encoder.tag and container.format.name in _WITH_EDIT_LISTS:
        stream.codec_context.codec_tag = encoder.tag
    return stream


def _picture_options(encoder: Encoder, media: Media, format: PixelFormat) -> dict[str, str]:
    """Settings that follow from the picture's fields and size."""
    options: dict[str, str] = {}
    if media.field_order in _FIELD_MODES and encoder.interlaced_flags:
        options["flags"] = encoder.interlaced_flags
        if encoder.name == "libx264":
            options["x264-params"] = f"{_FIELD_MODES[media.field_order]}=1"
    across, down = format.chroma_shift
    if encoder.name == "ffv1" and (media.size[1] % (1 << across) or media.size[0] % (1 << down)):
        options["slices"] = "1"  # FFV1's slices end on whole chroma samples
    return options


def _tag_options(media: Media, tags: ColorTags) -> dict[str, str]:
    """Tags as options of the encoder, which every version of PyAV passes on, unlike its attributes."""
    options = {
        "color_primaries": str(tags.primaries),
        "color_trc": str(tags.transfer),
        "colorspace": str(tags.matrix),
        "color_range": str(_range(tags)),
        "chroma_sample_location": str(tags.chroma_location),
        "aspect": f"{media.pixel_aspect.numerator}/{media.pixel_aspect.denominator}",
    }
    order = FIELD_ORDERS.index(media.field_order)
    return {**options, "field_order": str(order)} if order else options


def _range(tags: ColorTags) -> int:
    return {None: 0, False: 1, True: 2}[tags.full_range]


class FrameProperties:
    """Sets tags, aspect and field order on each frame: some encoders look there and not at their settings.

    A filter graph does it, since PyAV's frames have no attributes for all of them; pixels pass through uncopied.
    """

    def __init__(self, media: Media, format: PixelFormat, tags: ColorTags, time_base: Fraction) -> None:
        height, width = media.size
        mode = _FIELD_MODES.get(media.field_order, "prog" if media.field_order == "progressive" else "auto")
        wanted = (
            f"color_primaries={tags.primaries}:color_trc={tags.transfer}:colorspace={tags.matrix}"
            f":range={_range(tags)}:field_mode={mode}"
        )
        aspect = f"{media.pixel_aspect.numerator}/{media.pixel_aspect.denominator}"
        self._graph = av.filter.Graph()
        chain: list[FilterContext] = [
            self._graph.add_buffer(width=width, height=height, format=av.VideoFormat(format.name), time_base=time_base),
            self._graph.add("setparams", wanted),
            self._graph.add("setsar", aspect),
            self._graph.add("buffersink"),
        ]
        for before, after in itertools.pairwise(chain):
            before.link_to(after)
        self._graph.configure()

    def set_on(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The same picture with the properties set."""
        self._graph.vpush(frame)
        return self._graph.vpull()


def refuse_audio_that_does_not_fit(media: Media, path: Path, muxer: str) -> None:
    """Tries every audio stream on the container before any work is done.

    Raises:
        OutputError: a codec that the container cannot hold.
    """
    if not media.audio:
        return
    with open_media(media.path) as source:
        for track, stream in zip(media.audio, source.streams.audio, strict=True):
            if not _fits(stream, muxer):
                raise OutputError(
                    f"{path.suffix} files cannot hold the source's audio ({track.codec}, {track.sample_rate} Hz)"
                    " untouched; write .mov, or deliver a patch"
                )


def _fits(stream: AudioStream, muxer: str) -> bool:
    if muxer == "mxf":
        return stream.codec_context.name in _MXF_AUDIO and stream.codec_context.sample_rate == 48000
    try:
        with av.open(io.BytesIO(), "w", format=muxer) as container:
            container.add_stream_from_template(stream, opaque=True)
            container.start_encoding()
    except (ValueError, av.error.FFmpegError):
        return False
    return True


class _AudioFeed:
    """The source's audio packets of a range, handed out in step with the picture.

    Packets are copied as they are. Linear PCM is cut at the exact sample. Other codecs keep every packet that reaches
    into the range, and the one before where an edit list can hide it, for their decoders need it to start cleanly.

    Args:
        container: the output, to which the streams are added.
        frames: the range.
    """

    def __init__(self, container: OutputContainer, media: Media, frames: range, muxer: str) -> None:
        self._start, self._stop = _seconds(media, frames)
        self._keeps_one_before = muxer in _WITH_EDIT_LISTS
        self._source = open_media(media.path)
        self._outputs = {}
        for stream in self._source.streams.audio:
            self._outputs[stream.index] = container.add_stream_from_template(stream, opaque=True)
        self._packets = self._cut()
        self._waiting: av.Packet[AudioStream] | None = None

    def until(self, seconds: Fraction | None) -> Iterator[av.Packet[AudioStream]]:
        """Packets that begin before this time of the output; all that are left for None."""
        while True:
            self._waiting = self._waiting or next(self._packets, None)
            if self._waiting is None or (seconds is not None and _time(self._waiting) >= seconds):
                return
            yield self._waiting
            self._waiting = None

    def close(self) -> None:
        self._source.close()

    def _cut(self) -> Iterator[av.Packet[AudioStream]]:
        before: dict[int, av.Packet[AudioStream]] = {}
        done: set[int] = set()
        for packet in _audio_from(self._source, self._start):
            start, stop = _time(packet), _time(packet) + _length(packet)
            index = packet.stream.index
            if start >= self._stop:
                done.add(index)
                if len(done) == len(self._outputs):
                    return
            elif stop <= self._start:
                before[index] = packet
            else:
                earlier = before.pop(index, None)
                if earlier is not None and self._keeps_one_before and not _is_pcm(packet):
                    yield self._moved(earlier)
                yield self._moved(_trimmed(packet, self._start, self._stop) if _is_pcm(packet) else packet)

    def _moved(self, packet: av.Packet[AudioStream]) -> av.Packet[AudioStream]:
        """The packet on its output stream, counted from the first frame."""
        assert packet.pts is not None
        offset = round(self._start / Fraction(packet.time_base))
        packet.pts -= offset
        packet.dts = packet.pts
        packet.stream = self._outputs[packet.stream.index]
        return packet


def _seconds(media: Media, frames: range) -> tuple[Fraction, Fraction]:
    """When the range begins and ends in the source, by the frames' own PTS."""
    index = read_index(media.path, media.stream_index)
    last = frames[-1]
    duration = int(index.durations[last]) * media.time_base or 1 / media.rate
    if last + 1 < len(index):
        duration = int(index.pts[last + 1] - index.pts[last]) * media.time_base
    return int(index.pts[frames[0]]) * media.time_base, int(index.pts[last]) * media.time_base + duration


def _audio_from(source: InputContainer, start: Fraction) -> Iterator[av.Packet[AudioStream]]:
    """Audio packets from before a time on; from the start of the file where seeking overshoots."""
    source.seek(max(0, int((start - 1) * 1_000_000)))
    packets = _timed(source)
    first = next(packets, None)
    if first is None or _time(first) > max(start - Fraction(1, 2), Fraction(0)):
        source.seek(0)
        packets = _timed(source)
        first = next(packets, None)
    if first is not None:
        yield first
        yield from packets


def _timed(source: InputContainer) -> Iterator[av.Packet[AudioStream]]:
    return (p for p in source.demux(source.streams.audio) if p.size and p.pts is not None)


def _time(packet: av.Packet[AudioStream]) -> Fraction:
    assert packet.pts is not None
    return packet.pts * Fraction(packet.time_base)


def _length(packet: av.Packet[AudioStream]) -> Fraction:
    return (packet.duration or 1) * Fraction(packet.time_base)


def _is_pcm(packet: av.Packet[AudioStream]) -> bool:
    return packet.stream.codec_context.name.startswith("pcm_")


def _trimmed(packet: av.Packet[AudioStream], start: Fraction, stop: Fraction) -> av.Packet[AudioStream]:
    """The samples of a PCM packet that lie in the range."""
    rate = packet.stream.codec_context.sample_rate
    first, last = _time(packet), _time(packet) + _length(packet)
    if first >= start and last <= stop:
        return packet
    sample_count = round(_length(packet) * rate)
    bytes_each = packet.size // sample_count
    skipped = max(0, round((start - first) * rate))
    kept = min(sample_count, round((stop - first) * rate)) - skipped
    assert packet.pts is not None
    samples = bytes(packet)[skipped * bytes_each : (skipped + kept) * bytes_each]
    part = cast("av.Packet[AudioStream]", av.Packet(samples))
    part.stream = packet.stream
    part.time_base = packet.time_base
    part.pts = part.dts = packet.pts + round(Fraction(skipped, rate) / Fraction(packet.time_base))
    part.duration = round(Fraction(kept, rate) / Fraction(packet.time_base))
    return part
