"""The fake Resolve's clips and media, and the ways in which versions differ; see ``fake_resolve``.

The classes are type-checked as subclasses of ``fusionscript-stubs``. As in Resolve, nothing raises: a call that fails
gives None or False, a name that does not exist is there all the same (only ``dir`` tells), and once the program is
closed every method is None.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cleanplate_plugin.timecodes import frames_of, smpte_rate

if TYPE_CHECKING:
    from fusionscript import MediaPoolItem as MediaApi
    from fusionscript import TimelineItem as ItemApi
    from fusionscript.fusionscript import TakeInfo
    from plugin.hosts.fake_resolve import FakePool, FakeTimeline
else:
    MediaApi = ItemApi = object

NEWER = {"IsStudio", "GetType", "GetSpeed"}
"""Names that came with 21.1."""
GATED = {"CreateMagicMask", "RegenerateMagicMask", "SmartReframe", "Stabilize", "DetectSceneCuts"}
"""Of the free edition these open a dialog, and while it is open nothing can be changed."""
CHANGES = {
    "AddTake", "SelectTakeByIndex", "DeleteTakeByIndex", "FinalizeTake", "AppendToTimeline", "DeleteClips", "AddTrack",
    "DeleteTrack", "SetTrackName", "ImportMedia", "SetCurrentFolder", "AddSubFolder", "DeleteFolders",
    "SetClipProperty", "SetMetadata", "AddMarker", "SetClipEnabled", "ImportTimelineFromFile", "SetCurrentTimeline",
    "ReplaceClip", "DeleteTimelines", "DeleteMarkerByCustomData",
}  # fmt: skip
NEVER = {"FinalizeTake", "ReplaceClip", "ReplaceClipPreserveSubClip"} | GATED


@dataclass(frozen=True)
class Quirks:
    """Ways in which versions differ, or nobody knows.

    Args:
        append_end_included: AppendToTimeline's end frame is the last one, not one past it.
        take_end_included: AddTake's is.
        source_start_low: GetSourceStartFrame is one low.
        offsets_played: GetLeftOffset counts played frames of a retimed clip, not the file's.
        times_absolute: GetSourceStartTime counts from midnight.
        span_included: source ends are the last frame, not one past it.
        take_trims: a take's own length becomes the clip's.
        take_forgets_speed: a take plays at its own speed.
        earlier_wins: what is laid over an earlier clip is lost silently.
        appends_dead: AppendToTimeline answers with items that are nothing.
        needs_edit_page: DeleteClips works there alone.
        imports_clips: which ``importSourceClips`` keeps media online when a timeline is imported.
        newer: has 21.1's names.
        studio: the edition.
    """

    append_end_included: bool = False
    take_end_included: bool = False
    source_start_low: bool = False
    offsets_played: bool = True
    times_absolute: bool = True
    span_included: bool = False
    take_trims: bool = True
    take_forgets_speed: bool = False
    earlier_wins: bool = True
    appends_dead: bool = False
    needs_edit_page: bool = False
    imports_clips: bool = True
    newer: bool = False
    studio: bool = True


@dataclass
class World:
    """What all objects of one fake share.

    Args:
        refuse: names of calls that fail from now on.
        refuse_after: how many more times a call works.
        export_timeline: writes a timeline as OTIO; None is a Resolve that cannot.
        import_timeline: makes one of a file, with its clips online or not.
    """

    quirks: Quirks
    refuse: set[str] = field(default_factory=set)
    refuse_after: dict[str, int] = field(default_factory=dict)
    read_only: bool = False
    closed: bool = False
    modal: bool = False
    calls: list[str] = field(default_factory=list)
    page: str = "edit"
    ids: int = 0
    export_timeline: Callable[[FakeTimeline, Path], None] | None = None
    import_timeline: Callable[[FakePool, Path, str, bool], FakeTimeline | None] | None = None

    def new_id(self, kind: str) -> str:
        self.ids += 1
        return f"{kind}-{self.ids}"

    def answer(self, name: str, found: Callable[..., Any]) -> Callable[..., Any] | None:
        if self.closed:
            return None
        if name in NEWER and not self.quirks.newer:
            return lambda *_: None

        def call(*given: Any) -> Any:
            self.calls.append(name)
            if name in GATED and not self.quirks.studio:
                self.modal = True
            left = self.refuse_after.get(name)
            if left is not None:
                self.refuse_after[name] = left - 1
            stopped = name in CHANGES and (self.read_only or self.modal)
            if stopped or name in self.refuse or (left is not None and left <= 0):
                return None
            return found(*given)

        return call


class Remote:
    """An object behind the bridge."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __getattribute__(self, name: str) -> Any:
        found = object.__getattribute__(self, name)
        if not name[0].isupper() or not callable(found):
            return found
        world: World = object.__getattribute__(self, "world")
        return world.answer(name, found)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.world.answer(name, lambda *_: None)

    def __dir__(self) -> list[str]:
        names = [name for name in object.__dir__(self) if name[0].isupper()]
        return [name for name in names if self.world.quirks.newer or name not in NEWER]


