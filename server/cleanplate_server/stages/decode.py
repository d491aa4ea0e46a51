"""Clip range to plate frames, one at a time: probing, frame-exact random access, fast sequential reading."""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream

from cleanplate_server.clip import Media, Plate
from cleanplate_server.errors import MediaError, RangeError
from cleanplate_server.stages import containers, sequences
from cleanplate_server.stages.formats import pixel_format, to_planes
from cleanplate_server.stages.image_source import ASSUMED_RATE, ImageSource, other_size, probe_sequence, with_range
from cleanplate_server.stages.media_index import FrameIndex, frame_rate, open_media, read_index, video_stream

_log = logging.getLogger(__name__)

_THREAD_COUNT = min(8, os.cpu_count() or 1)
"""Frame threads each hold a frame, so memory sets a limit."""
_ORDER_SAMPLE = 24


def probe(path: Path, *, stream_index: int = 0, sequence_rate: Fraction | None = None) -> Media:
    """Finds out what a media file, a folder of images or a pattern holds.

    Args:
        path: video file, folder of numbered images, or ``shot.%04d.exr``.
        stream_index: counts video streams, cover pictures not counted.
        sequence_rate: frames a second of images that name none themselves.

    Returns:
        The media. ``frame_count`` counts the frames that can be decoded, ``missing_frame_count`` those that a
        truncated file announces beyond them.

    Raises:
        NotFoundError: no such file, folder or image.
        AccessError: no permission.
        InputError: one image, or a folder with several sequences.
        MediaError: not media, damaged, or of a kind that is not supported.
    """
    if sequences.is_pattern(path) or path.is_dir():
        return probe_sequence(sequences.find(path), rate=sequence_rate or ASSUMED_RATE)
    if path.exists():
        sequences.reject_single_image(path)
    return _probe_file(path, stream_index)


def _probe_file(path: Path, stream_index: int) -> Media:
    with open_media(path) as container:
        stream = video_stream(container, stream_index)
        index = read_index(path, stream_index)
        first = _first_frame(container, stream, path)
        context = stream.codec_context
        if context.has_b_frames and bool(np.all(np.diff(index.order) > 0)):
            _check_order(path, stream_index)
        header = containers.stream_header(stream)
        time_base = Fraction(stream.time_base or Fraction(1, 1000))
        hints = tuple(Fraction(rate or 0) for rate in (stream.guessed_rate, stream.base_rate, stream.average_rate))
        rate, variable = frame_rate(index, time_base, hints)
        return Media(
            path=path,
            stream_index=stream_index,
            size=(first.height, first.width),
            format=pixel_format(first.format.name),
            tags=with_range(containers.color_tags(context, header), first.format.name),
            rate=rate,
            time_base=time_base,
            frame_count=len(index),
            start_timecode=containers.start_timecode(container, stream, rate),
            pixel_aspect=containers.pixel_aspect(stream),
            rotation_degrees=containers.rotation_degrees(first),
            field_order=containers.field_order(context, header, first),
            variable_rate=variable,
            audio=containers.audio_tracks(container),
            reel=containers.reel_name(container, stream),
            codec=context.name,
            missing_frame_count=index.missing_count,
        )


def _first_frame(container: InputContainer, stream: VideoStream, path: Path) -> av.VideoFrame:
    try:
        return next(container.decode(stream))
    except (StopIteration, av.error.FFmpegError) as error:
        raise MediaError(
            f"no frame of {path} can be decoded ({error}); it is damaged or of an unknown codec"
        ) from error


def _check_order(path: Path, stream_index: int) -> None:
    """Refuses a file that gives pictures the times of their storage, not of their showing.

    Some MXF files with B-frames do. Where the codec reorders and no timestamp does, a few frames tell.
    """
    with open_media(path) as container:
        stream = video_stream(container, stream_index)
        times = [frame.pts for frame in itertools.islice(container.decode(stream), _ORDER_SAMPLE)]
    known = [pts for pts in times if pts is not None]
    if any(after <= before for before, after in itertools.pairwise(known)):
        raise MediaError(f"the timestamps of {path} contradict the order of its pictures; rewrap it as .mov")


