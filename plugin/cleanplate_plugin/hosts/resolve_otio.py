"""The last way to place clean media in Resolve: the timeline once more, beside the old one, by OTIO out and in."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cleanplate_plugin.errors import HostError, TimelineError
from cleanplate_plugin.hosts import resolve_calls as calls
from cleanplate_plugin.hosts.resolve_calls import Desk, ask, must
from cleanplate_plugin.hosts.resolve_placing import Order, check_shown, take_in_media, undone_on_failure
from cleanplate_plugin.timeline import Document, Span, Take, Use

if TYPE_CHECKING:
    from fusionscript import MediaPoolItem, Timeline, TimelineItem
    from fusionscript.fusionscript import TimelineImportOptions


class ResolveDocument(Document, Protocol):
    """A timeline file that can be written as Resolve reads it."""

    def export(self, path: Path, dialect_name: str, /) -> None:
        """Writes an OTIO file in a host's dialect.

        Raises:
            TimelineError: the dialect cannot say this timeline.
        """


OpenDocument = Callable[[Path], ResolveDocument]


def place_in_new_timeline(desk: Desk, order: Order, work_folder: Path, open_document: OpenDocument) -> str:
    """Builds the timeline anew with the clean media in it; the one that is open stays as it is.

    Args:
        desk: open in Resolve.
        order: what is to be placed.
        work_folder: for the files in between, which go away again.
        open_document: reads the timeline that Resolve exports.

    Returns:
        The new timeline's name.

    Raises:
        HostError: it cannot be exported, changed or imported; nothing is left of it.
    """
    with undone_on_failure() as undo, tempfile.TemporaryDirectory(dir=work_folder, prefix="resolve-") as folder:
        undo.append(lambda: _timeline_shown(desk))
        media = take_in_media(desk, order, undo)
        conformed = _conformed(desk, order, media, folder=Path(folder), open_document=open_document)
        name = _new_name(desk)
        told = []
        # Whether Resolve links the pool's clips or imports them again differs between versions.
        for import_clips in (True, False):
            made = calls.import_timeline(desk, conformed, _options(desk, name, import_clips=import_clips))
            if made is None:
                told.append("it refused the file")
                continue
            try:
                _check(desk, made, order)
            except HostError as error:
                told.append(error.sentence)
                _delete(desk, made)
            else:
                _timeline_shown(desk)
                return name
        raise HostError(f"Resolve could not import the changed timeline ({'; then '.join(told)})")


def _conformed(
    desk: Desk, order: Order, media: MediaPoolItem, *, folder: Path, open_document: OpenDocument
) -> Path:  # fmt: skip
    exported, conformed = folder / "exported.otio", folder / "conformed.otio"
    kind, part_kind = desk.resolve.EXPORT_OTIO, desk.resolve.EXPORT_NONE
    must("Timeline.Export", lambda: desk.timeline.Export(str(exported), kind, part_kind))
    frames = calls.clip_properties(media).get("Frames", "")
    if not frames.isdigit():
        raise HostError(f"Resolve does not say how many frames {order.path} has ('{frames}')")
    try:
        document = open_document(exported)
        use = _same_clip(document, order.use)
        take = _take(order, int(frames))
        covered = Span(order.placement.record_offset, order.placement.record_frame_count)
        part = None if order.placement.whole_clip else covered
        if order.is_overlay:
            document.lay_above(use, take, part)
        else:
            document.replace(use, take, part)
        document.export(conformed, "resolve")
    except TimelineError as error:
        raise HostError(f"the timeline that Resolve exports cannot be changed ({error.sentence})") from error
    return conformed


def _same_clip(document: Document, use: Use) -> Use:
    """The clip in the exported timeline: same place, same media, same frames."""
    for item in document.items():
        if (
            isinstance(item, Use)
            and (item.track, item.record_start, item.frame_count) == (use.track, use.record_start, use.frame_count)
            and calls.same_file(item.media.path, use.media.path or Path())
            and abs(item.source_start - use.source_start) < 1
        ):
            return item
    raise HostError(
        f"the timeline that Resolve exports has no clip '{use.name}' with the same frames at record frame"
        f" {use.record_start} of track {use.track}"
    )


def _take(order: Order, frame_count: int) -> Take:
    """The clean media as a take of the clip's own media."""
    use, placement = order.use, order.placement
    source_start = use.source_frame(placement.record_offset) - placement.start_frame
    media = replace(
        use.media, path=order.path, start_frame=use.media.start_frame + source_start, frame_count=frame_count
    )  # fmt: skip
    return Take(media, source_start, order.path.stem, {"marker": placement.marker_data})


