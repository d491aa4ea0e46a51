"""Premiere Pro 25.6 and later: reports, not tried in a Premiere.

Reported: a warp's ``source_range.duration`` is the span of source, so that a clip lasts duration / time_scalar; a warp
of 1 makes it drop other effects; ranges are timecode-absolute and must lie within the available range, stills too;
paths are ``file://`` URLs. Clips played backwards begin in different places in its own exports (OpenTimelineIO issue
1890), and how it says a freeze is not known: both are refused.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from opentimelineio.schema import Timeline
from opentimelineio.url_utils import url_from_filepath

from cleanplate_plugin.dialects.base import Played, Written, is_still
from cleanplate_plugin.timeline import Span, Use


class Premiere:
    """OTIO as Premiere reads and writes it."""

    name = "premiere"
    title = "Premiere"
    vendor_key: str | None = "PremierePro_OTIO"

    def played(self, written: Written, pace: Fraction) -> Played:
        """Reads a clip's numbers; the span of source may be rounded, clips last whole record frames."""
        if written.time_scalar in (0, 1):
            return Played(written.start, written.duration, written.time_scalar)
        count = Fraction(round(written.duration / abs(written.time_scalar)))
        return Played(written.start, count, written.time_scalar)

    def written(self, played: Played, pace: Fraction) -> Written:
        """Writes a clip's numbers."""
        return Written(played.first, played.frame_count * (abs(played.speed) or 1), played.speed)

    def objection(self, use: Use) -> str | None:
        """Names what its reports leave open."""
        if is_still(use):
            return "is a still, which Premiere holds in a way that is not known; use a movie of it instead"
        if use.speed == 0:
            return "is a freeze, which Premiere writes in a way that is not known; send the timeline as XML instead"
        if use.speed < 0:
            return (
                "plays backwards, and Premiere's OTIO files do not agree where such clips begin;"
                " send the timeline as XML instead"
            )
        count = use.media.frame_count
        if use.media.start_known and count is not None and not Span(0, count).holds(use.part(_all(use)).source_span()):
            return "shows frames beyond its media, which Premiere does not take; trim it"
        return None

    def target_url(self, path: Path) -> str:
        """Writes a ``file://`` URL."""
        return str(url_from_filepath(str(path)))

    def dress(self, timeline: Timeline, rate: Fraction) -> None:
        """Adds the vendor's metadata, as far as a timeline knows it: the size of the picture it does not."""
        timeline.metadata.setdefault("PremierePro_OTIO", {"MetadataVersion": "1.0"})
        timeline.tracks.metadata.setdefault("PremierePro_OTIO", {"VideoFrameRate": float(rate)})


def _all(use: Use) -> Span:
    return Span(0, use.frame_count)