class _Source(Protocol):
    """Where decoded frames come from."""

    index: FrameIndex

    def frames_to(self, number: int, most: int) -> Iterator[tuple[int, av.VideoFrame]]: ...

    def run(self, numbers: range) -> Iterator[av.VideoFrame]: ...

    def close(self) -> None: ...


class Decoder:
    """Frames of a media by number.

    Frames are counted by PTS: number n is the n-th picture that is shown. Access is exact with B-frames, open groups
    of pictures, edit lists, variable rates and a start that is not zero, for decoding always begins at a key packet
    that the index proves to be early enough. No more than a few frames are held.

    Args:
        media: what ``probe`` gave.

    Raises:
        NotFoundError, AccessError, MediaError: the file went away or changed since.
    """

    def __init__(self, media: Media) -> None:
        self.media = media
        self._source: _Source = ImageSource(media) if media.is_sequence else _FileSource(media)

    @property
    def index(self) -> FrameIndex:
        """PTS of each frame and where decoding starts for it."""
        return self._source.index

    def plate(self, frame: int) -> Plate:
        """Decodes one frame; cheap for the frame after the last one.

        Raises:
            RangeError: no such frame.
            MediaError: the frame cannot be decoded.
        """
        return next(self.plates_to(frame, 0))

    def plates_to(self, frame: int, most: int) -> Iterator[Plate]:
        """Decodes one frame and gives, before it, what was decoded on the way to it.

        Args:
            frame: the last one given.
            most: frames before it that are given at most, in order; those that fit the media alone.

        Raises:
            RangeError: no such frame.
            MediaError: the frame cannot be decoded.
        """
        self._check(frame)
        for number, decoded in self._source.frames_to(frame, most):
            if number == frame or self._fits(decoded):
                yield self._plate(decoded, number)

    def plates(self, frames: range) -> Iterator[Plate]:
        """Decodes a range of frames in order.

        Raises:
            RangeError: a frame beyond the media.
            MediaError: a frame cannot be decoded; the frames before it have been given.
        """
        for frame in (frames[0], frames[-1]) if frames else ():
            self._check(frame)
        for number, decoded in zip(frames, self._source.run(frames), strict=True):
            yield self._plate(decoded, number)

    def close(self) -> None:
        """Lets go of the file."""
        self._source.close()

    def __enter__(self) -> Decoder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _check(self, frame: int) -> None:
        name, last = self.media.path.name, self.media.frame_count - 1
        if 0 <= frame <= last:
            return
        if last < frame <= last + self.media.missing_frame_count:
            raise MediaError(
                f"{name} is cut off: frame {last} is the last good one and frame {frame} was asked for;"
                " copy the file again or end the range there"
            )
        raise RangeError(f"{name} has frames 0 to {last}, and frame {frame} was asked for; choose one of these")

    def _fits(self, decoded: av.VideoFrame) -> bool:
        return (decoded.height, decoded.width) == self.media.size and decoded.format.name == self.media.format.name

    def _plate(self, decoded: av.VideoFrame, frame: int) -> Plate:
        if (decoded.height, decoded.width) != self.media.size:
            raise other_size(self.media.path, decoded, self.media.size)
        if decoded.format.name != self.media.format.name:
            raise MediaError(
                f"{self.media.path.name} changes its pixel format from {self.media.format.name} to"
                f" {decoded.format.name} at frame {frame}; convert it to one format"
            )
        index = self.index
        return Plate(to_planes(decoded), frame, int(index.pts[frame]), int(index.durations[frame]))


