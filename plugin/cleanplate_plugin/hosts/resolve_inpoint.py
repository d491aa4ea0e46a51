"""Which frame of its file a Resolve clip begins on, and how fast it plays: getters are witnesses that must agree.

None of them can be believed alone. As measured by others: ``GetSourceStartFrame`` is at times one frame low;
``GetSourceStartTime`` counts from midnight where the media has timecode; ``GetLeftOffset`` is counted in played frames
when a clip is retimed; no getter tells of a speed ramp before 21.1, and none surely then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from cleanplate.v1 import resolve_pb2

from cleanplate_plugin.errors import UnsupportedClipError

_RENDER = "render the clip in place, or take the speed change off, and try again"
_PROOF_FRAMES = 24
"""Played frames before a clip that show its speed outside the cuts; with fewer, a ramp may look constant."""
_WITNESSES = ("source_start_frame", "source_end_frame", "source_start_seconds", "source_end_seconds", "left_offset")

Item = resolve_pb2.ResolveFacts.Item


@dataclass(frozen=True)
class PoolMedia:
    """What the media pool says of a file, in numbers.

    Args:
        rate: frames a second, exact.
        timecode_frame: ``Start TC`` as a count of frames since 00:00:00:00.
        first_frame: ``Start``: of a subclip its first frame in the file, of an image sequence its first number.
        is_sequence: of images.
    """

    rate: Fraction
    timecode_frame: int
    first_frame: int
    is_sequence: bool

    @property
    def subclip_start(self) -> int:
        """First frame of a subclip in its file; 0 for whole media."""
        return 0 if self.is_sequence else self.first_frame


@dataclass(frozen=True)
class Motion:
    """Where in its file a clip begins and how it moves on.

    Args:
        source_start: frame of the file, from its first, on the clip's first record frame.
        speed: 1 as shot, -1 backwards, 0 a freeze.
        timecode_at_subclip: ``Start TC`` is that of the subclip's first frame, not of the file's.
    """

    source_start: int
    speed: Fraction
    timecode_at_subclip: bool


def read_motion(
    item: Item, media: PoolMedia, timeline_rate: Fraction, *, known_speed: Fraction | None = None
) -> Motion:  # fmt: skip
    """Lets the getters testify.

    Args:
        item: the getters' answers.
        media: of the clip.
        timeline_rate: record frames a second.
        known_speed: of the clip, when it was read before: then it need not be proved again, but still be kept.

    Raises:
        UnsupportedClipError: they contradict each other, tell too little, or a speed ramp cannot be ruled out.
    """
    span = _source_span(item, media.rate)
    shown = item.duration * media.rate / timeline_rate
    if known_speed is not None and _keeps(known_speed, span, shown):
        speed = known_speed
    elif item.HasField("speed_percent"):
        speed = _told_speed(item, span, shown)
    else:
        speed = _seen_speed(item, media, span, shown)
    if speed > 0:
        position, at_subclip = _position(item, media, step=speed * media.rate / timeline_rate)
        return Motion(position, speed, at_subclip)
    position, at_subclip = _turned_position(item, media)
    # Read backwards, a range's upper bound is its first frame when it is included, and one past it when it is not.
    is_bound = speed < 0 and abs(span) >= -speed * shown - Fraction(1, 2)
    return Motion(position - 1 if is_bound else position, speed, at_subclip)


def _source_span(item: Item, rate: Fraction) -> int:
    """Signed frames from the getters' start to their end."""
    spans = []
    if item.HasField("source_start_seconds") and item.HasField("source_end_seconds"):
        spans.append(round((Fraction(item.source_end_seconds) - Fraction(item.source_start_seconds)) * rate))
    if item.HasField("source_start_frame") and item.HasField("source_end_frame"):
        spans.append(item.source_end_frame - item.source_start_frame)
    if not spans:
        raise UnsupportedClipError(
            f"this Resolve does not say which frames of its media clip '{item.name}' shows; use Resolve 19 or newer"
        )
    # Either pair may leave its last frame out, and the frame getter may be one low at one end.
    if max(spans) - min(spans) > 2:
        raise _disagreement(item)
    return spans[0]


def _told_speed(item: Item, span: int, shown: Fraction) -> Fraction:
    """What ``GetSpeed`` says, when the frames between the ends are as many as it makes them."""
    said = Fraction(item.speed_percent).limit_denominator(10000) / 100
    fits = abs(span) <= 1 if said == 0 else _fits(span, shown * abs(said)) and not (said < 0 < span - 1)
    if not fits:
        raise UnsupportedClipError(
            f"clip '{item.name}' plays at {float(said):.0%} where it begins, but shows {abs(span)} frames of its media"
            f" in {item.duration}: its speed changes on the way; {_RENDER}"
        )
    return -abs(said) if span < -1 else said


