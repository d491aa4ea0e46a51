"""The embedded propagator and flow on small drawn shots."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError
from cleanplate_server.models.embedded.flow import DisFlow, sample_along
from cleanplate_server.models.embedded.propagator import FlowPropagator
from cleanplate_server.models.protocols import RGB, Box, Key, Luma, Mask

SIZE = (97, 131)
LAST = 7


class DrawnShot:
    """A red disk and a blue one walk over a textured ground; the red one may hide for some frames."""

    def __init__(self, hidden: range = range(0), size: tuple[int, int] = SIZE) -> None:
        self._hidden = hidden
        self._size = size
        noise = np.random.default_rng(3).random((*size, 3)).astype(np.float32)
        ground = cv2.GaussianBlur(noise, (0, 0), 2.0).reshape(*size, 3)
        self._ground = 0.4 + 2.0 * (ground - 0.5) * np.array([0.4, 1.0, 0.4], np.float32)
        self.asked: list[int] = []

    @property
    def frames(self) -> range:
        return range(LAST + 1)

    @property
    def size(self) -> tuple[int, int]:
        return self._size

    def disk(self, frame: int, number: int) -> Mask:
        y, x = np.mgrid[: self._size[0], : self._size[1]]
        scale = self._size[1] / SIZE[1]
        centre = (scale * (40 + 4 * frame), scale * 40) if number == 1 else (scale * (100 - 3 * frame), scale * 75)
        return np.asarray(np.hypot(x - centre[0], y - centre[1]) < scale * 14)

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        self.asked.append(frame)
        picture = self._ground.astype(np.float32).copy()
        if frame not in self._hidden:
            picture[self.disk(frame, 1)] = (0.9, 0.1, 0.1)
        picture[self.disk(frame, 2)] = (0.1, 0.2, 0.9)
        picture.flags.writeable = False
        return picture if box is None else picture[box.slices]

    def luma(self, frame: int) -> Luma:
        return self.rgb(frame).mean(-1)

    def key(self, frame: int, number: int = 1) -> Key:
        mask = self.disk(frame, number)
        mask.flags.writeable = False
        return Key(frame, number, mask)


def iou(found: Mask, truth: Mask) -> float:
    return np.count_nonzero(found & truth) / np.count_nonzero(found | truth)


def test_propagator_two_objects_forwards_follows_both() -> None:
    shot = DrawnShot()
    keys = [shot.key(0, 1), shot.key(0, 2)]
    tracker = FlowPropagator().follow(shot, keys, keys)
    for frame in range(1, LAST + 1):
        found = tracker.step(frame)
    assert found.shape == (2, *SIZE)
    assert found.dtype == np.float32
    assert 0.0 <= found.min() <= found.max() <= 1.0
    assert iou(found[0] >= 0.5, shot.disk(LAST, 1)) > 0.85
    assert iou(found[1] >= 0.5, shot.disk(LAST, 2)) > 0.85


def test_propagator_backwards_follows_to_the_first_frame() -> None:
    shot = DrawnShot()
    key = shot.key(LAST)
    tracker = FlowPropagator().follow(shot, [key, shot.key(2)], [key])
    for frame in range(LAST - 1, -1, -1):
        found = tracker.step(frame)
    assert iou(found[0] >= 0.5, shot.disk(0, 1)) > 0.85


def test_propagator_saved_and_resumed_gives_identical_frames() -> None:
    shot = DrawnShot()
    keys = [shot.key(0, 1), shot.key(0, 2)]
    tracker = FlowPropagator().follow(shot, keys, keys)
    for frame in range(1, 4):
        tracker.step(frame)
    saved = tracker.save()
    resumed = FlowPropagator().follow(shot, keys, keys, saved)
    assert resumed.save() == saved
    for frame in range(4, LAST + 1):
        assert np.array_equal(tracker.step(frame), resumed.step(frame))
    assert tracker.save() == resumed.save()


def test_propagator_run_twice_gives_identical_frames() -> None:
    runs = []
    for _ in range(2):
        shot = DrawnShot()
        tracker = FlowPropagator(effort="fast").follow(shot, [shot.key(0)], [shot.key(0)])
        runs.append([tracker.step(frame) for frame in (1, 2)])
    assert np.array_equal(runs[0], runs[1])


def test_propagator_object_hidden_gives_empty_masks_and_finds_it_again() -> None:
    shot = DrawnShot(hidden=range(3, 5))
    tracker = FlowPropagator().follow(shot, [shot.key(0)], [shot.key(0)])
    found = {frame: tracker.step(frame)[0] >= 0.5 for frame in range(1, LAST + 1)}
    assert np.count_nonzero(found[4]) < 0.1 * np.count_nonzero(shot.disk(4, 1))
    assert iou(found[LAST], shot.disk(LAST, 1)) > 0.7


def test_propagator_asked_for_near_frames_only() -> None:
    shot = DrawnShot()
    tracker = FlowPropagator().follow(shot, [shot.key(0)], [shot.key(0)])
    shot.asked.clear()
    tracker.step(1)
    assert set(shot.asked) <= {0, 1}


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (1, 40)])
def test_propagator_tiny_picture_gives_its_size(size: tuple[int, int]) -> None:
    shot = DrawnShot(size=size)
    mask = np.zeros(size, np.bool_)
    mask[: size[0] // 2 + 1, : size[1] // 2] = True
    key = Key(0, 1, mask)
    assert FlowPropagator().follow(shot, [key], [key]).step(1).shape == (1, *size)


class BlackShot(DrawnShot):
    """Nothing to see."""

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        return np.zeros((*self.size, 3) if box is None else (*box.size, 3), np.float32)


@pytest.mark.parametrize("whole", [False, True])
def test_propagator_black_frames_stays_finite(whole: bool) -> None:
    shot = BlackShot()
    key = Key(0, 1, np.ones(SIZE, np.bool_)) if whole else shot.key(0)
    found = FlowPropagator().follow(shot, [key], [key]).step(1)
    assert np.isfinite(found).all()


def test_propagator_key_of_other_size_raises_mask_error() -> None:
    key = Key(0, 1, np.ones((5, 5), np.bool_))
    with pytest.raises(MaskError, match=r"5.*97"):
        FlowPropagator().follow(DrawnShot(), [key], [key])


def test_propagator_empty_start_raises_mask_error() -> None:
    key = Key(3, 1, np.zeros(SIZE, np.bool_))
    with pytest.raises(MaskError, match="frame 3"):
        FlowPropagator().follow(DrawnShot(), [key], [key])


def test_flow_shifted_picture_gives_the_shift() -> None:
    noise = np.random.default_rng(1).random((120, 160)).astype(np.float32)
    picture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3.0), np.float32)
    picture = (picture - picture.min()) / np.ptp(picture)
    shifted = np.roll(picture, (2, 5), axis=(0, 1))
    motion = DisFlow(effort="best").flow(picture, shifted)
    assert np.median(motion[20:-20, 20:-20], axis=(0, 1)) == pytest.approx([5, 2], abs=0.2)
    back = sample_along(shifted, motion)
    assert np.abs(back - picture)[20:-20, 20:-20].mean() < 0.02


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 7)])
def test_flow_tiny_picture_gives_its_size(size: tuple[int, int]) -> None:
    picture = np.zeros(size, np.float32)
    assert DisFlow().flow(picture, picture).shape == (*size, 2)
