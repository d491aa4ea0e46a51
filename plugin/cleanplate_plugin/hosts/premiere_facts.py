"""What Premiere Pro's panel says of a clip, read as a shot; pure, so that it is proved without Premiere.

Two getters leave doubt, and are settled by what fits. A clip's in point should count from the file's first frame, and
is taken to count from its timecode where only that lies in the file. The speed is what ``getSpeed`` says, and a clip
whose ends do not agree with it is refused as a ramp.
"""

from __future__ import annotations

import hashlib
import math
from fractions import Fraction
from pathlib import Path

from cleanplate.v1 import premiere_pb2

from cleanplate_plugin.errors import HostError, UnsupportedClipError
from cleanplate_plugin.hosts.protocol import HostShot
from cleanplate_plugin.timeline import SourceMedia, Span, Use

TICKS_PER_SECOND = 254_016_000_000
"""Divides every usual frame and sample rate."""

_RATE_SLACK = Fraction(1, 1000)
"""Frames a second by which a rate told as a float may be off: 23.976 is meant as 24000/1001."""
_SPEED_SLACK = 1e-5

Facts = premiere_pb2.PremiereFacts
Item = premiere_pb2.PremiereFacts.Item
Sequence = premiere_pb2.PremiereFacts.Sequence


def shot_from_facts(facts: Facts) -> HostShot:
    """Reads what the panel announced.

    Raises:
        UnsupportedClipError: the clip cannot be cleaned where it stands; the sentence names it and says what to do.
        HostError: there is no sequence, or its answers cannot be.
    """
    sequence, item = facts.sequence, facts.item
    rate = _sequence_rate(sequence)
    if not facts.HasField("item"):
        raise UnsupportedClipError(
            f"nothing stands under the playhead in sequence '{sequence.name}'; park the playhead on a clip"
        )
    _refuse_kind(item)
    use = _use(sequence, item, rate)
    part = _part(sequence, use)
    _refuse_transitions(sequence, item, part or Span(0, use.frame_count))
    return HostShot("premiere", use, part, _playhead(sequence, use, part), fingerprint(facts))


def fingerprint(facts: Facts) -> str:
    """A text that changes when the clip is moved, trimmed, replaced, retimed or switched, wherever the playhead is."""
    about = Facts(version="", sequence=facts.sequence, item=facts.item)
    for field in ("name", "player_ticks", "in_ticks", "out_ticks", "video_track_count", "zero_ticks", "drop_frame"):
        about.sequence.ClearField(field)
    about.item.ClearField("track_locked")
    return hashlib.sha256(about.SerializeToString(deterministic=True)).hexdigest()


def _sequence_rate(sequence: Sequence) -> Fraction:
    if not sequence.id:
        raise HostError("no sequence is open in Premiere; open one and park the playhead on a clip")
    if sequence.ticks_per_frame <= 0:
        raise HostError(
            f"Premiere says that sequence '{sequence.name}' has {sequence.ticks_per_frame} ticks a frame;"
            " open the sequence anew"
        )
    return Fraction(TICKS_PER_SECOND, sequence.ticks_per_frame)


def _refuse_kind(item: Item) -> None:
    """Refuses what is no plain clip of a file, by its kind."""
    name = f"'{item.name}' on V{item.track_index + 1}"
    kinds = (
        (item.adjustment_layer, "is an adjustment layer; select the clip below it"),
        (item.is_sequence, "is a nested sequence; open it and clean the clips within"),
        (item.is_multicam, "is a multicam clip; flatten it (Multi-Camera > Flatten), then clean it"),
        (item.is_merged, "is a merged clip, whose in point cannot be trusted; use the clip that it was merged from"),
        (item.is_subclip, "is a subclip, whose start in the file is not told; use the clip that it was made from"),
        (
            not item.has_media or not item.media_path,
            "has no media file (a title, a matte); select the clip that is meant",
        ),
        (item.is_offline, f"is offline, {item.media_path} is not there; link its media again"),
        (item.disabled, "is disabled; enable it, or put the playhead on the clip that is seen"),
        (item.track_locked, "stands on a locked track; unlock the track"),
    )
    said = next((sentence for refused, sentence in kinds if refused), None)
    if said:
        raise UnsupportedClipError(f"{name} {said}")


def _use(sequence: Sequence, item: Item, rate: Fraction) -> Use:
    tick = sequence.ticks_per_frame
    if item.start_ticks % tick or item.end_ticks % tick or item.start_ticks < 0:
        raise UnsupportedClipError(
            f"'{item.name}' runs from frame {_shown(item.start_ticks, tick)} to {_shown(item.end_ticks, tick)} of the"
            " sequence, between frames; trim it to whole frames"
        )
    if item.end_ticks <= item.start_ticks:
        raise HostError(f"Premiere says that '{item.name}' ends where it begins; put the playhead on it and try again")
    media = _media(item)
    _refuse_speed(item, media)
    return Use(
        name=item.name,
        place=item.id,
        track=item.track_index + 1,
        record_start=item.start_ticks // tick,
        frame_count=(item.end_ticks - item.start_ticks) // tick,
        rate=rate,
        media=media,
        source_start=_source_start(item, media, rate),
    )


