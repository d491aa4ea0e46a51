"""What Resolve's getters say, over the ways in which they were seen to differ, becomes the shot that a person sees."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from fractions import Fraction

import pytest
from cleanplate.v1 import resolve_pb2
from cleanplate_plugin.errors import HostError, PluginError, UnsupportedClipError
from cleanplate_plugin.hosts.protocol import HostShot
from cleanplate_plugin.hosts.resolve_calls import Desk
from cleanplate_plugin.hosts.resolve_facts import shot_from_facts
from cleanplate_plugin.hosts.resolve_reading import read_current
from cleanplate_plugin.timeline import Span
from hypothesis import given, settings
from hypothesis import strategies as st
from plugin.hosts.fake_resolve import FakeItem, Program, Quirks, start_resolve

GETTERS = [
    Quirks(source_start_low=low, offsets_played=played, times_absolute=absolute, span_included=included, newer=newer)
    for low, played, absolute, included, newer in itertools.product((False, True), repeat=5)
]


def facts_under_playhead(program: Program, offset: int = 0, item: FakeItem | None = None) -> resolve_pb2.ResolveFacts:
    if item is not None:
        program.timeline.playhead = item.start + offset
    return read_current(Desk.open(program.resolve))


def shot_of(program: Program, item: FakeItem, offset: int = 0) -> HostShot:
    return shot_from_facts(facts_under_playhead(program, offset, item))


def assert_same_pictures(program: Program, item: FakeItem, shot: HostShot) -> None:
    start = item.start - program.timeline.start_frame
    seen = [program.timeline.picture(start + offset) for offset in range(item.duration)]
    assert [(str(shot.use.media.path), shot.use.source_frame(k)) for k in range(item.duration)] == seen


@pytest.mark.parametrize("quirks", GETTERS)
def test_shot_of_plain_clip_with_any_getters_shows_the_same_frames(quirks: Quirks) -> None:
    program = start_resolve(quirks, rate="23.976")
    media = program.add_media("/media/a.mov", FPS=23.976, Start_TC="10:20:30:05")
    item = program.timeline.lay(media, 100, 48, source=30)

    shot = shot_of(program, item, 7)

    assert_same_pictures(program, item, shot)
    assert shot.use.rate == shot.use.media.rate == Fraction(24000, 1001)
    assert (shot.use.record_start, shot.playhead, shot.prompt_frame) == (100, 7, 37)
    assert shot.use.media.start_frame == ((10 * 60 + 20) * 60 + 30) * 24 + 5


@pytest.mark.parametrize("quirks", GETTERS)
@pytest.mark.parametrize("speed", [Fraction(1, 2), Fraction(4, 5), Fraction(2), Fraction(-1), Fraction(-1, 2)])
def test_shot_of_retimed_clip_shows_the_same_frames_or_is_refused(quirks: Quirks, speed: Fraction) -> None:
    program = start_resolve(quirks)
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40, source=120, speed=speed)
    # Before 21.1 a speed is believed only where the offset counts played frames, which it is not known to do backwards.
    is_known = quirks.newer or speed == -1 or (quirks.offsets_played and speed > 0)

    with nullcontext() if is_known else pytest.raises(UnsupportedClipError, match="retimed"):
        shot = shot_of(program, item)
        assert shot.use.speed == speed
        assert_same_pictures(program, item, shot)


@pytest.mark.parametrize("quirks", GETTERS)
def test_shot_of_mixed_rates_shows_the_same_frames(quirks: Quirks) -> None:
    program = start_resolve(quirks, rate="25")
    item = program.timeline.lay(program.add_media("/media/a.mov", FPS=50.0, Frames="500"), 10, 20, source=60)

    shot = shot_of(program, item, 3)

    assert_same_pictures(program, item, shot)
    assert shot.needed == Span(60, 39)


@pytest.mark.parametrize("quirks", GETTERS)
def test_shot_of_subclip_counts_from_the_file(quirks: Quirks) -> None:
    program = start_resolve(quirks)
    media = program.add_media("/media/a.mov", Start="50", Start_TC="02:00:02:02", Frames="100")
    item = program.timeline.lay(media, 0, 20, source=70)

    shot = shot_of(program, item)

    assert_same_pictures(program, item, shot)
    assert shot.use.media.frame_count is None


@settings(max_examples=60, deadline=None)
@given(
    quirks=st.sampled_from(GETTERS),
    rate=st.sampled_from(["23.976", "24", "25", "29.97", "29.97 DF", "30", "50", "59.94"]),
    source=st.integers(0, 100_000),
    at=st.integers(0, 50_000),
    duration=st.integers(1, 500),
    hours=st.integers(0, 23),
)
def test_shot_at_any_place_shows_the_same_frames(
    quirks: Quirks, rate: str, source: int, at: int, duration: int, hours: int
) -> None:
    drop = rate.endswith("DF")
    sign = ";" if drop else ":"
    program = start_resolve(quirks, rate=rate, start=f"01:00:00{sign}00", drop=drop)
    media = program.add_media(
        "/media/a.mov", FPS=float(rate.split()[0]), Start_TC=f"{hours:02d}:00:00{sign}00", Drop_frame=str(int(drop)),
        Frames=str(source + duration + 10),
    )  # fmt: skip
    item = program.timeline.lay(media, at, duration, source=source)

    shot = shot_of(program, item, duration - 1)

    assert shot.use.source_span() == Span(source, duration)
    assert (shot.use.record_start, shot.playhead) == (at, duration - 1)


def test_shot_with_marks_in_the_clip_is_its_part() -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 20, 40, source=10)
    program.timeline.marks = {"in": 25, "out": 34}

    shot = shot_of(program, item, 8)

    assert shot.part == Span(5, 10)
    assert shot.needed == Span(15, 10)


@pytest.mark.parametrize("marks", [{"in": 0, "out": 100}, {"in": 70, "out": 90}, {"in": 20}, {"out": 59}])
def test_shot_with_marks_around_or_beside_the_clip_is_all_of_it(marks: dict[str, int]) -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 20, 40)
    program.timeline.marks = marks

    assert shot_of(program, item).part is None


def test_shot_with_the_playhead_outside_its_marks_is_refused() -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40)
    program.timeline.marks = {"in": 25, "out": 34}

    with pytest.raises(UnsupportedClipError, match="outside the in and out points"):
        shot_of(program, item, 3)


def test_shot_of_image_sequence_names_its_pattern() -> None:
    program = start_resolve()
    media = program.add_media("/media/shot.[1001-1240].exr", Start="1001")
    item = program.timeline.lay(media, 0, 40, source=12)
    item.source = 1013  # As the getters of a sequence may count: from its first number.

    facts = facts_under_playhead(program, 0, item)
    shot = shot_from_facts(facts)

    assert str(shot.use.media.path) == "/media/shot.%04d.exr"
    assert shot.use.source_frame(0) == 12


def test_shot_of_freeze_shows_one_frame() -> None:
    program = start_resolve(Quirks(newer=True))
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40, source=12, speed=Fraction(0))

    assert shot_of(program, item).needed == Span(12, 1)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda p: None, "stands on no clip"),
        (lambda p: p.timeline.lay(None, 0, 40, name="Lower third"), "'Lower third' has no media file"),
        (lambda p: p.timeline.lay(p.add_media("", Type="Compound Clip"), 0, 40, name="C"), "'C' is a compound clip"),
        (lambda p: p.timeline.lay(p.add_media("", Type="Multicam Clip"), 0, 40, name="M"), "'M' is a multicam clip"),
        (lambda p: p.timeline.lay(p.add_media("", Type="Timeline"), 0, 40, name="T"), "'T' is a timeline inside"),
        (lambda p: p.timeline.lay(p.add_media("/a.png", Type="Still"), 0, 40, name="S"), "'S' is a still picture"),
        (lambda p: p.timeline.lay(p.add_media("", Type=""), 0, 40, name="複合"), "'複合' has no media file"),
        (
            lambda p: p.timeline.lay(p.add_media("/media/a.mov", Online_Status="Offline"), 0, 40),
            "clip 'a.mov' is offline, /media/a.mov is not there",
        ),
        (
            lambda p: p.timeline.lay(p.add_media("/media/a.mov", Frames="30"), 0, 40),
            r"shows frames 0 to 39 of /media/a.mov, which has\s+30",
        ),
        (lambda p: p.timeline.lay(p.add_media("/media/a.mov", FPS="fast"), 0, 40), "'fast' is not a frame rate"),
        (lambda p: p.timeline.lay(p.add_media("/media/a.mov", Start_TC="noon"), 0, 40), "'noon' is not a timecode"),
    ],
)
def test_shot_that_cannot_be_cleaned_is_refused_by_name(prepare: Callable[[Program], object], words: str) -> None:
    program = start_resolve()
    prepare(program)
    before = program.timeline.state()

    with pytest.raises(PluginError, match=words) as refused:
        shot_from_facts(facts_under_playhead(program))

    assert "\n" not in refused.value.sentence
    assert program.timeline.state() == before


def test_shot_on_a_locked_track_is_refused() -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40)
    program.timeline.video[0].locked = True

    with pytest.raises(UnsupportedClipError, match=r"video track 1 with clip 'a.mov' is locked"):
        shot_of(program, item)


@pytest.mark.parametrize("quirks", GETTERS)
def test_shot_with_a_speed_ramp_is_refused(quirks: Quirks) -> None:
    program = start_resolve(quirks)
    media = program.add_media("/media/a.mov", Frames="1000")
    item = program.timeline.lay(media, 0, 100, source=200, speed=Fraction(1, 2), average=Fraction(3, 2))

    with pytest.raises(UnsupportedClipError, match=r"speed changes on the way|contradicts itself|not say whether"):
        shot_of(program, item)


def test_shot_whose_getters_contradict_each_other_is_refused_with_their_values() -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40, source=50)
    facts = facts_under_playhead(program, 0, item)
    facts.item.left_offset = 47

    with pytest.raises(UnsupportedClipError, match=r"source_start_frame 50.*left_offset 47|left_offset 47.*frame 50"):
        shot_from_facts(facts)


def test_shot_of_a_resolve_that_tells_too_little_is_refused() -> None:
    program = start_resolve()
    program.world.refuse |= {"GetSourceStartFrame", "GetSourceStartTime", "GetSourceEndFrame", "GetSourceEndTime"}
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40, source=50)

    with pytest.raises(UnsupportedClipError, match="use Resolve 19 or newer"):
        shot_of(program, item)


def test_shot_with_a_playhead_that_is_not_on_the_clip_is_a_host_error() -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40)
    facts = facts_under_playhead(program, 0, item)
    facts.timeline.playhead_timecode = "01:00:05:00"

    with pytest.raises(HostError, match="playhead at 01:00:05:00"):
        shot_from_facts(facts)


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda item: setattr(item, "start", item.start + 1), False),
        (lambda item: setattr(item, "duration", 39), False),
        (lambda item: setattr(item, "source", 11), False),
        (lambda item: setattr(item, "enabled", False), False),
        (lambda item: item.media.properties.update({"File Path": "/media/b.mov"}), False),
        (lambda item: item.media.properties.update({"Clip Name": "another"}), True),
        (lambda item: setattr(item.timeline, "marks", {"in": 3}), True),
        (lambda item: item.timeline.markers.update({3: {}}), True),
    ],
)
def test_fingerprint_changes_with_the_clip_alone(change: Callable[[FakeItem], object], same: bool) -> None:
    program = start_resolve()
    item = program.timeline.lay(program.add_media("/media/a.mov"), 0, 40, source=10)
    before = shot_of(program, item, 5).fingerprint
    change(item)
    item.enabled, was_enabled = True, item.enabled
    facts = facts_under_playhead(program, 5, item)
    facts.item.enabled = was_enabled

    assert (shot_from_facts(facts).fingerprint == before) is same