class _FileSource:
    """One video stream of a file, with a decoder that stands somewhere in it."""

    def __init__(self, media: Media) -> None:
        self._media = media
        self.index = read_index(media.path, media.stream_index)
        self._container, self._stream = self._open()
        self._decoding: Iterator[av.VideoFrame] | None = None
        self._next = 0
        self._last: tuple[int, av.VideoFrame] | None = None

    def _open(self) -> tuple[InputContainer, VideoStream]:
        container = open_media(self._media.path)
        stream = video_stream(container, self._media.stream_index)
        # Frame threads delay the first frame after a seek by their number; intra codecs thread within the frame.
        stream.codec_context.thread_type = "SLICE" if stream.codec_context.codec.intra_only else "AUTO"
        stream.codec_context.thread_count = _THREAD_COUNT
        return container, stream

    def frames_to(self, number: int, most: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """A frame with its number, after at most so many that were decoded on the way to it."""
        if self._last and self._last[0] == number:
            yield self._last
            return
        key = self.index.key_for(number)
        start = self.index.first_frame_of(key)
        if self._decoding is None or number < self._next or start > self._next:
            self._last, self._next = None, start
            self._decoding = self._decode_from(key)
        for decoded in self._decoding:
            found = self.index.frame_at(decoded.pts) if decoded.pts is not None else None
            if found is None or found < self._next:
                continue
            if found > number or decoded.is_corrupt:
                break
            self._next = found + 1
            if found == number:
                self._last = (found, decoded)
                yield self._last
                return
            if found >= number - most:
                yield found, decoded
        raise self._undecodable(number)

    def run(self, numbers: range) -> Iterator[av.VideoFrame]:
        return (decoded for number in numbers for _, decoded in self.frames_to(number, 0))

    def close(self) -> None:
        self._decoding = self._last = None
        self._container.close()

    def _undecodable(self, number: int) -> MediaError:
        self._decoding = None
        good = f"frame {self._next - 1} is the last good one" if self._next else "no frame before it is good"
        return MediaError(
            f"frame {number} of {self._media.path.name} cannot be decoded, for the file is damaged there; {good},"
            " so end the range there or copy the file again"
        )

    def _decode_from(self, key: int) -> Iterator[av.VideoFrame]:
        """Decodes on from a key packet until the end or the first damage; packets before it are passed over.

        What the decoder still holds at the damage is whole and is given out.
        """
        try:
            for packet in self._good_packets_from(key):
                yield from self._stream.decode(packet)
        except av.error.FFmpegError as error:
            _log.warning("%s: %s", self._media.path, error)
        try:
            yield from self._stream.decode(None)
        except av.error.FFmpegError as error:
            _log.warning("%s: %s", self._media.path, error)

    def _good_packets_from(self, key: int) -> Iterator[av.Packet[VideoStream]]:
        waiting = key >= 0
        for packet in self._packets_from(key):
            if packet.is_corrupt:
                return
            waiting = waiting and packet.pts != self.index.key_pts[key]
            if not waiting and packet.size:
                yield packet

    def _packets_from(self, key: int) -> Iterator[av.Packet[VideoStream]]:
        """Packets that begin at the key packet or before it.

        Where a container lands after a seek is its own affair (MPEG-TS guesses, others go by DTS), so each try is
        checked and the next one goes further back; the last one is the start of the file.
        """
        for earlier in (key, key - 1, key - 4, key - 16):
            if earlier < 0:
                break
            target = min(self.index.key_pts[earlier], self.index.key_dts[earlier])
            self._container.seek(int(target), stream=self._stream)
            packets = self._container.demux(self._stream)
            first = next((p for p in packets if p.pts is not None), None)
            if first is not None and first.pts is not None and self._is_key_until(first.pts, key):
                yield first
                yield from packets
                return
        yield from self._from_the_start()

    def _is_key_until(self, pts: int, key: int) -> bool:
        """Whether a packet is a key packet no later than ``key``, by the index."""
        return bool(np.isin(pts, self.index.key_pts[: key + 1]))

    def _from_the_start(self) -> Iterator[av.Packet[VideoStream]]:
        self._container.close()
        self._container, self._stream = self._open()
        yield from self._container.demux(self._stream)
