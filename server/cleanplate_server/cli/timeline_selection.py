"""Which clip of a timeline is meant, and which part of it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from cleanplate_plugin.errors import TimelineError, UnsupportedClipError
from cleanplate_plugin.timecodes import frames_of, timecode_of
from cleanplate_plugin.timeline import Document, Refusal, Span, Use

from cleanplate_server.cli.times import MediaTimeline, Moment
from cleanplate_server.errors import InputError, NotFoundError, RangeError


@dataclass(frozen=True)
class Wanted:
    """How a person names a clip; at least the name or the moment is there.

    Args:
        name: as the timeline shows it; empty is any.
        track: video track, from 1 at the bottom; None is any.
        at: a moment of the timeline at which it is seen; None is any.
    """

    name: str = ""
    track: int | None = None
    at: Moment | None = None


def record_frame(document: Document, moment: Moment) -> int:
    """The record frame, from the timeline's first, that a moment names.

    Raises:
        RangeError: no timecode of this timeline, or one before its first.
    """
    if not moment.is_timecode:
        return int(moment.text)
    text = moment.text
    if document.drop_frame and text[-3:-2] == ":":  # people write ':' for drop-frame too
        text = f"{text[:-3]};{text[-2:]}"
    try:
        frame = frames_of(text, document.rate) - document.start_frame
    except TimelineError as error:
        raise RangeError(error.sentence) from error
    if frame < 0:
        raise RangeError(
            f"timecode {moment.text} lies before timeline '{document.name}', which begins at"
            f" {record_timecode(document, 0)}; choose a later one, or a frame number from 0"
        )
    return frame


def record_timecode(document: Document, frame: int) -> str:
    """The timecode that the timeline shows at a record frame."""
    return timecode_of(document.start_frame + frame, document.rate, drop_frame=document.drop_frame)


def choose(document: Document, wanted: Wanted) -> Use:
    """Finds the one clip that is meant.

    Raises:
        NotFoundError: none is.
        InputError: several are.
        UnsupportedClipError: it cannot be cleaned where it stands.
    """
    meant = _meant(document, wanted)
    if len(meant) > 1:
        name = f" the name '{wanted.name}'" if wanted.name else ""
        raise InputError(
            f"{len(meant)} clips fit{name}: {_listed(document, meant)};"
            " say which with --track N, or --at with a timecode within it"
        )
    chosen = meant[0]
    if isinstance(chosen, Refusal):
        raise UnsupportedClipError(chosen.reason)
    return chosen


def fitting(document: Document, wanted: Wanted) -> list[Use]:
    """Finds all clips that are meant.

    Raises:
        NotFoundError: none is.
    """
    return [item for item in _meant(document, wanted) if isinstance(item, Use)]


def _meant(document: Document, wanted: Wanted) -> list[Use | Refusal]:
    named = [item for item in document.items() if wanted.name in ("", item.name)]
    at = record_frame(document, wanted.at) if wanted.at else None
    meant = [item for item in named if _fits(item, wanted.track, at)]
    if not meant:
        raise NotFoundError(_nothing(document, wanted, named))
    return meant


def _fits(item: Use | Refusal, track: int | None, at: int | None) -> bool:
    within = at is None or 0 <= at - item.record_start < item.frame_count
    return within and track in (None, item.track)


def _listed(document: Document, items: Sequence[Use | Refusal]) -> str:
    shown = [
        f"'{item.name}' on track {item.track} at {record_timecode(document, item.record_start)}" for item in items[:6]
    ]
    more = [f"{len(items) - 6} more"] if len(items) > 6 else []
    return ", ".join([*shown, *more])


def _nothing(document: Document, wanted: Wanted, named: Sequence[Use | Refusal]) -> str:
    if wanted.name and not named:
        names = sorted({item.name for item in document.items()})
        near = difflib.get_close_matches(wanted.name, names, n=3, cutoff=0.4) or names[:3]
        hint = f"it has {', '.join(repr(name) for name in near)}" if near else "it has no clips"
        return f"timeline '{document.name}' has no clip '{wanted.name}'; {hint}, see `cleanplate timeline list`"
    where = f" on track {wanted.track}" if wanted.track else ""
    when = f" at {wanted.at.text}" if wanted.at else ""
    what = f"clip '{wanted.name}'" if wanted.name else "clip"
    there = f"; there is {_listed(document, named)}" if wanted.name else "; see `cleanplate timeline list`"
    return f"timeline '{document.name}' has no {what}{where}{when}{there}"


def media_part(use: Use, timeline: MediaTimeline, first: Moment | None, last: Moment | None) -> Span | None:
    """The part of a clip that shows the media's frames from in to out, out included.

    Args:
        use: settled.
        timeline: of its media.
        first: None is from the clip's first.
        last: None is to the clip's last.

    Returns:
        Record frames from the clip's start; None is all of it.

    Raises:
        RangeError: the clip does not show these frames.
    """
    if first is None and last is None:
        return None
    shown = use.source_span(Span(0, use.frame_count))
    low = timeline.frame(first) if first else shown.start_frame
    high = timeline.frame(last) if last else shown.last_frame
    if not shown.start_frame <= low <= high <= shown.last_frame:
        raise RangeError(
            f"frames {low} to {high} of the media are not what clip '{use.name}' shows, which is"
            f" {shown.start_frame} to {shown.last_frame}; choose --in and --out within them, the later as --out"
        )
    offsets = [offset for offset in range(use.frame_count) if low <= use.source_frame(offset) <= high]
    if not offsets:
        raise RangeError(
            f"clip '{use.name}' skips frames {low} to {high} of the media at its speed of {use.speed};"
            " choose a wider --in and --out"
        )
    return _whole_or(use, Span(offsets[0], offsets[-1] - offsets[0] + 1))


def record_part(use: Use, document: Document, first: Moment | None, last: Moment | None) -> Span | None:
    """The part of a clip between two moments of the timeline, the last included.

    Args:
        use: the clip.
        document: its timeline.
        first: None is from the clip's first.
        last: None is to the clip's last.

    Returns:
        Record frames from the clip's start; None is all of it.

    Raises:
        RangeError: they do not lie within the clip.
    """
    if first is None and last is None:
        return None
    span = use.record_span
    low = record_frame(document, first) if first else span.start_frame
    high = record_frame(document, last) if last else span.last_frame
    if not span.start_frame <= low <= high <= span.last_frame:
        raise RangeError(
            f"record frames {low} to {high} do not lie within clip '{use.name}', which stands from"
            f" {span.start_frame} ({record_timecode(document, span.start_frame)}) to {span.last_frame}"
            f" ({record_timecode(document, span.last_frame)}); choose --record-in and --record-out within it"
        )
    return _whole_or(use, Span(low - span.start_frame, high - low + 1))


def _whole_or(use: Use, part: Span) -> Span | None:
    return None if part == Span(0, use.frame_count) else part
