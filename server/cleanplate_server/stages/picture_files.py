"""Numbered images as a target: encoded into a hidden folder beside, then moved to their place."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext

from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plate, Timecode
from cleanplate_server.stages import sequences
from cleanplate_server.stages.codecs import Encoder
from cleanplate_server.stages.exr_header import with_timecode
from cleanplate_server.stages.formats import to_frame
from cleanplate_server.stages.muxing import FrameProperties


def image_pattern(path: Path, codec: str) -> Path:
    """The pattern that a target names; a folder's images are called 00000.png and so on."""
    return path if sequences.is_pattern(path) else path / f"%05d.{codec}"


def images_like(pattern: Path) -> list[Path]:
    """The images that are already there under a pattern's names."""
    if not pattern.parent.is_dir():
        return []
    names = sorted(entry.name for entry in pattern.parent.iterdir())
    return [sequences.numbered(pattern, number) for number in sequences.numbers_of(pattern, names)]


class ImageSink:
    """Encodes each frame to an image.

    A folder that does not exist appears at once with all its images. Into one that does, they are moved one by one
    after the last is written, and older images of the same name go, so that no frame of another take is left among
    them; other files stay.

    Args:
        partial_path: the hidden folder.
        first_number: of the first image.
    """

    def __init__(
        self,
        encoder: Encoder,
        partial_path: Path,
        pattern: Path,
        *,
        first_number: int,
        media: Media,
        tags: ColorTags,
        timecode: Timecode | None,
        format: PixelFormat,
        overwrite: bool,
    ) -> None:
        self._partial, self._pattern, self._overwrite = partial_path, pattern, overwrite
        self._number, self._format = first_number, format
        self._timecode, self._rate, self._is_exr = timecode, media.rate, encoder.name == "exr"
        self._time_base = 1 / media.rate
        partial_path.mkdir()
        self._context = _context(encoder, media, format)
        self._filters = FrameProperties(media, format, tags, self._time_base)
        self._count = 0

    def write(self, plate: Plate, pts: int) -> None:
        frame = to_frame(plate.planes, self._format)
        frame.pts, frame.time_base = self._count, self._time_base
        self._count += 1
        self._store(self._context.encode(self._filters.set_on(frame)))

    def _store(self, packets: list[av.Packet[av.VideoStream]]) -> None:
        for packet in packets:
            data = bytes(packet)
            if self._is_exr and self._timecode:
                data = with_timecode(data, self._timecode)
                self._timecode += 1
            path = self._partial / sequences.numbered(self._pattern, self._number).name
            self._number += 1
            with path.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())

    def finish(self) -> None:
        self._store(self._context.encode(None))
        folder = self._pattern.parent
        if not folder.exists():
            self._partial.rename(folder)
            return
        for old in images_like(self._pattern) if self._overwrite else ():
            old.unlink()
        for image in sorted(self._partial.iterdir()):
            image.replace(folder / image.name)
        self._partial.rmdir()

    def abandon(self) -> None:
        """Nothing is open; the writer removes the folder."""


def _context(encoder: Encoder, media: Media, format: PixelFormat) -> VideoCodecContext:
    context = av.CodecContext.create(encoder.name, "w")
    assert isinstance(context, VideoCodecContext)
    context.height, context.width = media.size
    context.pix_fmt = format.name
    context.time_base = 1 / media.rate
    context.framerate = Fraction(media.rate)
    context.sample_aspect_ratio = media.pixel_aspect
    context.options = dict(encoder.options)
    context.thread_type = "AUTO"
    context.thread_count = min(4, os.cpu_count() or 1)  # each thread holds a picture
    return context
