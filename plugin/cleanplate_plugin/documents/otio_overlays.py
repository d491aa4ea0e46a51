"""Tracks of our own, on which patches and mattes lie right above the track of the clip that they belong to.

Right above, and not on top of all: a title over the clip must stay over its patch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from opentimelineio.opentime import TimeRange
from opentimelineio.schema import Clip, Gap, Timeline, Track

from cleanplate_plugin.dialects.base import Played
from cleanplate_plugin.dialects.numbers import frames_in, time_of
from cleanplate_plugin.documents.otio_items import Setting, is_own_track, time_effects
from cleanplate_plugin.documents.otio_media import METADATA_KEY, TAKE_PREFIX, next_take_key, take_reference
from cleanplate_plugin.timeline import Span, Take, Use

_NAMES = {"patch": "Cleanplate", "matte": "Cleanplate mattes"}
"""Of tracks whose clips are seen, and of those whose clips are not."""


@dataclass(frozen=True)
class _Laid:
    """A clip on a track of ours and the record frames that it covers."""

    clip: Clip
    span: Span


def lay(timeline: Timeline, below: Track, use: Use, take: Take, *, like: Clip, enabled: bool, setting: Setting) -> None:
    """Lays a take above a track.

    Args:
        timeline: that holds the track.
        below: the track of the clip that the take belongs to.
        use: what is covered, as it shows its original; settled.
        take: holds all of it.
        like: the clip; its time effects go for the take too.
        enabled: whether it is seen.
        setting: of the timeline.
    """
    kind = "patch" if enabled else "matte"
    own = _own_tracks_above(timeline, below)
    same_kind = [track for track in own if track.metadata[METADATA_KEY]["overlay"] == kind]
    for track in same_kind:
        laid = list_laid(track, setting)
        again = next((one for one in laid if one.span == use.record_span), None)
        if again is not None:
            _add_take(again.clip, take, setting)
            return
    new = _Laid(_overlay_clip(use, take, like=like, enabled=enabled, setting=setting), use.record_span)
    for track in same_kind:
        laid = list_laid(track, setting)
        if not any(_overlap(one.span, new.span) for one in laid):
            _fill(track, [*laid, new], setting)
            return
    track = Track(name=_NAMES[kind], kind="Video", metadata={METADATA_KEY: {"overlay": kind}})
    _fill(track, [new], setting)
    timeline.tracks.insert(_index(timeline, below) + 1 + len(own), track)


def _own_tracks_above(timeline: Timeline, below: Track) -> list[Track]:
    own = []
    for track in timeline.tracks[_index(timeline, below) + 1 :]:
        if not (isinstance(track, Track) and is_own_track(track)):
            break
        own.append(track)
    return own


def _index(timeline: Timeline, track: Track) -> int:
    return next(i for i, other in enumerate(timeline.tracks) if other is track)


def _overlap(one: Span, other: Span) -> bool:
    return one.start_frame < other.stop_frame and other.start_frame < one.stop_frame


def list_laid(track: Track, setting: Setting) -> list[_Laid]:
    """Lists the clips on a track of ours, in record order."""
    laid, at = [], 0
    for item in track:
        if isinstance(item, Clip):
            count = int(item.metadata[METADATA_KEY]["record_frame_count"])
            laid.append(_Laid(item, Span(at, count)))
        else:
            count = int(frames_in(item.source_range.duration, setting.rate))
        at += count
    return laid


def _fill(track: Track, laid: Sequence[_Laid], setting: Setting) -> None:
    """Puts clips on a track, with gaps up to each."""
    del track[:]
    at = 0
    for one in sorted(laid, key=lambda each: each.span.start_frame):
        if one.span.start_frame > at:
            length = time_of(Fraction(one.span.start_frame - at), setting.rate)
            track.append(Gap(source_range=TimeRange(time_of(Fraction(0), setting.rate), length)))
        track.append(one.clip)
        at = one.span.stop_frame


def _overlay_clip(use: Use, take: Take, *, like: Clip, enabled: bool, setting: Setting) -> Clip:
    shown = use.with_take(take)
    rate, pace = shown.media.rate, shown.media.rate / setting.rate
    begins = Fraction(take.media.start_frame)
    # A still has no time effect: it is held because its media has one frame.
    speed = use.speed if time_effects(like) else Fraction(1)
    numbers = setting.dialect.written(Played(begins + shown.source_start, Fraction(use.frame_count), speed), pace)
    clip = Clip(name=use.name)
    key = f"{TAKE_PREFIX}1"
    clip.set_media_references({key: take_reference(take, begins, setting.dialect)}, key)
    clip.source_range = TimeRange(time_of(numbers.start, rate), time_of(numbers.duration, setting.rate))
    clip.effects.extend(effect.deepcopy() for effect in time_effects(like))
    clip.enabled = enabled
    clip.metadata[METADATA_KEY] = {"record_frame_count": use.frame_count}
    return clip


def _add_take(clip: Clip, take: Take, setting: Setting) -> None:
    """Adds a take to a clip that covers the same frames already."""
    shown_before = clip.media_reference
    before = shown_before.metadata[METADATA_KEY]
    origin = frames_in(shown_before.available_range.start_time, take.media.rate) - int(before["source_start"])
    key = next_take_key(clip)
    references = dict(clip.media_references())
    references[key] = take_reference(take, origin + take.source_start, setting.dialect)
    clip.set_media_references(references, key)


def lift(timeline: Timeline, setting: Setting, *, below: Track | None = None, within: Span | None = None) -> int:
    """Takes patches and mattes away, and tracks of ours that are left empty.

    Args:
        timeline: is changed.
        setting: of it.
        below: the track that they belong to; None is every one.
        within: record frames; None is all.

    Returns:
        How many clips were taken away.
    """
    all_own = [track for track in timeline.tracks if isinstance(track, Track) and is_own_track(track)]
    count = 0
    for track in all_own if below is None else _own_tracks_above(timeline, below):
        laid = list_laid(track, setting)
        kept = [one for one in laid if within is not None and not within.holds(one.span)]
        count += len(laid) - len(kept)
        if kept:
            _fill(track, kept, setting)
        else:
            del timeline.tracks[_index(timeline, track)]
    return count
