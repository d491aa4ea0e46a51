"""What a host's way of writing OTIO comes down to, and the motion of a clip in numbers.

There is no single .otio that all hosts read alike. They differ in what ``source_range.duration`` means under a time
warp, whether a warp is heeded at all, how a path is written, and what else must be there.

Positions here are in frames of the media, in the coordinates that the file uses; subtracting the start of the
reference's ``available_range`` counts them from the file's first frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

from opentimelineio.schema import Timeline

from cleanplate_plugin.timeline import Use


@dataclass(frozen=True)
class Written:
    """A clip's numbers as they stand in a file.

    Args:
        start: of ``source_range``, in frames of the media.
        duration: of ``source_range``, as seconds times the record rate.
        time_scalar: of its time effect; 1 without.
    """

    start: Fraction
    duration: Fraction
    time_scalar: Fraction = Fraction(1)


@dataclass(frozen=True)
class Played:
    """What a clip's numbers mean.

    Args:
        first: position shown at the first record frame, in the coordinates of ``Written.start``.
        frame_count: record frames.
        speed: as in ``Use``.
    """

    first: Fraction
    frame_count: Fraction
    speed: Fraction = Fraction(1)


class Dialect(Protocol):
    """One host's OTIO."""

    name: str
    """As it is asked for: ``ours``, ``resolve``, ``premiere``, ``kdenlive``."""
    title: str
    """As a person calls the host."""
    vendor_key: str | None
    """Of the host's own metadata on a timeline."""

    def played(self, written: Written, pace: Fraction) -> Played:
        """Reads a clip's numbers.

        Args:
            written: as they stand in the file.
            pace: source frames in one record frame at speed 1: media rate over record rate.
        """

    def written(self, played: Played, pace: Fraction) -> Written:
        """Writes a clip's numbers: the inverse of ``played``.

        Args:
            played: what is meant; nothing that ``objection`` names.
            pace: as for ``played``.
        """

    def objection(self, use: Use) -> str | None:
        """Says why this host would show other frames than are meant, after the clip's name; None when it would not."""

    def target_url(self, path: Path) -> str:
        """Writes a path."""

    def dress(self, timeline: Timeline, rate: Fraction) -> None:
        """Adds what the host asks for besides clips.

        Args:
            timeline: is changed.
            rate: record frames a second.
        """


def record_span_played(written: Written, pace: Fraction) -> Played:
    """Reads numbers whose duration is the record span, as OTIO itself means them.

    The range lies within the media whichever way it is played: its start is the earliest position. Backwards, the first
    record frame shows the last frame of ``[start, start + duration * |speed|)``.
    """
    step = written.time_scalar * pace
    first = written.start if step >= 0 else written.start - written.duration * step - 1
    return Played(first, written.duration, written.time_scalar)


def record_span_written(played: Played, pace: Fraction) -> Written:
    """Writes numbers whose duration is the record span: the inverse of ``record_span_played``."""
    step = played.speed * pace
    start = played.first if step >= 0 else played.first + 1 + played.frame_count * step
    return Written(start, played.frame_count, played.speed)


def is_still(use: Use) -> bool:
    """Whether a clip holds the only frame of its media."""
    return use.speed == 0 and use.media.frame_count == 1
