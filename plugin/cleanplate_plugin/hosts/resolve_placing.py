"""Puts clean media into a Resolve timeline: as a take, else on a track above; read back, and undone when not as meant.

The clip's original stays: a take is selected and never finalised, a track above covers, and media is never replaced in
the pool, where every other use of it would change too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cleanplate.v1 import job_pb2, shot_pb2

from cleanplate_plugin.errors import HostError, PluginError
from cleanplate_plugin.hosts import resolve_calls as calls
from cleanplate_plugin.hosts.placement import MARK
from cleanplate_plugin.hosts.resolve_calls import Desk, ask, must
from cleanplate_plugin.hosts.resolve_facts import use_from_facts
from cleanplate_plugin.hosts.resolve_reading import read_item
from cleanplate_plugin.timeline import Use

if TYPE_CHECKING:
    from fusionscript import Folder, MediaPoolItem, TimelineItem

BIN_NAME = "Cleanplate"
"""Of the media pool's folder for clean media, and of the track above."""

_COLOUR = ("IDT", "Input Color Space", "Input Gamma", "Data Level")
"""Clip attributes that a new import forgets; empty where the project does not use them."""
_MARKER_COLOUR: Literal["Cyan"] = "Cyan"
_ABOVE = (job_pb2.DELIVERY_PATCH, job_pb2.DELIVERY_MATTE)
_MARKER_TRIES = 12
"""A frame holds one marker; the next free frame will do."""

Undo = list[Callable[[], None]]


class NotUndoneError(HostError):
    """The timeline is not what it was; nothing more may be tried."""


@dataclass(frozen=True)
class Order:
    """What is to be placed, and into which clip.

    Args:
        item: Resolve's clip.
        use: the same, neutral.
        placement: clean media, and what it covers.
    """

    item: TimelineItem
    use: Use
    placement: shot_pb2.Placement

    @property
    def path(self) -> Path:
        """Of the clean media."""
        return Path(self.placement.path)

    @property
    def record_start(self) -> int:
        """First record frame to be covered, from the timeline's start."""
        return self.use.record_start + self.placement.record_offset

    @property
    def source_bounds(self) -> tuple[int, int]:
        """The clean media's lowest frame that is shown and one past the highest."""
        first, count = self.placement.start_frame, self.placement.frame_count
        lowest = first - count + 1 if self.use.step < 0 else first
        return lowest, lowest + count

    @property
    def is_overlay(self) -> bool:
        """Whether it is to be seen together with the clip, not in its stead."""
        return self.placement.delivery in _ABOVE

    @property
    def is_for_above(self) -> bool:
        """Whether it cannot be a take of the clip, which covers all of it."""
        return self.is_overlay or not self.placement.whole_clip


@contextmanager
def undone_on_failure() -> Iterator[Undo]:
    """Runs what was put into the list, last first, when the work within fails.

    Raises:
        HostError: of the work.
        NotUndoneError: of the work and of the undoing.
    """
    undo: Undo = []
    try:
        yield undo
    except (PluginError, KeyboardInterrupt) as error:
        for step in reversed(undo):
            try:
                step()
            except HostError as second:
                why = error.sentence if isinstance(error, PluginError) else "interrupted"
                raise NotUndoneError(
                    f"{why}; and it could not be undone ({second.sentence}): use Edit > Undo"
                ) from error
        raise


def take_in_media(desk: Desk, order: Order, undo: Undo) -> MediaPoolItem:
    """Finds the clean media in the pool or imports it, with the original's colour attributes.

    Raises:
        HostError: it cannot be imported, or an attribute was refused.
    """
    media = find_media(desk, order.path)
    if media is None:
        media = calls.import_media(desk.pool, order.path, _bin(desk, undo))
        undo.append(_media_deleted(desk, media))
        if not calls.same_file(calls.file_of(media), order.path):
            raise HostError(f"Resolve imported {calls.file_of(media)} for {order.path}; see that the file is whole")
    _match_colour(order, media)
    # A comment helps to know the media again; a Resolve that refuses it still has the folder's name.
    ask("MediaPoolItem.SetMetadata", lambda: media.SetMetadata("Comments", order.placement.marker_data))
    return media


def find_media(desk: Desk, path: Path) -> MediaPoolItem | None:
    """The media pool's item of a file."""
    for folder in calls.folders(desk.pool):
        for media in calls.media_in(folder):
            if calls.same_file(calls.file_of(media), path):
                return media
    return None


def is_ours(desk: Desk, media: MediaPoolItem) -> bool:
    """Whether media came from us: by its comment, else by its folder."""
    if str(ask("MediaPoolItem.GetMetadata", lambda: media.GetMetadata("Comments")) or "").startswith(MARK):
        return True
    wanted = calls.media_id(media)
    ours = (folder for folder in calls.folders(desk.pool) if _folder_name(folder) == BIN_NAME)
    return any(calls.media_id(each) == wanted for folder in ours for each in calls.media_in(folder))


