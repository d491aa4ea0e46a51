"""Neutral clips in a real host: the arithmetic of clips, parts and takes against what melt shows of them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.timeline import Span, Use
from hosts import mlt
from hosts.edits import NTSC, NTSC_60, Footage, write_footage, write_take
from hosts.oracle import BLACK, Picture, assert_shows, clean, dissolve, run

pytestmark = pytest.mark.skipif(mlt.MELT_IS_MISSING, reason=mlt.REASON)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> list[Footage]:
    folder = tmp_path_factory.mktemp("footage")
    return [write_footage(folder, clip, NTSC) for clip in (1, 2)]


def _use(footage: Footage, record_start: int, first: int, count: int) -> Use:
    return Use(
        name=footage.path.stem, place="", track=1, record_start=record_start, frame_count=count, rate=NTSC,
        media=footage.media, source_start=Fraction(first),
    )  # fmt: skip


def _assert_shows(folder: Path, uses: list[Use], expected: list[Picture], rate: Fraction = NTSC) -> None:
    project = mlt.write_project(folder / "edit.mlt", uses, rate)
    assert_shows(mlt.render(project, folder / "render.mkv"), expected, folder)


def test_clips_gaps_and_dissolves_are_shown_where_they_stand(tmp_path: Path, footage: list[Footage]) -> None:
    one, two = footage
    uses = [replace(_use(one, 3, 10, 10), tail_frames=2), replace(_use(two, 13, 20, 10), head_frames=3)]
    before, after = run(1, 17, 5), run(2, 17, 5)
    expected = [BLACK] * 3 + [*run(1, 10, 7), *dissolve(before, after), *run(2, 22, 8)]
    _assert_shows(tmp_path, uses, expected)


def test_a_higher_track_covers_a_lower_one_unless_it_is_disabled(tmp_path: Path, footage: list[Footage]) -> None:
    one, two = footage
    uses = [
        _use(one, 0, 0, 20),
        replace(_use(two, 4, 30, 5), track=2),
        replace(_use(two, 12, 40, 5), track=2, enabled=False),
    ]
    _assert_shows(tmp_path, uses, [*run(1, 0, 4), *run(2, 30, 5), *run(1, 9, 11)])


@pytest.mark.parametrize(
    ("first", "speed"), [(12, Fraction(2)), (12, Fraction(1, 2)), (33, Fraction(-1)), (20, Fraction(0))], ids=str
)
def test_a_part_of_a_retimed_clip_shows_the_frames_that_the_clip_showed(
    tmp_path: Path, footage: list[Footage], first: int, speed: Fraction
) -> None:
    one, _ = footage
    whole = replace(_use(one, 0, first, 14), speed=speed)
    pieces = [whole.part(Span(0, 4)), whole.part(Span(4, 6)), whole.part(Span(10, 4))]
    needed = pieces[1].source_span()
    take = write_take(tmp_path, one, needed.start_frame - 2, needed.frame_count + 4)
    expected = run(1, first, 14, speed)
    _assert_shows(tmp_path, [whole], [*expected])
    _assert_shows(tmp_path, [pieces[0], pieces[1].with_take(take), pieces[2]], clean(expected, 1, range(4, 10)))


def test_footage_of_half_the_rate_shows_each_frame_twice(tmp_path: Path, footage: list[Footage]) -> None:
    one, _ = footage
    whole = replace(_use(one, 0, 10, 12), rate=NTSC_60)
    take = write_take(tmp_path, one, 8, 20)
    expected = run(1, 10, 12, Fraction(1, 2))
    _assert_shows(tmp_path, [whole], [*expected], NTSC_60)
    _assert_shows(tmp_path, [whole.with_take(take)], clean(expected, 1), NTSC_60)
