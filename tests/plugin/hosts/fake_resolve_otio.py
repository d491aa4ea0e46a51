"""How the fake Resolve writes and reads OTIO: as Resolve was seen to do it, and refusing in silence as it does."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

from plugin.hosts.fake_resolve import FakeItem, FakeMedia, FakePool, FakeTimeline, Track

_MARK = {"Resolve_OTIO": {"Resolve OTIO Meta Version": "1.0"}}


def write_timeline(timeline: FakeTimeline, path: Path) -> None:
    """Bare paths, source ranges from midnight, and the record span as the duration of a retimed clip."""
    tracks = [_track(timeline, track, f"Video {number}") for number, track in enumerate(timeline.video, 1)]
    document = {
        "OTIO_SCHEMA": "Timeline.1",
        "name": timeline.name,
        "metadata": _MARK,
        "global_start_time": _time(timeline.start_frame, timeline.rate),
        "tracks": {
            "OTIO_SCHEMA": "Stack.1", "name": "", "metadata": {}, "source_range": None, "effects": [], "markers": [],
            "enabled": True, "children": tracks,
        },
    }  # fmt: skip
    path.write_text(json.dumps(document))


def read_timeline(pool: FakePool, path: Path, name: str, is_online: bool) -> FakeTimeline | None:
    """None for a file that is not in Resolve's own shape."""
    document = json.loads(path.read_text())
    if document.get("metadata", {}).get("Resolve_OTIO", {}).get("Resolve OTIO Meta Version") != "1.0":
        return None
    old = pool.project.timelines[0]
    timeline = FakeTimeline(old.world, name, rate=old.rate_text, start=old.start_timecode, drop=old.drop)
    timeline.video = []
    for track in document["tracks"]["children"]:
        if track["kind"] != "Video":
            continue
        timeline.video.append(Track(track["name"]))
        at = timeline.start_frame
        for child in track["children"]:
            length = int(child["source_range"]["duration"]["value"])
            if child["OTIO_SCHEMA"].startswith("Clip"):
                item = _item(child, timeline, pool, at=at, is_online=is_online)
                if item is None:
                    return None
                length = item.duration
                timeline.video[-1].items.append(item)
            at += length
    return timeline


def _item(
    clip: dict[str, Any], timeline: FakeTimeline, pool: FakePool, *, at: int, is_online: bool
) -> FakeItem | None:  # fmt: skip
    references = clip.get("media_references", {})
    reference = references.get("DEFAULT_MEDIA")
    if clip["OTIO_SCHEMA"] != "Clip.2" or set(references) != {"DEFAULT_MEDIA"} or not reference.get("available_range"):
        return None
    url = reference["target_url"]
    if url.startswith("file:"):
        return None
    known = next((media for media in pool.all_clips() if media.properties["File Path"] == url), None)
    properties = dict(known.properties) if known else {}
    media = known or FakeMedia(timeline.world, url)
    if not is_online:
        media = FakeMedia(timeline.world, url)
        media.properties.update({**properties, "Online Status": "Offline"})
    speed = Fraction(1)
    for effect in clip.get("effects", []):
        if effect["OTIO_SCHEMA"].startswith(("LinearTimeWarp", "FreezeFrame")):
            speed = Fraction(effect["time_scalar"]).limit_denominator(1000)
    start = clip["source_range"]["start_time"]
    available = reference["available_range"]["start_time"]
    source = round(start["value"] - available["value"] * start["rate"] / available["rate"])
    length = clip["source_range"]["duration"]
    duration = round(Fraction(length["value"]) * timeline.rate / Fraction(length["rate"]).limit_denominator(1001))
    return FakeItem(timeline, media, at, duration, source=source, speed=speed)


def _track(timeline: FakeTimeline, track: Track, name: str) -> dict[str, Any]:
    children: list[dict[str, Any]] = []
    at = timeline.start_frame
    for item in sorted(track.items, key=lambda item: item.start):
        if item.start > at:
            children.append(_gap(item.start - at, timeline.rate))
        children.append(_clip(item, timeline))
        at = item.start + item.duration
    return {
        "OTIO_SCHEMA": "Track.1", "name": name, "kind": "Video", "metadata": {}, "source_range": None, "effects": [],
        "markers": [], "enabled": True, "children": children,
    }  # fmt: skip


def _clip(item: FakeItem, timeline: FakeTimeline) -> dict[str, Any]:
    assert item.media is not None
    media = item.media
    rate = media.rate
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1", "name": media.GetName(), "metadata": {},
        "target_url": str(media.properties["File Path"]), "available_image_bounds": None,
        "available_range": _range(media.timecode_frame, int(media.properties["Frames"]), rate),
    }  # fmt: skip
    warp = {"OTIO_SCHEMA": "LinearTimeWarp.1", "name": "", "metadata": {}, "effect_name": "LinearTimeWarp"}
    return {
        "OTIO_SCHEMA": "Clip.2", "name": item.name, "metadata": {}, "markers": [], "enabled": True,
        "effects": [] if item.speed == 1 else [{**warp, "time_scalar": float(item.speed)}],
        "source_range": _range(media.timecode_frame + item.source, item.duration * rate / timeline.rate, rate),
        "media_references": {"DEFAULT_MEDIA": reference}, "active_media_reference_key": "DEFAULT_MEDIA",
    }  # fmt: skip


def _gap(length: int, rate: Fraction) -> dict[str, Any]:
    return {
        "OTIO_SCHEMA": "Gap.1", "name": "", "metadata": {}, "source_range": _range(0, length, rate), "effects": [],
        "markers": [], "enabled": True,
    }  # fmt: skip


def _range(start: int, length: int | Fraction, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "TimeRange.1", "start_time": _time(start, rate), "duration": _time(length, rate)}


def _time(value: int | Fraction, rate: Fraction) -> dict[str, Any]:
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(value)}
