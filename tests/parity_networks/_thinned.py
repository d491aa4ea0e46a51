"""What cases of inpainting networks share: entries given by value, inputs by name, arrays thinned by steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatch

import numpy as np
import torch
from torch import Tensor, nn

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared

_MEAN_SHARE = 0.1
"""The mean difference is to be below this share of the largest that is allowed."""


def fill_state(case: CaseFolder, file: str = "state_dict.json", *, gains: str = "") -> dict[str, Tensor]:
    """The recipe's entries, with those that the case gives by value; ``gains`` names one network's of several."""
    all_gains = case.description["gains"]
    state = case.state(file, gains=all_gains[gains] if gains else all_gains)
    for pattern, values in case.description.get("overrides", {}).items():
        for name in [name for name in state if fnmatch(name, pattern)]:
            state[name] = torch.tensor(values, dtype=state[name].dtype).reshape(state[name].shape)
    return state


def make_input(case: CaseFolder, name: str) -> Tensor:
    """One input of the case, such as its frames."""
    described = case.description["inputs"][name]
    if described["call"] == "mask":
        return torch.from_numpy(recipe.mask(described["name"], described["shape"]))
    bounds = described.get("low", 0.0), described.get("high", 1.0)
    return torch.from_numpy(recipe.noise(described["name"], described["shape"], *bounds))


def watch(network: nn.Module, parts: Mapping[str, str]) -> dict[str, Tensor]:
    """A dictionary that fills with outputs of parts, given as array to name, when the network runs once.

    What a part gives for some frames after the other is put together.
    """
    found: dict[str, Tensor] = {}

    def keep(array: str, output: Tensor) -> None:
        found[array] = torch.cat([found[array], output]) if array in found else output

    for array, part in parts.items():
        network.get_submodule(part).register_forward_hook(
            lambda _module, _args, output, array=array: keep(array, output)
        )
    return found


def compare_thinned(case: CaseFolder, found: Mapping[str, Tensor], *, run: str = "") -> Iterator[Compared]:
    """Compares those arrays of the case whose names begin with ``run``, whole shape and every stored value."""
    for array, described in case.description["arrays"].items():
        if not array.startswith(run):
            continue
        ours, atol = found[array.removeprefix(run)], described["atol"]
        if list(ours.shape) != described["shape"]:
            words = f"{described['shape']} (ours {list(ours.shape)})"
            yield Compared(array, float("inf"), words, passed=False)
            continue
        thinned = ours[tuple(slice(None, None, step) for step in described["step"])].numpy()
        result = case.against(array, thinned, atol=atol)
        mean = float(np.abs(thinned.astype(np.float64) - case.arrays[array]).mean()) if result.passed else np.inf
        limit = f"{result.tolerance}, and {_MEAN_SHARE * atol:g} on the mean"
        yield Compared(array, result.error, limit, passed=result.passed and mean < _MEAN_SHARE * atol)
