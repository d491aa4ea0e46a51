"""Writes neutral clips as a project of MLT, the engine of Kdenlive and Shotcut, and has ``melt`` render it.

MLT retimes and dissolves by itself: the project states speeds, in points and transitions, never single frames. So a
render says what a host makes of the clips, not what our own arithmetic makes of them.
"""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from cleanplate_plugin.timeline import Refusal, SourceMedia, Use
from hosts.barcode import SIZE

MELT_IS_MISSING = shutil.which("melt") is None
REASON = "melt is not installed; on Debian: apt-get install melt"
_TIMEOUT_SECONDS = 20
_MOST_TRIES = 5
"""On a machine that does much else melt hangs now and then, or leaves half a file; as a rule it takes a second."""


@dataclass(frozen=True)
class Piece:
    """A stretch of one track that is one entry of its playlist.

    Args:
        start: its first record frame.
        stop: one past its last.
        before: the clip that is seen, or that goes; None is nothing.
        after: the clip that comes, in a dissolve alone.
        is_dissolve: from ``before`` to ``after``.
    """

    start: int
    stop: int
    before: Use | None
    after: Use | None = None
    is_dissolve: bool = False


def write_project(path: Path, items: Sequence[Use | Refusal], rate: Fraction) -> Path:
    """Writes a project that shows the clips on black, higher tracks above lower ones.

    Raises:
        ValueError: a clip is refused, or MLT has no in point for where it starts.
    """
    return _Project(items, rate).write(path)


def render(project: Path, output: Path) -> Path:
    """Has melt render a project, without loss.

    Raises:
        RuntimeError: melt said no, or wrote nothing.
    """
    consumer = ["-consumer", f"avformat:{output}", "vcodec=ffv1", "an=1", "pix_fmt=yuv420p", "real_time=-1"]
    command = ["melt", "-silent", str(project), *consumer]
    for _ in range(_MOST_TRIES):
        output.unlink(missing_ok=True)
        try:
            result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        if result.returncode or not output.exists():
            raise RuntimeError(f"melt ended with {result.returncode} on {project}: {result.stderr[-500:]}")
        if _is_whole(output):
            return output
    raise RuntimeError(f"melt wrote no whole file of {project} in {_MOST_TRIES} tries of {_TIMEOUT_SECONDS} seconds")


def _is_whole(output: Path) -> bool:
    try:
        with av.open(str(output)) as container:
            return container.duration is not None
    except av.error.InvalidDataError:
        return False


