"""DFGVI's cases: its networks, the first guess behind a hole, what goes into the networks, and the propagation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np
import torch
from cleanplate_server.models.networks.dfgvi import VARIANTS, DfcNet, build_dfc, complete, propagate, refine
from cleanplate_server.models.networks.dfgvi.completion import REACH, Planes, prepare_field
from cleanplate_server.models.networks.dfgvi.membrane import stretch
from cleanplate_server.models.networks.dfgvi.propagation import carry, enlarge_flow, key_frames, trace
from numpy.typing import NDArray
from torch import Tensor

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared, compare, compare_share

_NETWORKS = {"resnet101": "dfgvi-movie", "resnet50_stage1": "dfgvi-stage1", "resnet50_refine": "dfgvi-stage2"}
_THINNED = {"maxpool": 16, "layer1": 16, "layer2": 64, "layer3": 64, "layer4": 64}
_STAMPS_SHARE = 0.002
_OUT_SHARE = 0.005
_SIZE = (36, 52)

Case = dict[str, Any]


def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of DFGVI's cases."""
    networks = {name: _build(case, name) for name in _NETWORKS}
    for name, network in networks.items():
        yield from _compare_network(case, name, network)
    hole = recipe.mask("dfgvi.rfmask", (20, 24)) > 0
    hole[0:6, 0:5] = hole[12:20, 18:24] = True
    yield _against(case, "regionfill.out", stretch(recipe.noise("dfgvi.rf", (20, 24), -4, 4), hole))
    yield from _compare_completion(case, networks["resnet101"])
    yield from _compare_refinement(case, networks["resnet50_refine"])
    yield from _compare_trace(case)
    yield from _compare_propagation(case)
    for rule in case.description["key frame rule"]:
        ours = np.array(key_frames([pending > 0 for pending in rule["sequence"]]))
        yield compare("key frames of " + "".join(map(str, rule["sequence"])), ours, np.array(rule["keys"]))


def _build(case: CaseFolder, name: str) -> DfcNet:
    network = build_dfc(VARIANTS[_NETWORKS[name]])
    network.load_published(case.state(case.description["state dicts"][name], gains=case.description["gains"][name]))
    return network


