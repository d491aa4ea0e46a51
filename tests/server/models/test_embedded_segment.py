"""The embedded segmenter on drawn pictures."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError, PromptError
from cleanplate_server.models.embedded.segmenter import GrabCutSegmenter
from cleanplate_server.models.protocols import RGB, Box, Mask, Point, Prompt, Stroke

SIZE = (241, 319)
TOP, BOTTOM = Point(120, 80), Point(120, 160)


def two_part_figure() -> tuple[RGB, Mask]:
    """A figure with a red upper and a yellow lower half on textured green ground, with a blue thing beside it."""
    noise = np.random.default_rng(5).random((*SIZE, 3)).astype(np.float32)
    ground = cv2.GaussianBlur(noise, (0, 0), 1.5).reshape(*SIZE, 3) - np.float32(0.5)
    picture = (np.array([0.25, 0.5, 0.25], np.float32) + 0.6 * ground).astype(np.float32)
    figure = np.zeros(SIZE, np.uint8)
    cv2.ellipse(figure, (120, 120), (40, 80), 0, 0, 360, 1, cv2.FILLED)
    upper = np.arange(SIZE[0])[:, None] < 120
    picture[(figure > 0) & upper] = (0.8, 0.15, 0.15)
    picture[(figure > 0) & ~upper] = (0.85, 0.75, 0.2)
    picture[100:180, 230:280] = (0.2, 0.2, 0.8)
    picture.flags.writeable = False
    return picture, figure > 0


def iou(found: Mask, truth: Mask) -> float:
    return np.count_nonzero(found & truth) / np.count_nonzero(found | truth)


def test_segmenter_one_click_finds_the_part_under_it() -> None:
    picture, figure = two_part_figure()
    answers = GrabCutSegmenter().prepare(picture).segment(Prompt(0, points=(TOP,)))
    found = answers[0].mask
    assert found.dtype == np.bool_
    assert found.shape == SIZE
    assert np.count_nonzero(found & figure) > 0.9 * np.count_nonzero(found)
    assert np.count_nonzero(found) > 0.4 * np.count_nonzero(figure)
    assert all(0 <= a.score <= 1 for a in answers)
    assert [a.score for a in answers] == sorted((a.score for a in answers), reverse=True)


def test_segmenter_second_click_adds_the_other_part() -> None:
    picture, figure = two_part_figure()
    image = GrabCutSegmenter().prepare(picture)
    first = image.segment(Prompt(0, points=(TOP,)))[0].mask
    both = image.segment(Prompt(0, points=(TOP, BOTTOM)), first)[0].mask
    assert iou(both, figure) > 0.9


def test_segmenter_negative_click_takes_a_part_away() -> None:
    picture, figure = two_part_figure()
    no = Point(BOTTOM.x, BOTTOM.y, inside=False)
    found = GrabCutSegmenter().prepare(picture).segment(Prompt(0, points=(TOP, no)), figure)[0].mask
    upper = figure & (np.arange(SIZE[0])[:, None] < 120)
    assert iou(found, upper) > 0.85


def test_segmenter_box_finds_the_figure_in_it() -> None:
    picture, figure = two_part_figure()
    found = GrabCutSegmenter().prepare(picture).segment(Prompt(0, box=Box(70, 30, 170, 210)))[0].mask
    assert iou(found, figure) > 0.9


def test_segmenter_stroke_over_both_parts_finds_both() -> None:
    picture, figure = two_part_figure()
    stroke = Stroke(((120, 60), (120, 180)), radius_px=6)
    found = GrabCutSegmenter().prepare(picture).segment(Prompt(0, strokes=(stroke,)))[0].mask
    assert iou(found, figure) > 0.85


def test_segmenter_mask_alone_is_the_answer() -> None:
    picture, figure = two_part_figure()
    answers = GrabCutSegmenter().prepare(picture).segment(Prompt(0, mask=figure))
    assert np.array_equal(answers[0].mask, figure)


def test_segmenter_same_prompt_twice_gives_the_same() -> None:
    picture, _ = two_part_figure()
    prompt = Prompt(0, points=(TOP, Point(250, 150, inside=False)))
    one, other = (GrabCutSegmenter().prepare(picture).segment(prompt) for _ in range(2))
    assert all(np.array_equal(a.mask, b.mask) and a.score == b.score for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (17, 3), (40, 1000)])
def test_segmenter_tiny_or_flat_picture_answers_with_its_size(size: tuple[int, int]) -> None:
    image = GrabCutSegmenter().prepare(np.zeros((*size, 3), np.float32))
    answers = image.segment(Prompt(0, points=(Point(size[1] - 1, size[0] - 1),)))
    assert answers[0].mask.shape == size
    assert answers[0].mask[-1, -1]


def test_segmenter_values_beyond_range_are_accepted() -> None:
    picture = np.full((30, 40, 3), 7.5, np.float32)
    picture[5:15, 5:15] = np.nan
    picture[20:, 20:] = -0.2
    assert GrabCutSegmenter().prepare(picture).segment(Prompt(0, points=(Point(30, 25),)))[0].mask[25, 30]


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (Prompt(4, points=(Point(400, 20),)), r"\(400, 20\).*319"),
        (Prompt(4, points=(Point(5, -1),)), r"\(5, -1\)"),
        (Prompt(4, points=(Point(float("nan"), 5),)), "nan"),
        (Prompt(4, strokes=(Stroke(((5, 5), (5, 999)), 3),)), r"\(5, 999\)"),
        (Prompt(4, strokes=(Stroke((), 3),)), "no point"),
        (Prompt(4, points=(Point(5, 5, inside=False),)), "frame 4"),
        (Prompt(4), "frame 4"),
        (Prompt(4, box=Box(50, 50, 50, 90)), r"\(50, 50\) to \(50, 90\)"),
        (Prompt(4, box=Box(400, 10, 500, 90)), "holds nothing"),
    ],
)
def test_segmenter_unusable_prompt_raises_prompt_error(prompt: Prompt, words: str) -> None:
    with pytest.raises(PromptError, match=words):
        GrabCutSegmenter().prepare(two_part_figure()[0]).segment(prompt)


@pytest.mark.parametrize("mask", [np.ones((7, 9), np.bool_), np.zeros(SIZE, np.bool_)])
def test_segmenter_unusable_mask_raises_mask_error(mask: Mask) -> None:
    with pytest.raises(MaskError):
        GrabCutSegmenter().prepare(two_part_figure()[0]).segment(Prompt(0, mask=mask))


def test_segmenter_previous_mask_of_other_size_raises_mask_error() -> None:
    with pytest.raises(MaskError, match="7"):
        GrabCutSegmenter().prepare(two_part_figure()[0]).segment(Prompt(0, points=(TOP,)), np.ones((7, 9), np.bool_))
