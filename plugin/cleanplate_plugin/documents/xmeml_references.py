"""What elements of FCP7 XML say of each other: files that are defined once and named by id, and linked clips.

A file is defined in the first clipitem that uses it. When that clipitem shows a take, the definition is lent to the
next one that names the file, and taken back when the clip is restored.
"""

from __future__ import annotations

import copy
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.xmeml_notes import (
    CutNote,
    LentNote,
    TakeNote,
    add_note,
    find_note,
    find_notes,
    original_of,
)
from cleanplate_plugin.documents.xmeml_reading import find_files

Numbering = dict[tuple[str, int, str], int]
"""How links number clips and tracks: by the id of a link's owner, the link's place in it and the number's tag, which of
a clip's three counts it is: on its track with transitions, on its track without, of its track."""
_COUNTS = {"clipindex": (0, 1), "trackindex": (2,)}


def known_files(root: Element) -> dict[str, Element]:
    """Definitions of files by id, with those that stand in what notes keep."""
    return {**_kept_files(root), **find_files(root)}


def recall_definitions(root: Element) -> None:
    """Makes references of what was lent a definition."""
    for file in root.iter("file"):
        note = find_note(file, LentNote)
        if note is not None:
            file[:] = []
            file.text = note.text


def lend_definitions(root: Element) -> None:
    """Gives the first reference to each file that has no definition the one that a note keeps."""
    live = find_files(root)
    kept = _kept_files(root)
    for file in root.iter("file"):
        name = file.get("id", "")
        if len(file) or name in live or name not in kept:
            continue
        note = LentNote(file.text)
        file.text = kept[name].text
        file[:] = copy.deepcopy(list(kept[name]))
        add_note(file, note)
        live[name] = file


def free_id(root: Element, stem: str) -> str:
    """An id that nothing in a document has."""
    taken = {element.get("id") for element in root.iter()} | {element.text for element in root.iter("masterclipid")}
    number = 1
    while f"{stem}-{number}" in taken:
        number += 1
    return f"{stem}-{number}"


def read_numbering(sequence: Element) -> Numbering:
    """Finds which links say the place of a clip, and how; programs differ, and some links are stale."""
    places = _places(sequence)
    found: Numbering = {}
    for owner, index, link in _links(sequence):
        counts = places.get(link.findtext("linkclipref") or "")
        for tag in ("clipindex", "trackindex"):
            said = (link.findtext(tag) or "").strip()
            fitting = () if counts is None else [which for which in _COUNTS[tag] if str(counts[which]) == said]
            if fitting:
                found[owner, index, tag] = fitting[0]
    return found


def write_numbering(sequence: Element, numbering: Numbering) -> None:
    """Lets links say the place of a clip after clips were cut or put together, or tracks laid between others."""
    places = _places(sequence)
    for owner, index, link in _links(sequence):
        counts = places.get(link.findtext("linkclipref") or "")
        for tag in ("clipindex", "trackindex"):
            said, which = link.find(tag), numbering.get((owner, index, tag))
            if said is not None and which is not None and counts is not None:
                said.text = str(counts[which])


def _kept_files(root: Element) -> dict[str, Element]:
    files: dict[str, Element] = {}
    for item in root.iter("clipitem"):
        notes: list[TakeNote | CutNote] = [*find_notes(item, TakeNote), *find_notes(item, CutNote)]
        for note in notes:
            for name, file in find_files(original_of(note)).items():
                files.setdefault(name, file)
    return files


def _places(sequence: Element) -> dict[str, tuple[int, int, int]]:
    """By the id of a clip: its place on its track with transitions counted, without, and its track's; from 1."""
    places: dict[str, tuple[int, int, int]] = {}
    for kind in ("video", "audio"):
        for number, track in enumerate(sequence.findall(f"media/{kind}/track"), 1):
            both = clips = 0
            for child in track:
                both += child.tag in ("clipitem", "generatoritem", "transitionitem")
                clips += child.tag in ("clipitem", "generatoritem")
                if child.tag == "clipitem":
                    places.setdefault(child.get("id", ""), (both, clips, number))
    places.pop("", None)
    return places


def _links(sequence: Element) -> list[tuple[str, int, Element]]:
    items = [*sequence.findall("media/video/track/clipitem"), *sequence.findall("media/audio/track/clipitem")]
    return [(item.get("id", ""), index, link) for item in items for index, link in enumerate(item.findall("link"))]