class FakeMedia(Remote, MediaApi):
    """A media pool item; ``properties`` as GetClipProperty gives them, all text but the rate."""

    def __init__(self, world: World, path: str, **properties: str | float) -> None:
        super().__init__(world)
        self.identity = world.new_id("media")
        self.metadata: dict[str, str] = {}
        self.properties: dict[str, str | float] = {
            "Clip Name": Path(path).name, "File Path": path, "FPS": 24.0, "Frames": "240", "Start": "0",
            "Start TC": "00:00:00:00", "Drop frame": "0", "Type": "Video", "Online Status": "Online", "IDT": "",
            "Input Color Space": "Rec.709 Gamma 2.4", "Input Gamma": "", "Data Level": "Auto", "Alpha mode": "None",
        }  # fmt: skip
        self.properties.update({name.replace("_", " "): value for name, value in properties.items()})

    @property
    def rate(self) -> Fraction:
        return smpte_rate(str(self.properties["FPS"]))

    @property
    def first(self) -> int:
        return int(self.properties["Start"])

    @property
    def timecode_frame(self) -> int:
        return frames_of(str(self.properties["Start TC"]), self.rate)

    def GetName(self) -> str:
        return str(self.properties["Clip Name"])

    def GetUniqueId(self) -> str:
        return self.identity

    def GetClipProperty(self, propertyName: str | None = None) -> Any:
        return dict(self.properties) if propertyName is None else self.properties.get(propertyName, "")

    def SetClipProperty(self, propertyName: str, propertyValue: Any) -> bool:
        self.properties[propertyName] = propertyValue
        return True

    def GetMetadata(self, metadataType: str | None = None) -> Any:
        return dict(self.metadata) if metadataType is None else self.metadata.get(metadataType, "")

    def SetMetadata(self, metadataType: Any, metadataValue: Any = None) -> bool:
        self.metadata[metadataType] = metadataValue
        return True


@dataclass
class Take:
    media: FakeMedia
    start: int
    end: int


