"""OSVOS beyond its cases: sizes, enlargement, lessons that can be repeated."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from cleanplate_server.models.networks.osvos import Osvos, Scores, balanced_loss, draw_lessons, prepare_picture, train
from torch.nn import functional


@pytest.fixture
def network() -> Osvos:
    torch.manual_seed(0)
    return Osvos().eval()


@pytest.mark.parametrize("size", [(16, 16), (17, 33), (31, 50)])
def test_scores_of_any_size_have_the_size_of_the_picture(network: Osvos, size: tuple[int, int]) -> None:
    with torch.inference_mode():
        scores: Scores = network(torch.zeros(2, 3, *size))
    assert [tuple(map_.shape) for map_ in (*scores.sides, scores.fused)] == [(2, 1, *size)] * 5


def test_enlargement_of_a_fresh_network_is_bilinear(network: Osvos) -> None:
    maps = torch.rand(1, 1, 6, 7)
    enlarged = network.upscale_[1](maps)[:, :, 2:-2, 2:-2]
    expected = functional.interpolate(maps, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(enlarged[:, :, 4:-4, 4:-4], expected[:, :, 4:-4, 4:-4])


def test_picture_is_blue_first_and_less_the_mean() -> None:
    red = np.zeros((1, 1, 3), np.float32)
    red[..., 0] = 1.0
    found = prepare_picture(red)[0, :, 0, 0].tolist()
    assert found == pytest.approx([-104.00699, -116.66877, 255 - 122.67892], abs=1e-4)


def test_loss_of_a_mask_without_an_object_is_zero_and_not_nan() -> None:
    assert balanced_loss(torch.randn(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).item() == 0.0


def test_lessons_of_one_seed_are_the_same_and_leave_the_frame_alone() -> None:
    rgb = np.random.default_rng(0).random((20, 30, 3), np.float32)
    mask = np.zeros((20, 30), np.bool_)
    mask[5:12, 8:20] = True
    rgb.flags.writeable = mask.flags.writeable = False
    first, again = (list(draw_lessons([lambda: (rgb, mask)], count=4, seed=7)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        assert torch.equal(one.picture, other.picture)
        assert torch.equal(one.mask, other.mask)
    assert not torch.equal(first[0].picture, first[1].picture)
    assert set(torch.cat([lesson.mask for lesson in first]).flatten().tolist()) == {0.0, 1.0}


def test_lessons_come_from_every_frame_that_is_shown() -> None:
    def shown(level: float) -> tuple[np.ndarray, np.ndarray]:
        return np.full((8, 8, 3), level, np.float32), np.ones((8, 8), np.bool_)

    lessons = draw_lessons([lambda: shown(0.0), lambda: shown(1.0)], count=40, seed=0)
    bright = [lesson.picture[0, :, 4, 4].mean().item() > 0 for lesson in lessons]
    assert 10 < sum(bright) < 30


def test_training_on_one_frame_lowers_its_loss(network: Osvos) -> None:
    rgb = np.full((24, 32, 3), 0.3, np.float32)
    mask = np.zeros((24, 32), np.bool_)
    mask[6:18, 8:20] = True
    rgb[mask] = 0.9
    # a fresh network scores hundreds: without a parent's weights its kernels are made small first
    with torch.no_grad():
        network.stages[0].get_submodule("0").get_parameter("weight").mul_(0.02)
    losses = list(train(network, draw_lessons([lambda: (rgb, mask)], count=60, seed=0), learning_rate=1e-5))
    assert np.mean(losses[-10:]) < 0.98 * np.mean(losses[:10])
