"""How a clipitem of FCP7 XML counts its source: in and out points, Premiere's ticks, and the Time Remap filter.

In and out count frames of the clipitem's rate from the file's first frame. For a retimed clip, Final Cut and Premiere
count them in the retimed clip (at half speed, source frame 10 is in point 20), backwards from the file's end when it
plays backwards; Resolve writes the source frame itself. Premiere adds ticks, which always mean the source. Where two of
these disagree the clip is refused: nothing is guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from xml.etree.ElementTree import Element

from cleanplate_plugin.documents.refused import Refused
from cleanplate_plugin.documents.xmeml_values import (
    TICKS_PER_SECOND,
    number_text,
    position_of,
    read_flag,
    read_number,
    read_speed,
    simplest_between,
    text_element,
    ticks_of,
)

_SAME_FRAME = Fraction(1, 100)
"""Ticks may be rounded; frames are millions of ticks long."""


class Domain(Enum):
    """What in and out points count."""

    SOURCE = "frames of the file"
    WARPED = "frames of the retimed clip"
    MIRRORED = "frames of the retimed clip, from the file's end"


@dataclass(frozen=True)
class Clock:
    """How a clipitem counts.

    Args:
        rate: of the timeline.
        clip_rate: of in and out.
        media_rate: of the file.
        speed: as in ``Use``.
        domain: of in and out.
        has_ticks: whether the clipitem has Premiere's ticks.
    """

    rate: Fraction
    clip_rate: Fraction
    media_rate: Fraction
    speed: Fraction
    domain: Domain
    has_ticks: bool

    @property
    def step(self) -> Fraction:
        """Source frames in one record frame."""
        return self.speed * self.media_rate / self.rate

    def points(self, position: Fraction, shown: int, media_frames: int | None) -> tuple[Fraction, Fraction]:
        """In and out points.

        Args:
            position: source frame of the first record frame that is shown.
            shown: record frames, with those in transitions.
            media_frames: length of the file.
        """
        to_clip = self.clip_rate / self.media_rate
        length = shown * self.clip_rate / self.rate
        low, high = self.source_ends(position, shown)
        if self.speed == 0:
            return position * to_clip, position * to_clip + length
        if self.domain is Domain.SOURCE:
            return low * to_clip, high * to_clip
        start = low
        if self.domain is Domain.MIRRORED:
            assert media_frames is not None, "a file of unknown length has no end to count from"
            start = media_frames - high
        first = start * to_clip / abs(self.speed)
        return first, first + length

    def source_ends(self, position: Fraction, shown: int) -> tuple[Fraction, Fraction]:
        """The file's frames that are shown: the first and one past the last, in order of the file."""
        if self.speed == 0:
            return position, position + 1
        if self.speed < 0:
            return position + 1 + shown * self.step, position + 1
        return position, position + shown * self.step


def read_retime(item: Element) -> Fraction:
    """The constant speed of a clipitem.

    Raises:
        Refused: a ramp.
        TimelineError: no number where one belongs.
    """
    effect = find_retime(item)
    if effect is None:
        return Fraction(1)
    values = {(p.findtext("parameterid") or "").lower(): p for p in effect.findall("parameter")}
    if "variablespeed" in values and read_flag(values["variablespeed"].findtext("value"), otherwise=False):
        raise Refused("changes its speed while it plays; render it or give it a constant speed first")
    if "speed" not in values:
        raise Refused("has a time remap without a speed; give it a constant speed first")
    if values["speed"].find("keyframe") is not None:
        raise Refused("changes its speed while it plays; render it or give it a constant speed first")
    speed = read_speed(values["speed"].findtext("value"), f"the speed of clip '{item.findtext('name') or ''}'")
    backwards = "reverse" in values and read_flag(values["reverse"].findtext("value"), otherwise=False)
    return -abs(speed) if backwards else speed


def find_retime(item: Element) -> Element | None:
    """The Time Remap effect of a clipitem, when it has one that is on."""
    for held in item.findall("filter"):
        effect = held.find("effect")
        if effect is None or not read_flag(held.findtext("enabled"), otherwise=True):
            continue
        if (effect.findtext("effectid") or "").strip().lower() == "timeremap":
            return effect
    return None