class FakeItem(Remote, ItemApi):
    """A timeline item: ``source`` is the file's frame on its first record frame, ``speed`` as editors say it."""

    def __init__(
        self, timeline: FakeTimeline, media: FakeMedia | None, start: int, duration: int, *,
        source: int = 0, speed: Fraction = Fraction(1), name: str = "", average: Fraction | None = None,
    ) -> None:  # fmt: skip
        super().__init__(timeline.world)
        self.identity = timeline.world.new_id("item")
        self.timeline, self.media, self.start, self.duration = timeline, media, start, duration
        self.source, self.speed, self.average = source, speed, average
        self.name = name or (media.GetName() if media else "Title")
        self.takes: list[Take] = []
        self.selected = 0
        self.enabled = True
        self.native_length = (duration, speed)

    @property
    def step(self) -> Fraction:
        rate = self.media.rate if self.media else self.timeline.rate
        return (self.speed if self.average is None else self.average) * rate / self.timeline.rate

    def _bounds(self) -> tuple[int, int]:
        """From and to, in the file's frames from its first; to is one past, or one before when backwards."""
        length = round(abs(self.step) * self.duration)
        if self.step < 0:
            high = self.source + 1
            return (high, high - length) if not self.world.quirks.span_included else (high - 1, high - length)
        return self.source, self.source + length - (1 if self.world.quirks.span_included and length else 0)

    def GetName(self) -> str:
        return self.name

    def GetUniqueId(self) -> str:
        return self.identity

    def GetStart(self, subframe_precision: bool = False) -> int:
        return self.start

    def GetEnd(self, subframe_precision: bool = False) -> int:
        return self.start + self.duration

    def GetDuration(self, subframe_precision: bool = False) -> int:
        return self.duration

    def GetLeftOffset(self, subframe_precision: bool = False) -> Any:
        if self.media is None:
            return None
        before = self.source - self.media.first
        head = self.speed * self.media.rate / self.timeline.rate
        return round(before / abs(head)) if self.world.quirks.offsets_played and head else before

    def GetRightOffset(self, subframe_precision: bool = False) -> Any:
        return None if self.media is None else max(0, int(self.media.properties["Frames"]) - self._bounds()[1])

    def GetSourceStartFrame(self) -> Any:
        return None if self.media is None else self._bounds()[0] - int(self.world.quirks.source_start_low)

    def GetSourceEndFrame(self) -> Any:
        return None if self.media is None else self._bounds()[1]

    def _seconds(self, frame: int) -> float:
        assert self.media is not None
        absolute = self.media.timecode_frame if self.world.quirks.times_absolute else 0
        return float((frame - self.media.first + absolute) / self.media.rate)

    def GetSourceStartTime(self) -> Any:
        return None if self.media is None else self._seconds(self._bounds()[0])

    def GetSourceEndTime(self) -> Any:
        return None if self.media is None else self._seconds(self._bounds()[1])

    def GetType(self) -> str:
        return "video" if self.media else "generator"

    def GetSpeed(self) -> dict[str, float]:
        return {"Percentage": float(self.speed * 100)}

    def GetTrackTypeAndIndex(self) -> tuple[Literal["video", "audio", "subtitle"], int]:
        for index, track in enumerate(self.timeline.video, 1):
            if self in track.items:
                return "video", index
        return "audio", 1

    def GetMediaPoolItem(self) -> Any:
        return self.media

    def GetClipEnabled(self) -> bool:
        return self.enabled

    def SetClipEnabled(self, Bool: bool) -> bool:
        self.enabled = Bool
        return True

    def GetFusionCompCount(self) -> int:
        return 0

    def GetTakesCount(self) -> int:
        return len(self.takes)

    def GetSelectedTakeIndex(self) -> int:
        return self.selected

    def GetTakeByIndex(self, idx: int) -> Any:
        if not 1 <= idx <= len(self.takes):
            return None
        take = self.takes[idx - 1]
        told: TakeInfo = {"startFrame": take.start, "endFrame": take.end, "mediaPoolItem": take.media}
        return told

    def AddTake(self, mediaPoolItem: Any, startFrame: int | None = None, endFrame: int | None = None) -> bool:
        if startFrame is None or endFrame is None or endFrame <= startFrame or self.media is None:
            return False
        if not self.takes:
            low, high = sorted(self._bounds())
            self.takes.append(Take(self.media, low, high))
            self.selected = 1
        self.takes.append(Take(mediaPoolItem, startFrame, endFrame))
        return True

    def SelectTakeByIndex(self, idx: int) -> bool:
        if not 1 <= idx <= len(self.takes):
            return False
        take, quirks = self.takes[idx - 1], self.world.quirks
        length = take.end - take.start + (1 if quirks.take_end_included and idx > 1 else 0)
        self.media, self.selected = take.media, idx
        self.source = take.start if self.step >= 0 else take.start + length - 1
        if quirks.take_forgets_speed:
            self.speed = Fraction(1) if idx > 1 else self.native_length[1]
        if quirks.take_trims and self.step:
            self.duration = self.native_length[0] if idx == 1 else max(1, round(length / abs(self.step)))
        return True

    def DeleteTakeByIndex(self, idx: int) -> bool:
        if idx == self.selected or not 1 <= idx <= len(self.takes):
            return False
        del self.takes[idx - 1]
        self.selected -= int(idx < self.selected)
        return True
