"""Flattens a timeline for one host: each clip with one reference, in the host's numbers, or refused by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from opentimelineio.core import SerializableObjectWithMetadata
from opentimelineio.opentime import TimeRange
from opentimelineio.schema import (
    Clip,
    ExternalReference,
    FreezeFrame,
    ImageSequenceReference,
    LinearTimeWarp,
    Timeline,
    Track,
)

from cleanplate_plugin.dialects.base import Dialect, Played, is_still
from cleanplate_plugin.dialects.known import host_dialects
from cleanplate_plugin.dialects.numbers import range_of, time_of
from cleanplate_plugin.documents.otio_items import Placed, Setting, list_track, time_effects
from cleanplate_plugin.documents.otio_media import METADATA_KEY, reference_path
from cleanplate_plugin.errors import UnsupportedClipError
from cleanplate_plugin.timeline import Refusal, SourceMedia, Use, settle


@dataclass(frozen=True)
class _Target:
    dialect: Dialect
    files: Mapping[Path, SourceMedia]


def flatten(
    timeline: Timeline, setting: Setting, dialect: Dialect, *, start_frame: int, files: Mapping[Path, SourceMedia]
) -> Timeline:
    """Copies a timeline into a host's dialect.

    Args:
        timeline: stays as it is.
        setting: in which its numbers are meant.
        dialect: of the host.
        start_frame: timecode of its first record frame.
        files: what is known of media from the files themselves.

    Raises:
        UnsupportedClipError: the host would show a clip otherwise than meant.
    """
    flat: Timeline = timeline.deepcopy()
    target = _Target(dialect, files)
    # All is read before anything is changed: a clip's dissolves are told by its neighbours.
    placed = [p for number, track in enumerate(flat.video_tracks(), 1) for p in list_track(track, number, setting)]
    for each in placed:
        _write_clip(each, target, setting)
    for track in flat.audio_tracks():
        _write_audio(track, target, setting)
    for host in host_dialects():
        if host.vendor_key is not None and host.vendor_key != dialect.vendor_key:
            flat.metadata.pop(host.vendor_key, None)
            flat.tracks.metadata.pop(host.vendor_key, None)
    _forget_own(flat)
    flat.global_start_time = time_of(Fraction(start_frame), setting.rate)
    dialect.dress(flat, setting.rate)
    return flat


def clips_as_shown(
    timeline: Timeline, setting: Setting, dialect: Dialect, *, files: Mapping[Path, SourceMedia]
) -> list[Use]:  # fmt: skip
    """Every video clip with what it shows, tracks of ours too, for a format that is written from neutral clips.

    Args:
        timeline, setting, dialect, files: as for ``flatten``.

    Raises:
        UnsupportedClipError: a clip that cannot be said.
    """
    target = _Target(dialect, files)
    placed = [p for number, track in enumerate(timeline.video_tracks(), 1) for p in list_track(track, number, setting)]
    return [_meant(each, target) for each in placed]


def _write_clip(placed: Placed, target: _Target, setting: Setting) -> None:
    use = _meant(placed, target)
    clip: Clip = placed.item
    media, rate = use.media, use.media.rate
    assert media.path is not None
    assert media.frame_count is not None
    # A still is held by having one frame, not by a time effect.
    speed = Fraction(1) if is_still(use) else use.speed
    played = Played(media.start_frame + use.source_start, Fraction(use.frame_count), speed)
    numbers = target.dialect.written(played, rate / setting.rate)
    reference = ExternalReference(target_url=target.dialect.target_url(media.path))
    reference.name = clip.media_reference.name
    reference.metadata.update(clip.media_reference.metadata)
    reference.available_range = range_of(Fraction(media.start_frame), media.frame_count, rate)
    clip.set_media_references({Clip.DEFAULT_MEDIA_KEY: reference}, Clip.DEFAULT_MEDIA_KEY)
    clip.source_range = TimeRange(time_of(numbers.start, rate), time_of(numbers.duration, setting.rate))
    _write_speed(clip, speed)


def _meant(placed: Placed, target: _Target) -> Use:
    """Gives a clip with its media as the files themselves are, if it can be said.

    Raises:
        UnsupportedClipError: it cannot.
    """
    said, title = placed.said, target.dialect.title
    if isinstance(said, Refusal):
        raise UnsupportedClipError(said.reason)
    file = None if said.media.path is None else target.files.get(said.media.path)
    if file is not None:
        assert file.frame_count is not None
        said = settle(
            said,
            file.start_frame,
            file_frame_count=file.frame_count,
            file_rate=file.rate,
            file_drop_frame=file.drop_frame,
        )
    name = f"clip '{said.name}' on video track {said.track}"
    if not said.media.start_known or said.media.frame_count is None:
        raise UnsupportedClipError(
            f"{name} does not say where its file begins, which {title} needs; open the file first"
        )
    if isinstance(placed.item.media_reference, ImageSequenceReference):
        raise UnsupportedClipError(f"{name} shows numbered images, which {title} does not take; make a movie of them")
    objection = target.dialect.objection(said)
    if objection is not None:
        raise UnsupportedClipError(f"{name} {objection}")
    return said


def _write_speed(clip: Clip, speed: Fraction) -> None:
    """Leaves the time effect that says a speed, and none for a speed of 1, at which Premiere drops other effects."""
    kept = time_effects(clip) if speed != 1 else []
    others = [effect.deepcopy() for effect in clip.effects if not isinstance(effect, LinearTimeWarp)]
    named = [effect.deepcopy() for effect in kept] or ([_effect(speed)] if speed != 1 else [])
    clip.effects[:] = [*others, *named]


def _effect(speed: Fraction) -> LinearTimeWarp:
    return FreezeFrame() if speed == 0 else LinearTimeWarp(time_scalar=float(speed))


def _write_audio(track: Track, target: _Target, setting: Setting) -> None:
    """Writes sound: its numbers stay, which all hosts read alike where nothing is retimed."""
    for clip in track.find_clips():
        path = reference_path(clip.media_reference, setting.folder)
        name = f"sound '{clip.name}'"
        if path is None or clip.media_reference.available_range is None:
            raise UnsupportedClipError(
                f"{name} has no media, or does not say how much, which {target.dialect.title} needs; relink it"
            )
        if time_effects(clip) and target.dialect.name != setting.dialect.name:
            raise UnsupportedClipError(f"{name} is retimed, which hosts read differently; render it to a file")
        reference = clip.media_reference.deepcopy()
        reference.target_url = target.dialect.target_url(path)
        clip.set_media_references({Clip.DEFAULT_MEDIA_KEY: reference}, Clip.DEFAULT_MEDIA_KEY)


def _forget_own(timeline: Timeline) -> None:
    """Takes out all metadata of ours: no host keeps it."""
    holders: list[SerializableObjectWithMetadata] = [timeline, timeline.tracks, *timeline.tracks.find_children()]
    for holder in list(holders):
        holders.extend(getattr(holder, "markers", ()))
        if isinstance(holder, Clip):
            holders.append(holder.media_reference)
    for holder in holders:
        holder.metadata.pop(METADATA_KEY, None)


def absolute_references(timeline: Timeline, setting: Setting) -> None:
    """Writes every path of a timeline absolute, for a bundle is made elsewhere.

    Args:
        timeline: is changed.
        setting: where its relative paths begin.
    """
    if setting.in_bundle:
        return
    for clip in timeline.find_clips():
        for reference in clip.media_references().values():
            path = reference_path(reference, setting.folder)
            if isinstance(reference, ExternalReference) and path is not None:
                reference.target_url = setting.dialect.target_url(path)
