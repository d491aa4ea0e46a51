"""Asks Resolve's getters about a clip and writes down what they answer, computing nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from cleanplate.v1 import resolve_pb2

from cleanplate_plugin.hosts.resolve_calls import (
    Desk,
    ask,
    bounds,
    clip_properties,
    item_id,
    media_id,
    newer_getters,
    selected_take,
    takes_count,
)

if TYPE_CHECKING:
    from fusionscript import Resolve, TimelineItem

Facts = resolve_pb2.ResolveFacts

_Number = int | float


def read_current(desk: Desk) -> Facts:
    """What stands under the playhead; without ``item`` when nothing does.

    Raises:
        HostError: Resolve does not answer.
    """
    return read_item(desk, ask("Timeline.GetCurrentVideoItem", lambda: desk.timeline.GetCurrentVideoItem()))


def read_item(desk: Desk, item: TimelineItem | None) -> Facts:
    """An item of the current timeline.

    Raises:
        HostError: Resolve does not answer.
    """
    facts = Facts(
        version=version_of(desk.resolve), product=product_of(desk.resolve), timeline=_timeline(desk)
    )  # fmt: skip
    if item:
        facts.item.CopyFrom(_item(desk, item))
    return facts


def version_of(resolve: Resolve) -> str:
    """Such as ``21.1.0.14``."""
    return str(ask("Resolve.GetVersionString", resolve.GetVersionString) or "")


def product_of(resolve: Resolve) -> str:
    """``DaVinci Resolve`` or ``DaVinci Resolve Studio``."""
    return str(ask("Resolve.GetProductName", resolve.GetProductName) or "")


def _timeline(desk: Desk) -> Facts.Timeline:
    timeline = desk.timeline
    told = Facts.Timeline(
        id=_text("Timeline.GetUniqueId", lambda: timeline.GetUniqueId()),
        name=_text("Timeline.GetName", lambda: timeline.GetName()),
        frame_rate=_text("Timeline.GetSetting", lambda: timeline.GetSetting("timelineFrameRate")),
        drop_frame=_text("Timeline.GetSetting", lambda: timeline.GetSetting("timelineDropFrameTimecode")),
        start_frame=int(ask("Timeline.GetStartFrame", lambda: timeline.GetStartFrame()) or 0),
        playhead_timecode=_text("Timeline.GetCurrentTimecode", lambda: timeline.GetCurrentTimecode()),
        start_timecode=_text("Timeline.GetStartTimecode", lambda: timeline.GetStartTimecode()),
    )
    if "GetMarkInOut" in dir(timeline):
        marks = (ask("Timeline.GetMarkInOut", lambda: timeline.GetMarkInOut()) or {}).get("video", {})
        if "in" in marks:
            told.mark_in = int(marks["in"])
        if "out" in marks:
            told.mark_out = int(marks["out"])
    return told


def _item(desk: Desk, item: TimelineItem) -> Facts.Item:
    start, end = bounds(item)
    kind, index = ask("TimelineItem.GetTrackTypeAndIndex", lambda: item.GetTrackTypeAndIndex()) or ("", 0)
    told = Facts.Item(
        id=item_id(item),
        name=_text("TimelineItem.GetName", lambda: item.GetName()),
        track_type=str(kind),
        track_index=int(index),
        track_locked=kind == "video" and desk.is_locked(int(index)),
        enabled=bool(ask("TimelineItem.GetClipEnabled", lambda: item.GetClipEnabled())),
        start=start,
        end=end,
        duration=int(ask("TimelineItem.GetDuration", lambda: item.GetDuration()) or 0),  # type: ignore[call-arg]
        takes_count=takes_count(item),
        selected_take=selected_take(item),
        fusion_comp_count=int(ask("TimelineItem.GetFusionCompCount", lambda: item.GetFusionCompCount()) or 0),
    )
    _read_source(told, item)
    _read_newer(told, item)
    media = ask("TimelineItem.GetMediaPoolItem", lambda: item.GetMediaPoolItem())
    if media:
        told.has_media = True
        told.media_id = media_id(media)
        told.media_properties.update(clip_properties(media))
    return told


def _read_source(told: Facts.Item, item: TimelineItem) -> None:
    """What each getter gives, where it gives anything."""
    left = _number("TimelineItem.GetLeftOffset", lambda: item.GetLeftOffset())  # type: ignore[call-arg]
    right = _number("TimelineItem.GetRightOffset", lambda: item.GetRightOffset())  # type: ignore[call-arg]
    first = _number("TimelineItem.GetSourceStartFrame", lambda: item.GetSourceStartFrame())
    last = _number("TimelineItem.GetSourceEndFrame", lambda: item.GetSourceEndFrame())
    start = _number("TimelineItem.GetSourceStartTime", lambda: item.GetSourceStartTime())
    end = _number("TimelineItem.GetSourceEndTime", lambda: item.GetSourceEndTime())
    if left is not None:
        told.left_offset = left
    if right is not None:
        told.right_offset = right
    if first is not None:
        told.source_start_frame = int(first)
    if last is not None:
        told.source_end_frame = int(last)
    if start is not None:
        told.source_start_seconds = start
    if end is not None:
        told.source_end_seconds = end


def _read_newer(told: Facts.Item, item: TimelineItem) -> None:
    newer = newer_getters(item)
    if newer is None:
        return
    told.type = _text("TimelineItem.GetType", newer.GetType)
    speed = (ask("TimelineItem.GetSpeed", newer.GetSpeed) or {}).get("Percentage")
    if speed is not None:
        told.speed_percent = speed


def _text(name: str, call: Callable[[], object]) -> str:
    answer = ask(name, call)
    return "" if answer is None else str(answer)


def _number(name: str, call: Callable[[], _Number | None]) -> _Number | None:
    answer = ask(name, call)
    # Some builds answer False, or nothing, where they know no number.
    return answer if isinstance(answer, int | float) and not isinstance(answer, bool) else None
