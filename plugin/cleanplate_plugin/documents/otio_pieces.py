"""Cuts a clip into pieces in place, and lets pieces grow together again.

Each piece carries the clip as it was before the first cut. Pieces that lie side by side as they were cut become one
again; the one that is whole is that clip itself, so that nothing of the cuts is left.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from opentimelineio.opentime import TimeRange
from opentimelineio.schema import Clip, Marker, Timeline, Track

from cleanplate_plugin.dialects.base import Played, Written
from cleanplate_plugin.dialects.numbers import frames_in, time_of
from cleanplate_plugin.documents.otio_items import Setting, read_written
from cleanplate_plugin.documents.otio_media import METADATA_KEY, has_takes, own_metadata, without_takes
from cleanplate_plugin.timeline import Span


@dataclass(frozen=True)
class Piece:
    """What a piece knows of the clip that it was cut from.

    Args:
        family: number that all pieces of one clip share.
        span: record frames of that clip.
        original: that clip before the first cut, without takes.
    """

    family: int
    span: Span
    original: Clip


def piece_of(clip: Clip) -> Piece | None:
    """Reads what a piece knows; None for a clip that was never cut."""
    known = clip.metadata.get(METADATA_KEY, {}).get("piece")
    if known is None:
        return None
    return Piece(int(known["family"]), Span(int(known["start_frame"]), int(known["frame_count"])), known["original"])


def next_family(timeline: Timeline) -> int:
    """Gives a number for the pieces of one more clip."""
    pieces = (piece_of(clip) for clip in timeline.find_clips())
    return 1 + max((piece.family for piece in pieces if piece is not None), default=0)


def cut_off(clip: Clip, span: Span, setting: Setting, *, family: int) -> Clip:
    """Makes one piece of a clip, which itself stays as it is.

    Args:
        clip: whole, or a piece itself.
        span: record frames counted from the clip's start.
        setting: of its timeline.
        family: for pieces of a whole clip.
    """
    known = piece_of(clip)
    if known is None:
        return _marked(cut(clip, span, setting), Piece(family, span, without_takes(clip)))
    at = Span(known.span.start_frame + span.start_frame, span.frame_count)
    return _marked(cut(clip, span, setting), Piece(known.family, at, known.original))


def _marked(clip: Clip, piece: Piece) -> Clip:
    own_metadata(clip)["piece"] = {
        "family": piece.family,
        "start_frame": piece.span.start_frame,
        "frame_count": piece.span.frame_count,
        "original": piece.original.deepcopy(),
    }
    return clip


def cut(clip: Clip, span: Span, setting: Setting) -> Clip:
    """Copies a span of a clip, with its effects and the markers that lie on it.

    Args:
        clip: stays as it is.
        span: record frames counted from the clip's start.
        setting: of its timeline.
    """
    written, media_rate = read_written(clip, clip.media_reference, setting)
    pace = media_rate / setting.rate
    played = setting.dialect.played(written, pace)
    passed = Fraction(0) if _is_still(clip) else span.start_frame * played.speed * pace
    meant = Played(played.first + passed, Fraction(span.frame_count), played.speed)
    numbers = setting.dialect.written(meant, pace)
    shown = clip.source_range or clip.media_reference.available_range
    piece = clip.deepcopy()
    piece.source_range = TimeRange(
        time_of(numbers.start, media_rate, like=shown.start_time),
        time_of(numbers.duration, setting.rate, like=shown.duration),
    )
    _keep_markers(piece, span, _MarkerScale(written, numbers, media_rate, pace, int(played.frame_count)))
    return piece


def _is_still(clip: Clip) -> bool:
    available = clip.media_reference.available_range
    return available is not None and round(available.duration.value) == 1


@dataclass(frozen=True)
class _MarkerScale:
    """How the markers of a clip and of its piece count: in the clip's own time, from the start of its range."""

    whole: Written
    piece: Written
    media_rate: Fraction
    pace: Fraction
    frame_count: int

    @property
    def record_frame(self) -> Fraction:
        """Length of a record frame in the clip's own time, in frames of the media."""
        return self.whole.duration * self.pace / self.frame_count

    def offset(self, marker: Marker) -> Fraction:
        """Record frame at which a marker stands."""
        return (frames_in(marker.marked_range.start_time, self.media_rate) - self.whole.start) / self.record_frame

    def moved(self, marker: Marker, span: Span) -> TimeRange:
        """A marker's range as the piece counts."""
        old = marker.marked_range
        start = self.piece.start + (self.offset(marker) - span.start_frame) * self.record_frame
        if start == frames_in(old.start_time, self.media_rate):
            return old
        return TimeRange(time_of(start, self.media_rate, like=old.start_time), old.duration)


def _keep_markers(piece: Clip, span: Span, scale: _MarkerScale) -> None:
    """Leaves a piece the markers on it; the first and the last also keep those before and after the clip."""
    kept = []
    for marker in piece.markers:
        frame = min(max(int(scale.offset(marker) // 1), 0), scale.frame_count - 1)
        if span.start_frame <= frame < span.stop_frame:
            marker.marked_range = scale.moved(marker, span)
            kept.append(marker.deepcopy())
    piece.markers[:] = kept


def join_pieces(track: Track, setting: Setting) -> None:
    """Lets pieces of a clip that lie side by side, as they were cut and without takes, become one again."""
    index = 0
    while index < len(track):
        run = _run_from(track, index, setting)
        if run:
            joined = _joined(run, setting)
            del track[index : index + len(run)]
            track.insert(index, joined)
        index += 1


def _run_from(track: Track, index: int, setting: Setting) -> list[Piece]:
    """Finds the pieces from an index on that belong together."""
    run: list[Piece] = []
    for item in track[index:]:
        piece = piece_of(item) if isinstance(item, Clip) else None
        if piece is None or not _is_as_cut(item, piece, setting):
            break
        if run and (piece.family != run[-1].family or piece.span.start_frame != run[-1].span.stop_frame):
            break
        run.append(piece)
    return run


def _is_as_cut(clip: Clip, piece: Piece, setting: Setting) -> bool:
    """Whether nobody has edited a piece since it was cut, and it shows no take."""
    if has_takes(clip):
        return False
    fresh = _marked(cut(piece.original, piece.span, setting), piece)
    return bool(clip.is_equivalent_to(fresh))


def _joined(run: list[Piece], setting: Setting) -> Clip:
    first, last = run[0], run[-1]
    span = Span(first.span.start_frame, last.span.stop_frame - first.span.start_frame)
    original: Clip = first.original.deepcopy()
    whole = setting.dialect.played(*_numbers(original, setting)).frame_count
    if span == Span(0, int(whole)):
        return original
    return _marked(cut(original, span, setting), Piece(first.family, span, first.original))


def _numbers(clip: Clip, setting: Setting) -> tuple[Written, Fraction]:
    written, media_rate = read_written(clip, clip.media_reference, setting)
    return written, media_rate / setting.rate
