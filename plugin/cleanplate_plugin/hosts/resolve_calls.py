"""Resolve's scripting API, each call wrapped once: what it answers is checked, and a refusal names the call.

The API does not raise: a call that fails gives None or False, and one on a program that was closed is no longer there.
Types are those of ``fusionscript-stubs``, which the type checker alone needs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, cast

from cleanplate_plugin.errors import HostError
from cleanplate_plugin.hosts.resolve_facts import media_path

if TYPE_CHECKING:
    from fusionscript import Folder, MediaPool, MediaPoolItem, Project, Resolve, Timeline, TimelineItem
    from fusionscript.fusionscript import MediaPoolClipInfo, TimelineImportOptions

Answer = TypeVar("Answer")
TrackKind = Literal["video", "audio"]

_VIDEO_ONLY: Literal[1] = 1
_READ_ONLY = "see that the project is not read-only and no dialog is open"


def ask(name: str, call: Callable[[], Answer]) -> Answer:
    """Makes one call.

    Args:
        name: of the call, for the message.
        call: makes it.

    Raises:
        HostError: Resolve does not answer any more.
    """
    try:
        return call()
    except (TypeError, AttributeError) as error:
        # A method of a program that was closed is None; so is one that this version does not have.
        raise HostError(f"Resolve did not answer {name}; it was closed, or is older than 19, start it again") from error


def must(name: str, call: Callable[[], Answer], remedy: str = _READ_ONLY) -> Answer:
    """Makes one call that may not fail.

    Raises:
        HostError: Resolve refused it.
    """
    answer = ask(name, call)
    if not answer:
        raise HostError(f"Resolve refused {name}; {remedy}")
    return answer


class _Newer(Protocol):
    """Getters that came with 21.1, after the published types."""

    def GetType(self) -> str | None: ...

    def GetSpeed(self) -> dict[str, float] | None: ...


def newer_getters(item: TimelineItem) -> _Newer | None:
    """The item when it has them; ``dir`` tells truly, ``hasattr`` finds any name."""
    return cast("_Newer", item) if {"GetType", "GetSpeed"} <= set(dir(item)) else None


@dataclass(frozen=True)
class Desk:
    """What is open in Resolve."""

    resolve: Resolve
    project: Project
    pool: MediaPool
    timeline: Timeline

    @classmethod
    def open(cls, resolve: Resolve) -> Desk:
        """Takes up the current project and timeline.

        Raises:
            HostError: none is open.
        """
        manager = must("Resolve.GetProjectManager", resolve.GetProjectManager, "start Resolve again")
        project = must("ProjectManager.GetCurrentProject", lambda: manager.GetCurrentProject(), "open a project")
        pool = must("Project.GetMediaPool", lambda: project.GetMediaPool(), "open a project")
        timeline = must("Project.GetCurrentTimeline", lambda: project.GetCurrentTimeline(), "open a timeline")
        return cls(resolve, project, pool, timeline)

    def tracks(self) -> Iterator[tuple[TrackKind, int]]:
        """Video and audio tracks, from 1."""
        kinds: tuple[TrackKind, ...] = ("video", "audio")
        for kind in kinds:
            yield from ((kind, index) for index in range(1, self.track_count(kind) + 1))

    def track_count(self, kind: TrackKind) -> int:
        """How many tracks of a kind."""
        return int(ask("Timeline.GetTrackCount", lambda: self.timeline.GetTrackCount(kind)) or 0)

    def items(self, kind: TrackKind, index: int) -> Sequence[TimelineItem]:
        """What lies on a track."""
        found = ask("Timeline.GetItemListInTrack", lambda: self.timeline.GetItemListInTrack(kind, index))
        return [item for item in found or () if item]

    def item(self, identity: str) -> TimelineItem | None:
        """The video item of that id, if the timeline still has it."""
        for kind, index in self.tracks():
            for item in self.items(kind, index) if kind == "video" else ():
                if item_id(item) == identity:
                    return item
        return None

    def layout(self) -> dict[str, tuple[str, int, int, int]]:
        """Where every video and audio item lies: track and record frames by its id."""
        return {
            item_id(item): (kind, index, *bounds(item))
            for kind, index in self.tracks()
            for item in self.items(kind, index)
        }

    def is_locked(self, index: int) -> bool:
        """Whether a video track is locked."""
        return bool(ask("Timeline.GetIsTrackLocked", lambda: self.timeline.GetIsTrackLocked("video", index)))


def item_id(item: TimelineItem) -> str:
    """The item's own id."""
    return str(ask("TimelineItem.GetUniqueId", lambda: item.GetUniqueId()) or "")


