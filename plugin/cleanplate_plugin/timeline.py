"""Editorial arithmetic, apart from any host's dialect: which frame of a file stands at which record frame.

Everything is counted in whole frames and exact fractions. Source frames count from the file's first frame (0), never
from its timecode; record frames count from the timeline's first frame (0), never from its start timecode. Dialects and
hosts translate to and from these nouns, and to nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from cleanplate_plugin.errors import TimelineError, UnsupportedClipError
from cleanplate_plugin.timecodes import can_drop, timecode_of

_FLOAT_NOISE = Fraction(1, 1_000_000)
"""Timeline files hold positions as floats: one this near to a frame is meant to be on it."""


@dataclass(frozen=True)
class Span:
    """A run of frames.

    Args:
        start_frame: the first.
        frame_count: how many, at least 1.
    """

    start_frame: int
    frame_count: int

    @property
    def stop_frame(self) -> int:
        """One past the last."""
        return self.start_frame + self.frame_count

    @property
    def last_frame(self) -> int:
        """The last, as editors say an out point."""
        return self.stop_frame - 1

    def holds(self, other: Span) -> bool:
        """Whether all of the other lies within."""
        return self.start_frame <= other.start_frame and other.stop_frame <= self.stop_frame


@dataclass(frozen=True)
class SourceMedia:
    """A media file as a timeline knows it.

    Args:
        path: absolute; None when the timeline names no file (an EDL has reel names alone).
        rate: frames a second, exact.
        start_frame: timecode of the file's first frame as a count of frames since 00:00:00:00; 0 without timecode.
        frame_count: frames in the file; None when the timeline does not say.
        drop_frame: its timecode is written with dropped numbers.
        start_known: False when the timeline does not say where the file begins, so that positions may count from the
            file's first frame or from its timecode; ``settle`` finds out from the file itself.
        counts_timecode: with ``start_known`` False: positions are timecode for sure, as in an EDL.
    """

    path: Path | None
    rate: Fraction
    start_frame: int = 0
    frame_count: int | None = None
    drop_frame: bool = False
    start_known: bool = True
    counts_timecode: bool = False


@dataclass(frozen=True)
class Take:
    """Clean media that stands for a part of a file.

    Args:
        media: the clean file: the original's rate; its ``start_frame`` is the original's timecode at ``source_start``.
        source_start: frame of the original, from its first, that the clean file's frame 0 replaces.
        label: for a person, such as ``dog_cp001``.
        about: what was done, by which engines, for the document's metadata; plain JSON values.
    """

    media: SourceMedia
    source_start: int
    label: str
    about: dict[str, object]

    @property
    def span(self) -> Span:
        """The original's frames that it stands for."""
        if self.media.frame_count is None:
            raise AssertionError("a take knows its length")
        return Span(self.source_start, self.media.frame_count)


