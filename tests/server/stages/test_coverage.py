"""What is expected before a fill, on shots where it is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from cleanplate_server.models.protocols import Mask
from cleanplate_server.stages.coverage import Outlook, look_ahead
from fakes import ArrayFrames

SIZE = (108, 160)


class Given(ArrayFrames):
    """Frames of which the first was cleaned."""

    clean_frames = (0,)


def a_shot(count: int, pan: int, lefts: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """A texture that pans, and a hole 40 pixels wide whose left side is where it is told."""
    random = np.random.default_rng(2)
    wide = random.uniform(0.2, 0.8, (SIZE[0], SIZE[1] + abs(pan) * count, 3)).astype(np.float32)
    wide = cv2.GaussianBlur(wide, (0, 0), 1.5)
    pictures = np.stack([wide[:, pan * t : pan * t + SIZE[1]] for t in range(count)])
    holes = np.zeros((count, *SIZE), np.bool_)
    for t, left in enumerate(lefts):
        holes[t, 40:80, left : left + 40] = True
    pictures[holes] = 0.95
    return pictures, holes


def look(tmp_path: Path, shot: ArrayFrames) -> Outlook:
    ticks: list[int] = []
    outlook = look_ahead(shot, tmp_path, ticks.append)
    assert ticks == list(shot.frames)
    return outlook


def test_hole_that_moves_away_is_expected_to_be_seen(tmp_path: Path) -> None:
    outlook = look(tmp_path, ArrayFrames(*a_shot(12, 0, [8 + 9 * t for t in range(12)])))
    assert (outlook.unseen_count, outlook.best_frame, outlook.best_share) == (0, None, 0.0)
    assert outlook.hole_count == 12 * 40 * 40


def test_hole_that_stands_still_is_expected_not_to_be_seen_and_the_middle_is_best_to_paint(tmp_path: Path) -> None:
    pictures, holes = a_shot(9, 0, [60] * 9)
    outlook = look(tmp_path, ArrayFrames(pictures, holes, first=100))
    assert outlook.unseen_count == outlook.hole_count
    assert (outlook.best_frame, outlook.best_share) == (104, 1.0)
    assert np.array_equal(outlook.mask(103, SIZE), holes[3])
    assert not outlook.mask(99, SIZE).any()


def test_part_of_a_hole_that_never_leaves_is_expected_unseen(tmp_path: Path) -> None:
    """The hole swings by 20 of its 40 pixels, so 20 columns are never free."""
    pictures, holes = a_shot(10, 0, [60 + 20 * (t % 2) for t in range(10)])
    outlook = look(tmp_path, ArrayFrames(pictures, holes))
    expected: Mask = holes.all(axis=0)
    assert np.array_equal(outlook.mask(4, SIZE), expected)
    assert outlook.unseen_count == 10 * expected.sum()


def test_camera_that_pans_under_a_hole_shows_what_is_behind(tmp_path: Path) -> None:
    outlook = look(tmp_path, ArrayFrames(*a_shot(24, 3, [60] * 24)))
    assert outlook.unseen_count < 0.05 * outlook.hole_count


def test_frame_that_was_given_shows_all(tmp_path: Path) -> None:
    pictures, holes = a_shot(60, 0, [60] * 60)
    holes[0] = False
    assert look(tmp_path, Given(pictures, holes)).unseen_count == 0


def test_saved_and_loaded_is_the_same(tmp_path: Path) -> None:
    made = look(tmp_path, ArrayFrames(*a_shot(5, 0, [60] * 5)))
    made.save(tmp_path / "outlook.npz")
    again = Outlook.load(tmp_path / "outlook.npz")
    assert (again.size, again.hole_count, again.best_frame) == (made.size, made.hole_count, made.best_frame)
    assert again.unseen_count == made.unseen_count
    assert all(np.array_equal(again.mask(t, SIZE), made.mask(t, SIZE)) for t in range(5))