def read_clock(
    item: Element, *, rate: Fraction, clip_rate: Fraction, media_rate: Fraction, shown: int, media_frames: int | None
) -> tuple[Clock, Fraction]:
    """How a clipitem counts, and the source frame of the first record frame that it shows.

    Args:
        item: the clipitem.
        rate: of the timeline.
        clip_rate: of its in and out.
        media_rate: of its file.
        shown: record frames, with those in transitions.
        media_frames: length of its file.

    Raises:
        Refused: a ramp, or what it says of its source does not agree.
        TimelineError: no number where one belongs.
    """
    name = f"clip '{item.findtext('name') or ''}'"
    speed = read_retime(item)
    first = read_number(item.findtext("in"), f"the in point of {name}") or Fraction(0)
    stop = read_number(item.findtext("out"), f"the out point of {name}")
    ticks = [read_number(item.findtext(tag), f"{tag} of {name}") for tag in ("pproTicksIn", "pproTicksOut")]
    clock = Clock(rate, clip_rate, media_rate, speed, Domain.SOURCE, ticks[0] is not None)
    length = None if stop is None else (stop - max(first, Fraction(0))) / clip_rate
    reading = _Reading(item, clock, max(first, Fraction(0)), length, shown, media_frames)
    if ticks[0] is not None:
        return reading.by_ticks(ticks[0], ticks[1])
    return reading.by_points()


@dataclass(frozen=True)
class _Reading:
    """What a clipitem says.

    Args:
        item: the clipitem.
        clock: without its domain.
        first: in point.
        length: from in to out, seconds; None when it has no out point.
        shown: record frames.
        media_frames: length of its file.
    """

    item: Element
    clock: Clock
    first: Fraction
    length: Fraction | None
    shown: int
    media_frames: int | None

    def by_ticks(self, ticks_in: Fraction, ticks_out: Fraction | None) -> tuple[Clock, Fraction]:
        """Premiere's ticks mean the source; the in point must not contradict them."""
        clock = self.clock
        ends = sorted((ticks_in, ticks_in if ticks_out is None else ticks_out))
        low, high = (position_of(end, clock.media_rate) for end in ends)
        position = high - 1 if clock.speed < 0 else low
        if clock.speed == 1:
            return self._unretimed(low)
        if clock.speed == 0:
            return clock, low
        if ticks_out is not None:
            self._check_length((ends[1] - ends[0]) / TICKS_PER_SECOND, abs(clock.speed))
        for domain in (Domain.MIRRORED, Domain.WARPED) if clock.speed < 0 else (Domain.WARPED,):
            said = _in_domain(clock, domain)
            if domain is Domain.MIRRORED and self.media_frames is None:
                continue
            if abs(said.points(position, self.shown, self.media_frames)[0] - self.first) <= 1:
                return said, position
        if abs(low * clock.clip_rate / clock.media_rate - self.first) <= 1:
            return clock, position
        return _in_domain(clock, Domain.WARPED), position

    def by_points(self) -> tuple[Clock, Fraction]:
        """Without ticks, the length from in to out tells what they count."""
        clock = self.clock
        source = self.first * clock.media_rate / clock.clip_rate
        if clock.speed == 1:
            self._check_length(self.length, Fraction(1))
            return clock, source
        if clock.speed == 0:
            return clock, source
        warped, literal = self._fits(Fraction(1)), self._fits(abs(clock.speed))
        if warped and literal:
            # Backwards, only the time graph can tell what is counted.
            warped, literal = (True, False) if clock.speed < 0 else self._by_duration()
        if literal and not warped:
            position = source if clock.speed > 0 else source + abs(self.shown * clock.step) - 1
            return clock, position
        if not warped:
            raise Refused("has in and out points that fit neither its speed nor its length; render it first")
        if clock.speed > 0:
            return _in_domain(clock, Domain.WARPED), _near(source * clock.speed)
        return self._backwards()

    def _backwards(self) -> tuple[Clock, Fraction]:
        """Final Cut counts from the file's end; where in and out fit, only its time graph proves it."""
        clock = _in_domain(self.clock, Domain.MIRRORED)
        start = self.first * clock.media_rate / clock.clip_rate * abs(clock.speed)
        shown = _graph_value(self.item, self.first)
        # Graphs end at the last frame or one past it, and start at 0 or 1.
        if self.media_frames is None or shown is None or abs(self.media_frames - start - shown) > 2:
            raise Refused("plays backwards without saying which frames; export it from Premiere or render it first")
        return clock, self.media_frames - _near(start) - 1

    def _unretimed(self, low: Fraction) -> tuple[Clock, Fraction]:
        """The in point must not contradict the ticks; where both mean a frame's start, the whole number is taken."""
        clock = self.clock
        self._check_length(self.length, Fraction(1))
        source = self.first * clock.media_rate / clock.clip_rate
        if abs(source - low) > max(Fraction(1), clock.media_rate / clock.clip_rate):
            raise Refused(f"has in point {self.first} where its ticks say frame {float(low):g}; export it again")
        same = clock.media_rate == clock.clip_rate and abs(source - low) < _SAME_FRAME
        return clock, source if same else low

    def _check_length(self, seconds: Fraction | None, speed: Fraction) -> None:
        if seconds is None or abs(seconds - speed * self._record_seconds) <= (1 + speed) * self._frame_seconds:
            return
        raise Refused(
            f"shows {float(seconds):.3f} s of its file in {float(self._record_seconds):.3f} s of the timeline, which is"
            f" not its speed of {float(100 * speed):g} %; render it or reset its speed first"
        )

    def _fits(self, speed: Fraction) -> bool:
        return self.length is None or (
            abs(self.length - speed * self._record_seconds) <= (1 + speed) / 2 * self._frame_seconds
        )

    def _by_duration(self) -> tuple[bool, bool]:
        """A clip too short to tell by its points: its duration is that of the retimed file, or of the file."""
        duration = read_number(self.item.findtext("duration"), "the duration of a clip")
        if duration is None or self.media_frames is None:
            raise Refused("is too short to tell what its in point counts; render it or export it from Premiere")
        file_frames = self.media_frames * self.clock.clip_rate / self.clock.media_rate
        warped = abs(duration - file_frames / abs(self.clock.speed)) <= 1
        literal = abs(duration - file_frames) <= 1
        if warped == literal and abs(self.first - self.first * abs(self.clock.speed)) >= Fraction(1, 2):
            raise Refused("is too short to tell what its in point counts; render it or export it from Premiere")
        return (True, False) if warped == literal else (warped, literal)

    @property
    def _record_seconds(self) -> Fraction:
        return self.shown / self.clock.rate

    @property
    def _frame_seconds(self) -> Fraction:
        return max(1 / self.clock.clip_rate, 1 / self.clock.rate)


