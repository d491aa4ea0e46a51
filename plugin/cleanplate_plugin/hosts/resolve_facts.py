"""From what Resolve's getters answer to a neutral shot; pure, so that the menu script and our own process share it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from cleanplate.v1 import resolve_pb2

from cleanplate_plugin.errors import HostError, TimelineError, UnsupportedClipError
from cleanplate_plugin.hosts.protocol import HostShot
from cleanplate_plugin.hosts.resolve_inpoint import PoolMedia, read_motion
from cleanplate_plugin.timecodes import frames_of, smpte_rate
from cleanplate_plugin.timeline import SourceMedia, Span, Use

HOST_NAME = "resolve"

_SEQUENCE = re.compile(r"\[(\d+)-\d+\]")
_KINDS = {
    "compound": ("a compound clip", "decompose it in place (right-click), or clean the clip inside it"),
    "multicam": ("a multicam clip", "flatten it (right-click), and try again"),
    "timeline": ("a timeline inside a timeline", "decompose it in place (right-click), or clean the clip inside it"),
    "fusion": ("a Fusion clip", "clean the clip inside it"),
    "generator": ("a generator", "stand on a clip of a file"),
    "title": ("a title", "stand on a clip of a file"),
    "still": ("a still picture", "stand on a clip of moving pictures"),
    "stereo": ("a stereo clip", "clean each eye's file by itself"),
}
_FILE_FIELDS = ("File Path", "FPS", "Start TC", "Start", "Frames", "Drop frame")

Facts = resolve_pb2.ResolveFacts
Item = resolve_pb2.ResolveFacts.Item


def shot_from_facts(facts: Facts) -> HostShot:
    """Reads the shot under the playhead.

    Args:
        facts: the getters' answers.

    Raises:
        UnsupportedClipError: what stands there cannot be cleaned; the sentence names the clip and the remedy.
        HostError: the timeline's own answers make no sense.
    """
    use = use_from_facts(facts)
    playhead = _playhead(facts)
    part = _marked_part(facts.timeline, use)
    if part and not part.holds(Span(playhead, 1)):
        raise UnsupportedClipError(
            f"the playhead stands outside the in and out points within clip '{use.name}'; move it between them, or"
            " clear them"
        )
    return HostShot(HOST_NAME, use, part, playhead, fingerprint(facts))


def use_from_facts(facts: Facts, *, known_speed: Fraction | None = None) -> Use:
    """Reads the clip alone, wherever the playhead stands.

    Args:
        facts: the getters' answers.
        known_speed: when the clip was read before.

    Raises:
        UnsupportedClipError: as for ``shot_from_facts``.
        HostError: the timeline's own answers make no sense.
    """
    item = _usable_item(facts)
    rate, _ = timeline_rate(facts.timeline)
    media, pool_media = _media(item)
    motion = read_motion(item, pool_media, rate, known_speed=known_speed)
    if motion.timecode_at_subclip and media.start_frame:
        media = replace(media, start_frame=media.start_frame - pool_media.subclip_start)
    use = Use(
        name=item.name,
        place=item.id,
        track=item.track_index,
        record_start=item.start - facts.timeline.start_frame,
        frame_count=item.duration,
        rate=rate,
        media=media,
        source_start=Fraction(motion.source_start),
        speed=motion.speed,
        enabled=item.enabled,
    )
    _check_length(use)
    return use


def timeline_rate(timeline: Facts.Timeline) -> tuple[Fraction, bool]:
    """The exact rate and whether timecode drops numbers, from ``29.97 DF`` or from the setting of its own.

    Raises:
        HostError: Resolve tells no rate.
    """
    number, _, suffix = timeline.frame_rate.strip().partition(" ")
    try:
        rate = smpte_rate(number)
    except TimelineError as error:
        raise HostError(
            f"Resolve gives '{timeline.frame_rate}' as the frame rate of timeline '{timeline.name}'; open its settings"
            " and choose one"
        ) from error
    return rate, suffix.upper() == "DF" or timeline.drop_frame == "1"


def fingerprint(facts: Facts) -> str:
    """A hash that changes when the clip is cut, moved, slipped, retimed, relinked, or shows another take."""
    item = facts.item
    properties = [item.media_properties.get(name, "") for name in _FILE_FIELDS]
    told = [facts.timeline.id, facts.timeline.frame_rate, facts.timeline.drop_frame, facts.timeline.start_frame]
    told += [item.id, item.track_type, item.track_index, item.start, item.end, item.duration, item.enabled]
    told += [item.selected_take, item.media_id, *properties]
    for name in (
        "left_offset", "right_offset", "source_start_frame", "source_end_frame", "source_start_seconds",
        "source_end_seconds", "speed_percent",
    ):  # fmt: skip
        told.append(getattr(item, name) if item.HasField(name) else None)
    return hashlib.sha256(repr(told).encode()).hexdigest()


def media_path(file_path: str) -> Path:
    """A media pool's ``File Path``; ``shot.[0001-0100].exr`` becomes the pattern ``shot.%04d.exr``."""
    return Path(_SEQUENCE.sub(lambda found: f"%0{len(found[1])}d", file_path))


