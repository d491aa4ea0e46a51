"""Takes put into the tree of an FCP7 XML, and taken out of it.

Every function changes the tree that it is given, and may raise half way: hand in a copy.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from fractions import Fraction
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.xmeml_clock import find_retime, set_text, write_duration, write_points
from cleanplate_plugin.documents.xmeml_notes import (
    AboveNote,
    CutNote,
    TakeNote,
    TrackNote,
    add_note,
    describe_take,
    find_note,
    find_notes,
    keep,
    original_of,
    remove_notes,
)
from cleanplate_plugin.documents.xmeml_reading import Shown, Slot, list_slots, read_slot
from cleanplate_plugin.documents.xmeml_references import free_id, known_files
from cleanplate_plugin.documents.xmeml_values import number_text, read_number, text_element
from cleanplate_plugin.documents.xmeml_writing import file_for
from cleanplate_plugin.errors import StaleClipError, TimelineError, UnsupportedClipError
from cleanplate_plugin.timeline import Refusal, Span, Take, Use


@dataclass(frozen=True)
class Timeline:
    """A document's tree.

    Args:
        root: of the document.
        sequence: the timeline in it.
        rate: its frames a second.
    """

    root: Element
    sequence: Element
    rate: Fraction

    def slots(self) -> list[Slot]:
        """What fills the video tracks."""
        return list(list_slots(self.sequence))

    def read_all(self) -> list[tuple[Slot, Shown | Refusal]]:
        """What each slot shows."""
        files = known_files(self.root)
        return [(slot, read_slot(slot, self.rate, files)) for slot in self.slots()]

    def shown(self, slot: Slot, *, item: Element | None = None) -> Shown:
        """What a slot shows, or another clipitem in its place would.

        Raises:
            UnsupportedClipError: it cannot be cleaned.
        """
        shown = read_slot(slot, self.rate, known_files(self.root), item=item)
        if isinstance(shown, Refusal):
            raise UnsupportedClipError(shown.reason)
        return shown

    def original(self, slot: Slot) -> Shown:
        """What a slot showed before any take."""
        note = find_note(slot.item, TakeNote)
        return self.shown(slot, item=None if note is None else original_of(note))

    def find(self, use: Use) -> Slot:
        """Where a use stands.

        Raises:
            StaleClipError: something else stands there now.
        """
        # Places count clips, so they change when a clip before is cut; nothing else fills the same record frames.
        for slot, here in self.read_all():
            if slot.track_number == use.track and not slot.own:
                there = here if isinstance(here, Refusal) else here.use
                if (there.name, there.record_start, there.frame_count) == (use.name, use.record_start, use.frame_count):
                    return slot
        raise StaleClipError(f"clip '{use.name}' no longer stands at {use.place}; list the clips again")


def put_take(timeline: Timeline, slot: Slot, take: Take) -> Use:
    """Lets a clipitem show a take.

    Returns:
        What it must show then.

    Raises:
        TimelineError: the take does not fit.
    """
    item = slot.item
    note = find_note(item, TakeNote)
    original = item if note is None else original_of(note)
    shown = timeline.shown(slot, item=original)
    wanted = shown.use.with_take(take)
    kept = keep(item) if note is None else note.original
    if note is not None:
        put_back(item, original)
    _show(timeline, item, shown, wanted, take)
    add_note(item, TakeNote(kept, (*(() if note is None else note.takes), describe_take(take))))
    return wanted


def cut(timeline: Timeline, slot: Slot, spans: list[Span]) -> list[Use]:
    """Cuts a clipitem in its place.

    Args:
        timeline: that holds it.
        slot: where it stands.
        spans: pieces, record frames from the clip's start, that fill it.

    Returns:
        What each piece must show.
    """
    item, track = slot.item, slot.track
    group = 1 + max((note.group for held in track for note in find_notes(held, CutNote)), default=0)
    cut_note = CutNote(group, keep(item))
    take_note = find_note(item, TakeNote)
    shown = timeline.shown(slot)
    before = None if take_note is None else original_of(take_note)
    shown_before = None if before is None else timeline.shown(slot, item=before)
    index = list(track).index(item)
    gap = track[index - 1].tail if index else track.text
    track.remove(item)
    for number, span in enumerate(spans):
        piece = _piece(item, shown, span)
        if take_note is not None and before is not None and shown_before is not None:
            kept = _piece(before, shown_before, span)
            if number:
                _name_anew(kept, free_id(timeline.root, "cleanplate-clip"))
            add_note(kept, cut_note)
            remove_notes(piece, TakeNote)
            add_note(piece, TakeNote(keep(kept), take_note.takes))
        if number:
            _name_anew(piece, free_id(timeline.root, "cleanplate-clip"))
        add_note(piece, cut_note)
        piece.tail = item.tail if number == len(spans) - 1 else gap
        track.insert(index + number, piece)
    return [shown.use.part(span) for span in spans]


def lay(timeline: Timeline, slot: Slot, take: Take, span: Span, *, enabled: bool) -> tuple[str, Use]:
    """Puts a clipitem with a take on a track above a clip, over some of its record frames.

    Returns:
        Where it stands, and what it must show.

    Raises:
        TimelineError: the take does not fit, or a patch would cover a dissolve.
    """
    note = find_note(slot.item, TakeNote)
    original = slot.item if note is None else original_of(note)
    shown = timeline.shown(slot, item=original)
    if enabled and shown.use.mixes(span):
        raise TimelineError(
            f"clip '{shown.use.name}' is in a dissolve there, which a patch above it would cover;"
            " replace the clip's media, or choose a range without the dissolve"
        )
    # A matte has no transition of its own, so it stands from cut to cut.
    bare = Shown(_without_transitions(shown.use), shown.clock)
    item = _piece(original, bare, span)
    remove_notes(item, TakeNote, CutNote, AboveNote)
    set_text(item, "start", str(shown.use.record_start + span.start_frame), after="rate")
    set_text(item, "end", str(shown.use.record_start + span.stop_frame), after="start")
    part = bare.use.part(span)
    wanted = part.with_take(take)
    _name_anew(item, free_id(timeline.root, "cleanplate-clip"))
    set_text(item, "name", take.label, after="masterclipid")
    _show(timeline, item, Shown(part, shown.clock), wanted, take)
    set_text(item, "enabled", "TRUE" if enabled else "FALSE", after="name")
    add_note(item, AboveNote(slot.track_number, describe_take(take)))
    track = _track_above(timeline, slot.item, part.record_span)
    track.insert(_index_for(track, part.record_start), item)
    placed = next(held for held in timeline.slots() if held.item is item)
    return placed.place, wanted


def put_back(item: Element, original: Element) -> None:
    """Makes a clipitem what it was, in its place."""
    item.attrib.clear()
    item.attrib.update(original.attrib)
    item.text = original.text
    item[:] = list(original)


def _show(timeline: Timeline, item: Element, shown: Shown, wanted: Use, take: Take) -> None:
    """Writes a take's file and points into a clipitem."""
    file = item.find("file")
    assert file is not None, "a clip that can be cleaned has a file"
    definition = file if len(file) else known_files(timeline.root)[file.get("id", "")]
    new = file_for(take, like=definition, name=free_id(timeline.root, "cleanplate-file"))
    new.tail = file.tail
    item[list(item).index(file)] = new
    master = item.find("masterclipid")
    if master is not None:
        master.text = free_id(timeline.root, "cleanplate-master")
    head = wanted.head_frames
    count = head + wanted.frame_count + wanted.tail_frames
    position = wanted.source_start - head * wanted.step
    assert take.media.frame_count is not None, "a take knows its length"
    moved = write_points(item, shown.clock, position, shown=count, media_frames=take.media.frame_count)
    write_duration(item, shown.clock, take.media.frame_count)
    _move_keys(item, moved)
    retime = find_retime(item)
    if retime is not None:
        # The graph draws the same constant speed over the old file's frames, so it would contradict the new points.
        for parameter in [p for p in retime.findall("parameter") if p.findtext("parameterid") == "graphdict"]:
            retime.remove(parameter)


