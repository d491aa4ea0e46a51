"""Frames to a media file or numbered images, written beside the target under a hidden name and then renamed."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Protocol

import av
import av.error

from cleanplate_server.clip import ColorTags, Media, PixelFormat, Plate, Timecode
from cleanplate_server.errors import AccessError, OutputError
from cleanplate_server.stages import sequences
from cleanplate_server.stages.codecs import (
    CONTAINERS,
    ENCODERS,
    choose_codec,
    delivery_format,
    delivery_tags,
    written_tags,
)
from cleanplate_server.stages.convert import converts
from cleanplate_server.stages.media_index import read_index
from cleanplate_server.stages.muxing import FileSink, refuse_audio_that_does_not_fit
from cleanplate_server.stages.picture_files import ImageSink, image_pattern, images_like
from cleanplate_server.stages.track_header import can_write_rotation

__all__ = [
    "Target",
    "Writer",
    "check_target",
    "choose_codec",
    "converts",
    "delivery_format",
    "delivery_tags",
]

_FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up", errno.EFBIG: "it grows too large"}
_REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS}


@dataclass(frozen=True)
class Target:
    """Where a take goes.

    Args:
        path: a file, a pattern (``shot.%05d.png``) or a folder for images.
        codec: a name of ``codecs.ENCODERS``.
        overwrite: whether what is there may be replaced.
    """

    path: Path
    codec: str
    overwrite: bool = False

    @property
    def is_sequence(self) -> bool:
        return not ENCODERS[self.codec].endings


def check_target(target: Target, media: Media, *, audio: bool = True) -> None:
    """Raises what can be known before any work begins.

    Args:
        audio: whether the source's audio goes along.

    Raises:
        OutputError: exists, is the source itself, no folder, or the container cannot hold what the source has.
        AccessError: no permission.
    """
    if target.codec not in ENCODERS:
        raise OutputError(f"{target.codec} is not a codec; choose one of {', '.join(ENCODERS)}")
    _check_place(target, media)
    _check_existing(target)
    _check_picture(target, media)
    if audio and not target.is_sequence:
        refuse_audio_that_does_not_fit(media, target.path, CONTAINERS[target.path.suffix.lower()])


def _check_place(target: Target, media: Media) -> None:
    path, endings = target.path, ENCODERS[target.codec].endings
    if endings and path.suffix.lower() not in endings:
        raise OutputError(f"{target.codec} is not written to {path.name}; end its name in {' or '.join(endings)}")
    if target.is_sequence and path.suffix and not path.is_dir():
        if not sequences.is_pattern(path):
            raise OutputError(f"{path.name} names one image; write {path.stem}.%05d{path.suffix}, or a folder")
        if path.suffix.lower() != f".{target.codec}":
            raise OutputError(f"{target.codec} images cannot be named {path.name}; end it in .{target.codec}")
    folder = _folder(target)
    holder = folder.parent if target.is_sequence and not folder.exists() else folder
    if not holder.is_dir():
        raise OutputError(f"folder {holder} does not exist; make it or choose another")
    if not os.access(holder, os.W_OK | os.X_OK):
        raise AccessError(f"folder {holder} may not be written; choose another or ask for permission")
    if _is_source(target, media):
        raise OutputError(f"{path} is the source itself, which is never written over; choose another name")


def _folder(target: Target) -> Path:
    """The folder that images go into, or that holds the file."""
    return target.path if target.is_sequence and not sequences.is_pattern(target.path) else target.path.parent


def _is_source(target: Target, media: Media) -> bool:
    if not media.is_sequence:
        return target.path.exists() and media.path.exists() and target.path.samefile(media.path)
    folder = _folder(target)
    if not (target.is_sequence and folder.is_dir() and media.path.parent.is_dir()):
        return not target.is_sequence and target.path.resolve() == media.path.resolve()
    same_kind = image_pattern(target.path, target.codec).suffix.lower() == media.path.suffix.lower()
    return folder.samefile(media.path.parent) and (same_kind or not sequences.is_pattern(target.path))


def _check_existing(target: Target) -> None:
    path = target.path
    if not target.is_sequence:
        if path.is_dir():
            raise OutputError(f"{path} is a folder; give a file name in it")
        if path.exists() and not target.overwrite:
            raise OutputError(f"{path} exists; choose another name or allow it to be overwritten")
        return
    folder = _folder(target)
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder for the images")
    pattern = image_pattern(path, target.codec)
    if not target.overwrite and images_like(pattern):
        raise OutputError(f"{folder} already holds images like {pattern.name}; choose another or allow overwriting")


def _check_picture(target: Target, media: Media) -> None:
    ending = target.path.suffix.lower()
    place = "images" if target.is_sequence else f"{ending} files"
    if media.rotation_degrees and (target.is_sequence or not can_write_rotation(ending)):
        raise OutputError(
            f"the source is turned by {media.rotation_degrees} degrees, which {place} cannot say; write .mov or .mp4"
        )
    if media.pixel_aspect != 1 and ending in (".mkv", ".nut"):
        raise OutputError(
            f"the source's pixels are {media.pixel_aspect} wide, which {place} cannot say; write .mov or images"
        )
    if media.variable_rate and ending == ".mxf":
        raise OutputError("the source's frame rate varies, which .mxf files cannot say; write .mov")
    if media.variable_rate and ending == ".mkv" and not _is_whole_milliseconds(media):
        raise OutputError(
            "the source's frame times are finer than the milliseconds of .mkv files; write .mov, .mp4 or .nut"
        )
    height, width = media.size
    if target.codec == "dnxhr-hqx" and (width < 256 or height < 120):
        raise OutputError(
            f"dnxhr-hqx holds no picture smaller than 256x120, and this is {width}x{height}; use prores422hq"
        )


def _is_whole_milliseconds(media: Media) -> bool:
    pts = read_index(media.path, media.stream_index).pts
    step = media.time_base * 1000
    return not ((pts - pts[0]) * step.numerator % step.denominator).any()


class _Sink(Protocol):
    """Where encoded frames go."""

    def write(self, plate: Plate, pts: int) -> None: ...

    def finish(self) -> None: ...

    def abandon(self) -> None: ...


class Writer:
    """Writes the frames of a range, then renames the whole onto the target.

    As a context manager: a clean exit closes, syncs and renames; any error or cancellation leaves nothing behind.
    Frame 0 of the file is the first frame of the range, at PTS 0; the source's other times are kept exactly.

    Args:
        target: where to.
        media: the source, whose tags, rate, aspect, fields, rotation, timecode, reel and audio are carried over.
        frames: the range with handles.
        format: of the planes given to ``write``, by ``delivery_format``.
        tags: what the planes' code values mean, by ``delivery_tags``, which is the default.
        first_timecode: of the first frame; follows from the media when None.
        audio: whether the source's audio packets of the range go along; they belong to plates alone.

    Raises:
        OutputError, AccessError: as ``check_target``.
    """

    def __init__(
        self,
        target: Target,
        *,
        media: Media,
        frames: range,
        format: PixelFormat,
        tags: ColorTags | None = None,
        first_timecode: Timecode | None = None,
        audio: bool = True,
    ) -> None:
        check_target(target, media, audio=audio)
        self._target = target
        self._media = media
        self._frames = frames
        self._format = format
        self._tags = tags or written_tags(target.codec, media, format)
        start = media.start_timecode
        self._timecode = first_timecode or (start + frames.start if start else None)
        self._audio = audio
        self._written = 0
        self._sink: _Sink | None = None
        self._base, self._pts = _output_times(media, frames)
        folder = _folder(target)
        beside = folder if target.is_sequence and not folder.exists() else target.path
        self.partial_path = beside.parent / f".{beside.name.replace('%', '_')}.{secrets.token_hex(4)}.partial"

    def __enter__(self) -> Writer:
        with self._explained():
            self._sink = self._open()
        return self

    def _open(self) -> _Sink:
        encoder = ENCODERS[self._target.codec]
        if self._target.is_sequence:
            first = self._frames.start + (self._media.first_number or 0)
            pattern = image_pattern(self._target.path, self._target.codec)
            return ImageSink(
                encoder,
                self.partial_path,
                pattern,
                first_number=first,
                media=self._media,
                tags=self._tags,
                timecode=self._timecode,
                format=self._format,
                overwrite=self._target.overwrite,
            )
        return FileSink(
            encoder,
            self.partial_path,
            self._target,
            media=self._media,
            format=self._format,
            tags=self._tags,
            timecode=self._timecode,
            time_base=self._base,
            frames=self._frames if self._audio else None,
        )

    def write(self, plate: Plate) -> None:
        """Encodes the next frame of the range, in the writer's format.

        Raises:
            OutputError: disk full or not writable any more.
            AccessError: permission lost.
        """
        assert self._sink, "the writer is used outside its with statement"
        assert self._written < len(self._frames), f"more than {len(self._frames)} frames were written"
        expected = self._frames[self._written]
        assert plate.frame == expected, f"frame {plate.frame} was written where frame {expected} is due"
        with self._explained():
            self._sink.write(plate, self._pts[self._written])
        self._written += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._sink, "the writer was never opened"
        if error is not None:
            self._abandon()
            return
        if self._written != len(self._frames):
            self._abandon()
            raise OutputError(f"{self._written} frames were written where {len(self._frames)} are due; run it again")
        with self._explained():
            self._sink.finish()

    def _abandon(self) -> None:
        if self._sink:
            self._sink.abandon()
        if self.partial_path.is_dir():
            shutil.rmtree(self.partial_path)
        else:
            self.partial_path.unlink(missing_ok=True)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turns what the system says into one sentence, and leaves nothing behind."""
        try:
            yield
        except (av.error.FFmpegError, OSError) as error:
            self._abandon()
            raise _explain(error, self._target.path) from error
        except BaseException:
            self._abandon()
            raise


def _explain(error: Exception, path: Path) -> OutputError | AccessError:
    if isinstance(error, (OutputError, AccessError)):
        return error
    number = getattr(error, "errno", None)
    if number in _FULL:
        return OutputError(f"{path} cannot be written: {_FULL[number]}; make room and run it again")
    if number in _REFUSED:
        return AccessError(f"{path} may not be written; choose another folder or ask for permission")
    return OutputError(f"{path} cannot be written ({error}); choose another codec or place")


def _output_times(media: Media, frames: range) -> tuple[Fraction, list[int]]:
    """Time base and PTS of each frame; frame numbers at a constant rate, the source's own ticks at a variable one."""
    if not media.variable_rate:
        return 1 / media.rate, list(range(len(frames)))
    pts = read_index(media.path, media.stream_index).pts
    return media.time_base, [int(pts[frame] - pts[frames.start]) for frame in frames]
