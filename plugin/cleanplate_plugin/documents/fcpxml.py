"""FCPXML of Final Cut Pro, read into OTIO; the adapter loses transitions and rates, so it is read here.

Times are exact seconds. A story element has a place in its parent (``offset``, in the parent's own time), a first
moment of its own time (``start``) and a ``duration``. What lies in lanes is tied to a parent and stands on tracks of
its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element

from opentimelineio.core import Item
from opentimelineio.opentime import TimeRange
from opentimelineio.schema import (
    Clip,
    ExternalReference,
    Gap,
    GeneratorReference,
    LinearTimeWarp,
    MissingReference,
    Stack,
    TimeEffect,
    Timeline,
    Track,
    Transition,
)

from cleanplate_plugin.dialects.base import Played
from cleanplate_plugin.dialects.numbers import range_of, time_of
from cleanplate_plugin.dialects.ours import Ours
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.documents.xmeml_values import path_of
from cleanplate_plugin.documents.xml_tree import read_xml
from cleanplate_plugin.errors import TimelineError

_SECONDS = re.compile(r"(-?\d{1,18}(?:\.\d{1,9})?)(?:/(\d{1,18}))?s?")
_NESTED = ("ref-clip", "mc-clip", "sync-clip")
_HELD = ("asset-clip", "clip", "video", "title", "gap", *_NESTED)
_INFO = "Info.fcpxml"
_ZERO = Fraction(0)


def open_fcpxml(path: Path) -> OtioDocument:
    """Reads an FCPXML or the bundle of one; its first project.

    Edits are saved as .otio; Final Cut's own format is not written.

    Args:
        path: a .fcpxml file or a .fcpxmld bundle.

    Raises:
        TimelineError: it cannot be read, or holds no project.
    """
    file = path / _INFO if path.is_dir() else path
    root = read_xml(file).root
    if root.tag != "fcpxml":
        raise TimelineError(f"{path.name} is not FCPXML: it begins with <{root.tag}>; export it again from Final Cut")
    sequence = next(iter(root.iter("sequence")), None)
    project = next((held for held in root.iter("project") if held.find("sequence") is not None), None)
    sequence = sequence if project is None else project.find("sequence")
    spine = None if sequence is None else sequence.find("spine")
    if sequence is None or spine is None:
        raise TimelineError(f"{path.name} holds no project; export the project, not its clips")
    reader = _Reader(root, sequence, path.name)
    name = "" if project is None else project.get("name", "")
    timeline = reader.timeline(spine, name or path.stem)
    return OtioDocument.from_timeline(timeline, Ours(), folder=file.resolve().parent, drop_frame=reader.drop_frame)


@dataclass(frozen=True)
class _Placed:
    """Something on a track.

    Args:
        lane: 0 is the primary storyline.
        start: seconds from the timeline's start.
        duration: seconds.
        item: of OTIO.
        before: transition into it.
        after: transition out of it.
    """

    lane: int
    start: Fraction
    duration: Fraction
    item: Item
    before: Transition | None
    after: Transition | None


@dataclass(frozen=True)
class _Asset:
    """A media file.

    Args:
        url: where it lies; empty for none.
        rate: frames a second; None for a still picture.
        start: timecode of its first frame, seconds.
        duration: seconds.
        has_video: whether it has a picture.
    """

    url: str
    rate: Fraction | None
    start: Fraction
    duration: Fraction
    has_video: bool


class _Reader:
    """Reads one sequence.

    Args:
        root: of the document.
        sequence: in it.
        what: its name, for sentences.
    """

    def __init__(self, root: Element, sequence: Element, what: str) -> None:
        self._what = what
        resources = root.find("resources")
        held = [] if resources is None else list(resources)
        self._formats = {item.get("id", ""): item for item in held if item.tag == "format"}
        self._assets = {item.get("id", ""): item for item in held if item.tag == "asset"}
        rate = self._rate_of(sequence.get("format"))
        if rate is None:
            raise TimelineError(f"the sequence of {what} states no frame duration; export it again from Final Cut")
        self._rate = rate
        self._tc_start = self._seconds(sequence, "tcStart") or _ZERO
        self.drop_frame = sequence.get("tcFormat") == "DF"

    def timeline(self, spine: Element, name: str) -> Timeline:
        """The sequence as OTIO: lanes below the primary storyline, it, lanes above."""
        timeline = Timeline(name)
        timeline.global_start_time = time_of(self._tc_start * self._rate, self._rate)
        placed = list(self._spine(spine, 0, _ZERO, self._tc_start))
        for lane in sorted({held.lane for held in placed} | {0}):
            for layer in _layers([held for held in placed if held.lane == lane]):
                timeline.tracks.append(self._track(layer, len(timeline.tracks) + 1))
        return timeline

    def _track(self, placed: list[_Placed], number: int) -> Track:
        track = Track(f"V{number}", kind="Video")
        at, joined = _ZERO, False
        for held in placed:
            if held.start > at:
                track.append(Gap(source_range=self._record_range(held.start - at)))
            if held.before is not None and not (joined and held.start == at):
                track.append(held.before)
            track.append(held.item)
            if held.after is not None:
                track.append(held.after)
            at, joined = held.start + held.duration, held.after is not None
        return track

    def _spine(self, spine: Element, lane: int, start: Fraction, origin: Fraction) -> Iterator[_Placed]:
        """A storyline: its elements follow each other, transitions lie over the cuts.

        Args:
            spine: the storyline.
            lane: that it lies in.
            start: of it, seconds from the timeline's start.
            origin: what its elements' offsets call that moment.
        """
        elements = [child for child in spine if child.tag in (*_HELD, "transition", "audition")]
        at = start
        for index, element in enumerate(elements):
            if element.tag == "transition":
                continue
            chosen = _chosen(element)
            duration = self._duration(chosen)
            said = self._seconds(element, "offset")
            if said is not None and abs(said - origin - (at - start)) >= 1 / self._rate:
                raise TimelineError(
                    f"'{_name(chosen)}' in {self._what} is said to stand at {float(said - origin):g} s, and what is"
                    f" before it ends at {float(at - start):g} s; export the project again from Final Cut"
                )
            before, after = (elements[k] if 0 <= k < len(elements) else None for k in (index - 1, index + 1))
            yield from self._element(
                chosen,
                lane,
                at,
                before=self._transition(before, at - start + origin),
                after=self._transition(after, at - start + origin + duration),
            )
            at += duration

    def _transition(self, element: Element | None, cut: Fraction) -> Transition | None:
        """A transition over a cut, in the time of its storyline."""
        if element is None or element.tag != "transition":
            return None
        offset = self._seconds(element, "offset")
        duration = self._duration(element)
        first = cut - duration / 2 if offset is None else offset
        if not first <= cut <= first + duration:
            raise TimelineError(
                f"transition '{_name(element)}' in {self._what} lies on no cut; export the project again from Final Cut"
            )
        return Transition(
            name=_name(element),
            transition_type="SMPTE_Dissolve",
            in_offset=time_of((cut - first) * self._rate, self._rate),
            out_offset=time_of((first + duration - cut) * self._rate, self._rate),
        )

    def _element(
        self, element: Element, lane: int, at: Fraction, *, before: Transition | None, after: Transition | None
    ) -> Iterator[_Placed]:  # fmt: skip
        """An element and what is tied to it."""
        duration = self._duration(element)
        item = self._item(element, duration)
        if item is not None:
            yield _Placed(lane, at, duration, item, before, after)
        own_start = self._start(element)
        for child in element:
            tied = int(child.get("lane", "0")) if re.fullmatch(r"-?\d{1,4}", child.get("lane", "0")) else 0
            if tied == 0:
                continue
            offset = self._seconds(child, "offset")
            start = at if offset is None else at + offset - own_start
            if child.tag == "spine":
                yield from self._spine(child, lane + tied, start, _ZERO)
            elif child.tag in (*_HELD, "audition"):
                yield from self._element(_chosen(child), lane + tied, start, before=None, after=None)

    def _item(self, element: Element, duration: Fraction) -> Item | None:
        """An element as OTIO says it; None for sound and for nothing."""
        if element.tag == "gap" or element.get("srcEnable") == "audio":
            return None
        name = _name(element)
        if element.tag in _NESTED:
            return Stack(name=name, source_range=self._record_range(duration))
        if element.tag == "title":
            return self._unfilmed(name, duration, "title")
        return self._clip(element, name, duration)

    def _clip(self, element: Element, name: str, duration: Fraction) -> Item | None:
        inner = element.find("video") if element.tag == "clip" else element
        if inner is None:
            nested = next((child for child in element if child.tag in _HELD and not child.get("lane")), None)
            return None if nested is None else Stack(name=name, source_range=self._record_range(duration))
        asset = self._asset(inner.get("ref", ""))
        if asset is None:
            return self._unfilmed(name, duration, "generator")
        if not asset.has_video:
            return None
        if asset.rate is None:
            return self._unfilmed(name, duration, "still picture")
        first, speed = self._retime(element)
        if inner is not element:
            first += self._start(inner) - (self._seconds(inner, "offset") or _ZERO)
        clip = Clip(name=name, media_reference=self._reference(asset, asset.rate))
        clip.enabled = element.get("enabled", "1") != "0"
        conform = element.find("conform-rate")
        scaled = conform is not None and conform.get("scaleEnabled", "1") != "0" and asset.rate != self._rate
        if speed is None or scaled:
            clip.effects.append(TimeEffect(effect_name="Retime"))
        speed = Fraction(1) if speed is None else speed
        if speed != 1:
            clip.effects.append(LinearTimeWarp(time_scalar=float(speed)))
        position = first * asset.rate - (1 if speed < 0 else 0)
        written = Ours().written(Played(position, duration * self._rate, speed), asset.rate / self._rate)
        clip.source_range = TimeRange(time_of(written.start, asset.rate), time_of(written.duration, self._rate))
        return clip

    def _reference(self, asset: _Asset, rate: Fraction) -> ExternalReference | MissingReference:
        span = range_of(asset.start * rate, round(asset.duration * rate), rate) if asset.duration else None
        try:
            path = path_of(asset.url)
        except TimelineError:
            path = None
        if path is None:
            return MissingReference(available_range=span)
        url = Ours().target_url(path) if path.is_absolute() else str(path)
        return ExternalReference(target_url=url, available_range=span)

    def _retime(self, element: Element) -> tuple[Fraction, Fraction | None]:
        """Source time at an element's start, and its speed: None when that changes."""
        start = self._start(element)
        points = [
            (self._seconds(point, "time"), self._seconds(point, "value")) for point in element.findall("timeMap/timept")
        ]
        known = sorted((time, value) for time, value in points if time is not None and value is not None)
        if len(known) < 2 or known[0][0] == known[-1][0]:
            return start, None if element.find("timeMap") is not None else Fraction(1)
        (first, low), (last, high) = known[0], known[-1]
        speed = (high - low) / (last - first)
        straight = all(value == low + (time - first) * speed for time, value in known)
        return low + (start - first) * speed, speed if straight else None

    def _start(self, element: Element) -> Fraction:
        """First moment of an element's own time; of a file with timecode that is its start where nothing is said."""
        said = self._seconds(element, "start")
        if said is not None:
            return said
        asset = self._asset(element.get("ref", "")) if element.tag in ("asset-clip", "video") else None
        return _ZERO if asset is None else asset.start

    def _asset(self, name: str) -> _Asset | None:
        asset = self._assets.get(name)
        if asset is None:
            return None
        kept = [held.get("src", "") for held in asset.findall("media-rep") if held.get("kind") != "proxy-media"]
        return _Asset(
            url=asset.get("src") or next(iter(kept), ""),
            rate=self._rate_of(asset.get("format")),
            start=self._seconds(asset, "start") or _ZERO,
            duration=self._seconds(asset, "duration") or _ZERO,
            has_video=asset.get("hasVideo", "0" if asset.get("hasAudio") == "1" else "1") != "0",
        )

    def _rate_of(self, name: str | None) -> Fraction | None:
        held = self._formats.get(name or "")
        duration = None if held is None else self._seconds(held, "frameDuration")
        return 1 / duration if duration else None

    def _duration(self, element: Element) -> Fraction:
        said = self._seconds(element, "duration")
        if said is None:
            asset = self._asset(element.get("ref", "")) if element.tag == "asset-clip" else None
            said = None if asset is None else asset.duration
        if said is None or said < 0:
            raise TimelineError(f"'{_name(element)}' in {self._what} has no duration; export the project again")
        return said

    def _seconds(self, element: Element, attribute: str) -> Fraction | None:
        text = element.get(attribute)
        if text is None:
            return None
        found = _SECONDS.fullmatch(text.strip())
        if found is None or int(found[2] or 1) == 0:
            raise TimelineError(
                f"the {attribute} of '{_name(element)}' in {self._what} is '{text[:40]}', which is no time;"
                " export the project again from Final Cut"
            )
        return Fraction(found[1]) / int(found[2] or 1)

    def _record_range(self, duration: Fraction) -> TimeRange:
        return TimeRange(time_of(_ZERO, self._rate), time_of(duration * self._rate, self._rate))

    def _unfilmed(self, name: str, duration: Fraction, kind: str) -> Clip:
        reference = GeneratorReference(name=kind, generator_kind=kind)
        return Clip(name=name, media_reference=reference, source_range=self._record_range(duration))


def _layers(placed: list[_Placed]) -> list[list[_Placed]]:
    """Elements of a lane in order, on as few tracks as hold them without overlaps."""
    layers: list[list[_Placed]] = []
    for held in sorted(placed, key=lambda item: item.start):
        free = next((layer for layer in layers if layer[-1].start + layer[-1].duration <= held.start), None)
        if free is None:
            layers.append([held])
        else:
            free.append(held)
    return layers or [[]]


def _chosen(element: Element) -> Element:
    """Of an audition the first, which is seen."""
    if element.tag != "audition":
        return element
    return next((child for child in element if child.tag in _HELD), element)


def _name(element: Element) -> str:
    return element.get("name") or element.tag
