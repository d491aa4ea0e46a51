"""The embedded propagator and flow on small drawn shots."""

from __future__ import annotations

import threading
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError
from cleanplate_server.models.embedded.appearance import multiply_columns, multiply_rows
from cleanplate_server.models.embedded.edges import cut, edge_weights
from cleanplate_server.models.embedded.flow import DisFlow, sample_along
from cleanplate_server.models.embedded.motion import StillGround
from cleanplate_server.models.embedded.propagator import FlowPropagator, look_at
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


def test_propagator_frames_left_out_gives_what_a_fresh_start_gives() -> None:
    shot = DrawnShot()
    key = shot.key(0)
    tracker, other = (FlowPropagator().follow(shot, [key], [key]) for _ in range(2))
    tracker.step(1)
    resumed = FlowPropagator().follow(shot, [key], [key], tracker.save())
    other.step(1)
    assert np.array_equal(other.step(4), resumed.step(4))


class BrokenShot(DrawnShot):
    """One frame cannot be read."""

    BROKEN = 3

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        if frame == self.BROKEN:
            raise OSError("broken")
        return super().rgb(frame, box)


def test_propagator_frame_that_cannot_be_read_raises_on_its_own_step() -> None:
    shot = BrokenShot()
    tracker = FlowPropagator().follow(shot, [shot.key(0)], [shot.key(0)])
    tracker.step(1)
    tracker.step(2)
    with pytest.raises(OSError, match="broken"):
        tracker.step(3)


def test_propagator_step_done_leaves_no_thread() -> None:
    shot = DrawnShot()
    before = threading.active_count()
    keys = [shot.key(0, 1), shot.key(0, 2)]
    tracker = FlowPropagator().follow(shot, keys, keys)
    tracker.step(1)
    assert threading.active_count() == before


def test_propagator_object_hidden_gives_empty_masks_and_finds_it_again() -> None:
    shot = DrawnShot(hidden=range(3, 5))
    tracker = FlowPropagator().follow(shot, [shot.key(0)], [shot.key(0)])
    found = {frame: tracker.step(frame)[0] >= 0.5 for frame in range(1, LAST + 1)}
    assert np.count_nonzero(found[4]) < 0.1 * np.count_nonzero(shot.disk(4, 1))
    assert iou(found[LAST], shot.disk(LAST, 1)) > 0.7


class PaleLegShot(DrawnShot):
    """A red block with a belly and a leg as pale as the ground walks right; a blue one comes from there.

    Args:
        pan_px: pixels that the camera moves each frame.
    """

    LAST = 59
    SIZE = (150, 260)

    def __init__(self, pan_px: int = 0) -> None:
        super().__init__(size=self.SIZE)
        self._pan_px = pan_px
        noise = np.random.default_rng(4).random((150, 260 + 60 * pan_px, 1)).astype(np.float32)
        self._wide = 0.7 + 2.0 * (cv2.GaussianBlur(noise, (0, 0), 4.0)[..., None] - 0.5) * np.ones(3, np.float32)

    @property
    def frames(self) -> range:
        return range(self.LAST + 1)

    def disk(self, frame: int, number: int) -> Mask:
        return self._body(frame) | self._leg(frame)

    def _body(self, frame: int) -> Mask:
        return self._block(frame, (30, 55, 10, 40))

    def _belly(self, frame: int) -> Mask:
        return self._block(frame, (43, 55, 10, 40))

    def _leg(self, frame: int) -> Mask:
        return self._block(frame, (55, 80, 12, 20))

    def blue(self, frame: int) -> Mask:
        return self._block(-frame, (20, 85, 125, 143))

    def _block(self, frame: int, place: tuple[int, int, int, int]) -> Mask:
        mask = np.zeros(self.SIZE, np.bool_)
        mask[place[0] : place[1], place[2] + frame : place[3] + frame] = True
        return mask

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        self.asked.append(frame)
        left = frame * self._pan_px
        picture = self._wide[:, left : left + 260].astype(np.float32)
        picture[self.blue(frame)] = (0.1, 0.2, 0.9)
        picture[self._body(frame)] = (0.9, 0.1, 0.1)
        picture[self._leg(frame) | self._belly(frame)] = (0.82, 0.8, 0.78)
        return picture if box is None else picture[box.slices]


def test_propagator_pale_leg_on_still_ground_is_found_again_though_the_key_misses_it() -> None:
    shot = PaleLegShot()
    key = Key(10, 1, shot._body(10))
    tracker = FlowPropagator().follow(shot, [key], [key])
    found = {frame: tracker.step(frame)[0] >= 0.5 for frame in range(11, 41)}
    assert iou(found[40], shot.disk(40, 1)) > 0.85
    others = shot.blue(40) & ~shot.disk(40, 1)
    assert np.count_nonzero(found[40] & others) < 0.05 * np.count_nonzero(others)


