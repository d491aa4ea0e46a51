"""FCP7 XML written afresh, and the file elements of takes."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from xml.etree.ElementTree import Element, indent

from cleanplate_plugin.documents.saving import write_beside
from cleanplate_plugin.documents.xmeml_clock import Clock, Domain, write_duration, write_points
from cleanplate_plugin.documents.xmeml_values import (
    number_text,
    rate_element,
    speed_text,
    text_element,
    ticks_of,
    timecode_element,
    url_of,
)
from cleanplate_plugin.documents.xml_tree import XmlFile
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import SourceMedia, Take, Use

_BEFORE = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE xmeml>\n'


def file_for(take: Take, *, like: Element, name: str) -> Element:
    """A file element for a take, with the picture's size and shape as the original's says.

    Args:
        take: what it names.
        like: the original's definition.
        name: its id.
    """
    media = take.media
    assert media.path is not None, "a take is a file"
    assert media.frame_count is not None, "a take knows its length"
    file = Element("file", {"id": name})
    file.text = like.text
    file.append(text_element("name", media.path.name))
    file.append(text_element("pathurl", url_of(media.path, like=like.findtext("pathurl"))))
    file.append(rate_element(media.rate))
    file.append(text_element("duration", number_text(Fraction(media.frame_count), like=like.findtext("duration"))))
    file.append(timecode_element(media.start_frame, media.rate, drop_frame=media.drop_frame))
    for tag in ("width", "height"):
        if like.find(tag) is not None:
            file.append(text_element(tag, like.findtext(tag) or ""))
    held, video = Element("media"), Element("video")
    held.append(video)
    file.append(held)
    shape = like.find("media/video/samplecharacteristics")
    if shape is not None:
        shape = copy.deepcopy(shape)
        # The take's codec is its own; what is left unsaid, programs read from the file.
        for codec in shape.findall("codec"):
            shape.remove(codec)
        video.append(shape)
    return file


def write_xmeml(
    path: Path,
    items: Sequence[Use],
    *,
    name: str,
    rate: Fraction,
    start_frame: int,
    drop_frame: bool,
    size: tuple[int, int] | None,
) -> None:
    """Writes a timeline of neutral clips as FCP7 XML, video alone.

    A retimed clip has a Time Remap filter, in and out points that count the retimed clip, as Final Cut and Premiere do,
    and Premiere's ticks, which count the source. Resolve reads in points as source frames and builds no retime from
    FCP7 XML, so retimed clips do not arrive there: give it an .otio instead.

    Args:
        path: target; written beside it, then renamed.
        items: clips, in record order on each track; those that a dissolve joins say what it shows beyond their cuts.
        name: of the timeline.
        rate: record frames a second.
        start_frame: timecode of the first record frame.
        drop_frame: whether it is written with dropped numbers.
        size: height and width of the timeline's picture; None when nobody knows, then it is left out.

    Raises:
        TimelineError: a clip names no file, two overlap, or the format cannot say a rate.
    """
    sequence = Element("sequence", {"id": "sequence-1"})
    stop = max((use.record_span.stop_frame for use in items), default=0)
    sequence.append(text_element("name", name))
    sequence.append(text_element("duration", str(stop)))
    sequence.append(rate_element(rate))
    sequence.append(timecode_element(start_frame, rate, drop_frame=drop_frame))
    held, video = Element("media"), Element("video")
    sequence.append(held)
    held.append(video)
    if size is not None:
        video.append(_format(rate, size))
    tracks = _Tracks(rate)
    for number in range(1, 1 + max((use.track for use in items), default=1)):
        video.append(tracks.track([use for use in items if use.track == number]))
    root = Element("xmeml", {"version": "5"})
    root.append(sequence)
    indent(root, "\t")
    root.tail = None
    write_beside(path, XmlFile(root, _BEFORE, "\n", "utf-8").encode())


def retime_filter(speed: Fraction) -> Element:
    """A Time Remap filter of constant speed."""
    held, effect = Element("filter"), Element("effect")
    held.append(effect)
    for tag, text in (
        ("name", "Time Remap"),
        ("effectid", "timeremap"),
        ("effectcategory", "motion"),
        ("effecttype", "motion"),
        ("mediatype", "video"),
    ):
        effect.append(text_element(tag, text))
    for tag, text in (
        ("variablespeed", "0"),
        ("speed", speed_text(speed)),
        ("reverse", "TRUE" if speed < 0 else "FALSE"),
        ("frameblending", "FALSE"),
    ):
        parameter = Element("parameter")
        parameter.append(text_element("parameterid", tag))
        parameter.append(text_element("name", tag))
        parameter.append(text_element("value", text))
        effect.append(parameter)
    return held


class _Tracks:
    """Writes tracks, each file defined at its first use.

    Args:
        rate: of the timeline.
    """

    def __init__(self, rate: Fraction) -> None:
        self._rate = rate
        self._files: dict[SourceMedia, str] = {}
        self._count = 0

    def track(self, uses: Sequence[Use]) -> Element:
        """One track."""
        track = Element("track")
        ordered = sorted(uses, key=lambda held: held.record_start)
        neighbours = [None, *ordered, None]
        for before, use, after in zip(neighbours, ordered, neighbours[2:], strict=False):
            if before is not None and before.record_span.stop_frame > use.record_start:
                raise TimelineError(
                    f"clips '{before.name}' and '{use.name}' overlap on track {use.track};"
                    " put one of them on another track"
                )
            entry, exit_ = _dissolve(before, use, at=use), _dissolve(use, after, at=use)
            if entry is not None:
                track.append(self._transition(use.record_start, entry))
            track.append(self._clip(use, entry, exit_))
            if exit_ is not None and not _joined(use, after):
                track.append(self._transition(use.record_span.stop_frame, exit_))
        track.append(text_element("enabled", "TRUE"))
        track.append(text_element("locked", "FALSE"))
        return track

    def _transition(self, cut: int, reach: tuple[int, int]) -> Element:
        head, tail = reach
        item = Element("transitionitem")
        item.append(rate_element(self._rate))
        item.append(text_element("start", str(cut - head)))
        item.append(text_element("end", str(cut + tail)))
        item.append(text_element("alignment", "center" if head and tail else "end" if head else "start"))
        item.append(text_element("cutPointTicks", str(ticks_of(Fraction(head), self._rate))))
        effect = Element("effect")
        for tag, text in (
            ("name", "Cross Dissolve"),
            ("effectid", "Cross Dissolve"),
            ("effectcategory", "Dissolve"),
            ("effecttype", "transition"),
            ("mediatype", "video"),
        ):
            effect.append(text_element(tag, text))
        item.append(effect)
        return item

    def _clip(self, use: Use, entry: tuple[int, int] | None, exit_: tuple[int, int] | None) -> Element:
        self._count += 1
        item = Element("clipitem", {"id": f"clipitem-{self._count}"})
        head, tail = (entry or (0, 0))[0], (exit_ or (0, 0))[1]
        start = use.record_start if entry is None else -1
        end = use.record_span.stop_frame if exit_ is None else -1
        for tag, text in (("name", use.name), ("enabled", "TRUE" if use.enabled else "FALSE")):
            item.append(text_element(tag, text))
        item.append(rate_element(self._rate))
        for tag, text in (("start", str(start)), ("end", str(end))):
            item.append(text_element(tag, text))
        clock = _clock(use)
        shown = head + use.frame_count + tail
        position = use.source_start - head * use.step
        write_points(item, clock, position, shown=shown, media_frames=use.media.frame_count)
        if use.media.frame_count is not None and use.speed != 0:
            write_duration(item, clock, use.media.frame_count)
        item.append(self._file(use))
        if use.speed != 1:
            item.append(retime_filter(use.speed))
        return item

    def _file(self, use: Use) -> Element:
        media = use.media
        if media.path is None:
            raise TimelineError(f"clip '{use.name}' names no file, which FCP7 XML needs; link it to its file first")
        known = self._files.get(media)
        if known is not None:
            return Element("file", {"id": known})
        name = self._files[media] = f"file-{len(self._files) + 1}"
        file = Element("file", {"id": name})
        file.append(text_element("name", media.path.name))
        file.append(text_element("pathurl", url_of(media.path, like=None)))
        file.append(rate_element(media.rate))
        if media.frame_count is not None:
            file.append(text_element("duration", str(media.frame_count)))
        file.append(timecode_element(media.start_frame, media.rate, drop_frame=media.drop_frame))
        held = Element("media")
        held.append(Element("video"))
        file.append(held)
        return file


def _joined(before: Use | None, after: Use | None) -> bool:
    return before is not None and after is not None and before.record_span.stop_frame == after.record_start


def _dissolve(before: Use | None, after: Use | None, *, at: Use) -> tuple[int, int] | None:
    """Record frames that a transition at a cut of a clip shows before and after the cut; None without one.

    Args:
        before: the clip that ends there, if any.
        after: the clip that begins there, if any.
        at: the one of them that is being written.
    """
    if not _joined(before, after):
        before, after = (at, None) if at is before else (None, at)
    leaving = (0, 0) if before is None else (before.fade_out_frames, before.tail_frames)
    coming = (0, 0) if after is None else (after.head_frames, after.fade_in_frames)
    reach = (max(leaving[0], coming[0]), max(leaving[1], coming[1]))
    return reach if any(reach) else None


def _clock(use: Use) -> Clock:
    """In and out points as Final Cut and Premiere count them, with ticks."""
    if use.speed in (0, 1):
        domain = Domain.SOURCE
    elif use.speed < 0 and use.media.frame_count is not None:
        domain = Domain.MIRRORED
    else:
        domain = Domain.WARPED
    return Clock(use.rate, use.rate, use.media.rate, use.speed, domain, has_ticks=True)


def _format(rate: Fraction, size: tuple[int, int]) -> Element:
    held, shape = Element("format"), Element("samplecharacteristics")
    height, width = size
    held.append(shape)
    shape.append(rate_element(rate))
    for tag, text in (("width", str(width)), ("height", str(height)), ("pixelaspectratio", "square")):
        shape.append(text_element(tag, text))
    return held
