"""Clipitems of FCP7 XML as neutral uses, or as refusals that name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.refused import Refused
from cleanplate_plugin.documents.xmeml_clock import Clock, read_clock
from cleanplate_plugin.documents.xmeml_notes import TrackNote, find_note
from cleanplate_plugin.documents.xmeml_values import (
    TICKS_PER_SECOND,
    path_of,
    read_flag,
    read_number,
    read_rate,
    read_timecode,
)
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Use

_STILLS = frozenset((".png", ".jpg", ".jpeg", ".tif", ".tiff", ".psd", ".bmp", ".gif", ".tga", ".webp", ".heic"))
_HELD = ("clipitem", "generatoritem")


@dataclass(frozen=True)
class Slot:
    """What fills a part of a track.

    Args:
        item: a clipitem or a generatoritem.
        track: element that holds it.
        track_number: from 1 at the bottom, tracks of ours apart; for those, of the track below them.
        place: where it is found again.
        own: whether the track is one of ours.
        enabled: whether its track is seen.
        before: the transition into it.
        after: the transition out of it.
    """

    item: Element
    track: Element
    track_number: int
    place: str
    own: bool
    enabled: bool
    before: Element | None
    after: Element | None


@dataclass(frozen=True)
class Shown:
    """A clipitem that can be cleaned.

    Args:
        use: neutral.
        clock: how the clipitem counts.
    """

    use: Use
    clock: Clock


def find_sequence(root: Element, what: str) -> Element:
    """The timeline of a document: the first that lies in no clip.

    Raises:
        TimelineError: there is none.
    """
    if root.tag != "xmeml":
        raise TimelineError(
            f"{what} is not FCP7 XML: it begins with <{root.tag}> where <xmeml> belongs; export it again"
        )
    waiting = [root]
    while waiting:
        element = waiting.pop(0)
        if element.tag == "sequence" and element.find("media") is not None:
            return element
        if element.tag in ("xmeml", "project", "children", "bin"):
            waiting[:0] = list(element)
    raise TimelineError(f"{what} holds no sequence; export the timeline itself, not its clips")


def find_files(root: Element) -> dict[str, Element]:
    """File elements that define what others name by their id."""
    files: dict[str, Element] = {}
    for file in root.iter("file"):
        if len(file):
            files.setdefault(file.get("id", ""), file)
    return files


def list_slots(sequence: Element) -> Iterator[Slot]:
    """Everything on the video tracks, bottom track first, in record order."""
    number = laid = 0
    for track in sequence.findall("media/video/track"):
        own = find_note(track, TrackNote) is not None
        number, laid = (number, laid + 1) if own else (number + 1, 0)
        enabled = read_flag(track.findtext("enabled"), otherwise=True)
        held = [child for child in track if child.tag in (*_HELD, "transitionitem")]
        for index, item in enumerate(held):
            if item.tag != "transitionitem":
                before, after = (held[k] if 0 <= k < len(held) else None for k in (index - 1, index + 1))
                yield Slot(
                    item=item,
                    track=track,
                    track_number=number,
                    place=f"V{number}{f'+{laid}' if own else ''}[{index + 1}]",
                    own=own,
                    enabled=enabled,
                    before=before if before is not None and before.tag == "transitionitem" else None,
                    after=after if after is not None and after.tag == "transitionitem" else None,
                )


def read_slot(slot: Slot, rate: Fraction, files: dict[str, Element], *, item: Element | None = None) -> Shown | Refusal:
    """Reads what fills a part of a track.

    Args:
        slot: where it stands.
        rate: of the sequence.
        files: as ``find_files`` gave them.
        item: another clipitem in the same place, such as the one that was there before a take.

    Raises:
        TimelineError: its record frames or its numbers are damaged.
    """
    item = slot.item if item is None else item
    name = _name(item, files) or slot.place
    record = _record(item, slot, rate, name)
    start, frame_count = record.start, record.stop - record.start
    try:
        media, clip_rate = _media(item, rate, files, name)
        clock, position = read_clock(
            item,
            rate=rate,
            clip_rate=clip_rate,
            media_rate=media.rate,
            shown=record.head + frame_count + record.tail,
            media_frames=media.frame_count,
        )
    except Refused as refused:
        return _refusal(slot, name, record, refused.reason)
    use = Use(
        name=name,
        place=slot.place,
        track=slot.track_number,
        record_start=start,
        frame_count=frame_count,
        rate=rate,
        media=media,
        source_start=position + record.head * clock.step,
        speed=clock.speed,
        head_frames=record.head,
        tail_frames=record.tail,
        fade_in_frames=record.fade_in,
        fade_out_frames=record.fade_out,
        enabled=slot.enabled and read_flag(item.findtext("enabled"), otherwise=True),
    )
    held, shown = media.frame_count, use.source_span()
    if held is not None and not Span(0, held).holds(shown):
        reason = (
            f"shows frames {shown.start_frame} to {shown.last_frame} of a file that has {held};"
            " relink it to the file that it was cut from, or trim it or its dissolves"
        )
        return _refusal(slot, name, record, reason)
    return Shown(use, clock)


def _refusal(slot: Slot, name: str, record: _Record, reason: str) -> Refusal:
    sentence = f"clip '{name}' at {slot.place} {reason}"
    return Refusal(name, slot.place, slot.track_number, record.start, record.stop - record.start, sentence)


def _name(item: Element, files: dict[str, Element]) -> str:
    file = _file(item, files)
    return (item.findtext("name") or "").strip() or ("" if file is None else (file.findtext("name") or "").strip())


def _file(item: Element, files: dict[str, Element]) -> Element | None:
    file = item.find("file")
    if file is None or len(file):
        return file
    return files.get(file.get("id", ""))


@dataclass(frozen=True)
class _Record:
    """Record frames of a clip: from cut to cut, and what transitions show beyond and mix within."""

    start: int
    stop: int
    head: int = 0
    tail: int = 0
    fade_in: int = 0
    fade_out: int = 0


def _record(item: Element, slot: Slot, rate: Fraction, name: str) -> _Record:
    what = f"clip '{name}' at {slot.place}"
    start, stop = (_whole(item.findtext(tag), f"the {tag} of {what}") for tag in ("start", "end"))
    head = tail = fade_in = fade_out = 0
    if slot.before is not None:
        first, cut, last = _transition(slot.before, rate)
        start = cut if start < 0 else start
        if first <= start <= last:
            head, fade_in = start - first, last - start
    if slot.after is not None:
        first, cut, last = _transition(slot.after, rate)
        stop = cut if stop < 0 else stop
        if first <= stop <= last:
            tail, fade_out = last - stop, stop - first
    if start < 0 or stop <= start:
        raise TimelineError(f"{what} runs from record frame {start} to {stop}, which is no length; export it again")
    return _Record(start, stop, head, tail, min(fade_in, stop - start), min(fade_out, stop - start))


def _transition(item: Element, rate: Fraction) -> tuple[int, int, int]:
    """First record frame, the cut that it hides, and one past the last."""
    start, end = (_whole(item.findtext(tag), f"the {tag} of a transition") for tag in ("start", "end"))
    ticks = read_number(item.findtext("cutPointTicks"), "the cut point of a transition")
    alignment = (item.findtext("alignment") or "center").strip().lower()
    if start < 0 or end < start:
        raise TimelineError(f"a transition runs from record frame {start} to {end}; export the timeline again")
    if ticks is not None:
        cut = start + round(ticks / TICKS_PER_SECOND * rate)
    elif alignment.startswith("start"):
        cut = start
    else:
        cut = end if alignment.startswith("end") else (start + end) // 2
    return start, min(max(cut, start), end), end


def _whole(text: str | None, what: str) -> int:
    number = read_number(text, what)
    if number is None:
        raise TimelineError(f"{what} is not stated; export the timeline again")
    return round(number)


def _media(item: Element, rate: Fraction, files: dict[str, Element], name: str) -> tuple[SourceMedia, Fraction]:
    """The file of a clipitem and the rate of its in and out points."""
    _refuse_kind(item)
    file = _file(item, files)
    if file is None:
        raise Refused("names no media; link it to its file first")
    if (file.findtext("mediaSource") or "").strip():
        raise Refused(
            f"is made by the editing program ({(file.findtext('mediaSource') or '').strip()}); render it first"
        )
    try:
        path = path_of(file.findtext("pathurl"))
    except TimelineError as error:
        raise Refused(f"names media that cannot be opened: {error.sentence}") from error
    if path is None:
        raise Refused("names no file: it is a title, a generator or offline; render it or link it to its file first")
    clip_rate = read_rate(item, f"clip '{name}'") or rate
    media_rate = read_rate(file, f"the file of clip '{name}'") or clip_rate
    length = read_number(file.findtext("duration"), f"the duration of the file of clip '{name}'")
    start_frame, drop_frame = read_timecode(file, media_rate, f"the file of clip '{name}'")
    if path.suffix.lower() in _STILLS and (length is None or length <= 1):
        raise Refused("is a still picture; clean it in a picture editor")
    frame_count = round(length) if length else None
    return SourceMedia(path, media_rate, start_frame, frame_count, drop_frame), clip_rate


def _refuse_kind(item: Element) -> None:
    """Refuses what is no plain clip."""
    if item.tag == "generatoritem":
        raise Refused("is a generator or a title, not footage; render it first")
    if item.find("multiclip") is not None:
        raise Refused("is a multicam clip; flatten it first")
    sequence = item.find("sequence")
    if sequence is not None:
        many = sequence.find(".//multiclip") is not None
        raise Refused("is a multicam clip; flatten it first" if many else "is a nested sequence; open it, or render it")
    if read_flag(item.findtext("adjustmentlayer"), otherwise=False):
        raise Refused("is an adjustment layer, not footage; choose a clip below it")
    if read_number(item.findtext("subclipinfo/startoffset"), "the start of a subclip"):
        raise Refused("is a subclip, whose in point is counted from elsewhere; link it to its whole file first")
    if read_flag(item.findtext("stillframe"), otherwise=False):
        raise Refused("is a still frame; render it first")