@torch.inference_mode()
def _compare_network(case: CaseFolder, name: str, network: DfcNet) -> Iterator[Compared]:
    channels = network.conv1.in_channels
    window = recipe.noise(f"dfgvi.in.{name}", (1, channels, 60, 84), -3, 3)
    window[:, 2::3] = recipe.mask(f"dfgvi.inmask.{name}", (1, channels // 3, 60, 84))
    inner: dict[str, Tensor] = {}
    handles = [
        network.get_submodule(part).register_forward_hook(
            lambda _module, _args, output, part=part: inner.update({part: output})
        )
        for part in _THINNED
    ]
    found = network(torch.from_numpy(window))
    for handle in handles:
        handle.remove()
    yield _against(case, f"net.{name}.out", found)
    for part, step in _THINNED.items():
        yield _against(case, f"net.{name}.{part}", inner[part][:, ::step])


def _compare_completion(case: CaseFolder, network: DfcNet) -> Iterator[Compared]:
    described = case.description["assembly"]
    size = tuple(described["network size (h,w)"])
    forward, backward, holes = _fields()
    for number, item in enumerate(described["items"]):
        index = item["list_index"]
        flows, centre = (forward, index) if index < len(forward) else (backward, index - len(forward))
        field = prepare_field(flows[centre], holes[centre], size, guesses=True)
        seen, completed = _watched(network, complete(network, flows, holes, size=size), centre)
        yield _against(case, f"asm{number}.input", seen[:, ::2, ::2])
        yield _against(case, f"asm{number}.centre_filled", field.flow)
        yield _against(case, f"asm{number}.completed", completed.transpose(2, 0, 1)[None])


def _compare_refinement(case: CaseFolder, network: DfcNet) -> Iterator[Compared]:
    described = case.description["assembly"]
    size = tuple(described["network size (h,w)"])
    centre = described["refine item"]["list_index"]
    seen, refined = _watched(network, refine(network, *_fields(), size=size), centre)
    yield _against(case, "ref.input", seen[:, ::4, ::4])
    yield _against(case, "ref.completed_f", refined.forward.transpose(2, 0, 1)[None])
    yield _against(case, "ref.completed_r", refined.backward.transpose(2, 0, 1)[None])


def _watched(network: DfcNet, completed: Iterator[Any], centre: int) -> tuple[Planes, Any]:
    """What the network is given for one frame, and what comes of it."""
    given: list[Tensor] = []
    handle = network.register_forward_pre_hook(lambda _module, args: given.append(args[0]))
    found = next(islice(completed, centre, None))
    handle.remove()
    return given[-1][0].numpy(), found


def _fields() -> tuple[list[Planes], list[Planes], list[NDArray[np.bool_]]]:
    """Forward and backward motion and holes of 13 frames."""
    ahead = recipe.noise("dfgvi.flow.f", (12, 2, 40, 56), -4, 4).transpose(0, 2, 3, 1)
    behind = recipe.noise("dfgvi.flow.b", (12, 2, 40, 56), -4, 4).transpose(0, 2, 3, 1)
    holes = recipe.mask("dfgvi.flowmask", (13, 80, 112)) > 0
    assert len(ahead) > 2 * REACH
    return list(ahead), [np.zeros_like(behind[0]), *behind], list(holes)


def _motion() -> tuple[list[Planes], list[Planes]]:
    """Motion to the next frame and back of 7 frames."""
    ahead = recipe.noise("dfgvi.prop.flow", (6, 2, 24, 35), -2.5, 2.5)
    back = np.asarray(-ahead + recipe.noise("dfgvi.prop.noise", (6, 2, 24, 35), -0.5, 0.5), np.float32)
    return list(ahead.transpose(0, 2, 3, 1)), list(back.transpose(0, 2, 3, 1))


def _compare_trace(case: CaseFolder) -> Iterator[Compared]:
    ahead, back = _motion()
    ahead_large, back_large = enlarge_flow(ahead[0], _SIZE), enlarge_flow(back[0], _SIZE)
    yield _against(case, "warp.flow_resized", ahead_large[::2, ::2])
    label = recipe.noise("dfgvi.warp.label", (3, *_SIZE), 0, 255).transpose(1, 2, 0)
    fetched = trace(ahead_large, back_large, case.description["propagation"]["th_warp"]).fetch(label, 0)
    yield compare_share("warp.out", fetched, case.arrays["warp.out"], limit=_STAMPS_SHARE)


def _compare_propagation(case: CaseFolder) -> Iterator[Compared]:
    described = case.description["propagation"]
    noise = recipe.noise("dfgvi.prop.frames", (7, 3, *_SIZE))
    pictures = np.floor(255 * noise.astype(np.float64) + 0.5).astype(np.uint8).transpose(0, 2, 3, 1)
    holes = list(recipe.mask("dfgvi.prop.mask", (7, *_SIZE)) > 0)
    ahead, back = _motion()
    large = [(enlarge_flow(a, _SIZE), enlarge_flow(b, _SIZE)) for a, b in zip(ahead, back, strict=True)]
    emptied = list(np.where(np.stack(holes)[..., None], np.uint8(0), pictures))
    to_past = [trace(a, b, described["th_warp"]) for a, b in large]
    to_future = [trace(b, a, described["th_warp"]) for a, b in large]
    past = list(carry(emptied, holes, range(7), to_past))
    future = list(carry(emptied, holes, range(7)[::-1], to_future[::-1]))[::-1]
    stamps = np.stack([[one.stamps for one in way] for way in (past, future)], -1)
    yield compare_share("prop.ts0", stamps, case.arrays["prop.ts0"], limit=_STAMPS_SHARE)
    colours = np.stack([past[2].colours, future[2].colours], -1)
    yield compare_share("prop.res0_f2", colours, case.arrays["prop.res0_f2"], limit=_STAMPS_SHARE)
    asked = []

    def fall_back(frame: int, picture: NDArray[Any], hole: NDArray[np.bool_]) -> NDArray[np.float64]:
        asked.append(frame)
        return np.where(hole[..., None], picture[~hole].mean(0, dtype=np.float64), picture)

    done = propagate(list(pictures), holes, ahead, back, fallback=fall_back, threshold_px=described["th_warp"])
    yield compare_share("prop.out", np.stack(done), case.arrays["prop.out"], limit=_OUT_SHARE)
    expected = [key for keys in described["key frames per iteration"] for key in keys]
    yield compare("key frames asked for", np.array(asked), np.array(expected))


def _against(case: CaseFolder, name: str, found: Tensor | NDArray[Any]) -> Compared:
    tolerance = case.description["tolerance"]
    return case.against(name, found, **tolerance["networks" if name.startswith("net.") else "regionfill, assembly"])
