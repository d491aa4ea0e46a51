"""Editorial arithmetic: which frame of a file stands at which record frame."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.errors import TimelineError, UnsupportedClipError
from cleanplate_plugin.timeline import SourceMedia, Span, Take, Use, settle
from hypothesis import given, settings
from hypothesis import strategies as st
from otio_made import NTSC, RATES, SPEEDS

FILE = SourceMedia(Path("/media/a.mov"), Fraction(25), 90000, 1000)
USE = Use("a", "V1@0", 1, 0, 40, Fraction(25), FILE, Fraction(500))


def fitted(use: Use, start: int | None = 90000, count: int = 1000, rate: Fraction = Fraction(25)) -> Use:
    return settle(use, start, file_frame_count=count, file_rate=rate, file_drop_frame=False)


@st.composite
def uses(draw: st.DrawFn) -> Use:
    rate, media_rate = draw(st.sampled_from(RATES)), draw(st.sampled_from(RATES))
    head, tail = draw(st.integers(0, 8)), draw(st.integers(0, 8))
    return replace(
        USE,
        rate=rate,
        media=replace(FILE, rate=media_rate, frame_count=5000),
        frame_count=draw(st.integers(1, 60)),
        source_start=Fraction(draw(st.integers(1000, 3000))),
        speed=draw(st.sampled_from(SPEEDS)),
        head_frames=head,
        tail_frames=tail,
        fade_in_frames=min(head, 2),
        fade_out_frames=min(tail, 2),
    )


@pytest.mark.parametrize(
    ("speed", "frames"),
    [
        ("1", [500, 501, 502, 503]),
        ("2", [500, 502, 504, 506]),
        ("1/2", [500, 500, 501, 501]),
        ("3/4", [500, 500, 501, 502]),
        ("-1", [500, 499, 498, 497]),
        ("-2", [500, 498, 496, 494]),
        ("-1/2", [500, 500, 499, 499]),
        ("0", [500, 500, 500, 500]),
    ],
)
def test_speed_shows_frames_in_its_order(speed: str, frames: list[int]) -> None:
    use = replace(USE, speed=Fraction(speed))
    assert [use.source_frame(k) for k in range(4)] == frames


def test_rate_of_media_sets_the_step() -> None:
    assert replace(USE, media=replace(FILE, rate=Fraction(50))).step == 2
    assert replace(USE, rate=NTSC[2], media=replace(FILE, rate=NTSC[1])).step == Fraction(1, 2)


def test_position_that_is_a_float_from_a_frame_is_on_it() -> None:
    noise = Fraction(1, 10**9)
    assert replace(USE, source_start=500 - noise).source_frame(3) == 503
    assert replace(USE, source_start=500 + noise, speed=Fraction(-1)).source_frame(3) == 497


@given(uses())
@settings(max_examples=60, deadline=None)
def test_source_span_is_all_that_is_shown_transitions_too(use: Use) -> None:
    seen = {use.source_frame(k) for k in range(-use.head_frames, use.frame_count + use.tail_frames)}
    assert use.source_span() == Span(min(seen), max(seen) - min(seen) + 1)


@given(uses(), st.data())
@settings(max_examples=60, deadline=None)
def test_part_shows_what_the_clip_showed_there(use: Use, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, use.frame_count - 1))
    part = Span(start, data.draw(st.integers(1, use.frame_count - start)))
    piece = use.part(part)
    assert piece.record_start == use.record_start + start
    assert [piece.source_frame(k) for k in range(part.frame_count)] == [
        use.source_frame(k) for k in range(part.start_frame, part.stop_frame)
    ]
    assert piece.head_frames == (use.head_frames if start == 0 else 0)
    assert piece.tail_frames == (use.tail_frames if part.stop_frame == use.frame_count else 0)


@given(uses(), st.data())
@settings(max_examples=60, deadline=None)
def test_offset_of_a_shown_frame_shows_it_first(use: Use, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, use.frame_count - 1))
    offset = use.offset_of(use.source_frame(k))
    assert offset is not None
    assert offset <= k
    assert use.source_frame(offset) == use.source_frame(k)
    assert offset == 0 or use.source_frame(offset - 1) != use.source_frame(k)


@given(uses(), st.integers(0, 12))
@settings(max_examples=60, deadline=None)
def test_with_take_shows_the_clean_form_of_every_frame(use: Use, spare: int) -> None:
    needed = use.source_span()
    media = replace(use.media, path=Path("/t.mov"), frame_count=needed.frame_count + 2 * spare)
    take = Take(media, needed.start_frame - spare, "t", {})
    clean = use.with_take(take)
    for k in range(-use.head_frames, use.frame_count + use.tail_frames):
        assert clean.source_frame(k) + take.source_start == use.source_frame(k)
    with pytest.raises(TimelineError, match="t holds frames"):
        use.with_take(replace(take, source_start=needed.start_frame + 1 + spare + needed.frame_count))


def test_take_of_another_rate_is_refused() -> None:
    with pytest.raises(TimelineError, match="t has 24 frames a second where clip 'a' has 25"):
        USE.with_take(Take(replace(FILE, rate=Fraction(24)), 0, "t", {}))


@given(uses(), st.data())
@settings(max_examples=60, deadline=None)
def test_whole_part_holds_the_part_and_cuts_no_dissolve(use: Use, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, use.frame_count - 1))
    part = Span(start, data.draw(st.integers(1, use.frame_count - start)))
    whole = use.whole_part(part)
    assert whole.holds(part)
    assert Span(0, use.frame_count).holds(whole)
    assert whole.start_frame == 0 or use.fade_in_frames <= whole.start_frame <= use.frame_count - use.fade_out_frames
    assert whole.stop_frame == use.frame_count or use.fade_in_frames <= whole.stop_frame
    assert use.whole_part(whole) == whole


@pytest.mark.parametrize(
    ("part", "mixed"),
    [(Span(0, 5), True), (Span(3, 5), True), (Span(4, 30), False), (Span(30, 8), True), (Span(36, 4), True)],
)
def test_part_on_a_dissolve_is_mixed(part: Span, mixed: bool) -> None:
    use = replace(USE, head_frames=2, fade_in_frames=4, fade_out_frames=6, tail_frames=0)
    assert use.mixes(part) is mixed


def test_part_at_a_clean_cut_is_not_mixed() -> None:
    assert not USE.mixes(Span(0, 40))


def test_settle_takes_timecode_and_length_from_the_file() -> None:
    unknown = replace(USE, media=replace(FILE, start_frame=0, frame_count=None))
    settled = settle(unknown, 90000, file_frame_count=1200, file_rate=Fraction(25), file_drop_frame=True)
    assert settled.media == SourceMedia(FILE.path, Fraction(25), 90000, 1200, drop_frame=True)
    assert settled.source_start == 500


@pytest.mark.parametrize(("written", "start"), [(90500, 90000), (500, 90000), (500, 0), (500, None)])
def test_settle_finds_whether_positions_count_from_timecode(written: int, start: int | None) -> None:
    media = SourceMedia(FILE.path, Fraction(25), start_known=False)
    settled = fitted(replace(USE, media=media, source_start=Fraction(written)), start)
    assert settled.source_start == 500
    assert settled.media.start_frame == (start or 0)
    assert settled.media.start_known


@pytest.mark.parametrize(
    ("written", "start", "fault"), [(200, 100, "both from"), (5000, 90000, "neither from"), (980, 0, "neither from")]
)
def test_settle_of_positions_that_may_count_either_way_is_refused(written: int, start: int, fault: str) -> None:
    media = SourceMedia(FILE.path, Fraction(25), start_known=False)
    with pytest.raises(UnsupportedClipError, match=rf"the file of clip 'a' begins.*{fault}"):
        fitted(replace(USE, media=media, source_start=Fraction(written)), start)


def test_settle_of_positions_that_are_timecode_for_sure_needs_no_guess() -> None:
    media = SourceMedia(FILE.path, Fraction(25), start_known=False, counts_timecode=True)
    settled = fitted(replace(USE, media=media, source_start=Fraction(200)), 100)
    assert (settled.source_start, settled.media.counts_timecode) == (100, False)


@pytest.mark.parametrize(
    ("start", "count", "rate", "reason"),
    [
        (90000, 1000, 24, "clip 'a' counts 25 frames a second where its file has 24"),
        (90001, 1000, 25, "begins at 01:00:00:00 and the file now begins at 01:00:00:01"),
        (90000, 999, 25, "cut from a file of 1000 frames and the file now has 999"),
    ],
)
def test_settle_of_media_that_changed_is_refused(start: int, count: int, rate: int, reason: str) -> None:
    with pytest.raises(UnsupportedClipError, match=reason):
        fitted(USE, start, count, Fraction(rate))


def test_settle_of_a_clip_beyond_its_file_is_refused() -> None:
    media = replace(FILE, frame_count=None)
    with pytest.raises(UnsupportedClipError, match="clip 'a' shows frames 500 to 543 of a file that has 520"):
        fitted(replace(USE, media=media, tail_frames=4), count=520)


def test_clip_that_is_not_settled_takes_no_take() -> None:
    use = replace(USE, media=replace(FILE, start_known=False))
    with pytest.raises(TimelineError, match="open the file first"):
        use.with_take(Take(FILE, 0, "t", {}))
