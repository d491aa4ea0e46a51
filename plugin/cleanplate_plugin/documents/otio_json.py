"""The text of .otio files, with schemas that are newer than OTIO's published library."""

from __future__ import annotations

import json
from collections.abc import Callable

import opentimelineio as otio
from opentimelineio.core import type_version_map
from opentimelineio.schema import Timeline

from cleanplate_plugin.documents.otio_media import METADATA_KEY
from cleanplate_plugin.errors import TimelineError

Json = dict[str, "Json"] | list["Json"] | str | int | float | bool | None

_NEW_MARKER = "Marker.3"
_OLD_MARKER = "Marker.2"


def read_timeline(text: str, name: str) -> Timeline:
    """Reads a timeline from text.

    Args:
        text: of an .otio file.
        name: of the file, for messages.

    Raises:
        TimelineError: it is no timeline, or of a newer kind than can be read.
    """
    try:
        tree: Json = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TimelineError(f"{name} is not an OpenTimelineIO file: {error}; export the timeline again") from error
    _walk(tree, _age_marker)
    _refuse_newer(tree, name)
    try:
        found = otio.adapters.read_from_string(json.dumps(tree), "otio_json")
    except (otio.exceptions.OTIOError, ValueError) as error:
        raise TimelineError(f"{name} is not an OpenTimelineIO file: {error}; export the timeline again") from error
    if not isinstance(found, Timeline):
        raise TimelineError(f"{name} holds a {type(found).__name__} where a timeline belongs; export one timeline")
    return found


def write_timeline(timeline: Timeline) -> str:
    """Writes a timeline as the text of an .otio file, with the schemas that it was read with."""
    text: str = timeline.to_json_string(indent=4)
    if f'"schema": "{_NEW_MARKER}"' not in text:
        return text
    tree: Json = json.loads(text)
    _walk(tree, _renew_marker)
    return json.dumps(tree, indent=4)


def _walk(tree: Json, change: Callable[[dict[str, Json]], None]) -> None:
    if isinstance(tree, dict):
        change(tree)
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        _walk(child, change)


def _age_marker(node: dict[str, Json]) -> None:
    """Turns a marker with a colour of four numbers into one with a colour's name, and keeps the numbers.

    The published library stops at this marker, which a later one writes; nothing else in it has changed.
    """
    if node.get("OTIO_SCHEMA") != _NEW_MARKER:
        return
    color = node.get("color")
    metadata = node.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        return
    named = color.get("name") if isinstance(color, dict) else None
    kept = {key: value for key, value in color.items() if key != "OTIO_SCHEMA"} if isinstance(color, dict) else color
    metadata[METADATA_KEY] = {"schema": _NEW_MARKER, "color": kept}
    node["OTIO_SCHEMA"] = _OLD_MARKER
    node["color"] = named if isinstance(named, str) else color if isinstance(color, str) else ""


def _renew_marker(node: dict[str, Json]) -> None:
    metadata = node.get("metadata")
    own = metadata.get(METADATA_KEY) if isinstance(metadata, dict) else None
    if not (isinstance(metadata, dict) and isinstance(own, dict) and own.get("schema") == _NEW_MARKER):
        return
    color = own["color"]
    node["OTIO_SCHEMA"] = _NEW_MARKER
    node["color"] = {"OTIO_SCHEMA": "Color.1", **color} if isinstance(color, dict) else color
    del metadata[METADATA_KEY]


def _refuse_newer(tree: Json, name: str) -> None:
    known = type_version_map()

    def check(node: dict[str, Json]) -> None:
        schema, _, version = str(node.get("OTIO_SCHEMA", "")).partition(".")
        if schema in known and version.isdigit() and int(version) > known[schema]:
            raise TimelineError(
                f"{name} holds a {schema} of version {version}, and {known[schema]} is the newest that can be read;"
                " export the timeline for an earlier OpenTimelineIO"
            )

    _walk(tree, check)