def _move_keys(item: Element, moved: Fraction) -> None:
    """Markers and keyframes count like the in point, so they move along with it."""
    times = [time for marker in item.findall("marker") for time in (marker.find("in"), marker.find("out"))]
    times += [time for held in item.findall("filter") for time in held.iter("when")]
    for time in times:
        number = None if time is None else read_number(time.text, "the time of a marker or a keyframe")
        # Marker points below zero say that there is none.
        if time is not None and number is not None and number >= 0:
            time.text = number_text(max(number + moved, Fraction(0)), like=time.text)


def _piece(item: Element, shown: Shown, span: Span) -> Element:
    piece = copy.deepcopy(item)
    use = shown.use
    head = use.head_frames if span.start_frame == 0 else 0
    tail = use.tail_frames if span.stop_frame == use.frame_count else 0
    if span.start_frame > 0:
        set_text(piece, "start", str(use.record_start + span.start_frame), after="rate")
    if span.stop_frame < use.frame_count:
        set_text(piece, "end", str(use.record_start + span.stop_frame), after="start")
    position = use.source_start + (span.start_frame - head) * use.step
    write_points(piece, shown.clock, position, shown=head + span.frame_count + tail, media_frames=use.media.frame_count)
    return piece


def _name_anew(item: Element, name: str) -> None:
    """A new piece is nobody's partner; the first one keeps the id that sound is linked to."""
    if item.get("id") is not None:
        item.set("id", name)
    file = item.find("file")
    if file is not None and len(file) and file.get("id") is not None:
        file[:] = []
        file.text = None
    for link in item.findall("link"):
        item.remove(link)