def _media(item: Item) -> SourceMedia:
    rate = _footage_rate(item)
    frame = TICKS_PER_SECOND / rate
    # A duration between frames is the sound's, which may be longer than the picture and tells no number of frames.
    count = item.media_duration_ticks / frame
    return SourceMedia(
        path=Path(item.media_path),
        rate=rate,
        start_frame=max(0, round(item.media_start_ticks / frame)),
        frame_count=int(count) if count > 0 and count.denominator == 1 else None,
    )


def _footage_rate(item: Item) -> Fraction:
    told = item.media_frame_rate
    if not (math.isfinite(told) and 1 <= told <= 1000):
        raise UnsupportedClipError(
            f"Premiere tells no frame rate of '{item.name}' ({told:g}); it may be a still: clean moving media"
        )
    near = Fraction(told)
    whole = max(1, round(near))
    candidates = (Fraction(whole), Fraction(math.ceil(near) * 1000, 1001), Fraction(round(near * 2), 2))
    rate = min(candidates, key=lambda candidate: abs(candidate - near))
    if abs(rate - near) > _RATE_SLACK:
        raise UnsupportedClipError(
            f"'{item.name}' has {told:g} frames a second, which is no usual rate; transcode it to a constant one"
        )
    return rate


def _refuse_speed(item: Item, media: SourceMedia) -> None:
    """Refuses retimes: no call of the panel's API gives the clean clip a speed."""
    seen, read = item.end_ticks - item.start_ticks, item.out_ticks - item.in_ticks
    if item.reversed or not math.isclose(item.speed, 1, abs_tol=_SPEED_SLACK):
        how = "backwards" if item.reversed else f"at {item.speed * 100:g} %"
        raise UnsupportedClipError(
            f"'{item.name}' plays {how}, and a panel cannot set a clip's speed in Premiere; set it to 100 %, clean it,"
            " and set the speed of both again, or go by an OTIO export"
        )
    if abs(read - seen) > TICKS_PER_SECOND / media.rate:
        raise UnsupportedClipError(
            f"'{item.name}' shows {_seconds(read)} s of its file in {_seconds(seen)} s at 100 %, so its speed is"
            " keyframed (time remapping); remove the remapping, or clean it before remapping"
        )


def _source_start(item: Item, media: SourceMedia, rate: Fraction) -> Fraction:
    frame = TICKS_PER_SECOND / media.rate
    position = _from_first_frame(item) / frame
    if media.rate == rate and position.denominator != 1:
        raise UnsupportedClipError(
            f"'{item.name}' begins at frame {float(position):.3f} of its file, between frames; slip it to a whole frame"
        )
    return position


def _from_first_frame(item: Item) -> int:
    """The in point from the file's first frame, in ticks.

    Raises:
        UnsupportedClipError: it lies in the file in neither reading.
    """
    duration = item.media_duration_ticks
    for base in (0, item.media_start_ticks):
        start, stop = item.in_ticks - base, item.out_ticks - base
        if start >= 0 and (duration <= 0 or stop <= duration + TICKS_PER_SECOND // 1000):
            return start
    raise UnsupportedClipError(
        f"'{item.name}' shows {_seconds(item.in_ticks)} to {_seconds(item.out_ticks)} s of {item.media_path}, which has"
        f" {_seconds(duration)} s; link it to the file that it was cut from"
    )


def _part(sequence: Sequence, use: Use) -> Span | None:
    """What the sequence's in and out points leave of the clip; None is all of it.

    Points that do not touch the clip were set for something else.
    """
    tick = sequence.ticks_per_frame
    start, stop = use.record_start, use.record_span.stop_frame
    if sequence.HasField("in_ticks"):
        start = max(start, _round(sequence.in_ticks, tick))
    if sequence.HasField("out_ticks"):
        stop = min(stop, _round(sequence.out_ticks, tick))
    if start >= stop or (start, stop) == (use.record_start, use.record_span.stop_frame):
        return None
    return Span(start - use.record_start, stop - start)


def _playhead(sequence: Sequence, use: Use, part: Span | None) -> int:
    playhead = sequence.player_ticks // sequence.ticks_per_frame - use.record_start
    if not 0 <= playhead < use.frame_count:
        raise HostError(f"Premiere's playhead is not on '{use.name}'; put it there and try again")
    if part and not part.start_frame <= playhead < part.stop_frame:
        raise UnsupportedClipError(
            f"the playhead is outside the in and out points that cut '{use.name}'; move it between them, or clear them"
        )
    return playhead


def _refuse_transitions(sequence: Sequence, item: Item, covered: Span) -> None:
    """Refuses to cover what is dissolving: the clean clip lies on a track above, where the transition is not."""
    start = item.start_ticks + covered.start_frame * sequence.ticks_per_frame
    stop = item.start_ticks + covered.stop_frame * sequence.ticks_per_frame
    if any(each.start_ticks < stop and start < each.end_ticks for each in item.transitions):
        raise UnsupportedClipError(
            f"'{item.name}' has a transition, which the clean clip above it would hide; set the sequence's in and out"
            " points between its transitions, or remove them while you clean it"
        )


def _round(ticks: int, tick: int) -> int:
    return round(Fraction(ticks, tick))


def _shown(ticks: int, tick: int) -> str:
    return f"{ticks / tick:g}"


def _seconds(ticks: int) -> str:
    return f"{ticks / TICKS_PER_SECOND:.3f}"
