from __future__ import annotations

import contextlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate.v1 import premiere_pb2
from cleanplate_plugin.errors import HostError, PluginError, UnsupportedClipError
from cleanplate_plugin.hosts.premiere_facts import TICKS_PER_SECOND, fingerprint, shot_from_facts
from cleanplate_plugin.timeline import Span
from hypothesis import given, settings
from hypothesis import strategies as st

Facts = premiere_pb2.PremiereFacts

RATES = {
    23.976: Fraction(24000, 1001),
    24.0: Fraction(24),
    25.0: Fraction(25),
    29.97: Fraction(30000, 1001),
    30.0: Fraction(30),
    47.952: Fraction(48000, 1001),
    50.0: Fraction(50),
    59.94: Fraction(60000, 1001),
    60.0: Fraction(60),
    119.88: Fraction(120000, 1001),
}
"""As Premiere tells them, and what is meant."""


def _ticks(frames: int | Fraction, rate: Fraction) -> int:
    ticks = Fraction(frames) * TICKS_PER_SECOND / rate
    assert ticks.denominator == 1
    return int(ticks)


def _facts(
    *,
    told: float = 25.0,
    media_told: float = 25.0,
    start: int = 100,
    count: int = 50,
    source: int = 10,
    media_frames: int = 500,
    timecode: int = 0,
    playhead: int = 120,
) -> Facts:
    """A plain clip; numbers are frames."""
    rate, media = RATES[told], RATES[media_told]
    length = _ticks(count, rate)
    return Facts(
        version="26.3.0",
        sequence=Facts.Sequence(
            id="seq-1",
            name="Edit",
            ticks_per_frame=_ticks(1, rate),
            player_ticks=_ticks(playhead, rate),
            video_track_count=3,
        ),
        item=Facts.Item(
            id=f"0@{_ticks(start, rate)}",
            name="dog.mov",
            track_index=0,
            start_ticks=_ticks(start, rate),
            end_ticks=_ticks(start, rate) + length,
            in_ticks=_ticks(source, media),
            out_ticks=_ticks(source, media) + length,
            speed=1.0,
            has_media=True,
            media_path="/media/dog.mov",
            project_item_id="item-1",
            media_frame_rate=media_told,
            media_start_ticks=_ticks(timecode, media),
            media_duration_ticks=_ticks(media_frames, media),
        ),
    )


def test_shot_plain_clip_frames_and_rates_exact() -> None:
    shot = shot_from_facts(_facts(timecode=90_000))
    use = shot.use
    assert (use.record_start, use.frame_count, use.track) == (100, 50, 1)
    assert use.rate == use.media.rate == 25
    assert use.source_start == 10
    assert (use.media.path, use.media.start_frame, use.media.frame_count) == (Path("/media/dog.mov"), 90_000, 500)
    assert (shot.host, shot.part, shot.playhead, shot.prompt_frame) == ("premiere", None, 20, 30)
    assert shot.needed == Span(10, 50)


@settings(max_examples=60, deadline=None)
@given(
    told=st.sampled_from(sorted(RATES)),
    start=st.integers(0, 200_000),
    count=st.integers(1, 5000),
    source=st.integers(0, 5000),
    timecode=st.integers(0, 2_500_000),
    data=st.data(),
)
def test_shot_any_rate_numbers_come_back(
    told: float, start: int, count: int, source: int, timecode: int, data: st.DataObject
) -> None:
    playhead = start + data.draw(st.integers(0, count - 1))
    shot = shot_from_facts(
        _facts(
            told=told,
            media_told=told,
            start=start,
            count=count,
            source=source,
            media_frames=source + count,
            timecode=timecode,
            playhead=playhead,
        )
    )
    use = shot.use
    assert use.rate == use.media.rate == RATES[told]
    assert use.step == 1
    assert (use.record_start, use.frame_count) == (start, count)
    assert use.source_start == source
    assert shot.prompt_frame == source + playhead - start
    assert use.media.start_frame == timecode


