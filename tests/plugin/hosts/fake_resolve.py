"""DaVinci Resolve's scripting API in memory, with the ways in which versions of it were seen to differ.

The classes are type-checked as subclasses of ``fusionscript-stubs``. As in Resolve, nothing raises: a call that fails
gives None or False, a name that does not exist is there all the same (only ``dir`` tells), and once the program is
closed every method is None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cleanplate_plugin.timecodes import frames_of, smpte_rate, timecode_of
from plugin.hosts.fake_resolve_clips import CHANGES, NEVER, FakeItem, FakeMedia, Quirks, Remote, World

if TYPE_CHECKING:
    from fusionscript import Folder as FolderApi
    from fusionscript import MediaPool as PoolApi
    from fusionscript import Project as ProjectApi
    from fusionscript import ProjectManager as ManagerApi
    from fusionscript import Resolve as ResolveApi
    from fusionscript import Timeline as TimelineApi
    from fusionscript.fusionscript import MarkInOutSet
else:
    ResolveApi = ManagerApi = ProjectApi = PoolApi = FolderApi = TimelineApi = object

__all__ = ["CHANGES", "NEVER", "FakeItem", "FakeMedia", "Program", "Quirks", "Track", "start_resolve"]


@dataclass
class Track:
    name: str
    items: list[FakeItem] = field(default_factory=list)
    locked: bool = False


class FakeTimeline(Remote, TimelineApi):
    """A timeline whose tracks a test fills by ``lay``."""

    def __init__(
        self, world: World, name: str = "Cut 1", *, rate: str = "24", start: str = "01:00:00:00", drop: bool = False
    ) -> None:
        super().__init__(world)
        self.identity = world.new_id("timeline")
        self.name, self.rate_text, self.drop, self.start_timecode = name, rate, drop, start
        self.rate = smpte_rate(rate.split()[0])
        self.start_frame = frames_of(start, self.rate)
        self.video = [Track("Video 1")]
        self.audio = [Track("Audio 1")]
        self.playhead = self.start_frame
        self.marks: dict[str, int] = {}
        self.markers: dict[int, dict[str, Any]] = {}

    def lay(
        self, media: FakeMedia | None, at: int, duration: int, *, track: int = 1, source: int = 0,
        speed: Fraction = Fraction(1), name: str = "", average: Fraction | None = None,
    ) -> FakeItem:  # fmt: skip
        """Puts a clip at a record frame counted from the timeline's start."""
        while len(self.video) < track:
            self.video.append(Track(f"Video {len(self.video) + 1}"))
        item = FakeItem(
            self, media, self.start_frame + at, duration, source=source, speed=speed, name=name, average=average
        )
        self.video[track - 1].items.append(item)
        return item

    def picture(self, record_frame: int, *, track: int | None = None) -> tuple[str, int] | None:
        """File and frame of it that are seen on a record frame from the start; None in a gap."""
        frame = self.start_frame + record_frame
        for lying in reversed(self.video) if track is None else [self.video[track - 1]]:
            for item in lying.items:
                if item.enabled and item.start <= frame < item.start + item.duration and item.media:
                    position = item.source + (frame - item.start) * item.step
                    shown = math.ceil(position) if item.step < 0 else math.floor(position)
                    return str(item.media.properties["File Path"]), shown
        return None

    def state(self) -> list[Any]:
        """All that a person sees of it."""
        tracks = [
            (track.name, [(i.identity, i.start, i.duration, i.source, i.speed, i.enabled) for i in track.items])
            for track in (*self.video, *self.audio)
        ]
        shown = [str(item.media.properties["File Path"]) for track in self.video for item in track.items if item.media]
        return [tracks, shown, dict(self.markers)]

    def GetName(self) -> str:
        return self.name

    def GetUniqueId(self) -> str:
        return self.identity

    def GetStartFrame(self) -> int:
        return self.start_frame

    def GetStartTimecode(self) -> str:
        return self.start_timecode

    def GetCurrentTimecode(self) -> str:
        if self.world.page in ("media", "fusion"):
            return ""
        return timecode_of(self.playhead, self.rate, drop_frame=self.drop)

    def GetSetting(self, settingName: str) -> str:
        known = {"timelineFrameRate": self.rate_text, "timelineDropFrameTimecode": "1" if self.drop else "0"}
        return known.get(settingName, "")

    def GetMarkInOut(self) -> Any:
        marks: MarkInOutSet = {"video": dict(self.marks)} if self.marks else {}  # type: ignore[typeddict-item]
        return marks

    def GetTrackCount(self, trackType: str) -> int:
        return len({"video": self.video, "audio": self.audio}.get(trackType, []))

    def GetItemListInTrack(self, trackType: str, index: int) -> Any:
        tracks = {"video": self.video, "audio": self.audio}[trackType]
        return list(tracks[index - 1].items) if 1 <= index <= len(tracks) else None

    def GetTrackName(self, trackType: str, trackIndex: int) -> str:
        return self.video[trackIndex - 1].name

    def SetTrackName(self, trackType: str, trackIndex: int, name: str) -> bool:
        self.video[trackIndex - 1].name = name
        return True

    def GetIsTrackLocked(self, trackType: str, trackIndex: int) -> bool:
        return self.video[trackIndex - 1].locked

    def AddTrack(self, trackType: str, newTrackOptions: Any = None) -> bool:
        self.video.append(Track(f"Video {len(self.video) + 1}"))
        return True

    def DeleteTrack(self, trackType: str, trackIndex: int) -> bool:
        if self.video[trackIndex - 1].items:
            return False
        del self.video[trackIndex - 1]
        return True

    def DeleteClips(self, timelineItems: Any, Bool: bool = False) -> bool:
        if self.world.quirks.needs_edit_page and self.world.page != "edit":
            return False
        for track in self.video:
            track.items = [item for item in track.items if item not in timelineItems]
        return True

    def GetCurrentVideoItem(self) -> Any:
        for track in reversed(self.video):
            for item in track.items:
                if item.enabled and item.start <= self.playhead < item.start + item.duration:
                    return item
        return None

    def AddMarker(
        self, frameId: float, color: Any, name: str, note: str, duration: float, customData: str | None = None
    ) -> bool:
        if frameId in self.markers:
            return False
        self.markers[int(frameId)] = {"color": color, "name": name, "note": note, "customData": customData}
        return True

    def Export(self, fileName: str, exportType: Any, exportSubtype: Any) -> bool:
        if exportType != FakeResolve.EXPORT_OTIO or self.world.export_timeline is None:
            return False
        self.world.export_timeline(self, Path(fileName))
        return True


