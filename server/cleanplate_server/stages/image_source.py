"""Numbered images as media: what they hold, and their frames, each decoded by itself."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np

from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plane, Timecode
from cleanplate_server.errors import AccessError, InputError, MediaError, NotFoundError, RangeError
from cleanplate_server.stages import containers, sequences
from cleanplate_server.stages.formats import pixel_format, to_planes
from cleanplate_server.stages.media_index import FrameIndex

_log = logging.getLogger(__name__)

ASSUMED_RATE = Fraction(24)
"""Frames a second of images that name none, where nobody says it either."""
_IMAGES_AHEAD = 4
"""A 4K picture in float takes 100 MB."""


def probe_sequence(found: sequences.Sequence, *, rate: Fraction) -> Media:
    """What a sequence holds, by its first image; the last one must have the same size.

    Args:
        found: the images.
        rate: frames a second, where the images name none.
    """
    first_image = found.image(0)
    header = sequences.read_header(first_image)
    frame, context = _decode_image(first_image, found.codec)
    last, _ = _decode_image(found.image(found.frame_count - 1), found.codec)
    if (last.height, last.width) != (frame.height, frame.width):
        raise other_size(found.image(found.frame_count - 1), last, (frame.height, frame.width))
    rate = header.rate or rate
    return Media(
        path=found.pattern,
        stream_index=0,
        size=(frame.height, frame.width),
        format=pixel_format(frame.format.name),
        tags=_image_tags(frame, context),
        rate=rate,
        time_base=1 / rate,
        frame_count=found.frame_count,
        start_timecode=_image_timecode(header.timecode, rate, first_image),
        pixel_aspect=Fraction(context.sample_aspect_ratio or 1),
        rotation_degrees=containers.rotation_degrees(frame),
        field_order="unknown" if frame.interlaced_frame else "progressive",
        first_number=found.first_number,
        reel=header.reel,
        codec=found.codec,
        rate_assumed=header.rate is None,
    )


def read_image(path: Path) -> tuple[tuple[Plane, ...], PixelFormat, ColorTags]:
    """Reads one image that is no clip: its planes, their format, and what their code values mean.

    Raises:
        InputError: no image by its ending.
        NotFoundError, AccessError, MediaError: it cannot be read.
    """
    codec = sequences.CODECS.get(path.suffix.lower())
    if codec is None:
        raise InputError(f"{path.name} is no image by its ending; give one of {', '.join(sequences.CODECS)}")
    frame, context = _decode_image(path, codec)
    return to_planes(frame), pixel_format(frame.format.name), _image_tags(frame, context)


def _image_tags(frame: av.VideoFrame, context: av.VideoCodecContext) -> ColorTags:
    """JPEG and PNG say their colour with the frame, PyAV before version 16 only what the decoder has."""
    tags = ColorTags(
        primaries=int(getattr(frame, "color_primaries", context.color_primaries)),
        transfer=int(getattr(frame, "color_trc", context.color_trc)),
        matrix=int(frame.colorspace),
        full_range={1: False, 2: True}.get(int(frame.color_range)),
        chroma_location=2 if frame.format.name in ("yuvj420p", "yuvj422p") else 0,
    )
    return with_range(tags, frame.format.name)


def _image_timecode(text: str, rate: Fraction, image: Path) -> Timecode | None:
    if not text:
        return None
    try:
        return Timecode.parse(text, rate)
    except RangeError as error:
        _log.warning("the timecode %s of %s is left out: %s", text, image, error)
        return None


def _decode_image(path: Path, codec: str) -> tuple[av.VideoFrame, av.VideoCodecContext]:
    """Decodes one image file by itself."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise NotFoundError(f"image {path} does not exist any more; put it back") from None
    except PermissionError:
        raise AccessError(f"image {path} may not be read; ask for permission to read it") from None
    context = av.CodecContext.create(codec, "r")
    assert isinstance(context, av.VideoCodecContext)
    context.thread_type = "SLICE"
    try:
        frames = [*context.decode(av.Packet(data)), *context.decode(None)] if data else []
    except av.error.FFmpegError as error:
        raise MediaError(
            f"image {path} cannot be decoded ({error.strerror}); it is damaged, export it again"
        ) from error
    if len(frames) != 1 or frames[0].is_corrupt:
        raise MediaError(f"image {path} cannot be decoded; it is damaged or cut off, export it again")
    return frames[0], context


def other_size(where: Path, frame: av.VideoFrame, size: tuple[int, int]) -> MediaError:
    return MediaError(
        f"{where.name} holds a picture of {frame.width}x{frame.height} where the first one is {size[1]}x{size[0]};"
        " all must have one size"
    )


def with_range(tags: ColorTags, format_name: str) -> ColorTags:
    """FFmpeg's yuvj formats are full range by their name."""
    return replace(tags, full_range=True) if format_name.startswith("yuvj") else tags


class ImageSource:
    """Numbered images, each decoded by itself; a run decodes a few ahead."""

    def __init__(self, media: Media) -> None:
        self._media = media
        count = np.arange(media.frame_count, dtype=np.int64)
        self.index = FrameIndex(count, np.ones_like(count), count, count, count, count)
        self._pool: ThreadPoolExecutor | None = None

    def frames_to(self, number: int, most: int) -> Iterator[tuple[int, av.VideoFrame]]:
        """The frame with its number; nothing else has to be decoded for it."""
        yield number, self._frame(number)

    def _frame(self, number: int) -> av.VideoFrame:
        assert self._media.first_number is not None
        path = sequences.numbered(self._media.path, self._media.first_number + number)
        frame, _ = _decode_image(path, self._media.codec)
        if (frame.height, frame.width) != self._media.size:
            raise other_size(path, frame, self._media.size)
        return frame

    def run(self, numbers: range) -> Iterator[av.VideoFrame]:
        self._pool = self._pool or ThreadPoolExecutor(_IMAGES_AHEAD, thread_name_prefix="images")
        ahead: deque[Future[av.VideoFrame]] = deque()
        for number in numbers:
            ahead.append(self._pool.submit(self._frame, number))
            if len(ahead) >= _IMAGES_AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()

    def close(self) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None
