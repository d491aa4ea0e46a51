"""Cast shadows on a little shot where they are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_server.models.embedded.survey import walk
from cleanplate_server.models.protocols import Mask
from cleanplate_server.stages.shadow import ShadowFinder
from fakes import ArrayFrames

SIZE = (120, 200)
COUNT = 30


def body(frame: int) -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[30:80, 10 + 5 * frame : 30 + 5 * frame] = True
    return mask


def shade(frame: int) -> Mask:
    mask = np.zeros(SIZE, np.bool_)
    mask[78:92, 22 + 5 * frame : 52 + 5 * frame] = True
    return mask & ~body(frame)


def a_finder(tmp_path: Path, *, pan: int = 0, light: tuple[float, float, float] = (0.6, 0.6, 0.6)) -> ShadowFinder:
    """An object that walks over ground with a patch beside it that the light is multiplied by."""
    random = np.random.default_rng(3)
    wide = random.uniform(0.3, 0.8, (SIZE[0], SIZE[1] + pan * COUNT, 3)).astype(np.float32)
    wide = cv2.GaussianBlur(wide, (0, 0), 2) * np.float32([1, 0.9, 0.8])
    pictures, holes = [], []
    for t in range(COUNT):
        picture = wide[:, pan * t : pan * t + SIZE[1]].copy()
        picture[shade(t)] *= np.float32(light)
        picture[body(t)] = (0.9, 0.2, 0.1)
        pictures.append(picture + random.normal(0, 0.004, picture.shape))
        holes.append(cv2.dilate(body(t).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0)
    shot = ArrayFrames(np.stack(pictures).astype(np.float32), np.stack(holes))
    return ShadowFinder(shot, walk(shot, tmp_path, lambda _: None))


@pytest.mark.parametrize(("pan", "frame"), [(0, 4), (0, 15), (0, 27), (2, 15)])
def test_shadow_is_found_whole_and_little_else(tmp_path: Path, pan: int, frame: int) -> None:
    found = a_finder(tmp_path, pan=pan).shadow(frame)
    true = shade(frame)
    around = cv2.dilate(true.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert not (found & body(frame)).any()
    assert found[true].mean() > 0.9
    assert (found & ~around).sum() < 0.02 * body(frame).sum()


@pytest.mark.parametrize("light", [(1, 1, 1), (1.4, 1.4, 1.4), (0.9, 0.4, 0.2), (0.05, 0.05, 0.05)])
def test_what_is_not_darker_or_of_another_colour_is_no_shadow(
    tmp_path: Path, light: tuple[float, float, float]
) -> None:
    finder = a_finder(tmp_path, light=light)
    assert all(finder.shadow(frame).sum() < 0.02 * body(frame).sum() for frame in (5, 15, 25))


def test_same_frame_in_any_order_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    one, other = a_finder(tmp_path), a_finder(tmp_path / "other")
    forwards = {frame: one.shadow(frame) for frame in range(8, 16)}
    assert all(np.array_equal(other.shadow(frame), forwards[frame]) for frame in reversed(range(8, 16)))


def test_frame_without_an_object_has_no_shadow(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).uniform(0, 1, (3, *SIZE, 3)).astype(np.float32)
    shot = ArrayFrames(pictures)
    finder = ShadowFinder(shot, walk(shot, tmp_path, lambda _: None))
    assert not finder.shadow(1).any()