def _usable_item(facts: Facts) -> Item:
    if not facts.HasField("item"):
        raise UnsupportedClipError(
            f"the playhead of timeline '{facts.timeline.name}' stands on no clip; move it onto one, on a video track"
        )
    item = facts.item
    if item.track_type and item.track_type != "video":
        raise UnsupportedClipError(
            f"'{item.name}' lies on an {item.track_type} track; move the playhead onto a video clip"
        )
    kind = item.type.lower() or "video"
    said = _KINDS.get(kind) or next(
        (words for name, words in _KINDS.items() if name in item.media_properties.get("Type", "").lower()), None
    )
    if said:
        raise UnsupportedClipError(f"'{item.name}' is {said[0]} and cannot be cleaned where it stands; {said[1]}")
    if not item.has_media or not item.media_properties.get("File Path"):
        raise UnsupportedClipError(
            f"'{item.name}' has no media file of its own (a title, a generator, an adjustment or a nested clip); stand"
            " on a clip of a file, or decompose it in place"
        )
    if item.media_properties.get("Online Status", "").lower() == "offline":
        path = item.media_properties["File Path"]
        raise UnsupportedClipError(f"the media of clip '{item.name}' is offline, {path} is not there; relink it")
    if item.track_locked:
        raise UnsupportedClipError(f"video track {item.track_index} with clip '{item.name}' is locked; unlock it")
    if item.duration < 1 or item.end - item.start != item.duration:
        raise HostError(
            f"Resolve says that clip '{item.name}' runs from {item.start} to {item.end} and is {item.duration} frames"
            " long; open the timeline anew"
        )
    return item


def _playhead(facts: Facts) -> int:
    """Record frames from the clip's start; 0 where the clip alone was asked after."""
    timeline, item = facts.timeline, facts.item
    if not timeline.playhead_timecode:
        return 0
    rate, drop_frame = timeline_rate(timeline)
    try:
        here = frames_of(_written(timeline.playhead_timecode, drop_frame=drop_frame), rate)
        start = frames_of(_written(timeline.start_timecode, drop_frame=drop_frame), rate)
    except TimelineError as error:
        raise HostError(
            f"Resolve gives no usable timecode for the playhead ({error.sentence}); open the Edit page and try again"
        ) from error
    offset = here - start + timeline.start_frame - item.start
    if not 0 <= offset < item.duration:
        raise HostError(
            f"Resolve says that the playhead at {timeline.playhead_timecode} stands on clip '{item.name}', which lies"
            f" at frames {item.start} to {item.end - 1}; move the playhead and try again"
        )
    return offset


def _written(timecode: str, *, drop_frame: bool) -> str:
    """Timecode with the sign that its setting asks for: Resolve writes ``:`` or ``;`` for drop-frame."""
    return re.sub(r"[:;.,](\d+)$", rf"{';' if drop_frame else ':'}\1", timecode.strip())


def _media(item: Item) -> tuple[SourceMedia, PoolMedia]:
    properties = item.media_properties
    path = media_path(properties["File Path"])
    try:
        rate = smpte_rate(properties.get("FPS", ""))
        timecode = properties.get("Start TC", "")
        drop_frame = properties.get("Drop frame", "") == "1" or ";" in timecode
        start = frames_of(_written(timecode, drop_frame=drop_frame), rate) if timecode else 0
    except TimelineError as error:
        raise UnsupportedClipError(
            f"the media pool's entries for clip '{item.name}' cannot be used ({error.sentence}); correct them in its"
            " clip attributes"
        ) from error
    is_sequence = bool(_SEQUENCE.search(properties["File Path"]))
    pool_media = PoolMedia(rate, start, _whole(properties.get("Start", "")) or 0, is_sequence)
    # Of a subclip the pool tells the subclip's length, not the file's.
    frames = None if pool_media.subclip_start else _whole(properties.get("Frames", ""))
    return SourceMedia(path, rate, start, frames, drop_frame), pool_media


def _whole(text: str) -> int | None:
    """A count that may be written as ``1001`` or ``1001.0``; None for anything else."""
    return int(float(text)) if re.fullmatch(r"\d+(\.0*)?", text.strip()) else None


def _check_length(use: Use) -> None:
    needed, frames = use.source_span(), use.media.frame_count
    if frames is not None and not Span(0, max(frames, 1)).holds(needed):
        raise UnsupportedClipError(
            f"clip '{use.name}' shows frames {needed.start_frame} to {needed.last_frame} of {use.media.path}, which has"
            f" {frames}; relink it to the whole media, or trim it"
        )


def _marked_part(timeline: Facts.Timeline, use: Use) -> Span | None:
    """The timeline's in to out point within the clip; None when that is all of it, or nothing."""
    if not (timeline.HasField("mark_in") or timeline.HasField("mark_out")):
        return None
    first = max(0, timeline.mark_in - use.record_start) if timeline.HasField("mark_in") else 0
    last = use.frame_count - 1
    if timeline.HasField("mark_out"):
        last = min(last, timeline.mark_out - use.record_start)
    if last < first or (first == 0 and last == use.frame_count - 1):
        return None
    return Span(first, last - first + 1)