@dataclass(frozen=True)
class Use:
    """One clip on a timeline.

    Args:
        name: as the timeline shows it.
        place: where its document finds it again, such as ``V1[3]``; means nothing elsewhere.
        track: video track, from 1 at the bottom.
        record_start: timeline's frame at which the clip begins.
        frame_count: record frames from cut to cut, at least 1.
        rate: the timeline's, frames a second.
        media: what it shows.
        source_start: position in the file, in frames from its first, at ``record_start``; whole but after retimes.
        speed: 1 as shot, 2 twice as fast, -1 backwards, 0 a freeze.
        head_frames: record frames before ``record_start`` that a transition shows too.
        tail_frames: record frames after the end that a transition shows too.
        fade_in_frames: record frames from ``record_start`` that a transition mixes with what stood before.
        fade_out_frames: record frames before the end that a transition mixes with what comes after.
        enabled: whether it is seen.
    """

    name: str
    place: str
    track: int
    record_start: int
    frame_count: int
    rate: Fraction
    media: SourceMedia
    source_start: Fraction
    speed: Fraction = Fraction(1)
    head_frames: int = 0
    tail_frames: int = 0
    fade_in_frames: int = 0
    fade_out_frames: int = 0
    enabled: bool = True

    @property
    def step(self) -> Fraction:
        """Source frames that pass in one record frame; negative backwards, 0 for a freeze."""
        return self.speed * self.media.rate / self.rate

    @property
    def record_span(self) -> Span:
        """From cut to cut."""
        return Span(self.record_start, self.frame_count)

    def source_frame(self, offset: int) -> int:
        """The file's frame that is shown.

        A frame stays until the next one's position is reached, so positions between frames are rounded against the
        direction of play: half speed shows 0 0 1 1 forwards and 9 9 8 8 backwards.

        Args:
            offset: record frames from ``record_start``; -1 and below, ``frame_count`` and above lie in transitions.
        """
        position = self.source_start + offset * self.step
        near = round(position)
        if abs(position - near) < _FLOAT_NOISE:
            return near
        return math.ceil(position) if self.step < 0 else math.floor(position)

    def source_span(self, part: Span | None = None) -> Span:
        """The file's frames that are shown.

        Args:
            part: record frames counted from ``record_start``; None is the whole clip with its transitions.
        """
        shown = part or Span(-self.head_frames, self.head_frames + self.frame_count + self.tail_frames)
        ends = (self.source_frame(shown.start_frame), self.source_frame(shown.last_frame))
        return Span(min(ends), max(ends) - min(ends) + 1)

    def offset_of(self, source_frame: int) -> int | None:
        """The first record frame, from ``record_start``, that shows a file's frame; None when none does."""
        if self.step == 0:
            return 0 if source_frame == self.source_frame(0) else None
        near = math.floor((source_frame - self.source_start) / self.step)
        shown = (near + k for k in range(-1, 3))
        return next((k for k in shown if 0 <= k < self.frame_count and self.source_frame(k) == source_frame), None)

    def part(self, part: Span) -> Use:
        """The piece of the clip that a cut would leave.

        Args:
            part: record frames counted from ``record_start``, within the clip.
        """
        if not Span(0, self.frame_count).holds(part):
            raise AssertionError(f"{part} is not within the {self.frame_count} frames of {self.name}")
        return replace(
            self,
            record_start=self.record_start + part.start_frame,
            frame_count=part.frame_count,
            source_start=self.source_start + part.start_frame * self.step,
            head_frames=self.head_frames if part.start_frame == 0 else 0,
            tail_frames=self.tail_frames if part.stop_frame == self.frame_count else 0,
            fade_in_frames=self.fade_in_frames if part.start_frame == 0 else 0,
            fade_out_frames=self.fade_out_frames if part.stop_frame == self.frame_count else 0,
        )

    def whole_part(self, part: Span) -> Span:
        """A part widened to the clip's ends where it would else cut through a dissolve.

        Args:
            part: record frames counted from ``record_start``, within the clip.
        """
        first_whole = self.fade_in_frames
        last_whole = self.frame_count - self.fade_out_frames
        start = min(part.start_frame, last_whole)
        stop = max(part.stop_frame, first_whole)
        start = 0 if start < first_whole else start
        stop = self.frame_count if stop > last_whole else stop
        return Span(start, stop - start)

    def mixes(self, part: Span) -> bool:
        """Whether a transition shows frames of a part mixed with others, or goes on showing it beyond its cut."""
        starts_mixed = part.start_frame < self.fade_in_frames or (part.start_frame == 0 and self.head_frames > 0)
        last_whole = self.frame_count - self.fade_out_frames
        ends_mixed = part.stop_frame > last_whole or (part.stop_frame == self.frame_count and self.tail_frames > 0)
        return starts_mixed or ends_mixed

    def with_take(self, take: Take) -> Use:
        """The same clip showing a take: every record frame shows the clean form of the frame that it showed.

        Raises:
            TimelineError: the take does not hold all the frames that the clip shows, or has another rate.
        """
        needed = self.source_span()
        if not self.media.start_known:
            raise TimelineError(
                f"the timeline does not say where the file of clip '{self.name}' begins; open the file first"
            )
        if take.media.rate != self.media.rate:
            raise TimelineError(
                f"{take.label} has {take.media.rate} frames a second where clip '{self.name}' has {self.media.rate};"
                " make the take from the clip's own media"
            )
        if not take.span.holds(needed):
            raise TimelineError(
                f"{take.label} holds frames {take.span.start_frame} to {take.span.last_frame}, clip '{self.name}' shows"
                f" {needed.start_frame} to {needed.last_frame}; make the take anew for the clip as it now stands"
            )
        return replace(self, media=take.media, source_start=self.source_start - take.source_start)


@dataclass(frozen=True)
class Refusal:
    """Something on a timeline that cannot be cleaned where it stands.

    Args:
        name: as the timeline shows it.
        place: as for ``Use``.
        track: video track, from 1 at the bottom.
        record_start: timeline's frame at which it begins.
        frame_count: record frames.
        reason: one sentence that names the clip, says why, and what to do.
    """

    name: str
    place: str
    track: int
    record_start: int
    frame_count: int
    reason: str