def bounds(item: TimelineItem) -> tuple[int, int]:
    """First record frame, absolute, and one past the last."""
    # The types demand an argument that the getters have had only since 19 and do not need.
    start = ask("TimelineItem.GetStart", lambda: item.GetStart())  # type: ignore[call-arg]
    end = ask("TimelineItem.GetEnd", lambda: item.GetEnd())  # type: ignore[call-arg]
    if start is None or end is None:
        raise HostError("Resolve did not say where a clip lies; it was deleted meanwhile, or Resolve was closed")
    return int(start), int(end)


def media_of(item: TimelineItem) -> MediaPoolItem | None:
    """What an item shows; None for titles, generators and what lost its media."""
    return ask("TimelineItem.GetMediaPoolItem", lambda: item.GetMediaPoolItem()) or None


# Media.


def media_id(media: MediaPoolItem) -> str:
    """The media pool item's own id."""
    return str(ask("MediaPoolItem.GetUniqueId", lambda: media.GetUniqueId()) or "")


def clip_properties(media: MediaPoolItem) -> dict[str, str]:
    """All clip properties as text."""
    found = ask("MediaPoolItem.GetClipProperty", lambda: media.GetClipProperty())  # type: ignore[call-arg]
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def file_of(media: MediaPoolItem) -> Path | None:
    """The file, or pattern of files, behind a media pool item."""
    told = ask("MediaPoolItem.GetClipProperty", lambda: media.GetClipProperty("File Path"))
    return media_path(str(told)) if told else None


def same_file(one: Path | None, other: Path) -> bool:
    """Whether two paths name the same file, as this system compares names."""
    return one is not None and os.path.normcase(one) == os.path.normcase(other)


def folders(pool: MediaPool) -> Iterator[Folder]:
    """Every folder of the media pool, the root first."""
    waiting = [must("MediaPool.GetRootFolder", lambda: pool.GetRootFolder())]
    while waiting:
        folder = waiting.pop(0)
        yield folder
        waiting += _folders_in(folder)


def _folders_in(folder: Folder) -> Sequence[Folder]:
    return ask("Folder.GetSubFolderList", lambda: folder.GetSubFolderList()) or ()


def media_in(folder: Folder) -> Sequence[MediaPoolItem]:
    """What lies in a folder."""
    return [media for media in ask("Folder.GetClipList", lambda: folder.GetClipList()) or () if media]


def import_media(pool: MediaPool, path: Path, folder: Folder) -> MediaPoolItem:
    """Imports one file into a folder; the current folder stays the same."""
    current = must("MediaPool.GetCurrentFolder", lambda: pool.GetCurrentFolder())
    must("MediaPool.SetCurrentFolder", lambda: pool.SetCurrentFolder(folder))
    try:
        remedy = f"see that Resolve can read {path} and that the project is not read-only"
        imported = must("MediaPool.ImportMedia", lambda: pool.ImportMedia([str(path)]), remedy)
    finally:
        ask("MediaPool.SetCurrentFolder", lambda: pool.SetCurrentFolder(current))
    return imported[0]


def set_clip_property(media: MediaPoolItem, name: str, value: str) -> None:
    """Sets a clip property and reads it back."""
    remedy = f"set '{name}' of the clean media to '{value}' by hand, in its clip attributes, and place it again"
    must("MediaPoolItem.SetClipProperty", lambda: media.SetClipProperty(name, value), remedy)
    if str(ask("MediaPoolItem.GetClipProperty", lambda: media.GetClipProperty(name))) != value:
        raise HostError(f"Resolve did not keep '{name}' as '{value}'; {remedy}")


# Takes.


