"""What stands on the video tracks of an OTIO timeline, in neutral numbers, and what cannot be cleaned there and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from opentimelineio.core import Composable, MediaReference
from opentimelineio.exceptions import OTIOError
from opentimelineio.schema import (
    Clip,
    ExternalReference,
    Gap,
    GeneratorReference,
    ImageSequenceReference,
    LinearTimeWarp,
    Stack,
    TimeEffect,
    Timeline,
    Track,
    Transition,
)

from cleanplate_plugin.dialects.base import Dialect, Played, Written
from cleanplate_plugin.dialects.numbers import exact, frames_in
from cleanplate_plugin.documents.otio_media import METADATA_KEY, origin_of, original_key, read_media, reference_path
from cleanplate_plugin.errors import TimelineError, UnsupportedClipError
from cleanplate_plugin.timecodes import smpte_rate
from cleanplate_plugin.timeline import Refusal, Span, Use


@dataclass(frozen=True)
class Setting:
    """What must be known of a timeline to read its clips.

    Args:
        dialect: in which its numbers are meant.
        rate: record frames a second.
        folder: where relative paths begin; None leaves them relative.
        in_bundle: relative paths lie within a bundle, where no server can open them.
    """

    dialect: Dialect
    rate: Fraction
    folder: Path | None = None
    in_bundle: bool = False


@dataclass(frozen=True)
class Placed:
    """An item of a track with what it says.

    Args:
        item: the object in the timeline.
        track: that it lies on.
        said: the clip in neutral numbers, or why not.
    """

    item: Composable
    track: Track
    said: Use | Refusal


def record_rate(timeline: Timeline) -> Fraction:
    """Finds a timeline's rate: of its start time, else of its vendor's word, else of what lies first on a track.

    Raises:
        TimelineError: nothing says it.
    """
    if timeline.global_start_time is not None:
        return smpte_rate(timeline.global_start_time.rate)
    vendor = timeline.tracks.metadata.get("PremierePro_OTIO", {})
    if isinstance(vendor.get("VideoFrameRate"), int | float):
        return smpte_rate(vendor["VideoFrameRate"])
    for item in timeline.find_children():
        known = item.source_range if isinstance(item, Clip | Gap) else None
        if known is None and isinstance(item, Clip):
            known = item.media_reference.available_range
        if known is not None:
            return smpte_rate(known.duration.rate)
    raise TimelineError(f"timeline '{timeline.name}' has neither clips nor a start time, so its rate is not known")


def is_own_track(track: Track) -> bool:
    """Whether a track was laid by us."""
    return "overlay" in track.metadata.get(METADATA_KEY, {})


def video_tracks(timeline: Timeline) -> list[Track]:
    """Gives a timeline's own video tracks, bottom first, without those that we laid."""
    return [track for track in timeline.video_tracks() if not is_own_track(track)]


def list_items(timeline: Timeline, setting: Setting) -> list[Placed]:
    """Lists all that fills the video tracks, bottom first; our own tracks apart."""
    tracks = enumerate(video_tracks(timeline), start=1)
    return [placed for number, track in tracks for placed in list_track(track, number, setting)]


def list_track(track: Track, number: int, setting: Setting) -> Iterator[Placed]:
    """Lists what lies on one track.

    Args:
        track: of video.
        number: from 1 at the bottom.
        setting: of its timeline.
    """
    at = Fraction(0)
    for index, item in enumerate(track):
        if isinstance(item, Transition):
            continue
        count = _record_count(item, setting)
        if not isinstance(item, Gap):
            where = _Where(item, track, index, number, at, count)
            yield Placed(item, track, _say(where, setting))
        at += count


