"""What was changed in an EDL, kept in comments behind the events that it became, so that it can be undone.

A changed event stands between ``* CLEANPLATE BEGIN`` and ``* CLEANPLATE END``; before the end come the lines that it
had, with the takes, as base64 in comments of the length that EDLs have. Programs skip comments that they do not know.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.timeline import SourceMedia, Span, Take

BEGIN, END = "* CLEANPLATE BEGIN", "* CLEANPLATE END"
_KEPT = re.compile(r"\* CLEANPLATE KEPT ([A-Za-z0-9+/=]+)\s*")
_WIDTH = 56


@dataclass(frozen=True)
class Piece:
    """A part of an event, and what it shows.

    Args:
        span: record frames from the event's record in.
        takes: oldest first; the last is shown; none is the original.
    """

    span: Span
    takes: tuple[Take, ...] = ()


@dataclass(frozen=True)
class Edit:
    """How an event was changed.

    Args:
        pieces: that it was cut into; one when it was not.
        leaving: takes of the clip that a dissolve at its start leaves, when that clip stands in the event before.
    """

    pieces: tuple[Piece, ...]
    leaving: tuple[Take, ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether nothing is changed."""
        return len(self.pieces) == 1 and not self.pieces[0].takes and not self.leaving


def write_kept(lines: list[str], edit: Edit, *, newline: str) -> list[str]:
    """Writes what is kept of an event as comments.

    Args:
        lines: that it had.
        edit: how it was changed.
        newline: line end of the document.
    """
    record = {
        "lines": lines,
        "pieces": [
            {
                "start_frame": piece.span.start_frame,
                "frame_count": piece.span.frame_count,
                "takes": [_fields(take) for take in piece.takes],
            }
            for piece in edit.pieces
        ],
        "leaving": [_fields(take) for take in edit.leaving],
    }
    text = base64.b64encode(json.dumps(record, sort_keys=True).encode()).decode()
    return [f"* CLEANPLATE KEPT {text[at : at + _WIDTH]}{newline}" for at in range(0, len(text), _WIDTH)]


def read_kept(lines: list[str]) -> tuple[list[str], Edit] | None:
    """Reads what is kept of an event from the lines between the marks; None when it was damaged."""
    text = "".join(found[1] for found in map(_KEPT.fullmatch, lines) if found)
    try:
        record = json.loads(base64.b64decode(text, validate=True))
        kept = [str(line) for line in record["lines"]]
        pieces = tuple(
            Piece(
                Span(int(piece["start_frame"]), int(piece["frame_count"])),
                tuple(_take(take) for take in piece["takes"]),
            )
            for piece in record["pieces"]
        )
        leaving = tuple(_take(take) for take in record["leaving"])
    except (ValueError, KeyError, TypeError, RecursionError, ZeroDivisionError):
        return None
    return (kept, Edit(pieces, leaving)) if kept and pieces else None


def _fields(take: Take) -> dict[str, object]:
    media = take.media
    return {
        "label": take.label,
        "path": str(media.path),
        "rate": str(media.rate),
        "start_frame": media.start_frame,
        "frame_count": media.frame_count,
        "drop_frame": media.drop_frame,
        "source_start": take.source_start,
        "about": take.about,
    }


def _take(fields: dict[str, object]) -> Take:
    media = SourceMedia(
        Path(str(fields["path"])),
        Fraction(str(fields["rate"])),
        int(str(fields["start_frame"])),
        int(str(fields["frame_count"])),
        bool(fields["drop_frame"]),
    )
    about = fields["about"]
    if not isinstance(about, dict):
        raise TypeError("what a take is about is an object")
    return Take(media, int(str(fields["source_start"])), str(fields["label"]), about)