@dataclass(frozen=True)
class TakeEntry:
    """A take of an item: its index from 1 and its media."""

    index: int
    media: MediaPoolItem


def takes_count(item: TimelineItem) -> int:
    """How many takes; 0 without a take selector."""
    return int(ask("TimelineItem.GetTakesCount", lambda: item.GetTakesCount()) or 0)


def selected_take(item: TimelineItem) -> int:
    """Which take is shown; 0 without a take selector."""
    return int(ask("TimelineItem.GetSelectedTakeIndex", lambda: item.GetSelectedTakeIndex()) or 0)


def takes_of(item: TimelineItem) -> list[TakeEntry]:
    """The item's takes."""
    entries = (_take_at(item, index) for index in range(1, takes_count(item) + 1))
    return [entry for entry in entries if entry]


def _take_at(item: TimelineItem, index: int) -> TakeEntry | None:
    told = ask("TimelineItem.GetTakeByIndex", lambda: item.GetTakeByIndex(index))
    return TakeEntry(index, told["mediaPoolItem"]) if told and told.get("mediaPoolItem") else None


def add_take(item: TimelineItem, media: MediaPoolItem, start: int, end: int) -> int:
    """Adds a take and gives its index, found by the media's id: names may be alike."""
    before = takes_count(item)
    must("TimelineItem.AddTake", lambda: item.AddTake(media, start, end))
    wanted = media_id(media)
    added = [entry.index for entry in takes_of(item) if media_id(entry.media) == wanted]
    if not added or takes_count(item) <= before:
        raise HostError("Resolve said that TimelineItem.AddTake was done, but the clip has no such take; try again")
    return max(added)


def select_take(item: TimelineItem, index: int) -> None:
    """Shows a take."""
    must("TimelineItem.SelectTakeByIndex", lambda: item.SelectTakeByIndex(index))
    if selected_take(item) != index:
        raise HostError(f"Resolve said that take {index} was selected, but shows {selected_take(item)}; try again")


def delete_take(item: TimelineItem, index: int) -> None:
    """Takes a take out of the selector."""
    must("TimelineItem.DeleteTakeByIndex", lambda: item.DeleteTakeByIndex(index))


# Tracks.


def append(desk: Desk, media: MediaPoolItem, start: int, *, end: int, track: int, record_frame: int) -> None:
    """Appends video alone; what came of it is read from the track, since the answer may hold dead items.

    Args:
        start: first frame of the media.
        end: its last, or one past it: versions differ.
        record_frame: absolute.
    """
    clip: MediaPoolClipInfo = {
        "mediaPoolItem": media, "startFrame": start, "endFrame": end, "mediaType": _VIDEO_ONLY, "trackIndex": track,
        "recordFrame": record_frame,
    }  # fmt: skip
    must("MediaPool.AppendToTimeline", lambda: _append(desk.pool, clip))


def _append(pool: MediaPool, clip: MediaPoolClipInfo) -> object:
    # The types lack this overload's mark.
    return pool.AppendToTimeline([clip])  # type: ignore[arg-type]


def delete_items(desk: Desk, items: Sequence[TimelineItem]) -> None:
    """Deletes items and sees that they are gone; Resolve does it on the Edit page, and not always at once."""
    gone = {item_id(item) for item in items}
    page = ask("Resolve.GetCurrentPage", desk.resolve.GetCurrentPage)
    for attempt in range(3):
        if attempt and page != "edit":
            ask("Resolve.OpenPage", lambda: desk.resolve.OpenPage("edit"))
        ask("Timeline.DeleteClips", lambda: desk.timeline.DeleteClips(list(items), False))
        if not gone & desk.layout().keys():
            break
    if page and page != "edit":
        ask("Resolve.OpenPage", lambda: desk.resolve.OpenPage(page))
    if gone & desk.layout().keys():
        raise HostError(f"Resolve refused Timeline.DeleteClips; {_READ_ONLY}")


def import_timeline(desk: Desk, path: Path, options: TimelineImportOptions) -> Timeline | None:
    """Imports a timeline file as a new timeline; None when Resolve will not."""
    return ask("MediaPool.ImportTimelineFromFile", lambda: desk.pool.ImportTimelineFromFile(str(path), options)) or None
