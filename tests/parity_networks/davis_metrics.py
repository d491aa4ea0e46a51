"""The cases of our own scorer of masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from bench.davis_metrics import (
    Mask,
    Statistics,
    outline,
    region_and_boundary,
    score_pair,
    split_objects,
    summarise,
)
from numpy.typing import NDArray

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared


def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of the scorer's cases."""
    kinds = {"pair": _score_pair, "multi": _score_objects, "statistics": _summarise_series}
    for described in case.description["cases"]:
        found = kinds[described["kind"]](described, case.description.get("bound_th", 0.008))
        for array in described["arrays"]:
            yield case.against(f"{described['id']}/{array}", found[array], atol=case.description["tolerance"])


def _score_pair(described: dict[str, Any], share: float) -> dict[str, NDArray[Any]]:
    truth, result = (list(recipe.call(described[what]) != 0) for what in ("truth", "result"))
    for edit in described["edits"]:
        _edit(edit, truth, result)
    regions, boundaries = score_pair(result, truth, share=share)
    edges = [[outline(mask) for mask in masks[1:-1]] for masks in (truth, result)]
    return {
        "J": regions,
        "F": boundaries,
        "J_mean_recall_decay": _row(summarise(regions)),
        "F_mean_recall_decay": _row(summarise(boundaries)),
        "boundary_pixels": np.array([[edge.sum() for edge in each] for each in edges]),
        "truth_boundary_frame1": np.packbits(edges[0][0]),
    }


def _edit(edit: dict[str, Any], truth: list[Mask], result: list[Mask]) -> None:
    frame, by = edit["frame"], tuple(edit.get("by", (0, 0)))
    match edit["what"]:
        case "empty_result":
            result[frame] = np.zeros_like(result[frame])
        case "empty_truth":
            truth[frame] = np.zeros_like(truth[frame])
        case "full_result":
            result[frame] = np.ones_like(result[frame])
        case "both_equal":
            result[frame] = truth[frame].copy()
        case "shift_result":
            result[frame] = np.roll(result[frame], by, (0, 1))
        case "shifted_truth":
            result[frame] = np.roll(truth[frame], by, (0, 1))
        case other:
            raise ValueError(f"the edit '{other}' is not known")


def _score_objects(described: dict[str, Any], share: float) -> dict[str, NDArray[Any]]:
    first, second = (recipe.call(text) != 0 for text in described["truth"])
    truth = np.where(first, 1, np.where(second[:, :, ::-1], 2, 0)).astype(np.uint8)
    result = (recipe.call(described["result"][0]) != 0).astype(np.uint8)
    values = [score_pair(ours, theirs, share=share) for ours, theirs in split_objects(list(result), list(truth))]
    summaries = [(summarise(regions), summarise(boundaries)) for regions, boundaries in values]
    return {
        "J": np.array([regions for regions, _ in values]),
        "F": np.array([boundaries for _, boundaries in values]),
        "stats": np.array([[*_row(j), *_row(f)] for j, f in summaries]),
        "J_and_F": np.array([region_and_boundary(summaries)]),
    }


def _summarise_series(described: dict[str, Any], _share: float) -> dict[str, NDArray[Any]]:
    return {"stats": _row(summarise(recipe.call(described["values"])[0].astype(np.float64)))}


def _row(statistics: Statistics) -> NDArray[np.float64]:
    return np.array([statistics.mean, statistics.recall, statistics.decay])
