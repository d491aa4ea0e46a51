"""OTIO as its own library means it: the form in which documents are kept between our own runs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from opentimelineio.schema import Timeline
from opentimelineio.url_utils import url_from_filepath

from cleanplate_plugin.dialects.base import Played, Written, record_span_played, record_span_written
from cleanplate_plugin.timeline import Use


class Ours:
    """Ranges in the media's own time, duration as record span, takes beside originals."""

    name = "ours"
    title = "OpenTimelineIO"
    vendor_key: str | None = None

    def played(self, written: Written, pace: Fraction) -> Played:
        """Reads a clip's numbers."""
        return record_span_played(written, pace)

    def written(self, played: Played, pace: Fraction) -> Written:
        """Writes a clip's numbers."""
        return record_span_written(played, pace)

    def objection(self, use: Use) -> str | None:
        """Has none: every constant speed can be said."""
        return None

    def target_url(self, path: Path) -> str:
        """Writes a ``file://`` URL."""
        return str(url_from_filepath(str(path)))

    def dress(self, timeline: Timeline, rate: Fraction) -> None:
        """Adds nothing."""
