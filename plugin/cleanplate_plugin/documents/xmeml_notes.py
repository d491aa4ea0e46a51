"""What was changed in an FCP7 XML, kept in its own comments, so that it can be undone in a later run.

Editing programs skip comments; one that writes the timeline anew leaves them out, and then there is nothing to undo.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.xml_tree import is_comment, new_comment, parse_fragment, serialise
from cleanplate_plugin.timeline import Take

_PREFIX = "cleanplate "


@dataclass(frozen=True)
class TakeNote:
    """In a clipitem that shows a take.

    Args:
        original: the clipitem as it was before the first take, as XML.
        takes: what was shown since, oldest first.
    """

    original: str
    takes: tuple[dict[str, object], ...]

    def fields(self) -> dict[str, object]:
        return {"kind": "take", "takes": list(self.takes), "original": self.original}


@dataclass(frozen=True)
class CutNote:
    """In each piece of a clipitem that was cut.

    Args:
        group: number that the pieces have in common.
        original: the clipitem before the cut, as XML.
    """

    group: int
    original: str

    def fields(self) -> dict[str, object]:
        return {"kind": "cut", "group": self.group, "original": self.original}


@dataclass(frozen=True)
class AboveNote:
    """In a clipitem that was laid above another.

    Args:
        track: of the other.
        take: what it shows.
    """

    track: int
    take: dict[str, object]

    def fields(self) -> dict[str, object]:
        return {"kind": "above", "track": self.track, "take": self.take}


@dataclass(frozen=True)
class TrackNote:
    """In a track that was made for clips laid above others."""

    def fields(self) -> dict[str, object]:
        return {"kind": "track"}


@dataclass(frozen=True)
class LentNote:
    """In a file element that was a mere reference: the definition stood in a clipitem that shows a take.

    Args:
        text: what the reference held, nothing or an empty text.
    """

    text: str | None

    def fields(self) -> dict[str, object]:
        return {"kind": "lent", "text": self.text}


Note = TakeNote | CutNote | AboveNote | TrackNote | LentNote
_N = TypeVar("_N", TakeNote, CutNote, AboveNote, TrackNote, LentNote)


def describe_take(take: Take) -> dict[str, object]:
    """What a note says of a take."""
    media = take.media
    return {
        "label": take.label,
        "path": str(media.path),
        "source_start": take.source_start,
        "start_frame": media.start_frame,
        "frame_count": media.frame_count,
        "rate": str(media.rate),
        "about": take.about,
    }


def add_note(element: Element, note: Note) -> None:
    """Puts a note in front of what an element holds."""
    # A comment may hold no "--": JSON writes the second dash as an escape, and ends in no dash.
    text = json.dumps(note.fields(), ensure_ascii=True, sort_keys=True).replace("--", "-\\u002d")
    comment = new_comment(f"{_PREFIX}{text}")
    comment.tail = element.text
    element.insert(0, comment)


def remove_notes(element: Element, *kinds: type[Note]) -> None:
    """Takes notes of some kinds out of an element."""
    for comment, note in list(_notes(element)):
        if isinstance(note, kinds):
            element.remove(comment)


def find_note(element: Element, kind: type[_N]) -> _N | None:
    """The newest note of a kind in an element."""
    return next((note for _, note in _notes(element) if isinstance(note, kind)), None)


def find_notes(element: Element, kind: type[_N]) -> list[_N]:
    """The notes of a kind in an element, newest first."""
    return [note for _, note in _notes(element) if isinstance(note, kind)]


def original_of(note: TakeNote | CutNote) -> Element:
    """The clipitem that a note keeps.

    Raises:
        TimelineError: the note was damaged.
    """
    return parse_fragment(note.original, "what a comment of Cleanplate's keeps of a clip")


def keep(element: Element) -> str:
    """An element as a note keeps it."""
    return serialise(element)


def _notes(element: Element) -> Iterator[tuple[Element, Note]]:
    for child in element:
        text = child.text or ""
        if is_comment(child) and text.startswith(_PREFIX):
            note = _read(text[len(_PREFIX) :])
            if note is not None:
                yield child, note


def _read(text: str) -> Note | None:
    """A comment that only looks like one of ours is somebody else's."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    match fields:
        case {"kind": "take", "original": str(original), "takes": [*takes]}:
            return TakeNote(original, tuple(take for take in takes if isinstance(take, dict)))
        case {"kind": "cut", "group": int(group), "original": str(original)}:
            return CutNote(group, original)
        case {"kind": "above", "track": int(track), "take": dict(take)}:
            return AboveNote(track, take)
        case {"kind": "track"}:
            return TrackNote()
        case {"kind": "lent", "text": str() | None as kept}:
            return LentNote(kept)
    return None
