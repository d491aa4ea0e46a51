"""Region normalisation's cases: both norms alone, and the image generator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from cleanplate_server.models.networks.region_norm import (
    RegionNormBasic,
    RegionNormGenerator,
    RegionNormLearned,
    normalise_regions,
)
from torch import Tensor
from torch.nn import functional

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared


@torch.inference_mode()
def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of region normalisation's cases."""
    for kind, found in (
        ("unit", {**_basic(case.description["unit weights"]), **_learned(case.description["unit weights"])}),
        ("generator", _generator(case)),
    ):
        for name, array in found.items():
            yield case.against(name, array, **case.description["tolerance"][kind])


def _basic(weights: dict[str, Any]) -> dict[str, Tensor]:
    norm = RegionNormBasic(6)
    norm.load_state_dict(_filled(weights["RN_B"]["entries"]))
    maps = torch.from_numpy(recipe.noise("rn.x", (2, 6, 11, 14), -2, 2))
    hole = torch.from_numpy(recipe.mask("rn.unitmask", (2, 1, 45, 57)))
    shrunk = functional.interpolate(hole, maps.shape[2:], mode="nearest")
    return {
        "rn_b.out": norm(maps, hole),
        "rn_b.rn": normalise_regions(maps, shrunk),
        "rn_b.nohole": norm(maps, torch.zeros_like(hole)),
        "rn_b.batch1": norm(maps[:1], hole[:1]),
    }


def _learned(weights: dict[str, Any]) -> dict[str, Tensor]:
    norm = RegionNormLearned()
    norm.load_state_dict(_filled(weights["RN_L"]["entries"], weights["RN_L"]["gains"]))
    maps = torch.from_numpy(recipe.noise("rn.xl0", (2, 6, 17, 19), -2, 2))
    found = dict(zip(("rn_l.map", "rn_l.gamma", "rn_l.beta"), norm.sa(maps), strict=True))
    return {**found, "rn_l.out": norm(maps)}


def _generator(case: CaseFolder) -> dict[str, Tensor]:
    network = RegionNormGenerator().eval()
    network.load_published(case.state(gains=case.description["generator"]["gains"]))
    inner: dict[str, Tensor] = {}

    def watch(module: torch.nn.Module, name: str, *slices: slice) -> None:
        def keep(_module: torch.nn.Module, _args: tuple[Tensor, ...], output: Tensor | tuple[Tensor, ...]) -> None:
            inner[name] = (output if isinstance(output, Tensor) else output[0])[slices]

        module.register_forward_hook(keep)

    every, halved, few = slice(None), slice(None, None, 2), slice(None, None, 16)
    watch(network.encoder_in1, "g.enc_in1", every, few, halved, halved)
    watch(network.encoder_in3, "g.enc_in3", every, few)
    for block in (0, 3, 7):
        watch(network.middle[block], f"g.middle{block}", every, few)
    watch(network.middle.get_submodule("0.conv_block.2.sa"), "g.map_middle0_first")
    watch(network.decoder[2], "g.dec_rn0", every, few)
    rgb = torch.from_numpy(recipe.noise("rn.img0", (2, 3, 40, 48)))
    hole = torch.from_numpy(recipe.mask("rn.hole", (2, 1, 40, 48)))
    painted = network(rgb, hole)
    composed = painted * hole + rgb * (1 - hole)
    return {**inner, "g.out": painted, "g.comp": composed[..., ::2, ::2]}


def _filled(entries: dict[str, recipe.Entry], gains: dict[str, float] | None = None) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(value)) for name, value in recipe.fill(entries, gains).items()}
