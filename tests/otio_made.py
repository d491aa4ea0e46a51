"""OTIO timelines with known answers, built without any code of ours, and strategies that vary them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cleanplate_plugin.timeline import Refusal, SourceMedia, Span, Take, Use
from hypothesis import strategies as st
from opentimelineio.opentime import RationalTime, TimeRange
from opentimelineio.schema import (
    Clip,
    ExternalReference,
    FreezeFrame,
    Gap,
    LinearTimeWarp,
    Marker,
    Timeline,
    Track,
    Transition,
)

NTSC = tuple(Fraction(n * 1000, 1001) for n in (24, 30, 60))
RATES = (*NTSC, *map(Fraction, (24, 25, 30, 50, 60)))
SPEEDS = tuple(map(Fraction, ("1", "2", "1/2", "3/4", "0.9753", "-1", "-2", "-1/2", "-3/4", "0")))
HOURS = (0, 1, 13, 23)


@dataclass(frozen=True)
class Shot:
    """A clip whose frames are known.

    Args:
        media_rate: frames a second.
        start_frame: timecode of the file's first frame.
        file_frames: in the file.
        first: frame of the file at the first record frame.
        speed: as in ``Use``.
        frame_count: record frames.
        gap: record frames of nothing before it.
        dissolve: record frames before and after the cut to what comes next; None is a cut.
    """

    media_rate: Fraction
    start_frame: int
    file_frames: int
    first: int
    speed: Fraction
    frame_count: int
    gap: int = 0
    dissolve: tuple[int, int] | None = None


def time(frames: Fraction | int, rate: Fraction) -> RationalTime:
    return RationalTime(float(frames), float(rate))


def span(start: Fraction | int, count: Fraction | int, rate: Fraction) -> TimeRange:
    return TimeRange(time(start, rate), time(count, rate))


def media_of(index: int) -> Path:
    return Path(f"/media/shot {index}.mov")


def clip_of(shot: Shot, index: int, rate: Fraction) -> Clip:
    """Writes a clip as OTIO means it: the duration is the record span, the start the earliest position played."""
    step = shot.speed * shot.media_rate / rate
    start = shot.first if step >= 0 else shot.first + 1 + shot.frame_count * step
    reference = ExternalReference(
        f"file://{media_of(index)}", span(shot.start_frame, shot.file_frames, shot.media_rate)
    )
    clip = Clip(f"shot {index}", reference)
    clip.source_range = TimeRange(time(shot.start_frame + start, shot.media_rate), time(shot.frame_count, rate))
    if shot.speed == 0:
        clip.effects.append(FreezeFrame())
    elif shot.speed != 1:
        clip.effects.append(LinearTimeWarp(time_scalar=float(shot.speed)))
    return clip


def timeline_of(shots: list[Shot], rate: Fraction, start_frame: int = 0) -> Timeline:
    """Lays shots on one track."""
    timeline = Timeline("made", global_start_time=time(start_frame, rate))
    track = Track("V", kind="Video")
    timeline.tracks.append(track)
    for index, shot in enumerate(shots):
        if shot.gap:
            track.append(Gap(source_range=span(0, shot.gap, rate)))
        track.append(clip_of(shot, index, rate))
        if shot.dissolve is not None:
            before, after = shot.dissolve
            offsets = {"in_offset": time(before, rate), "out_offset": time(after, rate)}
            track.append(Transition("mix", transition_type="SMPTE_Dissolve", **offsets))
    return timeline


def plain_shot(speed: Fraction = Fraction(1), frame_count: int = 40, rate: Fraction = Fraction(25)) -> Shot:
    """Gives a shot from the middle of a long file whose timecode begins at one hour."""
    return Shot(rate, round(rate) * 3600, 1000, 500, speed, frame_count)


def marked(clip: Clip, *frames: int) -> Clip:
    """Sets markers, by record frames of a clip at speed 1, and metadata of somebody else's."""
    for frame in frames:
        start = clip.source_range.start_time + RationalTime(frame, clip.source_range.start_time.rate)
        clip.markers.append(Marker(f"m{frame}", TimeRange(start, RationalTime(1, start.rate)), color="RED"))
    clip.metadata["grader"] = {"look": "warm", "keys": [1, 2.5, None]}
    return clip


@st.composite
def shots(draw: st.DrawFn, rate: Fraction, speeds: tuple[Fraction, ...] = SPEEDS, *, dissolves: bool = True) -> Shot:
    """Draws a shot that fits its file, with room for dissolves at both ends."""
    media_rate = draw(st.sampled_from((rate, rate, draw(st.sampled_from(RATES)))))
    start = draw(st.sampled_from(HOURS)) * 3600 * round(media_rate) + draw(st.integers(0, 100))
    frame_count = draw(st.integers(12, 60))
    return Shot(
        media_rate=media_rate,
        start_frame=start,
        file_frames=2000,
        first=draw(st.integers(500, 1500)),
        speed=draw(st.sampled_from(speeds)),
        frame_count=frame_count,
        gap=draw(st.sampled_from((0, 0, 7))),
        dissolve=draw(st.sampled_from((None, (3, 4), (0, 5), (6, 0)))) if dissolves else None,
    )


@st.composite
def timelines(
    draw: st.DrawFn, speeds: tuple[Fraction, ...] = SPEEDS, *, dissolves: bool = True
) -> tuple[list[Shot], Fraction, int]:
    """Draws shots, a record rate and a start timecode."""
    rate = draw(st.sampled_from(RATES))
    drawn = draw(st.lists(shots(rate, speeds, dissolves=dissolves), min_size=1, max_size=3))
    # A dissolve stands between two clips, so none may come before a gap.
    paired = zip(drawn, [*drawn[1:], None], strict=True)
    fixed = [shot if after is not None and not after.gap else _cut(shot) for shot, after in paired]
    return fixed, rate, draw(st.sampled_from(HOURS)) * 3600 * round(rate)


def _cut(shot: Shot) -> Shot:
    return Shot(
        shot.media_rate, shot.start_frame, shot.file_frames, shot.first, shot.speed, shot.frame_count, shot.gap, None
    )


def uses_of(items: object) -> list[Use]:
    """Gives the clips of a list that holds no refusal."""
    assert isinstance(items, list)
    for item in items:
        assert isinstance(item, Use), item.reason if isinstance(item, Refusal) else item
    return items


def shown(use: Use) -> dict[int, tuple[Path | None, int]]:
    """Lists which file's frame each record frame shows, transitions too."""
    frames = range(-use.head_frames, use.frame_count + use.tail_frames)
    return {use.record_start + k: (use.media.path, use.source_frame(k)) for k in frames}


def take_for(use: Use, path: str, *, part: Span | None = None, spare: int = 3) -> Take:
    """Makes a take that holds what a clip, or a part of it, shows, and a little more.

    Args:
        use: with its original.
        path: of the take.
        part: as for ``Use.source_span``.
        spare: frames on each side.
    """
    needed = (use if part is None else use.part(part)).source_span()
    start = max(0, needed.start_frame - spare)
    media = SourceMedia(
        Path(path),
        use.media.rate,
        use.media.start_frame + start,
        needed.stop_frame + spare - start,
        use.media.drop_frame,
    )
    return Take(media, start, Path(path).stem, {"engines": ["fill"], "seed": 7})
