"""The curve to a screen's levels can be undone to the last code value."""

from __future__ import annotations

import numpy as np
import pytest
from cleanplate_server.models.networks.filling.display import DisplayCurve, fit_curve
from numpy.typing import NDArray

Levels = NDArray[np.float32]
RANDOM = np.random.default_rng(8)


def grey(levels: NDArray[np.floating]) -> Levels:
    return np.repeat(levels.astype(np.float32)[:, None], 3, axis=1)


SHOTS: dict[str, Levels] = {
    "screen": grey(RANDOM.beta(1.5, 2, 4000)),
    "dark screen": grey(RANDOM.beta(1, 12, 4000)),
    "log": grey(0.09 + 0.5 * RANDOM.beta(2, 2, 4000)),
    "pq": grey(0.5 * RANDOM.beta(2, 2, 4000)),
    "hlg": grey(0.75 * RANDOM.beta(1.5, 2, 4000)),
    "video overshoot": grey(np.linspace(-0.06, 1.08, 4000)),
    "linear light": grey(0.18 * np.exp(RANDOM.normal(0, 1.3, 4000))),
    "linear light, bright lamps": grey(np.concatenate([RANDOM.exponential(0.3, 3980), RANDOM.uniform(20, 60, 20)])),
    "flat": grey(np.full(4000, 0.6)),
    "black": grey(np.zeros(4000)),
}


@pytest.mark.parametrize("name", SHOTS)
@pytest.mark.parametrize("bits", [8, 10, 12])
def test_ramp_of_code_values_shown_and_restored_keeps_every_one(name: str, bits: int) -> None:
    curve = fit_curve(SHOTS[name])
    codes = np.arange(1 << bits)
    ramp = grey(codes / codes[-1])
    back = curve.restore(curve.show(ramp))
    assert np.array_equal(np.rint(back[:, 0].astype(np.float64) * codes[-1]), codes)


@pytest.mark.parametrize("name", SHOTS)
def test_levels_beyond_black_and_white_survive_and_keep_their_order(name: str) -> None:
    curve = fit_curve(SHOTS[name])
    levels = grey(np.concatenate([np.linspace(-0.5, 1.5, 201), np.linspace(2, 100, 99)]))
    shown = curve.show(levels)
    assert (np.diff(shown[:, 0]) > 0).all()
    np.testing.assert_allclose(curve.restore(shown), levels, rtol=3e-6, atol=3e-6)


def test_overshoot_is_squeezed_in_and_hardly_more() -> None:
    curve = fit_curve(SHOTS["video overshoot"])
    shown = curve.show(SHOTS["video overshoot"])
    assert 0 < shown.min() < 0.03
    assert 0.97 < shown.max() < 1
    assert curve.bend == 0


@pytest.mark.parametrize("name", ["screen", "hlg"])
def test_levels_that_a_screen_has_are_shown_as_they_are(name: str) -> None:
    assert fit_curve(SHOTS[name]) == DisplayCurve()


@pytest.mark.parametrize("name", ["log", "pq"])
def test_flat_levels_are_stretched_without_a_bend(name: str) -> None:
    curve = fit_curve(SHOTS[name])
    shown = curve.show(SHOTS[name])
    assert curve.bend == 0
    assert np.ptp(shown) > 1.3 * np.ptp(SHOTS[name])
    assert -0.01 <= shown.min() <= shown.max() <= 1.01


@pytest.mark.parametrize("name", ["linear light", "linear light, bright lamps"])
def test_scene_linear_light_is_bent_so_that_most_of_it_can_be_seen(name: str) -> None:
    shown = fit_curve(SHOTS[name]).show(SHOTS[name])
    assert 0.2 < float(np.median(shown)) < 0.5
    assert float(np.percentile(shown, 99.8)) <= 1.01


def test_levels_that_are_not_finite_do_not_count() -> None:
    broken = np.concatenate([SHOTS["log"], grey(np.array([np.inf, np.nan, -np.inf]))])
    assert fit_curve(broken) == fit_curve(SHOTS["log"])
    assert fit_curve(np.empty((0, 3), np.float32)) == DisplayCurve()
