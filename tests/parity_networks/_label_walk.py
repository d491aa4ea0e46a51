"""The cases of AOT and DeAOT: labels given on the first frame and carried through a few more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from cleanplate_server.models.networks.association.following import Follower, Following, Rules
from cleanplate_server.models.networks.association.network import AssociationNetwork
from cleanplate_server.models.networks.association.picture import (
    LONG_EDGE_PX,
    network_size,
    prepare_picture,
    shrink_label,
)
from cleanplate_server.models.networks.association.swin import offset_index
from numpy.typing import NDArray
from torch import Tensor

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared, compare, compare_share

Labels = NDArray[np.uint8]

_LOWEST_LOGIT = -1e4
_DIFFERING_SHARE = 0.001
_INTERMEDIATE = 1e-3
_OFFSETS = "relative_position_index"


@dataclass(frozen=True)
class Tap:
    """Where an intermediate array is taken.

    Args:
        part: name of the module whose output it is, -1 for the last of a list; ``picture`` for the network's input.
        frame: number of the frame, from the end if negative.
        axes, step: which axes are thinned, and how much.
    """

    part: str
    frame: int
    axes: tuple[int, ...]
    step: int

    def cut(self, output: Tensor) -> Tensor:
        """The stored part of an output."""
        return output[tuple(slice(None, None, self.step if axis in self.axes else 1) for axis in range(output.ndim))]


@dataclass(frozen=True)
class Walk:
    """What came of one case.

    Args:
        labels: of all frames but the first, as they were remembered.
        chances, logits: float32 [T - 1, channels, H, W].
        stored: tokens in each bank's long-term memory after each frame.
        taps: outputs of parts by part and frame.
    """

    labels: list[Labels] = field(default_factory=list)
    chances: list[NDArray[np.float32]] = field(default_factory=list)
    logits: list[NDArray[np.float32]] = field(default_factory=list)
    stored: list[list[int]] = field(default_factory=list)
    taps: dict[tuple[str, int], Tensor] = field(default_factory=dict)


def compare_walks(
    folder: CaseFolder, build: Callable[[str], AssociationNetwork], taps: Mapping[str, Tap]
) -> Iterator[Compared]:
    """Runs and compares every case of a folder.

    Args:
        folder: of AOT's or DeAOT's cases.
        build: makes an untrained network by the name of its variant.
        taps: where each intermediate array is taken.
    """
    for case in folder.description["cases"]:
        network = build(case["model"])
        state = folder.state(case["state_dict"], gains=case["gains"])
        offsets = {name: offset_index() for name in state if name.endswith(_OFFSETS)}
        network.load_published({**state, **offsets})
        yield from _compare_case(folder, case, network, taps)


@torch.inference_mode()
def _compare_case(
    folder: CaseFolder, case: dict[str, Any], network: AssociationNetwork, taps: Mapping[str, Tap]
) -> Iterator[Compared]:
    name, tolerance = case["id"], folder.description["tolerance"]
    truth = folder.arrays[f"{name}/labels"]
    free = walk(case, network, forced=None, taps={})
    yield compare_share(f"{name}/labels", np.stack(free.labels), truth, limit=_DIFFERING_SHARE)
    forced = walk(case, network, forced=truth, taps=taps)
    step = case["stride"]
    sliced = (slice(None), slice(None, case["num_channels_stored"]), slice(None, None, step), slice(None, None, step))
    for what, found in (("prob", forced.chances), ("logit", forced.logits)):
        ours = np.maximum(np.stack(found)[sliced], _LOWEST_LOGIT)
        yield folder.against(f"{name}/{what}", ours, atol=tolerance[what])
    for array in case["arrays"]:
        tap = taps.get(array.removeprefix(f"{name}/"))
        if tap is not None:
            thinned = tap.cut(forced.taps[tap.part, tap.frame % case["n_frames"]])
            yield folder.against(array, thinned, atol=_INTERMEDIATE, rtol=_INTERMEDIATE)
    expected = np.array(case["long_term_tokens_after_each_frame"])
    yield compare(f"{name}/long_term_tokens", np.array(forced.stored), expected)


def walk(case: dict[str, Any], network: AssociationNetwork, *, forced: Labels | None, taps: Mapping[str, Tap]) -> Walk:
    """Follows the case's objects; with ``forced`` labels, those are remembered in place of our own."""
    height, width = case["size"]
    pictures = read_pictures(case)
    seen = network_size(
        (height, width),
        align_corners=network.variant.align_corners,
        long_edge_px=case.get("max_long_edge", LONG_EDGE_PX),
    )
    assert list(seen) == case["network_input_size"], f"{seen} is not {case['network_input_size']}"
    result = Walk()
    watch = _Watch(network, result, taps)
    follower = Follower(network, Rules(long_term_gap=case["long_term_mem_gap"]))
    label, count = first_label(case), case["n_objects_at_start"]
    known = follower.begin(
        network.encode(watch.on(0, prepare_picture(pictures[0], seen))),
        shrink_label(torch.from_numpy(label).long(), seen),
        object_count=count,
    )
    result.stored.append(_stored_tokens(known))
    for frame in range(1, case["n_frames"]):
        scene = network.encode(watch.on(frame, prepare_picture(pictures[frame], seen)))
        known, glimpse = follower.look(known, scene)
        logits = follower.decode(known, glimpse, (height, width))
        chances = logits.softmax(1)
        result.logits.append(_widened(logits, case, fill=_LOWEST_LOGIT))
        result.chances.append(_widened(chances, case, fill=0.0))
        label = chances[0].argmax(0).numpy().astype(np.uint8)
        added = new_label(case, frame)
        label = np.where(added > 0, added, label).astype(np.uint8)
        result.labels.append(label)
        taken = shrink_label(torch.from_numpy(label if forced is None else forced[frame - 1]).long(), seen)
        if added.any():
            count = max(count, int(added.max()))
            watch.off()
            known = follower.begin(scene, taken, object_count=count, known=known)
        else:
            known = follower.remember(known, glimpse, taken)
        result.stored.append(_stored_tokens(known))
    watch.off()
    return result