def write_points(item: Element, clock: Clock, position: Fraction, *, shown: int, media_frames: int | None) -> Fraction:
    """Writes in and out points, and ticks, into a clipitem.

    Args:
        item: the clipitem, which has in and out points as its dialect writes them.
        clock: how it counts.
        position: source frame of the first record frame that it shows.
        shown: record frames, with those in transitions.
        media_frames: length of its file.

    Returns:
        By how many frames the in point moved, for what is counted like it.
    """
    before = item.findtext("in")
    first, stop = clock.points(position, shown, media_frames)
    set_text(item, "in", number_text(first, like=before), after="end")
    set_text(item, "out", number_text(stop, like=before), after="in")
    if clock.has_ticks:
        low, high = clock.source_ends(position, shown)
        set_text(item, "pproTicksIn", str(ticks_of(low, clock.media_rate)), after="out")
        set_text(item, "pproTicksOut", str(ticks_of(high, clock.media_rate)), after="pproTicksIn")
    old = Fraction((before or "0").strip() or "0")
    return Fraction((item.findtext("in") or "0").strip()) - max(old, Fraction(0))


def write_duration(item: Element, clock: Clock, media_frames: int) -> None:
    """Writes how long a clipitem could be: its file's length, as in and out points count."""
    length = media_frames * clock.clip_rate / clock.media_rate
    if clock.domain is not Domain.SOURCE:
        length /= abs(clock.speed)
    set_text(item, "duration", number_text(length, like=item.findtext("duration")), after="name")


def set_text(parent: Element, tag: str, text: str, *, after: str) -> None:
    """Writes an element's text, making it behind another when there is none."""
    child = parent.find(tag)
    if child is None:
        tags = [held.tag for held in parent]
        child = text_element(tag, text)
        place = tags.index(after) + 1 if after in tags else len(tags)
        child.tail = parent[place - 1].tail if place else None
        parent.insert(place, child)
    child.text = text


def _in_domain(clock: Clock, domain: Domain) -> Clock:
    return Clock(clock.rate, clock.clip_rate, clock.media_rate, clock.speed, domain, clock.has_ticks)


def _near(position: Fraction) -> Fraction:
    """An in point of a retimed clip is a rounded source frame where no fraction of a frame is meant."""
    return simplest_between(position - Fraction(1, 1000), position + Fraction(1, 1000))


def _graph_value(item: Element, when: Fraction) -> Fraction | None:
    """What the time graph of a Time Remap says is shown at an in point; None without a graph of a straight line."""
    effect = find_retime(item)
    graphs = (
        [] if effect is None else [p for p in effect.findall("parameter") if p.findtext("parameterid") == "graphdict"]
    )
    keys = [
        (
            read_number(key.findtext("when"), "a time in a time remap's graph"),
            read_number(key.findtext("value"), "a value in a time remap's graph"),
        )
        for graph in graphs
        for key in graph.findall("keyframe")
    ]
    known = sorted((at, value) for at, value in keys if at is not None and value is not None)
    if len(known) < 2 or known[0][0] == known[-1][0]:
        return None
    (first, low), (last, high) = known[0], known[-1]
    return low + (high - low) * (when - first) / (last - first)
