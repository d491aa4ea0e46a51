"""Which packets of a video stream are frames, and where decoding must start for each: one pass without decoding."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.stream import VideoStream
from numpy.typing import NDArray

from cleanplate_server.errors import AccessError, MediaError, NotFoundError

Ticks = NDArray[np.int64]

_NO_VIDEO_FORMATS = {"tty", "hls", "dash", "concat", "imf", "sdp", "rtsp", "lavfi", "ffmetadata", "webvtt", "srt"}
"""Playlists could reach outside the file, and FFmpeg would draw any text as a terminal's picture."""


@dataclass(frozen=True)
class FrameIndex:
    """Frames in the order that they are shown.

    Args:
        pts: int64 [N], ascending, in the stream's time base.
        durations: int64 [N], 0 when unknown.
        order: int64 [N], each frame's place among the packets, which is the order of decoding.
        key_pts, key_dts, key_order: int64 [K] each, the packets where decoding can start.
        missing_count: frames that the file announces and does not hold.
    """

    pts: Ticks
    durations: Ticks
    order: Ticks
    key_pts: Ticks
    key_dts: Ticks
    key_order: Ticks
    missing_count: int = 0

    def __len__(self) -> int:
        return len(self.pts)

    def frame_at(self, pts: int) -> int | None:
        """The number of the frame with exactly this PTS."""
        number = int(np.searchsorted(self.pts, pts))
        return number if number < len(self.pts) and self.pts[number] == pts else None

    def key_for(self, frame: int) -> int:
        """The last key packet from which this frame decodes exactly, -1 for the very start.

        A frame shown before a key packet but stored after it (open GOP) may need what came before that packet.
        """
        key = int(np.searchsorted(self.key_order, self.order[frame], side="right")) - 1
        while key >= 0 and self.key_pts[key] > self.pts[frame]:
            key -= 1
        return key

    def first_frame_of(self, key: int) -> int:
        """The first frame that is exact when decoding starts at this key packet."""
        return int(np.searchsorted(self.pts, self.key_pts[key])) if key >= 0 else 0


def open_media(path: Path) -> InputContainer:
    """Opens a media file for reading, files alone, never the network.

    Raises:
        NotFoundError: no such file.
        AccessError: no permission.
        MediaError: not media, or cut off before its index.
    """
    try:
        container = _open_leniently(f"file:{path}", {"protocol_whitelist": "file"})
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist; check the path") from None
    except PermissionError:
        raise AccessError(f"{path} may not be read; ask for permission to read it") from None
    except IsADirectoryError:
        raise MediaError(
            f"{path} is a folder and not a media file; give a file, or a folder of numbered images"
        ) from None
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"{path} cannot be read as media ({_reason(path, error)}); give a video file") from error
    if container.format.name in _NO_VIDEO_FORMATS:
        name = container.format.name
        container.close()
        raise MediaError(f"{path} is not media but {name}; give a video file or numbered images")
    return container


def _open_leniently(url: str, options: dict[str, str]) -> InputContainer:
    """Opens media whose metadata may not be UTF-8; PyAV 19 sees to that itself and no longer takes the argument."""
    if int(av.__version__.split(".")[0]) >= 19:
        return av.open(url, options=options)
    return av.open(url, options=options, metadata_errors="replace")


def _reason(path: Path, error: Exception) -> str:
    with path.open("rb") as file:
        names = [name for name, _, _ in _boxes(file, path.stat().st_size)]
    if "ftyp" in names and "moov" not in names:
        return "it ends before its index, so its recording or copy was never finished"
    return str(getattr(error, "strerror", "") or error)


def video_stream(container: InputContainer, stream_index: int) -> VideoStream:
    """The video stream of this number, cover pictures not counted.

    Raises:
        MediaError: there is none.
    """
    streams = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    name = Path(container.name.removeprefix("file:")).name
    if not 0 <= stream_index < len(streams):
        raise MediaError(
            f"{name} has {len(streams)} video streams, and stream {stream_index} was asked for; choose another"
        )
    return streams[stream_index]


