"""DaVinci Resolve 18.5 and later: reports, not tried in a Resolve.

Reported: an import gives nothing, without a word, unless each clip has its one reference under ``DEFAULT_MEDIA`` with
an available range, bare paths, timecode-absolute ranges, tracks called 'Video 1' and so on, a global start time and the
vendor's metadata; a warp's duration is the record span, backwards too. Where the in-point of a clip played backwards
lies was not reported: it is taken as OTIO's own range, whose start is the earliest frame.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from opentimelineio.schema import Timeline

from cleanplate_plugin.dialects.base import Played, Written, record_span_played, record_span_written
from cleanplate_plugin.timeline import Use


class Resolve:
    """OTIO as Resolve reads and writes it."""

    name = "resolve"
    title = "DaVinci Resolve"
    vendor_key: str | None = "Resolve_OTIO"

    def played(self, written: Written, pace: Fraction) -> Played:
        """Reads a clip's numbers."""
        return record_span_played(written, pace)

    def written(self, played: Played, pace: Fraction) -> Written:
        """Writes a clip's numbers."""
        return record_span_written(played, pace)

    def objection(self, use: Use) -> str | None:
        """Has none: constant speeds, backwards and freezes can be said."""
        return None

    def target_url(self, path: Path) -> str:
        """Writes a bare path."""
        return path.as_posix()

    def dress(self, timeline: Timeline, rate: Fraction) -> None:
        """Adds the vendor's metadata and names the tracks as Resolve does."""
        timeline.metadata.setdefault("Resolve_OTIO", {"Resolve OTIO Meta Version": "1.0"})
        for word, tracks in (("Video", timeline.video_tracks()), ("Audio", timeline.audio_tracks())):
            for number, track in enumerate(tracks, start=1):
                track.name = f"{word} {number}"
                track.metadata.setdefault("Resolve_OTIO", {"Locked": False})