@dataclass(frozen=True)
class _Where:
    item: Composable
    track: Track
    index: int
    number: int
    at: Fraction
    count: Fraction

    @property
    def name(self) -> str:
        return self.item.name or "without a name"

    def refusal(self, reason: str) -> Refusal:
        start, end = round(self.at), round(self.at + self.count)
        sentence = f"clip '{self.name}' on video track {self.number} {reason}"
        return Refusal(self.name, f"V{self.number}@{start}", self.number, start, end - start, sentence)


def _record_count(item: Composable, setting: Setting) -> Fraction:
    """Counts the record frames that an item fills."""
    if isinstance(item, Clip):
        range_known = item.source_range is not None or item.media_reference.available_range is not None
        return _read_played(item, item.media_reference, setting)[0].frame_count if range_known else Fraction(0)
    try:
        return frames_in(item.trimmed_range().duration, setting.rate)
    except OTIOError as error:
        raise TimelineError(
            f"nobody can tell how long '{item.name}' is, so what comes after it has no place: {error};"
            " write the timeline with all ranges"
        ) from error


def _say(where: _Where, setting: Setting) -> Use | Refusal:
    try:
        if not isinstance(where.item, Clip):
            raise UnsupportedClipError(_nested_reason(where.item))
        return read_use(where.item, where.item.media_reference, where, setting)
    except UnsupportedClipError as error:
        return where.refusal(error.sentence)


def _nested_reason(item: Composable) -> str:
    kind = "nested stack, as compound and multicam clips are" if isinstance(item, Stack) else "nested track"
    return f"is a {kind}; open it as a timeline of its own and clean the clips within"


def read_use(clip: Clip, reference: MediaReference, where: _Where, setting: Setting) -> Use:
    """Reads a clip with one of its references.

    Raises:
        UnsupportedClipError: it cannot be cleaned; the sentence goes on after the clip's name and place.
    """
    _check_kind(clip, reference, where.track, setting)
    media = read_media(clip, reference, setting.folder)
    played, _ = _read_played(clip, reference, setting)
    if where.at.denominator != 1 or where.count.denominator != 1:
        raise UnsupportedClipError(
            f"begins or ends between two frames of the timeline, at {float(where.at):g} for {float(where.count):g};"
            " move it to whole frames"
        )
    if where.count < 1:
        raise UnsupportedClipError("has no frames; give it a length")
    use = Use(
        name=where.name,
        place=f"V{where.number}@{where.at}",
        track=where.number,
        record_start=int(where.at),
        frame_count=int(where.count),
        rate=setting.rate,
        media=media,
        source_start=played.first - origin_of(clip, reference, media.rate),
        speed=played.speed,
        enabled=bool(clip.enabled and where.track.enabled),
    )
    use = _with_dissolves(_with_still(use), where)
    _check_shown(use, setting)
    return use


def _check_kind(clip: Clip, reference: MediaReference, track: Track, setting: Setting) -> None:
    if isinstance(reference, GeneratorReference):
        raise UnsupportedClipError(f"is made by a generator, '{reference.generator_kind}'; render it to a file first")
    if isinstance(reference, ImageSequenceReference) and reference.frame_step != 1:
        raise UnsupportedClipError(f"shows every {reference.frame_step}th image alone; relink it to all images")
    path = reference_path(reference, None)
    if path is None:
        raise UnsupportedClipError("has no media; relink it, or render it to a file if it is a title")
    if setting.in_bundle and isinstance(reference, ExternalReference) and not path.is_absolute():
        raise UnsupportedClipError(f"has its media, {path}, within the bundle; unpack the bundle and open content.otio")
    if clip.source_range is None and reference.available_range is None:
        raise UnsupportedClipError("says neither which frames it shows nor which its file has; write the timeline anew")
    if track.source_range is not None and track.source_range.start_time.value != 0:
        raise UnsupportedClipError("lies on a track that is trimmed at its head; write the timeline with whole tracks")
    warps = time_effects(clip)
    if any(not isinstance(effect, LinearTimeWarp) for effect in warps):
        raise UnsupportedClipError("has a speed ramp; render the retime to a file, or give it a constant speed")
    if len(warps) > 1:
        raise UnsupportedClipError(f"has {len(warps)} time effects; leave one")