def read_index(path: Path, stream_index: int) -> FrameIndex:
    """Reads the index of a video stream; the last few are kept until their file changes.

    Raises:
        MediaError: no frame in it, or packets without timestamps.
    """
    facts = path.stat()
    return _read_index(path, stream_index, facts.st_size, facts.st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _read_index(path: Path, stream_index: int, size_bytes: int, _modified_ns: int) -> FrameIndex:
    with open_media(path) as container:
        stream = video_stream(container, stream_index)
        announced = _announced(stream)
        packets = _from_sample_table(container, stream, size_bytes) or _from_packets(container, stream)
    cut_short = (
        packets.broken or _is_cut_short(path, size_bytes) or _lacks_frames(container.format.name, announced, packets)
    )
    return _sorted(packets, path, announced=announced, cut_short=cut_short)


@dataclass
class _Packets:
    """What one pass found, in the order of the file: (pts, dts, duration, is key, is shown) each."""

    rows: list[tuple[int, int, int, bool, bool]]
    broken: bool = False


def _announced(stream: VideoStream) -> int:
    return stream.frames or 0


def _lacks_frames(format_name: str, announced: int, packets: _Packets) -> bool:
    """MXF says how many frames it holds; in other containers an edit may lawfully leave some out."""
    return format_name == "mxf" and announced > len(packets.rows)


def _from_sample_table(container: InputContainer, stream: VideoStream, size_bytes: int) -> _Packets | None:
    """The index that a QuickTime or MP4 file carries, which spares reading the pictures where each is a key frame."""
    entries = getattr(stream, "index_entries", None)
    if "mov" not in container.format.name or entries is None or not stream.codec_context.codec.intra_only:
        return None
    rows = [(e.timestamp, e.is_keyframe, e.is_discard, e.pos + e.size <= size_bytes) for e in entries]
    if not rows or len(rows) != stream.frames or not all(key for _, key, _, _ in rows):
        return None
    first = next(container.demux(stream), None)
    if first is None or first.pts != rows[0][0] or first.pts != first.dts:
        return None
    whole = [row for row in rows if row[3]]
    steps = np.diff([row[0] for row in rows], append=rows[-1][0] + (first.duration or 0))
    table = [
        (pts, pts, int(step), True, not left_out) for (pts, _, left_out, _), step in zip(whole, steps, strict=False)
    ]
    return _Packets(table, broken=len(whole) < len(rows))


def _from_packets(container: InputContainer, stream: VideoStream) -> _Packets:
    found = _Packets([])
    for packet in _demux(container, stream, found):
        if packet.pts is None:
            found.rows.clear()
            break
        dts = packet.dts if packet.dts is not None else packet.pts
        found.rows.append((packet.pts, dts, packet.duration or 0, packet.is_keyframe, not packet.is_discard))
    return found


def _demux(container: InputContainer, stream: VideoStream, found: _Packets) -> Iterator[av.Packet[VideoStream]]:
    try:
        for packet in container.demux(stream):
            if packet.is_corrupt:
                found.broken = True
                return
            if packet.size:
                yield packet
    except av.error.FFmpegError:
        found.broken = True


def _sorted(packets: _Packets, path: Path, *, announced: int, cut_short: bool) -> FrameIndex:
    table = np.array([row[:3] for row in packets.rows], np.int64).reshape(-1, 3)
    key = np.array([row[3] for row in packets.rows], bool)
    shown = np.flatnonzero(np.array([row[4] for row in packets.rows], bool))
    pts, first = np.unique(table[shown, 0], return_index=True)
    order = shown[first]
    good = _whole_until(table, pts, table[order, 2]) if cut_short and len(pts) else len(pts)
    if not good:
        raise MediaError(f"{path} holds no frame with a timestamp; it is damaged, or rewrap it as .mov")
    missing = max(1, announced - good) if cut_short else 0
    keys = np.flatnonzero(key)
    return FrameIndex(pts[:good], table[order[:good], 2], order[:good], table[keys, 0], table[keys, 1], keys, missing)


def _whole_until(table: Ticks, pts: Ticks, durations: Ticks) -> int:
    """How many frames come before the first one that a cut-off file may lack.

    A lost packet is decoded after the last one that is left, so it is shown no earlier than that one's DTS; past it
    frames count only while they follow each other without a gap.
    """
    certain = int(np.searchsorted(pts, table[:, 1].max(), side="right"))
    while 0 < certain < len(pts) and pts[certain] - pts[certain - 1] <= durations[certain - 1] * 3 // 2:
        certain += 1
    return certain


def _is_cut_short(path: Path, size_bytes: int) -> bool:
    with path.open("rb") as file:
        magic = file.read(8)
        file.seek(0)
        if magic[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
            return any(end > size_bytes for _, _, end in _boxes(file, size_bytes))
        if magic[:4] == b"\x1a\x45\xdf\xa3":
            return _matroska_end(file) > size_bytes
    return False


def _boxes(file: BinaryIO, size_bytes: int) -> Iterator[tuple[str, int, int]]:
    """(name, start, end) of each box on the top level of a QuickTime or MP4 file (ISO/IEC 14496-12)."""
    start = 0
    while start + 8 <= size_bytes:
        file.seek(start)
        head = file.read(16)
        length = int.from_bytes(head[:4], "big")
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        end = size_bytes if length == 0 else start + length
        yield head[4:8].decode("latin-1"), start, end
        if end <= start:
            return
        start = end


def _matroska_end(file: BinaryIO) -> int:
    """Where the Segment of a Matroska file (RFC 9559) says that it ends; 0 when it does not say."""
    head = file.read(64)
    segment = head.find(b"\x18\x53\x80\x67")
    if segment < 0:
        return 0
    first = head[segment + 4]
    length = 9 - first.bit_length()
    value = int.from_bytes(head[segment + 4 : segment + 4 + length], "big") & ((1 << 7 * length) - 1)
    return 0 if value == (1 << 7 * length) - 1 else segment + 4 + length + value


def frame_rate(index: FrameIndex, time_base: Fraction, hints: tuple[Fraction, ...]) -> tuple[Fraction, bool]:
    """(nominal rate, whether PTS steps differ from it by more than the time base's rounding); a hint of 0 is none."""
    steps = np.diff(index.pts)
    typical = float(np.median(steps)) * float(time_base) if len(steps) else 0.0
    nearest = _standard_rate(1 / typical) if typical > 0 else Fraction(24)
    candidates = [rate for rate in hints if rate] + [nearest]
    for rate in candidates:
        if _is_constant(index.pts, 1 / (rate * time_base)):
            return rate, False
    return nearest, True


def _standard_rate(measured: float) -> Fraction:
    standard = [Fraction(n) for n in (12, 15, 24, 25, 30, 48, 50, 60, 90, 100, 120, 240)]
    standard += [rate * 1000 / 1001 for rate in standard if rate % 12 == 0 or rate % 30 == 0]
    nearest = min(standard, key=lambda rate: abs(float(rate) - measured))
    return nearest if abs(float(nearest) / measured - 1) < 0.01 else Fraction(measured).limit_denominator(1001)


def _is_constant(pts: Ticks, step: Fraction) -> bool:
    """A step of whole ticks must be met exactly; any other may be off by the rounding to ticks."""
    numbers = np.arange(len(pts), dtype=np.int64)
    off = (pts - pts[0]) * step.denominator - numbers * step.numerator
    allowed = 0 if step.denominator == 1 else step.denominator
    return int(off.max() - off.min()) <= allowed
