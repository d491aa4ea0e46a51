"""Kdenlive 26.08, tried: it imports timecode-absolute ranges from bare paths and subtracts the file's own timecode.

It ignores time warps and drops dissolves, after which the next clip begins at its file's first frame: both are refused.
That version starts the last clip of each track there too, a fault of its own that nothing is written around; slip that
clip by hand, or end the track with one to delete. Its own exports count from 0 and have no available range: they are
read like any timeline that does not say where files begin.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from opentimelineio.schema import Timeline

from cleanplate_plugin.dialects.base import Played, Written, record_span_played, record_span_written
from cleanplate_plugin.timeline import Use


class Kdenlive:
    """OTIO as Kdenlive imports it."""

    name = "kdenlive"
    title = "Kdenlive"
    vendor_key: str | None = None

    def played(self, written: Written, pace: Fraction) -> Played:
        """Reads a clip's numbers, warps ignored."""
        return record_span_played(Written(written.start, written.duration), pace)

    def written(self, played: Played, pace: Fraction) -> Written:
        """Writes a clip's numbers."""
        return record_span_written(played, pace)

    def objection(self, use: Use) -> str | None:
        """Names what is lost on import."""
        if use.speed != 1:
            return "is retimed, which Kdenlive's import ignores; render the retime, or change the speed there by hand"
        if use.head_frames or use.tail_frames or use.fade_in_frames or use.fade_out_frames:
            return "has a dissolve, which Kdenlive's import drops; make it a cut, and dissolve there by hand"
        return None

    def target_url(self, path: Path) -> str:
        """Writes a bare path."""
        return path.as_posix()

    def dress(self, timeline: Timeline, rate: Fraction) -> None:
        """Adds nothing: Kdenlive asks for nothing besides clips."""
