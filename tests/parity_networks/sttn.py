"""STTN's cases: the network with two layouts of patches and the same entries, and the discriminator."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from cleanplate_server.models.networks.sttn import Discriminator, Sttn
from torch import Tensor
from torch.nn import functional

from parity_networks._thinned import compare_thinned, fill_state, make_input, watch
from parity_networks.case import CaseFolder, Compared

_PARTS = {
    "encoder": "encoder",
    "attention0": "transformer.0.attention",
    "block0": "transformer.0",
    "block3": "transformer.3",
    "block7": "transformer.7",
}
_POWER_ITERATIONS = 20


@torch.inference_mode()
def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of STTN's cases."""
    state = fill_state(case)
    for run, config in case.description["config"].items():
        network = Sttn(tuple((height, width) for width, height in config["patch_sizes_w_h"])).eval()
        network.load_state_dict(state)
        found = watch(network, _PARTS)
        found["output"] = network(make_input(case, f"{run}.frames") * (1 - make_input(case, f"{run}.masks")))
        # the case counts the frames of all clips together
        flat = {array: maps if maps.ndim == 4 else maps.flatten(0, 1) for array, maps in found.items()}
        yield from compare_thinned(case, flat, run=f"{run}.")
    yield from _compare_discriminator(case)


def _compare_discriminator(case: CaseFolder) -> Iterator[Compared]:
    discriminator = Discriminator().eval()
    state = case.state("state_dict_discriminator.json")
    for name in [name for name in state if name.endswith("weight_orig")]:
        _iterate(state, name.removesuffix("_orig"))
    discriminator.load_state_dict(state)
    output = discriminator(make_input(case, "disc.frames")[None])
    yield from compare_thinned(case, {"output": output}, run="disc.")


def _iterate(state: dict[str, Tensor], name: str) -> None:
    """Makes the vectors of spectral normalisation as the case's notes say."""
    kernel, left = state[f"{name}_orig"].flatten(1), state[f"{name}_u"]
    right = state[f"{name}_v"]
    for _ in range(_POWER_ITERATIONS):
        right = functional.normalize(kernel.T @ left, dim=0)
        left = functional.normalize(kernel @ right, dim=0)
    state[f"{name}_u"], state[f"{name}_v"] = left, right
