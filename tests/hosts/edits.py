"""Timelines of barcode clips: media with timecode, an OTIO file as an editor would hand it over, and takes for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import opentimelineio as otio
from cleanplate_plugin.timeline import SourceMedia, Take
from hosts.barcode import Coding, stamps_of, write_clip, write_patch

FILM = Fraction(24000, 1001)
PAL = Fraction(25)
NTSC = Fraction(30000, 1001)
NTSC_60 = Fraction(60000, 1001)
RATES = (FILM, PAL, NTSC, NTSC_60)


@dataclass(frozen=True)
class Footage:
    """A file on the disk with a barcode in every frame.

    Args:
        path: of the file.
        clip: number in its barcodes.
        start_frame: its timecode, frames since 00:00:00:00.
        frame_count: its length.
    """

    path: Path
    clip: int
    rate: Fraction
    start_frame: int
    frame_count: int

    @property
    def media(self) -> SourceMedia:
        """As takes know it."""
        return SourceMedia(self.path, self.rate, self.start_frame, self.frame_count, drops_frames(self.rate))


def write_footage(
    folder: Path, clip: int, rate: Fraction, *, frame_count: int = 60, hour: int | None = None
) -> Footage:  # fmt: skip
    """Writes a clip.

    Args:
        hour: of its first frame's timecode; by default one for clip 1, two for clip 2, and so on.
    """
    text = f"{clip if hour is None else hour:02d}:00:00{';' if drops_frames(rate) else ':'}00"
    start = round(otio.opentime.from_timecode(text, float(rate)).value)
    path = folder / f"clip{clip}.mov"
    write_clip(path, stamps_of(clip, range(frame_count)), Coding(rate, timecode(start, rate)))
    return Footage(path, clip, rate, start, frame_count)


def write_take(folder: Path, footage: Footage, source_start: int, frame_count: int) -> Take:
    """Writes what removal would give: the same frames without the object, from a frame of the original on."""
    return _take(folder, footage, range(source_start, source_start + frame_count), is_patch=False)


def write_patch_take(folder: Path, footage: Footage, source_start: int, frame_count: int) -> Take:
    """Writes a patch: transparent but for what was filled, with a barcode of its own at the bottom."""
    return _take(folder, footage, range(source_start, source_start + frame_count), is_patch=True)


def _take(folder: Path, footage: Footage, frames: range, *, is_patch: bool) -> Take:
    path = folder / f"{footage.path.stem}_{'patch' if is_patch else 'cp'}{len(list(folder.iterdir())):03d}.mov"
    start = footage.start_frame + frames.start
    write = write_patch if is_patch else write_clip
    write(path, stamps_of(footage.clip, frames, has_object=False), Coding(footage.rate, timecode(start, footage.rate)))
    media = SourceMedia(path, footage.rate, start, len(frames), drops_frames(footage.rate))
    return Take(media, frames.start, path.stem, {"engine": "none, a test wrote it"})


def drops_frames(rate: Fraction) -> bool:
    """Whether editors use drop-frame timecode at a rate."""
    return rate in (NTSC, NTSC_60)


def timecode(frame: int, rate: Fraction) -> str:
    """Timecode as OTIO writes it."""
    time = otio.opentime.RationalTime(frame, float(rate))
    return str(otio.opentime.to_timecode(time, float(rate), drops_frames(rate)))


@dataclass(frozen=True)
class Cut:
    """A clip on a track.

    Args:
        first: position in the file, frames from its start, at the clip's first record frame.
        record_count: its length on the timeline.
        speed: 1 as shot, 0 a freeze.
    """

    footage: Footage
    first: int
    record_count: int
    speed: Fraction = Fraction(1)
    enabled: bool = True


@dataclass(frozen=True)
class Gap:
    """Nothing, for so many record frames."""

    record_count: int


@dataclass(frozen=True)
class Dissolve:
    """Between the neighbours: record frames before and after the cut."""

    before: int
    after: int


Track = Sequence[Cut | Gap | Dissolve]


@dataclass(frozen=True)
class Edit:
    """A timeline.

    Args:
        rate: record frames a second.
        tracks: from the bottom.
    """

    rate: Fraction
    tracks: Sequence[Track] = field(default_factory=list)

    def write(self, path: Path) -> Path:
        """Writes it as OTIO, with record timecode from one hour."""
        timeline = otio.schema.Timeline("edit")
        timeline.global_start_time = otio.opentime.from_timecode(
            f"01:00:00{';' if drops_frames(self.rate) else ':'}00", float(self.rate)
        )
        for number, items in enumerate(self.tracks, start=1):
            track = otio.schema.Track(f"V{number}", kind=otio.schema.TrackKind.Video)
            track.extend([self._written(item) for item in items])
            timeline.tracks.append(track)
        otio.adapters.write_to_file(timeline, str(path))
        return path

    def write_xmeml(self, path: Path) -> Path:
        """Writes its cuts at full speed as Final Cut and Premiere do: FCP7 XML, with nothing that may be left out."""
        tracks = "".join(f"<track>{self._xmeml_items(items)}</track>" for items in self.tracks)
        path.write_text(
            f'<?xml version="1.0"?><!DOCTYPE xmeml><xmeml version="5"><sequence id="s"><name>edit</name>'
            f"<duration>{sum(_record_count(item) for item in self.tracks[0])}</duration>{_xmeml_rate(self.rate)}"
            f"<media><video>{tracks}</video></media></sequence></xmeml>"
        )
        return path

    def _xmeml_items(self, items: Track) -> str:
        at, written = 0, []
        for number, item in enumerate(items):
            if isinstance(item, Cut):
                written.append(_xmeml_clip(item, at, number, self.rate))
            at += _record_count(item)
        return "".join(written)

    def _written(self, item: Cut | Gap | Dissolve) -> otio.core.Composable:
        if isinstance(item, Gap):
            return otio.schema.Gap(source_range=_range(0, item.record_count, self.rate))
        if isinstance(item, Dissolve):
            return otio.schema.Transition(
                transition_type=otio.schema.TransitionTypes.SMPTE_Dissolve,
                in_offset=_time(item.before, self.rate),
                out_offset=_time(item.after, self.rate),
            )
        return self._clip(item)

    def _clip(self, cut: Cut) -> otio.schema.Clip:
        footage = cut.footage
        step = cut.speed * footage.rate / self.rate
        # The range lies within the media whichever way it is played: backwards it ends where the clip begins.
        start = cut.first if step >= 0 else cut.first + 1 + cut.record_count * step
        clip = otio.schema.Clip(
            name=footage.path.stem,
            media_reference=otio.schema.ExternalReference(
                str(footage.path), _range(footage.start_frame, footage.frame_count, footage.rate)
            ),
            source_range=otio.opentime.TimeRange(
                _time(footage.start_frame + start, footage.rate), _time(cut.record_count, self.rate)
            ),
        )
        clip.enabled = cut.enabled
        if cut.speed == 0:
            clip.effects.append(otio.schema.FreezeFrame())
        elif cut.speed != 1:
            clip.effects.append(otio.schema.LinearTimeWarp(time_scalar=float(cut.speed)))
        return clip


def _time(frames: Fraction | int, rate: Fraction) -> otio.opentime.RationalTime:
    return otio.opentime.RationalTime(float(frames), float(rate))


def _range(start: int, count: int, rate: Fraction) -> otio.opentime.TimeRange:
    return otio.opentime.TimeRange(_time(start, rate), _time(count, rate))


def _record_count(item: Cut | Gap | Dissolve) -> int:
    return 0 if isinstance(item, Dissolve) else item.record_count


def _xmeml_clip(cut: Cut, at: int, number: int, rate: Fraction) -> str:
    footage = cut.footage
    stop = at + cut.record_count
    return (
        f'<clipitem id="c{number}"><name>{footage.path.stem}</name><enabled>TRUE</enabled>'
        f"<duration>{footage.frame_count}</duration>{_xmeml_rate(rate)}<start>{at}</start><end>{stop}</end>"
        f"<in>{cut.first}</in><out>{cut.first + cut.record_count}</out>"
        f'<file id="f{number}"><name>{footage.path.name}</name><pathurl>{footage.path.as_uri()}</pathurl>'
        f"{_xmeml_rate(footage.rate)}<duration>{footage.frame_count}</duration><timecode>{_xmeml_rate(footage.rate)}"
        f"<string>{timecode(footage.start_frame, footage.rate)}</string><frame>{footage.start_frame}</frame>"
        f"<displayformat>{'DF' if drops_frames(footage.rate) else 'NDF'}</displayformat></timecode>"
        f"<media><video/></media></file></clipitem>"
    )


def _xmeml_rate(rate: Fraction) -> str:
    return f"<rate><timebase>{round(rate)}</timebase><ntsc>{'FALSE' if rate.denominator == 1 else 'TRUE'}</ntsc></rate>"