def place_as_take(desk: Desk, order: Order) -> None:
    """Adds a take to the clip and shows it; the clip keeps its place and length.

    Raises:
        HostError: it did not come out as meant; everything is as it was.
    """
    before = desk.layout()
    shown = calls.selected_take(order.item) or 1
    with undone_on_failure() as undo:
        undo.append(_layout_checked(desk, before))
        media = take_in_media(desk, order, undo)
        first, stop = order.source_bounds
        told = []
        # Whether an end frame is part of a take is not written down, and has changed for clips once.
        for end in (stop, stop - 1, stop + 1):
            try:
                _show_take(desk, order, media, bounds=(first, end), shown=shown)
            except NotUndoneError:
                raise
            except HostError as error:
                told.append(error.sentence)
            else:
                return
        raise HostError("; then ".join(dict.fromkeys(told)))


def _show_take(
    desk: Desk, order: Order, media: MediaPoolItem, *, bounds: tuple[int, int], shown: int
) -> None:  # fmt: skip
    before = desk.layout()
    index = calls.add_take(order.item, media, *bounds)
    with undone_on_failure() as undo:
        undo.append(_take_withdrawn(order.item, index, shown))
        calls.select_take(order.item, index)
        if desk.layout() != before:
            raise HostError(f"Resolve changed the length of clip '{order.use.name}', or moved others, with the take")
        check_shown(desk, order, order.item)


def place_above(desk: Desk, order: Order) -> int:
    """Lays the clean media on a track of our own above the clip.

    Returns:
        The track, from 1.

    Raises:
        HostError: it did not come out as meant; everything is as it was.
    """
    if order.use.speed != 1:
        raise HostError(
            f"clip '{order.use.name}' plays at {float(order.use.speed):.0%}, and Resolve cannot be asked to lay media"
            " on another track at that speed"
        )
    before = desk.layout()
    with undone_on_failure() as undo:
        undo.append(_layout_checked(desk, before))
        media = take_in_media(desk, order, undo)
        if order.placement.delivery == job_pb2.DELIVERY_PATCH:
            calls.set_clip_property(media, "Alpha mode", "Straight")
        track = _free_track(desk, order, undo)
        item = _laid(desk, order, media, track=track, undo=undo)
        now = desk.layout()
        if {name: place for name, place in now.items() if name != calls.item_id(item)} != before:
            raise HostError("Resolve moved other clips when media was laid on a track above")
        check_shown(desk, order, item)
        if order.placement.delivery == job_pb2.DELIVERY_MATTE:
            must("TimelineItem.SetClipEnabled", lambda: item.SetClipEnabled(False))
        return track


def mark(desk: Desk, order: Order) -> bool:
    """Sets a marker on the timeline that says what was done; False when every frame near has one already."""
    told = order.placement
    for offset in range(min(_MARKER_TRIES, told.record_frame_count)):
        frame = order.record_start + offset
        if _add_marker(desk, frame, told):
            return True
    return False


def _add_marker(desk: Desk, frame: int, told: shot_pb2.Placement) -> bool:
    name, note, data = told.marker_name, told.marker_note, told.marker_data
    return bool(
        ask("Timeline.AddMarker", lambda: desk.timeline.AddMarker(frame, _MARKER_COLOUR, name, note, 1, data))
    )  # fmt: skip


def _bin(desk: Desk, undo: Undo) -> Folder:
    root = must("MediaPool.GetRootFolder", lambda: desk.pool.GetRootFolder())
    found = next((folder for folder in calls.folders(desk.pool) if _folder_name(folder) == BIN_NAME), None)
    if found:
        return found
    current = must("MediaPool.GetCurrentFolder", lambda: desk.pool.GetCurrentFolder())
    made = must("MediaPool.AddSubFolder", lambda: desk.pool.AddSubFolder(root, BIN_NAME))
    undo.append(lambda: _must_do("MediaPool.DeleteFolders", lambda: desk.pool.DeleteFolders([made])))
    # Adding a folder makes it the current one.
    must("MediaPool.SetCurrentFolder", lambda: desk.pool.SetCurrentFolder(current))
    return made


def _folder_name(folder: Folder) -> str:
    return str(ask("Folder.GetName", lambda: folder.GetName()) or "")


def _media_deleted(desk: Desk, media: MediaPoolItem) -> Callable[[], None]:
    return lambda: _must_do("MediaPool.DeleteClips", lambda: desk.pool.DeleteClips([media]))


def _must_do(name: str, call: Callable[[], bool]) -> None:
    must(name, call)


