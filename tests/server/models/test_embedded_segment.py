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


class Shot:
    """A two-coloured figure that walks over textured ground seen by a locked camera, with a blue thing beside it.

    Args:
        stride_px: how far the figure goes to the right in each frame.
        other_stride_px: how far the blue thing, which is in front of nothing, goes down in each frame.
        first, last: frames that the shot has, counted from the one that is clicked.
        cut_before: frames before this one show another place.
    """

    SIZE = (180, 320)
    LIGHT, DARK, BLUE = Point(140, 70), Point(140, 110), Point(225, 90)

    def __init__(
        self, *, stride_px: int = 2, other_stride_px: int = 0, first: int = -9, last: int = 9, cut_before: int = -100
    ) -> None:
        self._stride, self._other_stride = stride_px, other_stride_px
        self._frames, self._cut = range(first, last + 1), cut_before
        noise = np.random.default_rng(11).random((2, *self.SIZE, 3)).astype(np.float32)
        self._grounds = [0.3 + 0.7 * cv2.GaussianBlur(n, (0, 0), 1.5).reshape(*self.SIZE, 3) for n in noise]
        self._cloth = cv2.GaussianBlur(noise[0, ::-1], (0, 0), 2.0).reshape(*self.SIZE, 3) - np.float32(0.5)

    def figure(self, offset: int = 0) -> Mask:
        mask = np.zeros(self.SIZE, np.uint8)
        cv2.ellipse(mask, (140 + self._stride * offset, 90), (24, 44), 0, 0, 360, 1, cv2.FILLED)
        return mask > 0

    def thing(self, offset: int = 0) -> Mask:
        mask = np.zeros(self.SIZE, np.bool_)
        top = 70 + self._other_stride * offset
        mask[top : top + 40, 200:250] = True
        return mask

    def frame(self, offset: int) -> RGB:
        picture: RGB = np.asarray(self._grounds[int(offset < self._cut)], np.float32).copy()
        moved = np.roll(self._cloth, self._stride * offset, axis=1)
        lower = np.arange(self.SIZE[0])[:, None] >= 90
        figure = self.figure(offset)
        picture[self.thing(offset)] = np.array([0.2, 0.2, 0.8], np.float32)
        # The light half is of the ground's own mean colour, so that colour alone cannot find it.
        picture[figure & ~lower] = 0.65 + 0.7 * moved[figure & ~lower]
        picture[figure & lower] = np.array([0.5, 0.15, 0.1], np.float32) + 0.5 * moved[figure & lower]
        picture.flags.writeable = False
        return picture

    def nearby(self, offset: int, size: tuple[int, int]) -> RGB | None:
        if offset not in self._frames:
            return None
        return np.asarray(cv2.resize(self.frame(offset), size[::-1], interpolation=cv2.INTER_AREA), np.float32)

    def click(self, place: Point) -> Mask:
        return GrabCutSegmenter().prepare(self.frame(0), self.nearby).segment(Prompt(0, points=(place,)))[0].mask


@pytest.mark.parametrize("place", [Shot.LIGHT, Shot.DARK])
def test_segmenter_one_click_on_a_moving_thing_gives_both_its_colours(place: Point) -> None:
    shot = Shot()
    assert iou(shot.click(place), shot.figure()) > 0.85


def test_segmenter_moving_thing_on_the_first_frame_is_found_whole() -> None:
    shot = Shot(first=0)
    assert iou(shot.click(Shot.DARK), shot.figure()) > 0.75


def test_segmenter_still_thing_beside_a_moving_one_is_found_alone() -> None:
    shot = Shot()
    found = shot.click(Shot.BLUE)
    assert iou(found, shot.thing()) > 0.9
    assert not (found & shot.figure()).any()


def test_segmenter_thing_that_moves_otherwise_is_left_out() -> None:
    shot = Shot(other_stride_px=3)
    assert iou(shot.click(Shot.DARK), shot.figure()) > 0.85
    assert iou(shot.click(Shot.BLUE), shot.thing()) > 0.85


def test_segmenter_cut_nearby_does_no_harm() -> None:
    shot = Shot(cut_before=0)
    assert iou(shot.click(Shot.DARK), shot.figure()) > 0.75


def test_segmenter_nothing_but_other_places_nearby_is_as_without_frames() -> None:
    shot = Shot()
    other = Shot(cut_before=100)

    def foreign(offset: int, size: tuple[int, int]) -> RGB | None:
        return (other if offset else shot).nearby(offset, size)

    prompt = Prompt(0, points=(Shot.DARK,))
    alone, cut_off, none_there = (
        GrabCutSegmenter().prepare(shot.frame(0), nearby).segment(prompt)
        for nearby in (None, foreign, lambda offset, size: None)
    )
    for answers in (cut_off, none_there):
        assert [a.score for a in answers] == [a.score for a in alone]
        assert all(np.array_equal(a.mask, b.mask) for a, b in zip(answers, alone, strict=True))


def test_segmenter_still_shot_is_as_without_frames() -> None:
    shot = Shot(stride_px=0)
    prompt = Prompt(0, points=(Shot.DARK,))
    image = GrabCutSegmenter()
    alone = image.prepare(shot.frame(0)).segment(prompt)[0].mask
    assert np.array_equal(shot.click(Shot.DARK), alone)