@settings(max_examples=60, deadline=None)
@given(told=st.sampled_from(sorted(RATES)), media_told=st.sampled_from(sorted(RATES)), source=st.integers(0, 300))
def test_shot_media_of_another_rate_step_is_the_ratio(told: float, media_told: float, source: int) -> None:
    shot = shot_from_facts(_facts(told=told, media_told=media_told, source=source, media_frames=3000))
    assert shot.use.step == RATES[media_told] / RATES[told]
    assert shot.use.source_start == source


@settings(max_examples=40, deadline=None)
@given(told=st.sampled_from(sorted(RATES)), source=st.integers(0, 450), timecode=st.integers(501, 2_500_000))
def test_shot_in_point_told_from_timecode_same_frames(told: float, source: int, timecode: int) -> None:
    facts = _facts(told=told, media_told=told, source=source, timecode=timecode)
    from_first = shot_from_facts(facts).use.source_start
    facts.item.in_ticks += facts.item.media_start_ticks
    facts.item.out_ticks += facts.item.media_start_ticks
    assert shot_from_facts(facts).use.source_start == from_first == source


def test_shot_sound_longer_than_the_picture_length_not_claimed() -> None:
    facts = _facts()
    facts.item.media_duration_ticks += 1000
    assert shot_from_facts(facts).use.media.frame_count is None


def test_shot_in_and_out_within_clip_become_the_part() -> None:
    facts = _facts()
    facts.sequence.in_ticks = _ticks(110, Fraction(25))
    facts.sequence.out_ticks = _ticks(130, Fraction(25))
    shot = shot_from_facts(facts)
    assert shot.part == Span(10, 20)
    assert shot.needed == Span(20, 20)


@pytest.mark.parametrize(("first", "stop"), [(0, 1000), (100, 150), (0, 50), (400, 500)])
def test_shot_in_and_out_around_or_apart_whole_clip(first: int, stop: int) -> None:
    facts = _facts()
    facts.sequence.in_ticks = _ticks(first, Fraction(25))
    facts.sequence.out_ticks = _ticks(stop, Fraction(25))
    assert shot_from_facts(facts).part is None


def test_shot_in_alone_cuts_the_head() -> None:
    facts = _facts()
    facts.sequence.in_ticks = _ticks(115, Fraction(25))
    assert shot_from_facts(facts).part == Span(15, 35)


def test_shot_playhead_outside_the_part_refused() -> None:
    facts = _facts(playhead=145)
    facts.sequence.in_ticks = _ticks(110, Fraction(25))
    facts.sequence.out_ticks = _ticks(130, Fraction(25))
    with pytest.raises(UnsupportedClipError, match="outside the in and out points"):
        shot_from_facts(facts)


def _transition(first: int, stop: int) -> Facts.Transition:
    return Facts.Transition(start_ticks=_ticks(first, Fraction(25)), end_ticks=_ticks(stop, Fraction(25)))


def test_shot_transition_on_the_whole_refused_between_them_taken() -> None:
    facts = _facts()
    facts.item.transitions.append(_transition(95, 105))
    with pytest.raises(UnsupportedClipError, match="transition"):
        shot_from_facts(facts)
    facts.sequence.in_ticks = _ticks(105, Fraction(25))
    assert shot_from_facts(facts).part == Span(5, 45)


def _edit(facts: Facts, change: Callable[[premiere_pb2.PremiereFacts.Item], object]) -> Facts:
    change(facts.item)
    return facts