class _Project:
    def __init__(self, items: Sequence[Use | Refusal], rate: Fraction) -> None:
        uses = [item for item in items if isinstance(item, Use) and item.enabled]
        refused = [item.reason for item in items if isinstance(item, Refusal)]
        if refused or not uses:
            raise ValueError(f"nothing can be rendered: {refused or 'no clip is enabled'}")
        self._rate = rate
        self._stop = max(use.record_start + use.frame_count for use in uses)
        self._count = 0
        self._root = ET.Element("mlt", {"LC_NUMERIC": "C", "producer": "main"})
        self._write_profile()
        self._tracks = [self._black()]
        for track in sorted({use.track for use in uses}):
            self._tracks.append(self._playlist([use for use in uses if use.track == track]))
        self._write_main()

    def write(self, path: Path) -> Path:
        ET.indent(self._root)
        ET.ElementTree(self._root).write(path, encoding="utf-8", xml_declaration=True)
        return path

    def _write_profile(self) -> None:
        height, width = SIZE
        profile = {
            "width": width, "height": height, "progressive": 1, "colorspace": 709,
            "frame_rate_num": self._rate.numerator, "frame_rate_den": self._rate.denominator,
            "sample_aspect_num": 1, "sample_aspect_den": 1, "display_aspect_num": width, "display_aspect_den": height,
        }  # fmt: skip
        ET.SubElement(self._root, "profile", {key: str(value) for key, value in profile.items()})

    def _black(self) -> str:
        """A track of black: without one, a place where no clip stands is rendered white."""
        black = self._producer("color", "black", length=str(self._stop))
        playlist = ET.SubElement(self._root, "playlist", id="black")
        _entry(playlist, black, 0, self._stop)
        return "black"

    def _playlist(self, uses: list[Use]) -> str:
        pieces = _pieces(sorted(uses, key=lambda use: use.record_start))
        entries = [(piece, self._dissolve(piece) if piece.is_dissolve else self._clip(piece)) for piece in pieces]
        name = f"track{uses[0].track}"
        playlist = ET.SubElement(self._root, "playlist", id=name)
        at = 0
        for piece, (producer, first) in entries:
            if piece.start > at:
                ET.SubElement(playlist, "blank", length=str(piece.start - at))
            _entry(playlist, producer, first, piece.stop - piece.start)
            at = piece.stop
        return name

    def _clip(self, piece: Piece) -> tuple[str, int]:
        if piece.before is None:
            raise AssertionError("a piece without a dissolve shows a clip")
        return self._shown(piece.before, piece.start)

    def _shown(self, use: Use, record_frame: int) -> tuple[str, int]:
        """A producer for a clip, and its position that stands at a record frame."""
        position = use.source_start + (record_frame - use.record_start) * use.step
        file = str(use.media.path)
        if use.speed == 0:
            return self._producer("hold", file, frame=str(_whole(self._in_profile(position, use.media), use))), 0
        if use.speed == 1:
            return self._producer("avformat", file), _whole(self._in_profile(position, use.media), use)
        # A warped clip is counted in its own frames; backwards, frame 0 is the file's last.
        counted = position if use.speed > 0 else _file_length(use.media) - position + use.step
        producer = self._producer("timewarp", f"{float(use.speed)}:{file}")
        return producer, _whole(self._in_profile(counted, use.media) / abs(use.speed), use)

    def _in_profile(self, position: Fraction, media: SourceMedia) -> Fraction:
        """A position in the file, in frames of the timeline's rate, as MLT counts everything."""
        return position * self._rate / media.rate

    def _dissolve(self, piece: Piece) -> tuple[str, int]:
        count = piece.stop - piece.start
        sides = [
            self._producer("color", "black", length=str(count)) if use is None else self._shown(use, piece.start)
            for use in (piece.before, piece.after)
        ]
        name = self._name("dissolve")
        tractor = ET.SubElement(self._root, "tractor", {"id": name, "in": "0", "out": str(count - 1)})
        for side in sides:
            producer, first = (side, 0) if isinstance(side, str) else side
            _entry(tractor, producer, first, count, tag="track")
        _transition(tractor, "luma", count, tracks=(0, 1))
        return name, 0

    def _write_main(self) -> None:
        main = ET.SubElement(self._root, "tractor", {"id": "main", "in": "0", "out": str(self._stop - 1)})
        for track in self._tracks:
            ET.SubElement(main, "track", producer=track)
        # `affine` knows the alpha of ProRes, which `composite` of MLT 7.12 does not. Everything goes onto the black.
        for above in range(1, len(self._tracks)):
            _transition(main, "affine", self._stop, tracks=(0, above))

    def _producer(self, service: str, resource: str, **properties: str) -> str:
        name = self._name(service)
        element = ET.SubElement(self._root, "producer", id=name)
        for key, value in {"mlt_service": service, "resource": resource, **properties}.items():
            _property(element, key, value)
        return name

    def _name(self, stem: str) -> str:
        self._count += 1
        return f"{stem}{self._count}"


def _pieces(uses: list[Use]) -> list[Piece]:
    """Cuts a track into what is seen alone and what is dissolved."""
    pieces = []
    for index, use in enumerate(uses):
        before = uses[index - 1] if index and _end(uses[index - 1]) == use.record_start else None
        after = uses[index + 1] if index + 1 < len(uses) and uses[index + 1].record_start == _end(use) else None
        start, stop = use.record_start, _end(use)
        going = before.tail_frames if before else use.fade_in_frames
        if going or use.head_frames:
            pieces.append(Piece(start - use.head_frames, start + going, before, use, is_dissolve=True))
            start += going
        stop -= after.head_frames if after else use.fade_out_frames
        if start < stop:
            pieces.append(Piece(start, stop, use))
        if after is None and (use.tail_frames or use.fade_out_frames):
            pieces.append(Piece(stop, _end(use) + use.tail_frames, use, None, is_dissolve=True))
    return pieces


def _end(use: Use) -> int:
    return use.record_start + use.frame_count


def _file_length(media: SourceMedia) -> int:
    """Frames in a file, counted in the file: what a timeline says of it may be what is tested."""
    with av.open(str(media.path)) as container:
        return sum(1 for _ in container.demux(video=0)) - 1


def _whole(position: Fraction, use: Use) -> int:
    if position.denominator != 1 or position < 0:
        raise ValueError(f"'{use.name}' starts at {position}, where MLT has no in point")
    return int(position)


def _entry(parent: ET.Element, producer: str, first: int, count: int, *, tag: str = "entry") -> None:
    ET.SubElement(parent, tag, {"producer": producer, "in": str(first), "out": str(first + count - 1)})


def _transition(parent: ET.Element, service: str, count: int, *, tracks: tuple[int, int]) -> None:
    element = ET.SubElement(parent, "transition", {"in": "0", "out": str(count - 1)})
    for key, value in {"mlt_service": service, "a_track": str(tracks[0]), "b_track": str(tracks[1])}.items():
        _property(element, key, value)


def _property(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, "property", name=name).text = value