def _without_transitions(use: Use) -> Use:
    return Use(
        name=use.name,
        place=use.place,
        track=use.track,
        record_start=use.record_start,
        frame_count=use.frame_count,
        rate=use.rate,
        media=use.media,
        source_start=use.source_start,
        speed=use.speed,
        enabled=use.enabled,
    )


def _track_above(timeline: Timeline, item: Element, span: Span) -> Element:
    """A track of ours right above a clip's that is free there; a new one where there is none."""
    video = timeline.sequence.find("media/video")
    assert video is not None, "the clip stands on one of its tracks"
    tracks = video.findall("track")
    below = next(track for track in tracks if any(child is item for child in track))
    for track in tracks[tracks.index(below) + 1 :]:
        if find_note(track, TrackNote) is None:
            break
        if _is_free(track, span):
            return track
        below = track
    new = Element("track")
    new.text = below.text
    for tag, text in (("enabled", "TRUE"), ("locked", "FALSE")):
        child = text_element(tag, text)
        child.tail = below.text
        new.append(child)
    new.tail = below.tail
    add_note(new, TrackNote())
    video.insert(list(video).index(below) + 1, new)
    return new


def _is_free(track: Element, span: Span) -> bool:
    for item in track.findall("clipitem"):
        start, end = (read_number(item.findtext(tag), f"the {tag} of a clip") for tag in ("start", "end"))
        if start is None or end is None or (start < span.stop_frame and end > span.start_frame):
            return False
    return True


def _index_for(track: Element, record_start: int) -> int:
    """Clips stand in record order, before what the track says of itself."""
    for index, child in enumerate(track):
        if child.tag == "clipitem":
            start = read_number(child.findtext("start"), "the start of a clip")
            if start is not None and start > record_start:
                return index
        elif child.tag in ("enabled", "locked"):
            return index
    raise AssertionError("our tracks end with what they say of themselves")
