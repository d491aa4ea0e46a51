"""FCP7 XML, as Premiere, Resolve and Hiero exchange it, edited in place.

Warps, formats, effects and whatever else a program wrote stay as they are: an adapter would lose them. What a clip was
before a take is kept in a comment at its place.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.saving import write_beside
from cleanplate_plugin.documents.xmeml_edits import Timeline, cut, lay, put_take
from cleanplate_plugin.documents.xmeml_reading import find_sequence
from cleanplate_plugin.documents.xmeml_references import (
    lend_definitions,
    read_numbering,
    recall_definitions,
    write_numbering,
)
from cleanplate_plugin.documents.xmeml_restoring import restore_all, restore_one
from cleanplate_plugin.documents.xmeml_values import read_rate, read_timecode
from cleanplate_plugin.documents.xml_tree import XmlFile, read_xml
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Refusal, Span, Take, Use

_T = TypeVar("_T")


class XmemlDocument:
    """A timeline in an FCP7 XML; of several, the first.

    Args:
        file: the document.
        what: its name, for sentences.
    """

    def __init__(self, file: XmlFile, what: str) -> None:
        self._file = file
        self._what = what
        sequence = find_sequence(file.root, what)
        rate = read_rate(sequence, f"the sequence of {what}")
        if rate is None:
            raise TimelineError(f"the sequence of {what} states no frame rate; export it again")
        self._rate = rate
        self._name = (sequence.findtext("name") or "").strip()
        self._start_frame, self._drop_frame = read_timecode(sequence, rate, f"the sequence of {what}")
        self._numbering = read_numbering(sequence)
        self.items()

    @classmethod
    def open(cls, path: Path) -> XmemlDocument:
        """Reads a document.

        Raises:
            TimelineError: it cannot be read, or is no FCP7 XML.
        """
        return cls(read_xml(path), path.name)

    @property
    def name(self) -> str:
        """Of the timeline, for a person."""
        return self._name

    @property
    def rate(self) -> Fraction:
        """Record frames a second, exact."""
        return self._rate

    @property
    def start_frame(self) -> int:
        """Timecode of the first record frame as a count of frames since 00:00:00:00."""
        return self._start_frame

    @property
    def drop_frame(self) -> bool:
        """Whether the record timecode is written with dropped numbers."""
        return self._drop_frame

    def items(self) -> Sequence[Use | Refusal]:
        """All video clips and what else fills video tracks, as ``Document.items``; tracks of ours apart."""
        found = self._timeline(self._file.root).read_all()
        return [shown if isinstance(shown, Refusal) else shown.use for slot, shown in found if not slot.own]

    def original(self, use: Use) -> Use:
        """The clip as it was before any take, as ``Document.original``."""
        timeline = self._timeline(self._file.root)
        return timeline.original(timeline.find(use)).use

    def replace(self, use: Use, take: Take, part: Span | None = None) -> None:
        """Lets a clip, or a part of it, show a take, as ``Document.replace``."""

        def edit(timeline: Timeline) -> dict[str, Use]:
            slot = timeline.find(use)
            whole = Span(0, use.frame_count)
            span = whole if part is None else timeline.original(slot).use.whole_part(part)
            if span == whole:
                return {slot.place: put_take(timeline, slot, take)}
            return _put_part(timeline, use, take, span)

        self._edit(edit)

    def lay_above(self, use: Use, take: Take, part: Span | None = None, *, enabled: bool = True) -> None:
        """Puts a take on a track of ours right above the clip's, as ``Document.lay_above``; no patch on a dissolve."""

        def edit(timeline: Timeline) -> dict[str, Use]:
            span = part or Span(0, use.frame_count)
            place, wanted = lay(timeline, timeline.find(use), take, span, enabled=enabled)
            return {place: wanted}

        self._edit(edit)

    def restore(self, use: Use | None = None) -> int:
        """Takes takes out again, as ``Document.restore``; a clip's own and those laid above it."""

        def edit(timeline: Timeline) -> int:
            return restore_all(timeline) if use is None else restore_one(timeline, use)

        return self._on_copy(edit)

    def save(self, path: Path) -> None:
        """Writes the document as FCP7 XML.

        Raises:
            TimelineError: another ending than .xml, or the folder cannot be written to.
        """
        if path.suffix.lower() != ".xml":
            raise TimelineError(f"an FCP7 XML is saved as .xml, not as '{path.name}'; choose a name that ends in .xml")
        write_beside(path, self._file.encode())

    def _edit(self, edit: Callable[[Timeline], dict[str, Use]]) -> None:
        """Makes an edit, and keeps it if each clip, read again, shows what it must."""

        def proved(timeline: Timeline) -> None:
            wanted = edit(timeline)
            self._settle(timeline)
            for slot in timeline.slots():
                if slot.place in wanted:
                    _prove(wanted[slot.place], timeline.shown(slot).use)

        self._on_copy(proved)

    def _on_copy(self, edit: Callable[[Timeline], _T]) -> _T:
        """Makes an edit on a copy, which takes the tree's place when nothing was wrong."""
        root = copy.deepcopy(self._file.root)
        recall_definitions(root)
        timeline = self._timeline(root)
        result = edit(timeline)
        self._settle(timeline)
        self._file.root = root
        return result

    def _settle(self, timeline: Timeline) -> None:
        lend_definitions(timeline.root)
        write_numbering(timeline.sequence, self._numbering)

    def _timeline(self, root: Element) -> Timeline:
        return Timeline(root, find_sequence(root, self._what), self._rate)


def _put_part(timeline: Timeline, use: Use, take: Take, span: Span) -> dict[str, Use]:
    """Cuts a clip and puts a take into one of its pieces."""
    slot = timeline.find(use)
    stop = span.stop_frame
    spans = [Span(0, span.start_frame)] if span.start_frame else []
    spans += [span, *([Span(stop, use.frame_count - stop)] if stop < use.frame_count else [])]
    index = timeline.slots().index(slot)
    pieces = cut(timeline, slot, spans)
    slots = timeline.slots()[index : index + len(spans)]
    taken = spans.index(span)
    pieces[taken] = put_take(timeline, slots[taken], take)
    return {held.place: piece for held, piece in zip(slots, pieces, strict=True)}


def _prove(wanted: Use, found: Use) -> None:
    """Compares what a clip must show with what it was written to show; a format of whole frames may not say it."""
    same = found.media.path == wanted.media.path and found.record_span == wanted.record_span
    exact = found.source_start == wanted.source_start and found.step == wanted.step
    shown = range(-wanted.head_frames, wanted.frame_count + wanted.tail_frames)
    if same and (exact or all(found.source_frame(k) == wanted.source_frame(k) for k in shown)):
        return
    raise TimelineError(
        f"clip '{wanted.name}' runs at {float(100 * wanted.step):g} % of its file's frames, and its in point, a whole"
        " number in this file, cannot say where the new media begins; save the timeline as .otio and use that"
    )
