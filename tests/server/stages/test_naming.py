from __future__ import annotations

import numpy as np
import pytest
from cleanplate_server.errors import PromptError
from cleanplate_server.models.protocols import Box, NameAnswer, NameHit, Point, Prompt, Stroke
from cleanplate_server.stages.naming import (
    describe_hits,
    fitting_hits,
    frames_to_look,
    hit_prompt,
    not_found,
    taken_hits,
)

LEFT = NameHit(Box(10, 10, 30, 40), 0.9, "dog")
RIGHT = NameHit(Box(60, 10, 80, 40), 0.6, "dog")
BOTH = NameAnswer((LEFT, RIGHT))


def test_name_is_looked_for_on_its_frame_then_later_then_earlier() -> None:
    frames = frames_to_look(Prompt(20, name="dog"), range(0, 101))
    assert frames[:9] == (20, 30, 40, 50, 60, 70, 80, 90, 100)
    assert frames[9:] == (15, 10, 5, 0)


@pytest.mark.parametrize(
    ("shot", "frames"), [(range(20, 21), (20,)), (range(20, 23), (20, 21, 22)), (range(19, 22), (20, 21, 19))]
)
def test_short_shot_is_looked_at_whole_and_no_frame_twice(shot: range, frames: tuple[int, ...]) -> None:
    assert frames_to_look(Prompt(20, name="dog"), shot) == frames


def test_name_in_another_shot_is_looked_for_from_its_first_frame() -> None:
    assert frames_to_look(Prompt(20, name="dog"), range(40, 43)) == (40, 41, 42)


@pytest.mark.parametrize(
    "prompt",
    [
        Prompt(20, name="dog", points=(Point(3, 4),)),
        Prompt(20, name="dog", strokes=(Stroke(((3, 4),), 2.0),)),
        Prompt(20, name="dog", box=Box(0, 0, 5, 5)),
    ],
)
def test_prompt_that_points_means_its_own_frame_alone(prompt: Prompt) -> None:
    assert frames_to_look(prompt, range(0, 101)) == (20,)


@pytest.mark.parametrize(
    ("prompt", "hits"),
    [
        (Prompt(0, name="dog"), (LEFT, RIGHT)),
        (Prompt(0, name="dog", points=(Point(70, 20),)), (RIGHT,)),
        (Prompt(0, name="dog", points=(Point(70, 20, inside=False),)), (LEFT, RIGHT)),
        (Prompt(0, name="dog", strokes=(Stroke(((12, 12), (28, 38)), 2.0),)), (LEFT,)),
        (Prompt(0, name="dog", points=(Point(20, 20), Point(70, 20))), ()),
        (Prompt(0, name="dog", box=Box(50, 0, 90, 50)), (RIGHT,)),
        (Prompt(0, name="dog", box=Box(40, 0, 50, 50)), ()),
    ],
)
def test_clicks_strokes_and_a_box_choose_among_the_hits(prompt: Prompt, hits: tuple[NameHit, ...]) -> None:
    assert fitting_hits(BOTH, prompt) == hits


def test_all_hits_are_taken_or_the_one_that_is_asked_for() -> None:
    assert taken_hits(BOTH.hits, Prompt(0, name="dog")) == ((1, LEFT), (2, RIGHT))
    assert taken_hits(BOTH.hits, Prompt(0, name="dog", name_hit=2)) == ((2, RIGHT),)


def test_hit_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(
        PromptError, match=r"hit 3 of 'dog' is asked for and there are 2; .* 2\. dog 0\.60 at 60,10,79,39"
    ):
        taken_hits(BOTH.hits, Prompt(0, name="dog", name_hit=3))


def test_segmenter_is_asked_for_the_hits_box_and_mask_with_the_clicks_of_the_prompt() -> None:
    mask = np.zeros((50, 90), bool)
    mask[10:40, 10:30] = True
    said = Prompt(0, 4, (Point(11, 11, inside=False),), name="dog", name_hit=1, every_shot=True)
    made = hit_prompt(NameHit(LEFT.box, 0.9, "dog", mask), said, frame=7, object_id=9)
    assert made == Prompt(7, 9, said.points, LEFT.box)
    assert made.mask is mask


def test_hits_are_described_with_both_corners_in_them() -> None:
    assert describe_hits(BOTH.hits) == "1. dog 0.90 at 10,10,29,39; 2. dog 0.60 at 60,10,79,39"


def test_name_that_no_frame_shows_is_refused_with_the_frames_and_the_remedies() -> None:
    error = not_found("red car", [20, 30, 10], "shot.mov", "2 more of it are not red and are left out")
    assert str(error).startswith("no 'red car' was found on frames 10, 20, 30 of shot.mov (2 more of it")
    assert "--name F@WORDS" in str(error)
    assert error.reason == "NAME_NOT_FOUND"