class FakeFolder(Remote, FolderApi):
    """A folder of the media pool."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world)
        self.name = name
        self.clips: list[FakeMedia] = []
        self.folders: list[FakeFolder] = []

    def GetName(self) -> str:
        return self.name

    def GetClipList(self) -> Any:
        return list(self.clips)

    def GetSubFolderList(self) -> Any:
        return list(self.folders)


class FakePool(Remote, PoolApi):
    """The media pool; ``files`` tells what importing a path finds."""

    def __init__(self, world: World, project: FakeProject) -> None:
        super().__init__(world)
        self.project = project
        self.root = FakeFolder(world, "Master")
        self.current = self.root
        self.files: dict[str, dict[str, str | float]] = {}

    def GetRootFolder(self) -> FakeFolder:
        return self.root

    def GetCurrentFolder(self) -> FakeFolder:
        return self.current

    def SetCurrentFolder(self, folder: Any) -> bool:
        self.current = folder
        return True

    def AddSubFolder(self, folder: Any, name: str) -> FakeFolder:
        made = FakeFolder(self.world, name)
        folder.folders.append(made)
        self.current = made
        return made

    def DeleteFolders(self, subfolders: Any) -> bool:
        self.root.folders = [folder for folder in self.root.folders if folder not in subfolders]
        if self.current in subfolders:
            self.current = self.root
        return True

    def all_clips(self) -> list[FakeMedia]:
        return [clip for folder in (self.root, *self.root.folders) for clip in folder.clips]

    def ImportMedia(self, items: Any) -> Any:
        imported = [FakeMedia(self.world, path, **self.files[path]) for path in items if path in self.files]
        self.current.clips += imported
        return imported

    def DeleteClips(self, clips: Any) -> bool:
        for folder in (self.root, *self.root.folders):
            folder.clips = [clip for clip in folder.clips if clip not in clips]
        return True

    def AppendToTimeline(self, clips: Any, *args: Any) -> Any:
        info, timeline, quirks = clips[0], self.project.current, self.world.quirks
        if timeline is None or any(int(info[key]) != info[key] for key in ("startFrame", "endFrame", "recordFrame")):
            return []
        media: FakeMedia = info["mediaPoolItem"]
        length = info["endFrame"] - info["startFrame"] + int(quirks.append_end_included)
        duration = math.floor(length * timeline.rate / media.rate)
        start, track = info["recordFrame"], timeline.video[info["trackIndex"] - 1]
        item = FakeItem(timeline, media, start, duration, source=info["startFrame"])
        met = [
            lying for lying in track.items if lying.start < start + duration and start < lying.start + lying.duration
        ]
        if track.locked or duration < 1:
            return []
        if not (met and quirks.earlier_wins):
            track.items.append(item)
        return [None] if quirks.appends_dead else [item]

    def DeleteTimelines(self, timeline: Any) -> bool:
        self.project.timelines = [each for each in self.project.timelines if each not in timeline]
        return True

    def ImportTimelineFromFile(self, filePath: str, importOptions: Any = None) -> Any:
        options = importOptions or {}
        if options.get("timelineName") in {timeline.name for timeline in self.project.timelines}:
            return None
        is_online = options.get("importSourceClips", True) == self.world.quirks.imports_clips
        make = self.world.import_timeline
        made = make(self, Path(filePath), options["timelineName"], is_online) if make else None
        if made is not None:
            self.project.timelines.append(made)
            self.project.current = made
        return made


class FakeProject(Remote, ProjectApi):
    """A project with one timeline."""

    def __init__(self, world: World, timeline: FakeTimeline) -> None:
        super().__init__(world)
        self.pool = FakePool(world, self)
        self.timelines = [timeline]
        self.current: FakeTimeline | None = timeline

    def GetMediaPool(self) -> FakePool:
        return self.pool

    def GetCurrentTimeline(self) -> Any:
        return self.current

    def SetCurrentTimeline(self, timeline: Any) -> bool:
        self.current = timeline
        return True

    def GetTimelineCount(self) -> int:
        return len(self.timelines)

    def GetTimelineByIndex(self, idx: int) -> FakeTimeline:
        return self.timelines[idx - 1]


class FakeManager(Remote, ManagerApi):
    """The project manager."""

    def __init__(self, world: World, project: FakeProject | None) -> None:
        super().__init__(world)
        self.project = project

    def GetCurrentProject(self) -> Any:
        return self.project


class FakeResolve(Remote, ResolveApi):
    """The program with one project open."""

    if not TYPE_CHECKING:
        EXPORT_OTIO = 9
        EXPORT_NONE = 0

    def __init__(self, world: World, project: FakeProject | None) -> None:
        super().__init__(world)
        self.manager = FakeManager(world, project)

    def GetProjectManager(self) -> FakeManager:
        return self.manager

    def GetProductName(self) -> str:
        return "DaVinci Resolve Studio" if self.world.quirks.studio else "DaVinci Resolve"

    def GetVersionString(self) -> str:
        return "21.1.0.14" if self.world.quirks.newer else "20.3.2.9"

    def IsStudio(self) -> bool:
        return self.world.quirks.studio

    def GetCurrentPage(self) -> Any:
        return self.world.page

    def OpenPage(self, pageName: str) -> bool:
        self.world.page = pageName
        return True


@dataclass(frozen=True)
class Program:
    """A Resolve with a project and an empty timeline."""

    world: World
    resolve: FakeResolve
    project: FakeProject
    timeline: FakeTimeline

    @property
    def pool(self) -> FakePool:
        return self.project.pool

    def add_media(self, path: str, **properties: str | float) -> FakeMedia:
        """Puts media into the pool's root."""
        media = FakeMedia(self.world, path, **properties)
        self.pool.root.clips.append(media)
        return media


def start_resolve(
    quirks: Quirks | None = None, *, rate: str = "24", start: str = "01:00:00:00", drop: bool = False
) -> Program:  # fmt: skip
    """Opens a project with one timeline of one empty track."""
    world = World(quirks or Quirks())
    timeline = FakeTimeline(world, rate=rate, start=start, drop=drop)
    project = FakeProject(world, timeline)
    return Program(world, FakeResolve(world, project), project, timeline)