class _Watch:
    """Keeps what parts of a network put out, first time on each frame."""

    def __init__(self, network: AssociationNetwork, result: Walk, taps: Mapping[str, Tap]) -> None:
        self._frame = 0
        self._active = False
        self._result = result
        for part in {tap.part for tap in taps.values()} - {"picture"}:
            _find_part(network, part).register_forward_hook(self._hook(part))

    def _hook(self, part: str) -> Callable[[torch.nn.Module, tuple[Tensor, ...], Tensor], None]:
        def keep(module: torch.nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
            if self._active:
                self._result.taps.setdefault((part, self._frame), output)

        return keep

    def on(self, frame: int, picture: Tensor) -> Tensor:
        self._frame, self._active = frame, True
        self._result.taps["picture", frame] = picture
        return picture

    def off(self) -> None:
        self._active = False


def _find_part(network: AssociationNetwork, name: str) -> torch.nn.Module:
    found: torch.nn.Module = network
    for step in name.split("."):
        found = found[-1] if step == "-1" and isinstance(found, torch.nn.ModuleList) else found.get_submodule(step)
    return found


def read_pictures(case: dict[str, Any]) -> NDArray[np.float32]:
    """float32 [T, H, W, 3], RGB from 0 to 1, in steps of 8 bits."""
    height, width = case["size"]
    noise = recipe.noise(case["frames"], (case["n_frames"], 3, height, width))
    return np.asarray(np.floor(noise * 255 + 0.5).transpose(0, 2, 3, 1) / 255.0, np.float32)


def first_label(case: dict[str, Any]) -> Labels:
    """uint8 [H, W]: two ellipses, or a grid of tiles."""
    height, width = case["size"]
    described = case["label"]
    label = np.zeros((height, width), np.uint8)
    if described["kind"] == "two":
        label[recipe.mask(described["names"][0], (1, height, width))[0] == 1] = 1
        label[recipe.mask(described["names"][1], (1, height, width))[0][:, ::-1] == 1] = 2
        return label
    rows, columns = described["rows"], described["cols"]
    y, x = np.mgrid[0:height, 0:width]
    label = (1 + y * rows // height * columns + x * columns // width).astype(np.uint8)
    between = ((y * rows % height) / height < 0.2) | ((x * columns % width) / width < 0.2)
    return np.where(between | (label > described["n"]), 0, label).astype(np.uint8)


def new_label(case: dict[str, Any], frame: int) -> Labels:
    """uint8 [H, W]: the objects that appear on a frame, 0 elsewhere."""
    height, width = case["size"]
    described = case.get("new_objects", {}).get(str(frame))
    if described is None:
        return np.zeros((height, width), np.uint8)
    mask = recipe.mask(described["mask"], (1, height, width))[0]
    flipped = mask[::-1] if described.get("flip_rows") else mask
    return np.asarray(flipped * described["id"], np.uint8)


def _widened(channels: Tensor, case: dict[str, Any], *, fill: float) -> NDArray[np.float32]:
    """float32 [channels stored, H, W]; the missing ones are filled."""
    found = channels[0].numpy()
    missing = max(0, case["num_channels_stored"] - len(found))
    return np.pad(found, ((0, missing), (0, 0), (0, 0)), constant_values=fill)


def _stored_tokens(known: Following) -> list[int]:
    return [sum(len(stored.layers[0].key) for stored in bank.long) for bank in known.banks]