def test_propagator_still_ground_resumed_gives_identical_frames() -> None:
    shot = PaleLegShot()
    key = Key(10, 1, shot._body(10))
    tracker = FlowPropagator().follow(shot, [key], [key])
    for frame in range(11, 17):
        tracker.step(frame)
    resumed = FlowPropagator().follow(shot, [key], [key], tracker.save())
    for frame in range(17, 20):
        assert np.array_equal(tracker.step(frame), resumed.step(frame))
    assert tracker.save() == resumed.save()


def test_propagator_asked_for_few_frames_besides_its_own() -> None:
    shot = PaleLegShot()
    tracker = FlowPropagator().follow(shot, [shot.key(0, 1)], [shot.key(0, 1)])
    shot.asked.clear()
    for frame in range(1, 21):
        tracker.step(frame)
    assert len(shot.asked) <= 20 + 60 // 5


def test_still_ground_locked_camera_shows_what_moves() -> None:
    shot = PaleLegShot()
    change = StillGround(shot, shot.size).change(30, look_at(shot.rgb(30), shot.size).rgb)
    moving = shot.disk(30, 1) | shot.blue(30)
    assert change.certainty > 0.9
    assert iou(change.level >= 0.4, moving) > 0.7
    grown = cv2.dilate(moving.astype(np.uint8), np.ones((7, 7), np.uint8)) > 0
    assert change.level[~grown].mean() < 0.01
    assert change.faint[shot._leg(30)].mean() > 0.5
    assert change.faint[shot.blue(30)].mean() < 0.3


@pytest.mark.parametrize(("make", "frame"), [(lambda: PaleLegShot(pan_px=2), 30), (PaleLegShot, 2), (DrawnShot, 4)])
def test_still_ground_moving_camera_or_end_of_shot_says_nothing(make: Callable[[], DrawnShot], frame: int) -> None:
    shot = make()
    change = StillGround(shot, shot.size).change(frame, look_at(shot.rgb(frame), shot.size).rgb)
    assert change.certainty == 0.0
    assert not change.level.any()


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


@pytest.mark.parametrize("count", [0, 1, 128, 300])
def test_products_of_many_rows_equal_plain_ones(count: int) -> None:
    draw = np.random.default_rng(count)
    left, right = (draw.standard_normal((count, n)).astype(np.float32) for n in (22, 48))
    matrix = draw.standard_normal((22, 24)).astype(np.float32)
    assert np.allclose(multiply_rows(left, matrix), left @ matrix, atol=1e-4)
    assert np.allclose(multiply_columns(left, right), left.T @ right, atol=1e-3)


@pytest.mark.parametrize("size", [(24, 36), (1, 40), (40, 1), (1, 1)])
def test_cut_faint_evidence_follows_the_edge(size: tuple[int, int]) -> None:
    inside = np.zeros(size, np.bool_)
    inside[size[0] // 4 : -(size[0] // 4) or None, size[1] // 4 : -(size[1] // 4) or None] = True
    noise = np.random.default_rng(5).standard_normal(size)
    evidence = (np.where(inside, 0.7, -0.7) + 0.5 * noise).astype(np.float32)
    guide = np.repeat(inside[..., None], 3, -1).astype(np.float32)
    labels = cut(evidence, edge_weights(guide))
    assert labels.shape == size
    assert np.mean((labels >= 0.5) != inside) < 0.01


def test_flow_shifted_picture_gives_the_shift() -> None:
    noise = np.random.default_rng(1).random((120, 160)).astype(np.float32)
    picture = np.asarray(cv2.GaussianBlur(noise, (0, 0), 3.0), np.float32)
    picture = (picture - picture.min()) / np.ptp(picture)
    shifted = np.roll(picture, (2, 5), axis=(0, 1))
    motion = DisFlow().flow(picture, shifted)
    assert np.median(motion[20:-20, 20:-20], axis=(0, 1)) == pytest.approx([5, 2], abs=0.2)
    back = sample_along(shifted, motion)
    assert np.abs(back - picture)[20:-20, 20:-20].mean() < 0.02


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (33, 7)])
def test_flow_tiny_picture_gives_its_size(size: tuple[int, int]) -> None:
    picture = np.zeros(size, np.float32)
    assert DisFlow().flow(picture, picture).shape == (*size, 2)