def time_effects(clip: Clip) -> list[TimeEffect]:
    """Gives the effects of a clip that change its time."""
    return [effect for effect in clip.effects if isinstance(effect, TimeEffect) and effect.enabled]


def read_written(clip: Clip, reference: MediaReference, setting: Setting) -> tuple[Written, Fraction]:
    """Reads a clip's numbers as they stand.

    Returns:
        The numbers, and the media's rate.
    """
    media_rate = read_media(clip, reference, setting.folder).rate
    shown = clip.source_range or reference.available_range
    scalars = [effect.time_scalar for effect in time_effects(clip) if isinstance(effect, LinearTimeWarp)]
    scalar = exact(scalars[0]) if scalars else Fraction(1)
    start = frames_in(shown.start_time, media_rate)
    return Written(start, frames_in(shown.duration, setting.rate), scalar), media_rate


def _read_played(clip: Clip, reference: MediaReference, setting: Setting) -> tuple[Played, Fraction]:
    written, media_rate = read_written(clip, reference, setting)
    return setting.dialect.played(written, media_rate / setting.rate), media_rate


def _with_still(use: Use) -> Use:
    """Media of one frame that stands longer is held, as hosts hold pictures."""
    is_still = use.media.frame_count == 1 and use.frame_count > 1 and use.speed == 1
    return replace(use, speed=Fraction(0)) if is_still else use


def _with_dissolves(use: Use, where: _Where) -> Use:
    before = where.track[where.index - 1] if where.index else None
    after = where.track[where.index + 1] if where.index + 1 < len(where.track) else None
    head, fade_in = _overlap(before, use.rate)
    fade_out, tail = _overlap(after, use.rate)
    # What a transition would show before the timeline's first frame is never seen.
    head = min(head, use.record_start)
    return replace(use, head_frames=head, fade_in_frames=fade_in, fade_out_frames=fade_out, tail_frames=tail)


def _overlap(neighbour: Composable | None, rate: Fraction) -> tuple[int, int]:
    """Gives the record frames that a transition reaches before and after its cut."""
    if not isinstance(neighbour, Transition):
        return 0, 0
    before, after = frames_in(neighbour.in_offset, rate), frames_in(neighbour.out_offset, rate)
    if before.denominator != 1 or after.denominator != 1:
        raise UnsupportedClipError("has a dissolve that begins or ends between two frames; move it to whole frames")
    return int(before), int(after)


def _check_shown(use: Use, setting: Setting) -> None:
    objection = setting.dialect.objection(use)
    if objection is not None:
        raise UnsupportedClipError(objection)
    count, shown = use.media.frame_count, use.source_span()
    if count is not None and use.media.start_known and not Span(0, count).holds(shown):
        raise UnsupportedClipError(
            f"shows frames {shown.start_frame} to {shown.last_frame} of a file that has {count};"
            " relink it to the file that it was cut from, or trim it or its dissolves"
        )


def read_original(placed: Placed, setting: Setting) -> Use:
    """Reads a clip as it was before any take.

    Raises:
        UnsupportedClipError: what it showed then cannot be read.
    """
    assert isinstance(placed.said, Use)
    clip = placed.item
    key = original_key(clip)
    references = clip.media_references()
    if key not in references:
        raise UnsupportedClipError(f"clip '{placed.said.name}' has lost its original, '{key}'; open an earlier version")
    said = placed.said
    where = _Where(
        clip,
        placed.track,
        placed.track.index(clip),
        said.track,
        Fraction(said.record_start),
        Fraction(said.frame_count),
    )
    try:
        return read_use(clip, references[key], where, setting)
    except UnsupportedClipError as error:
        raise UnsupportedClipError(where.refusal(error.sentence).reason) from error