def _match_colour(order: Order, media: MediaPoolItem) -> None:
    original = must("TimelineItem.GetMediaPoolItem", lambda: order.item.GetMediaPoolItem())
    wanted, has = calls.clip_properties(original), calls.clip_properties(media)
    for name in _COLOUR:
        if wanted.get(name) and wanted[name] != has.get(name):
            calls.set_clip_property(media, name, wanted[name])


def _take_withdrawn(item: TimelineItem, index: int, shown: int) -> Callable[[], None]:
    def withdraw() -> None:
        if calls.selected_take(item) != shown:
            calls.select_take(item, shown)
        calls.delete_take(item, index)

    return withdraw


def _layout_checked(desk: Desk, before: dict[str, tuple[str, int, int, int]]) -> Callable[[], None]:
    def check() -> None:
        if desk.layout() != before:
            raise HostError("clips do not lie where they lay before")

    return check


def check_shown(desk: Desk, order: Order, item: TimelineItem) -> None:
    """Reads back what a clip shows now, with the same doubts as when it was first read."""
    try:
        now = use_from_facts(read_item(desk, item), known_speed=order.use.speed)
    except PluginError as error:
        raise HostError(f"the clean media cannot be read back from the timeline ({error.sentence})") from error
    wanted = (order.record_start, order.placement.record_frame_count, order.placement.start_frame, order.use.speed)
    found = (now.record_start, now.frame_count, int(now.source_start), now.speed)
    if not calls.same_file(now.media.path, order.path):
        raise HostError(f"Resolve shows {now.media.path} where {order.path} was placed")
    if found != wanted:
        raise HostError(
            f"Resolve shows frame {found[2]} of the clean media from record frame {found[0]}, {found[1]} frames at"
            f" {float(found[3]):.0%}, where frame {wanted[2]} from {wanted[0]}, {wanted[1]} frames at"
            f" {float(wanted[3]):.0%} was meant"
        )


def _free_track(desk: Desk, order: Order, undo: Undo) -> int:
    """A track of our own above the clip, free where the media goes: Resolve lets the earlier clip win silently."""
    start = order.record_start + _timeline_start(desk)
    stop = start + order.placement.record_frame_count
    for index in range(order.use.track + 1, desk.track_count("video") + 1):
        if (
            _track_name(desk, index) == BIN_NAME
            and not desk.is_locked(index)
            and _is_free(desk, index, start, stop=stop)
        ):
            return index
    count = desk.track_count("video")
    must("Timeline.AddTrack", lambda: _add_track(desk))
    index = desk.track_count("video")
    if index != count + 1:
        raise HostError(f"Resolve said that Timeline.AddTrack was done, but there are {index} video tracks; try again")
    undo.append(lambda: _must_do("Timeline.DeleteTrack", lambda: desk.timeline.DeleteTrack("video", index)))
    must("Timeline.SetTrackName", lambda: desk.timeline.SetTrackName("video", index, BIN_NAME))
    return index


def _add_track(desk: Desk) -> bool:
    # The types demand a kind of audio track.
    return desk.timeline.AddTrack("video")  # type: ignore[call-overload, no-any-return]


def _track_name(desk: Desk, index: int) -> str:
    return str(ask("Timeline.GetTrackName", lambda: desk.timeline.GetTrackName("video", index)) or "")


def _timeline_start(desk: Desk) -> int:
    return int(ask("Timeline.GetStartFrame", lambda: desk.timeline.GetStartFrame()) or 0)


def _is_free(desk: Desk, index: int, start: int, *, stop: int) -> bool:
    lying = (calls.bounds(item) for item in desk.items("video", index))
    return all(end <= start or first >= stop for first, end in lying)


def _items_deleted(desk: Desk, items: list[TimelineItem]) -> Callable[[], None]:
    return lambda: calls.delete_items(desk, items)


def _laid(desk: Desk, order: Order, media: MediaPoolItem, *, track: int, undo: Undo) -> TimelineItem:
    """Appends with the end frame that gives the meant length: it is included in Resolve 18 and not from 19 on."""
    start = order.record_start + _timeline_start(desk)
    wanted = (start, start + order.placement.record_frame_count)
    first, stop = order.source_bounds
    lengths = []
    for end in (stop, stop - 1, stop + 1):
        known = {calls.item_id(item) for item in desk.items("video", track)}
        calls.append(desk, media, first, end=end, track=track, record_frame=start)
        new = [item for item in desk.items("video", track) if calls.item_id(item) not in known]
        if len(new) == 1 and calls.bounds(new[0]) == wanted:
            undo.append(_items_deleted(desk, new))
            return new[0]
        lengths += [stop - start for start, stop in map(calls.bounds, new)]
        if new:
            calls.delete_items(desk, new)
    raise HostError(
        f"Resolve laid {lengths or 'nothing'} where {wanted[1] - wanted[0]} frames were meant on track {track}"
    )
