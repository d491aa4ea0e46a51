"""The scorer of masks beyond its cases."""

from __future__ import annotations

import numpy as np
import pytest
from bench.davis_metrics import boundary, region, split_objects, summarise


def test_decay_of_a_long_series_uses_every_bin() -> None:
    statistics = summarise(np.linspace(1.0, 0.0, 300))
    assert statistics.decay == pytest.approx(0.75, abs=0.01)
    assert statistics.recall == pytest.approx(0.5)


def test_recall_at_exactly_one_half_does_not_count() -> None:
    assert summarise([0.5, 0.5, 0.6, 0.6]).recall == 0.5


def test_one_empty_mask_scores_nothing_and_two_score_all() -> None:
    empty, square = np.zeros((40, 60), np.bool_), np.zeros((40, 60), np.bool_)
    square[10:20, 10:20] = True
    assert (region(empty, square), boundary(empty, square)) == (0.0, 0.0)
    assert (region(empty, empty), boundary(empty, empty)) == (1.0, 1.0)


def test_objects_with_a_label_too_many_are_refused() -> None:
    truth = [np.array([[0, 1, 255]], np.uint8)]
    assert len(split_objects([np.array([[0, 1, 1]], np.uint8)], truth)) == 1
    with pytest.raises(ValueError, match="label 2 was found"):
        split_objects([np.array([[0, 2, 0]], np.uint8)], truth)
