"""A folder of parity cases, and how an array of ours is compared with one of its."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from parity_networks import recipe

OWN_CASES = Path(__file__).parents[1] / "data" / "parity"
"""The cases that are part of the tests; their lists of entries serve any other folder of the same network."""


@dataclass(frozen=True)
class Compared:
    """The result for one array.

    Args:
        name: as in ``case.npz``.
        error: the largest difference, infinite where shapes differ or values are missing.
        tolerance: what is allowed, in words for people.
        passed: whether every value is within it.
    """

    name: str
    error: float
    tolerance: str
    passed: bool


@dataclass(frozen=True)
class CaseFolder:
    """One folder of the form NAME/case.json, case.npz, state_dict*.json."""

    name: str
    path: Path
    description: dict[str, Any] = field(compare=False)
    """What ``case.json`` says; its form differs from network to network."""
    arrays: dict[str, NDArray[Any]] = field(compare=False)
    """The expected outputs."""

    @classmethod
    def read(cls, name: str, path: Path) -> CaseFolder:
        """Reads a folder.

        Raises:
            FileNotFoundError: there is no case in it.
        """
        description = json.loads((path / "case.json").read_text(encoding="utf-8"))
        with np.load(path / "case.npz") as file:
            arrays = {key: file[key] for key in file}
        return cls(name, path, description, arrays)

    def entries(self, file: str = "state_dict.json") -> dict[str, recipe.Entry]:
        """The list of a state dict's entries, from the folder or else from the tests' own of the same network."""
        found = next((f for f in (self.path / file, OWN_CASES / self.name / file) if f.is_file()), self.path / file)
        listed: dict[str, recipe.Entry] = json.loads(found.read_text(encoding="utf-8"))
        return listed

    def state(
        self, file: str = "state_dict.json", *, gains: Mapping[str, float] | None = None
    ) -> dict[str, torch.Tensor]:
        """The recipe's tensors for a list of entries, ready for ``load_state_dict``."""
        filled = recipe.fill(self.entries(file), gains)
        return {name: torch.from_numpy(np.ascontiguousarray(v).reshape(v.shape)) for name, v in filled.items()}

    def against(self, name: str, found: ArrayLike | torch.Tensor, *, atol: float = 0.0, rtol: float = 0.0) -> Compared:
        """Compares one array of ours with the expected one, value by value."""
        ours = found.detach().cpu().numpy() if isinstance(found, torch.Tensor) else np.asarray(found)
        return compare(name, ours, self.arrays[name], atol=atol, rtol=rtol)


def compare(
    name: str, found: NDArray[Any], expected: NDArray[Any], *, atol: float = 0.0, rtol: float = 0.0
) -> Compared:
    """Compares arrays: every |found - expected| is to be at most atol + rtol * |expected|."""
    allowed = " + ".join(f"{size:g}{word}" for size, word in ((atol, ""), (rtol, " of the value")) if size) or "0"
    if found.shape != expected.shape:
        return Compared(name, float("inf"), f"{allowed} (ours {found.shape}, expected {expected.shape})", passed=False)
    difference = np.abs(found.astype(np.float64) - expected.astype(np.float64))
    # a comparison with NaN is false, so that one fails
    passed = bool(np.all(difference <= atol + rtol * np.abs(expected.astype(np.float64))))
    return Compared(name, _largest(difference), allowed, passed)


def compare_share(name: str, found: NDArray[Any], expected: NDArray[Any], *, limit: float) -> Compared:
    """Compares labels: at most a share of them may differ."""
    allowed = f"{limit:g} of the pixels"
    if found.shape != expected.shape:
        return Compared(name, float("inf"), f"{allowed} (ours {found.shape}, expected {expected.shape})", passed=False)
    share = float(np.mean(found != expected))
    return Compared(name, share, allowed, share <= limit)


def _largest(difference: NDArray[np.float64]) -> float:
    return float("inf") if np.isnan(difference).any() else float(difference.max(initial=0.0))