def _seen_speed(item: Item, media: PoolMedia, span: int, shown: Fraction) -> Fraction:
    """The speed that the frames between the ends make, before 21.1; of a retimed clip the frames before it must too."""
    if _fits(span, shown):
        return Fraction(-1 if span < -1 else 1)
    if abs(span) <= 1:
        return Fraction(0)
    percents = [percent for percent in range(1, 10_000) if _fits(span, shown * percent / 100)] if span > 0 else []
    if percents and item.left_offset >= _PROOF_FRAMES:
        position, _ = _turned_position(item, media)
        head, left = position - media.subclip_start, Fraction(item.left_offset)
        steps = {percent: shown * percent / 100 / item.duration for percent in percents}
        best = min(percents, key=lambda percent: abs(left * steps[percent] - head))
        # The offset is in whole played frames, the position in whole frames of the file.
        if abs(left * steps[best] - head) <= (1 + steps[best]) / 2:
            return Fraction(best, 100)
    raise UnsupportedClipError(
        f"clip '{item.name}' is retimed, and this Resolve does not say whether its speed is constant; {_RENDER}, or use"
        " Resolve 21.1"
    )


def _fits(span: int, expected: Fraction) -> bool:
    """Whether a span is that of so many frames, counted with or without its last, and rounded."""
    return -2 <= abs(span) - expected <= 1


def _keeps(speed: Fraction, span: int, shown: Fraction) -> bool:
    """Whether a span is that of a clip at a known speed."""
    return abs(span) <= 1 if speed == 0 else _fits(span, shown * abs(speed)) and (span < -1) == (speed < 0)


def _position(item: Item, media: PoolMedia, *, step: Fraction) -> tuple[int, bool]:
    """The frame on which time, offset and frame getter agree best, each within one."""
    if not item.HasField("left_offset"):
        raise _disagreement(item)
    first = media.subclip_start
    left = Fraction(item.left_offset)
    offsets = {round(left) + first, round(left * step) + first}
    times = _time_positions(item, media)
    near = max(1, round(step))
    candidates = [
        (abs(place - offset) + abs(place - time) + low, place, at_subclip)
        for time, at_subclip in times or [(offset, False) for offset in offsets]
        for offset in offsets
        for place in (time, offset)
        if abs(place - offset) <= near and abs(place - time) <= 1
        for low in _frame_doubts(item, media, place)
    ]
    if not candidates or not (times or item.HasField("source_start_frame")):
        raise _disagreement(item)
    _, place, at_subclip = min(candidates)
    return place, at_subclip


def _turned_position(item: Item, media: PoolMedia) -> tuple[int, bool]:
    """Of a clip that plays backwards or stands still: what the left offset means there, nobody has written down."""
    candidates = [
        (doubt, time, at_subclip)
        for time, at_subclip in _time_positions(item, media)
        for doubt in _frame_doubts(item, media, time)
    ]
    if not candidates or not item.HasField("source_start_frame"):
        raise _disagreement(item)
    _, place, at_subclip = min(candidates)
    return place, at_subclip


def _time_positions(item: Item, media: PoolMedia) -> list[tuple[int, bool]]:
    """What the start time may mean: from midnight or from the first frame, of the file or of the subclip."""
    if not item.HasField("source_start_seconds"):
        return []
    frames = round(Fraction(item.source_start_seconds) * media.rate)
    first = media.subclip_start
    from_file = [(frames - media.timecode_frame, False), (frames, False)]
    return from_file + ([(frames - media.timecode_frame + first, True), (frames + first, True)] if first else [])


def _frame_doubts(item: Item, media: PoolMedia, place: int) -> Iterable[Fraction]:
    """How far the frame getter is from a place: agreeing is best, one low is known of, one high is suspicious."""
    if not item.HasField("source_start_frame"):
        return (Fraction(0),)
    told = {item.source_start_frame, item.source_start_frame - (media.first_frame if media.is_sequence else 0)}
    doubts = {0: Fraction(0), 1: Fraction(1, 2), -1: Fraction(3, 2)}
    return tuple(doubts[place - frame] for frame in told if abs(place - frame) <= 1)


def _disagreement(item: Item) -> UnsupportedClipError:
    told = ", ".join(f"{field.name} {value:g}" for field, value in item.ListFields() if field.name in _WITNESSES)
    return UnsupportedClipError(
        f"Resolve contradicts itself about where in its media clip '{item.name}' begins ({told or 'nothing'}); render"
        " the clip in place and try again"
    )
