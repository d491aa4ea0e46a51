"""Every record frame shows the same source frame after FCP7 XML was written and read."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from cleanplate_plugin.documents.xmeml import XmemlDocument
from cleanplate_plugin.documents.xmeml_writing import write_xmeml
from cleanplate_plugin.errors import TimelineError
from cleanplate_plugin.timeline import SourceMedia, Span, Take, Use
from hypothesis import given, settings
from hypothesis import strategies as st

NTSC = Fraction(1000, 1001)
RATES = [24 * NTSC, Fraction(24), Fraction(25), 30 * NTSC, Fraction(30), Fraction(50), 60 * NTSC, Fraction(60)]
SPEEDS = [Fraction(text) for text in ("1", "1", "2", "1/2", "1/3", "3/2", "7/13", "-1", "-1/2", "-2", "-4/3", "0")]


@st.composite
def _clip(draw: st.DrawFn, rate: Fraction) -> Use:
    """A clip at record frame 0, anywhere in a file that goes on for 200 frames on either side."""
    media_rate = draw(st.sampled_from([rate, rate, *RATES]))
    speed = draw(st.sampled_from(SPEEDS))
    count = draw(st.integers(1, 60))
    reach = int(abs(speed * media_rate / rate) * count) + 200
    first = draw(st.integers(0, 50_000))
    media = SourceMedia(
        Path(f"/footage/day {first % 3}/A#{first:05d} é.mov"),
        media_rate,
        start_frame=draw(st.integers(0, 2_000_000)),
        frame_count=first + 2 * reach,
        drop_frame=draw(st.booleans()) and media_rate in (30 * NTSC, 60 * NTSC),
    )
    part = draw(st.sampled_from([Fraction(0), Fraction(0), Fraction(1, 2), Fraction(2, 3)]))
    return Use(
        name=draw(st.sampled_from(["A001", "B & <C>", "Å"])),
        place="",
        track=1,
        record_start=0,
        frame_count=count,
        rate=rate,
        media=media,
        source_start=first + reach + part,
        speed=speed,
        enabled=draw(st.booleans()),
    )


@st.composite
def _track(draw: st.DrawFn, rate: Fraction, number: int) -> list[Use]:
    """Clips with gaps or dissolves between them."""
    uses: list[Use] = []
    at = 0
    for clip in draw(st.lists(_clip(rate), min_size=1, max_size=4)):
        gap = draw(st.sampled_from([0, 0, 1, 17]))
        use = replace(clip, track=number, record_start=at + gap)
        if uses and gap == 0:
            before = uses[-1]
            head = draw(st.integers(0, min(8, before.frame_count - before.fade_in_frames)))
            tail = draw(st.integers(0, min(8, use.frame_count)))
            uses[-1] = replace(before, tail_frames=tail, fade_out_frames=head)
            use = replace(use, head_frames=head, fade_in_frames=tail)
        uses.append(use)
        at = use.record_span.stop_frame
    return uses


@st.composite
def _timelines(draw: st.DrawFn) -> tuple[list[Use], Fraction, int, bool]:
    rate = draw(st.sampled_from(RATES))
    uses = [use for number in range(1, draw(st.integers(1, 2)) + 1) for use in draw(_track(rate, number))]
    return uses, rate, draw(st.integers(0, 3_000_000)), draw(st.booleans()) and rate in (30 * NTSC, 60 * NTSC)


def _frames(use: Use) -> list[int]:
    return [use.source_frame(k) for k in range(-use.head_frames, use.frame_count + use.tail_frames)]


@settings(max_examples=120, deadline=None)
@given(_timelines())
def test_frames_written_and_read_are_the_same(timeline: tuple[list[Use], Fraction, int, bool]) -> None:
    uses, rate, start_frame, drop_frame = timeline
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cut.xml"
        write_xmeml(
            path, uses, name="cut", rate=rate, start_frame=start_frame, drop_frame=drop_frame, size=(1080, 1920)
        )
        document = XmemlDocument.open(path)

    assert (document.rate, document.start_frame, document.drop_frame) == (rate, start_frame, drop_frame)
    found = [item for item in document.items() if isinstance(item, Use)]
    assert [_frames(use) for use in found] == [_frames(use) for use in uses]
    assert [replace(use, place="", source_start=Fraction(0)) for use in found] == [
        replace(use, source_start=Fraction(0)) for use in uses
    ]


@settings(max_examples=80, deadline=None)
@given(_timelines(), st.data())
def test_frames_after_a_take_are_the_clean_forms_of_those_before(
    timeline: tuple[list[Use], Fraction, int, bool], data: st.DataObject
) -> None:
    uses, rate, start_frame, drop_frame = timeline
    with TemporaryDirectory() as folder:
        path, again = Path(folder) / "cut.xml", Path(folder) / "again.xml"
        write_xmeml(path, uses, name="cut", rate=rate, start_frame=start_frame, drop_frame=drop_frame, size=None)
        document = XmemlDocument.open(path)
        use = data.draw(st.sampled_from([item for item in document.items() if isinstance(item, Use)]))
        first = data.draw(st.integers(0, use.frame_count - 1))
        part = Span(first, data.draw(st.integers(1, use.frame_count - first)))
        needed = use.source_span()
        handles = data.draw(st.integers(0, 12))
        start = max(0, needed.start_frame - handles)
        media = replace(
            use.media,
            path=Path("/takes/clean_cp001.mov"),
            start_frame=use.media.start_frame + start,
            frame_count=needed.stop_frame + handles - start,
        )
        take = Take(media, start, "clean_cp001", {})
        before = _by_record(document)

        document.replace(use, take, part)
        document.save(again)
        after = _by_record(XmemlDocument.open(again))

    shown = use.whole_part(part)
    for (track, frame), (name, source) in before.items():
        own = track == use.track and name == str(use.media.path)
        within = own and use.record_start + shown.start_frame <= frame < use.record_start + shown.stop_frame
        expected = (str(media.path), source - start) if within else (name, source)
        assert after[track, frame] == expected


def _by_record(document: XmemlDocument) -> dict[tuple[int, int], tuple[str, int]]:
    """By track and record frame, between cuts: file and frame."""
    return {
        (use.track, use.record_start + k): (str(use.media.path), use.source_frame(k))
        for use in document.items()
        if isinstance(use, Use)
        for k in range(use.frame_count)
    }


def test_write_clip_without_a_file_is_refused_by_name(tmp_path: Path) -> None:
    use = Use("A001", "", 1, 0, 10, Fraction(25), SourceMedia(None, Fraction(25)), Fraction(0))

    with pytest.raises(TimelineError, match="clip 'A001' names no file"):
        write_xmeml(
            tmp_path / "cut.xml", [use], name="cut", rate=Fraction(25), start_frame=0, drop_frame=False, size=None
        )
    assert not list(tmp_path.iterdir())


def test_write_overlapping_clips_are_refused_by_name(tmp_path: Path) -> None:
    media = SourceMedia(Path("/a.mov"), Fraction(25), frame_count=100)
    uses = [Use(name, "", 1, at, 10, Fraction(25), media, Fraction(0)) for name, at in (("A001", 0), ("B002", 9))]

    with pytest.raises(TimelineError, match="'A001' and 'B002' overlap"):
        write_xmeml(
            tmp_path / "cut.xml", uses, name="cut", rate=Fraction(25), start_frame=0, drop_frame=False, size=None
        )