def _set(**values: bool | int | float | str) -> Callable[[premiere_pb2.PremiereFacts.Item], object]:
    def change(item: premiere_pb2.PremiereFacts.Item) -> None:
        for name, value in values.items():
            setattr(item, name, value)

    return change


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (_set(adjustment_layer=True), "adjustment layer"),
        (_set(is_sequence=True), "nested sequence"),
        (_set(is_multicam=True), "multicam"),
        (_set(is_merged=True), "merged clip"),
        (_set(is_subclip=True), "subclip"),
        (_set(has_media=False), "no media file"),
        (_set(media_path=""), "no media file"),
        (_set(is_offline=True), "offline"),
        (_set(disabled=True), "disabled"),
        (_set(track_locked=True), "locked track"),
        (_set(reversed=True), "backwards"),
        (_set(speed=0.5), "50 %"),
        (_set(speed=0.0), "0 %"),
        (_set(speed=float("nan")), "nan %"),
        (_set(media_frame_rate=0.0), "no frame rate"),
        (_set(media_frame_rate=float("inf")), "no frame rate"),
        (_set(media_frame_rate=17.3), "no usual rate"),
        (_set(in_ticks=-(10**9), out_ticks=508 * 10**9), "which has"),
        (_set(media_duration_ticks=1), "which has"),
    ],
)
def test_shot_of_a_kind_that_cannot_be_cleaned_refused_by_name(
    change: Callable[[premiere_pb2.PremiereFacts.Item], object], why: str
) -> None:
    with pytest.raises(UnsupportedClipError, match=why) as caught:
        shot_from_facts(_edit(_facts(), change))
    assert "dog.mov" in caught.value.sentence
    assert "\n" not in caught.value.sentence


def test_shot_speed_keyframed_ends_disagree_refused() -> None:
    facts = _facts()
    facts.item.out_ticks += _ticks(3, Fraction(25))
    with pytest.raises(UnsupportedClipError, match="time remapping"):
        shot_from_facts(facts)


@pytest.mark.parametrize("field", ["start_ticks", "end_ticks"])
def test_shot_between_frames_of_the_sequence_refused(field: str) -> None:
    facts = _facts()
    setattr(facts.item, field, getattr(facts.item, field) + 7)
    with pytest.raises(UnsupportedClipError, match="whole frames"):
        shot_from_facts(facts)


def test_shot_in_point_between_frames_of_the_file_refused() -> None:
    facts = _facts()
    facts.item.in_ticks += 7
    facts.item.out_ticks += 7
    with pytest.raises(UnsupportedClipError, match="between frames"):
        shot_from_facts(facts)


def test_shot_gap_refused_with_the_sequences_name() -> None:
    facts = _facts()
    facts.ClearField("item")
    with pytest.raises(UnsupportedClipError, match="nothing stands under the playhead in sequence 'Edit'"):
        shot_from_facts(facts)


def test_shot_without_sequence_is_the_hosts_error() -> None:
    with pytest.raises(HostError, match="no sequence"):
        shot_from_facts(Facts())


@settings(max_examples=150, deadline=None)
@given(
    numbers=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=9, max_size=9),
    speed=st.floats(),
    rate=st.floats(),
)
def test_shot_any_numbers_a_shot_or_one_sentence(numbers: list[int], speed: float, rate: float) -> None:
    names = ("start_ticks", "end_ticks", "in_ticks", "out_ticks", "media_start_ticks", "media_duration_ticks")
    facts = _facts()
    for name, number in zip(names, numbers, strict=False):
        setattr(facts.item, name, number)
    facts.sequence.ticks_per_frame, facts.sequence.player_ticks, facts.sequence.in_ticks = numbers[6:]
    facts.item.speed, facts.item.media_frame_rate = speed, rate
    with contextlib.suppress(PluginError):
        assert shot_from_facts(facts).needed.frame_count > 0


@pytest.mark.parametrize(
    "change",
    [
        _set(start_ticks=0),
        _set(end_ticks=0),
        _set(in_ticks=0),
        _set(speed=2.0),
        _set(media_path="/media/cat.mov"),
        _set(project_item_id="item-2"),
        _set(disabled=True),
        _set(track_index=1),
    ],
)
def test_fingerprint_edited_clip_differs(change: Callable[[premiere_pb2.PremiereFacts.Item], object]) -> None:
    assert fingerprint(_edit(_facts(), change)) != fingerprint(_facts())


def test_fingerprint_playhead_and_points_moved_same() -> None:
    facts = _facts(playhead=101)
    facts.sequence.in_ticks = 5
    facts.sequence.name = "Edit renamed"
    facts.version = "26.4.0"
    assert fingerprint(facts) == fingerprint(_facts())