def _options(desk: Desk, name: str, *, import_clips: bool) -> TimelineImportOptions:
    options: dict[str, object] = {"timelineName": name, "importSourceClips": import_clips}
    if not import_clips:
        options["sourceClipsFolders"] = list(calls.folders(desk.pool))
    # The types demand every option; Resolve reads those that are there.
    return options  # type: ignore[return-value]


def _new_name(desk: Desk) -> str:
    """Unique: Resolve refuses a file for a name that it has, without saying so."""
    count = int(ask("Project.GetTimelineCount", lambda: desk.project.GetTimelineCount()) or 0)
    known = {_timeline_name(_timeline_at(desk, index)) for index in range(1, count + 1)}
    base = f"{_timeline_name(desk.timeline)} Cleanplate"
    return next(name for number in range(1, count + 3) if (name := f"{base} {number}") not in known)


def _timeline_at(desk: Desk, index: int) -> Timeline:
    return must("Project.GetTimelineByIndex", lambda: desk.project.GetTimelineByIndex(index))


def _timeline_name(timeline: Timeline) -> str:
    return str(ask("Timeline.GetName", lambda: timeline.GetName()))


def _timeline_id(timeline: Timeline) -> str:
    return str(ask("Timeline.GetUniqueId", lambda: timeline.GetUniqueId()))


def _timeline_shown(desk: Desk) -> None:
    """Importing a timeline may open it; the person's own is shown again."""
    current = ask("Project.GetCurrentTimeline", lambda: desk.project.GetCurrentTimeline())
    if current and _timeline_id(current) == _timeline_id(desk.timeline):
        return
    must("Project.SetCurrentTimeline", lambda: desk.project.SetCurrentTimeline(desk.timeline))


def _delete(desk: Desk, made: Timeline) -> None:
    _timeline_shown(desk)
    must("MediaPool.DeleteTimelines", lambda: desk.pool.DeleteTimelines([made]))


def _check(desk: Desk, made: Timeline, order: Order) -> None:
    """Reads the new timeline back: the clean media is where it was meant, and no clip lost its media."""
    new = replace(desk, timeline=made)
    lost = _lost_count(new) - _lost_count(desk)
    if lost > 0:
        raise HostError(f"{lost} of its clips came without their media")
    start = int(ask("Timeline.GetStartFrame", lambda: made.GetStartFrame()) or 0) + order.record_start
    wanted = (start, start + order.placement.record_frame_count)
    for item in _video_items(new):
        media = calls.media_of(item)
        if media and calls.bounds(item) == wanted and calls.same_file(calls.file_of(media), order.path):
            check_shown(new, order, item)
            return
    raise HostError(f"it does not show {order.path} at record frame {order.record_start}")


def _video_items(desk: Desk) -> list[TimelineItem]:
    return [item for kind, index in desk.tracks() if kind == "video" for item in desk.items(kind, index)]


def _lost_count(desk: Desk) -> int:
    """Clips without media, or with media that is offline."""
    return sum(_is_lost(item) for item in _video_items(desk))


def _is_lost(item: TimelineItem) -> bool:
    media = calls.media_of(item)
    return not media or calls.clip_properties(media).get("Online Status", "").lower() == "offline"