def settle(
    use: Use,
    file_start_frame: int | None,
    *,
    file_frame_count: int,
    file_rate: Fraction,
    file_drop_frame: bool,
) -> Use:
    """Fixes a clip's media from the file itself.

    A timeline may count a file's frames from 0 although the file has timecode; then the file's own timecode is put in.

    Args:
        use: as a document gave it.
        file_start_frame: timecode of the file's first frame as a count of frames since 00:00:00:00; None without.
        file_frame_count: frames in the file.
        file_rate: frames a second, exact.
        file_drop_frame: whether its timecode is written with dropped numbers.

    Raises:
        UnsupportedClipError: the file is not what the timeline means: other rate, start or length.
    """
    name = f"clip '{use.name}'"
    if use.media.rate != file_rate:
        raise UnsupportedClipError(
            f"{name} counts {use.media.rate} frames a second where its file has {file_rate};"
            " relink the clip to the file that it was cut from"
        )
    file = replace(
        use.media,
        start_frame=use.media.start_frame if file_start_frame is None else file_start_frame,
        frame_count=file_frame_count,
        drop_frame=file_drop_frame,
        start_known=True,
        counts_timecode=False,
    )
    if use.media.start_known:
        _check_same_file(use, file)
        settled = replace(use, media=file)
    else:
        settled = replace(use, media=file, source_start=_counted_from_first(use, file))
    shown = settled.source_span()
    if not Span(0, file_frame_count).holds(shown):
        raise UnsupportedClipError(
            f"{name} shows frames {shown.start_frame} to {shown.last_frame} of a file that has {file_frame_count};"
            " relink the clip to the file that it was cut from, or trim it"
        )
    return settled


def _check_same_file(use: Use, file: SourceMedia) -> None:
    known = use.media
    if known.frame_count is not None and known.frame_count != file.frame_count:
        raise UnsupportedClipError(
            f"clip '{use.name}' was cut from a file of {known.frame_count} frames and the file now has"
            f" {file.frame_count}; relink the clip to the file that it was cut from"
        )
    if known.start_frame not in (0, file.start_frame):
        raise UnsupportedClipError(
            f"clip '{use.name}' was cut from a file that begins at {_timecode(known)} and the file now begins at"
            f" {_timecode(file)}; relink the clip to the file that it was cut from"
        )


def _counted_from_first(use: Use, file: SourceMedia) -> Fraction:
    """Finds whether a position counts from the file's timecode or from its first frame: the one that the file has."""
    assert file.frame_count is not None
    whole = Span(0, file.frame_count)
    from_timecode = replace(use, media=file, source_start=use.source_start - file.start_frame)
    from_first = replace(use, media=file)
    if use.media.counts_timecode:
        return from_timecode.source_start
    fitting = {u.source_start for u in (from_timecode, from_first) if whole.holds(u.source_span())}
    if len(fitting) == 1:
        return fitting.pop()
    shown = from_first.source_span()
    fault = "both from its timecode and from 0" if fitting else "neither from its timecode nor from 0"
    raise UnsupportedClipError(
        f"the timeline does not say where the file of clip '{use.name}' begins, and frames {shown.start_frame} to"
        f" {shown.last_frame} fit the file's {file.frame_count} frames from {_timecode(file)} {fault};"
        " write the timeline with its media's available range"
    )


def _timecode(media: SourceMedia) -> str:
    return timecode_of(media.start_frame, media.rate, drop_frame=media.drop_frame and can_drop(media.rate))


class Document(Protocol):
    """A timeline file in memory, edited so that everything but the meant clip stays as it is."""

    @property
    def name(self) -> str:
        """Of the timeline, for a person."""

    @property
    def rate(self) -> Fraction:
        """Record frames a second, exact."""

    @property
    def start_frame(self) -> int:
        """Timecode of the first record frame as a count of frames since 00:00:00:00."""

    @property
    def drop_frame(self) -> bool:
        """Whether the record timecode is written with dropped numbers."""

    def items(self) -> Sequence[Use | Refusal]:
        """All video clips and what else fills video tracks (but gaps), bottom track first, in record order.

        A clip that shows a take is given with the take's media; ``original`` gives what it showed.
        """

    def original(self, use: Use) -> Use:
        """The clip as it was before any take: the same when it never had one."""

    def replace(self, use: Use, take: Take, part: Span | None = None) -> None:
        """Lets a clip, or a part of it, show a take; what it showed is kept for ``restore``.

        Args:
            use: as ``items`` gave it.
            take: holds all that the clip, or the part, shows.
            part: record frames from the clip's start; None is the whole clip. A part cuts the clip in place; where it
                reaches into a dissolve it goes on to the clip's end, as ``Use.whole_part`` says.

        Raises:
            TimelineError: the document cannot say this; it is unchanged.
        """

    def lay_above(self, use: Use, take: Take, part: Span | None = None, *, enabled: bool = True) -> None:
        """Puts a take on a video track of its own kind above the clip, over the same record frames.

        Args:
            enabled: False leaves it unseen, for mattes.

        Raises:
            TimelineError: as for ``replace``.
        """

    def restore(self, use: Use | None = None) -> int:
        """Takes takes out again, so that the document is what it was before.

        Args:
            use: one clip; None is all.

        Returns:
            How many clips were restored.
        """

    def save(self, path: Path) -> None:
        """Writes the document beside the target, then renames it.

        Raises:
            TimelineError: the ending is not of a kind that this document can be written as.
        """
