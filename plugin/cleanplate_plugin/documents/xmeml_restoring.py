"""Takes out of the tree of an FCP7 XML again, so that it is what it was before."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.xmeml_edits import Timeline, put_back
from cleanplate_plugin.documents.xmeml_notes import (
    AboveNote,
    CutNote,
    TakeNote,
    TrackNote,
    find_note,
    find_notes,
    original_of,
)
from cleanplate_plugin.documents.xmeml_reading import Slot
from cleanplate_plugin.documents.xmeml_values import read_number
from cleanplate_plugin.timeline import Use


def restore_all(timeline: Timeline) -> int:
    """Takes out every take.

    Returns:
        How many clips showed one.
    """
    slots = timeline.slots()
    count = sum(find_note(s.item, TakeNote) is not None or find_note(s.item, AboveNote) is not None for s in slots)
    # A clip may have been cut while it showed a take: then what is put together shows one again.
    while _restore_slots(timeline.slots()) or _heal(timeline):
        pass
    _drop_tracks(timeline)
    return count


def restore_one(timeline: Timeline, use: Use) -> int:
    """Takes out the takes that a clip shows and that lie above it.

    Returns:
        How many clips showed one.
    """
    slot = timeline.find(use)
    above = [held for held in timeline.slots() if _lies_above(held, use)]
    count = _restore_slots([slot, *above])
    _heal(timeline)
    _drop_tracks(timeline)
    return count


def _restore_slots(slots: Sequence[Slot]) -> int:
    return sum(_restore_slot(slot) for slot in slots)


def _restore_slot(slot: Slot) -> bool:
    if find_note(slot.item, AboveNote) is not None:
        slot.track.remove(slot.item)
        return True
    note = find_note(slot.item, TakeNote)
    if note is None:
        return False
    put_back(slot.item, original_of(note))
    return True


def _lies_above(slot: Slot, use: Use) -> bool:
    note = find_note(slot.item, AboveNote)
    if note is None or note.track != use.track:
        return False
    start, end = (read_number(slot.item.findtext(tag), f"the {tag} of a clip") for tag in ("start", "end"))
    return start is not None and end is not None and start < use.record_span.stop_frame and end > use.record_start


def _heal(timeline: Timeline) -> bool:
    """Puts pieces together again of which none shows a take.

    Returns:
        Whether there were any.
    """
    healed = False
    for track in timeline.sequence.findall("media/video/track"):
        groups = {note.group for item in track for note in find_notes(item, CutNote)}
        # A piece that was cut again belongs to two groups, the later one with the higher number.
        for group in sorted(groups, reverse=True):
            pieces = [item for item in track if any(note.group == group for note in find_notes(item, CutNote))]
            if pieces and not any(find_note(piece, TakeNote) is not None for piece in pieces):
                _join(track, pieces, group)
                healed = True
    return healed


def _join(track: Element, pieces: list[Element], group: int) -> None:
    note = next(note for note in find_notes(pieces[0], CutNote) if note.group == group)
    whole, tail = original_of(note), pieces[-1].tail
    put_back(pieces[0], whole)
    for piece in pieces[1:]:
        track.remove(piece)
    pieces[0].tail = tail


def _drop_tracks(timeline: Timeline) -> None:
    video = timeline.sequence.find("media/video")
    assert video is not None, "it has been listed"
    for track in video.findall("track"):
        if find_note(track, TrackNote) is not None and track.find("clipitem") is None:
            video.remove(track)
