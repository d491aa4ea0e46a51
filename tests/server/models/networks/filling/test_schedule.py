"""Windows lie on a shot's own grid, whatever is asked for."""

from __future__ import annotations

import pytest
from cleanplate_server.models.networks.filling.schedule import Schedule
from hypothesis import given, settings
from hypothesis import strategies as st

SCHEDULES = st.builds(
    lambda stride, more, gap, limit: Schedule(stride, stride - 1 + more, gap, limit),
    st.integers(1, 8), st.integers(0, 6), st.integers(1, 12), st.integers(0, 12),
)  # fmt: skip
SHOTS = st.builds(lambda start, count: range(start, start + count), st.integers(0, 200), st.integers(1, 120))


@settings(max_examples=60, deadline=None)
@given(SCHEDULES, SHOTS, st.integers(0, 119))
def test_frame_lies_in_the_windows_that_are_said_to_hold_it_and_in_no_others(
    schedule: Schedule, shot: range, place: int
) -> None:
    frame = shot[place % len(shot)]
    holding = [c for c in schedule.centres(shot) if frame in schedule.window(c, shot).local]
    assert list(schedule.centres_over(frame, shot)) == holding
    assert holding
    assert all(0 < schedule.window(c, shot).weight(frame) <= 1 for c in holding)


@settings(max_examples=60, deadline=None)
@given(SCHEDULES, SHOTS, st.lists(st.integers(0, 319), max_size=6))
def test_references_are_few_frames_of_the_shot_that_are_not_local(
    schedule: Schedule, shot: range, clean: list[int]
) -> None:
    given_clean = [frame for frame in sorted(set(clean)) if frame in shot]
    for centre in schedule.centres(shot):
        window = schedule.window(centre, shot, given_clean)
        assert len(window.frames) == len(set(window.frames))
        assert set(window.frames) <= set(shot)
        assert len(window.references) <= schedule.reference_limit
        assert len(window.local) <= schedule.local_limit


@pytest.mark.parametrize(
    ("centre", "local", "references"),
    [
        (0, range(0, 6), (10, 20)),
        (5, range(0, 11), (20,)),
        (10, range(5, 16), (0, 20)),
        (15, range(10, 21), (0,)),
        (20, range(15, 23), (0, 10)),
    ],
)
def test_windows_of_a_short_shot_are_the_published_ones(centre: int, local: range, references: tuple[int, ...]) -> None:
    window = Schedule().window(centre, range(23))
    assert (window.local, window.references) == (local, references)


def test_references_of_a_long_shot_are_near_ones_and_ones_from_all_over_it() -> None:
    references = Schedule(reference_limit=10).window(5000, range(10_000)).references
    assert len(references) == 10
    assert sum(abs(frame - 5000) <= 50 for frame in references) >= 5
    assert references[0] < 2000
    assert references[-1] > 8000


def test_clean_frames_become_references_from_any_distance() -> None:
    references = Schedule(reference_limit=4).window(50, range(1000), given=(987,)).references
    assert 987 in references
