"""OPN's case: a small clip through the whole procedure, one frame of it watched closely."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import torch
from cleanplate_server.models.networks.asymmetric_attention import AsymmetricAttention, Memory
from cleanplate_server.models.networks.opn import (
    Opn,
    Peeled,
    TemporalNetwork,
    TemporalState,
    hole_distances,
    remember,
)
from cleanplate_server.models.networks.opn.filling import peel_all
from numpy.typing import NDArray
from torch import Tensor

from parity_networks import recipe
from parity_networks.case import CaseFolder, Compared

_PICTURES = ("comps", "ppeds", "comp")
_SIZE = (7, 94, 118)
_GROWTH = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


@torch.inference_mode()
def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of OPN's case."""
    network, temporal = Opn().eval(), TemporalNetwork().eval()
    gains = case.description["gains"]
    network.load_published(case.state(gains=gains["OPN"]))
    temporal.load_published(case.state("state_dict_tcn.json", gains=gains["TCN"]))
    frames = recipe.noise("opn.frames", (3, *_SIZE)).transpose(1, 2, 3, 0)
    masks = recipe.mask("opn.mask1", _SIZE)
    holes = np.stack([cv2.dilate(mask, _GROWTH) > 0 for mask in masks])
    yield _against(case, "dist", np.stack([hole_distances(hole) for hole in holes])[:, ::2, ::2])
    kept = case.description["memory frames"]
    memory = remember(network, [(frames[frame], holes[frame]) for frame in kept])
    yield _against(case, "mem.key", memory.keys[:, ::16])
    yield _against(case, "mem.val", memory.values[:, ::16])
    yield _against(case, "mem.hole", memory.holes[:, None].to(torch.uint8))
    watched = case.description["watched frame"]
    filled = []
    for frame, (rgb, hole) in enumerate(zip(frames, holes, strict=True)):
        others = memory.only([place for place, other in enumerate(kept) if other != frame])
        watch = _PeelWatch(network)
        passes = list(_passes(network, others, rgb, hole))
        watch.stop()
        filled.append(passes[-1].rgb)
        if frame == watched:
            yield from _compare_passes(case, watch, passes)
    yield _against(case, "comps", _clip(filled)[:, :, ::2, ::2])
    yield from _compare_temporal(case, temporal, filled, holes)


def _passes(network: Opn, memory: Memory, rgb: NDArray[np.float32], hole: NDArray[np.bool_]) -> Iterator[Peeled]:
    frame = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))[None]
    valid = torch.from_numpy(~hole).float()[None, None]
    distance = torch.from_numpy(hole_distances(hole))[None, None]
    return peel_all(network, memory, frame, valid=valid, distance=distance)


def _compare_passes(case: CaseFolder, watch: _PeelWatch, passes: list[Peeled]) -> Iterator[Compared]:
    for step, peeled in enumerate(passes):
        yield _against(case, f"watch.step{step}.comp", peeled.rgb[..., ::2, ::2])
        yield _against(case, f"watch.step{step}.dist_max", peeled.distance.max()[None])
    for name, found in watch.first.items():
        yield _against(case, f"watch.step0.{name}", found)


def _compare_temporal(
    case: CaseFolder, temporal: TemporalNetwork, filled: list[Tensor], holes: NDArray[np.bool_]
) -> Iterator[Compared]:
    planes = torch.from_numpy(holes).float()[:, None, None]
    state = TemporalState.before_first(planes[-1])
    watch = _TemporalWatch(temporal)
    steadied = []
    for frame, hole in zip(filled, planes, strict=True):
        state = temporal(frame, hole, state)
        steadied.append(state.rgb)
    yield _against(case, "tcn.f1.enc", watch.maps[1].deep[:, ::32])
    yield _against(case, "tcn.f1.s3", watch.maps[1].s3[:, ::32])
    yield _against(case, "tcn.f1.s1", watch.maps[1].s1[:, ::16, ::2, ::2])
    yield _against(case, "tcn.f1.hidden", watch.hidden[1][:, ::16])
    yield _against(case, "tcn.last.hidden", watch.hidden[-1][:, ::8])
    yield _against(case, "ppeds", _clip(steadied)[:, :, ::2, ::2])


def _against(case: CaseFolder, name: str, found: Tensor | NDArray[Any]) -> Compared:
    tolerance = case.description["tolerance"]
    if name == "dist":
        return case.against(name, found, **tolerance["dist"])
    if name.rpartition(".")[2] in _PICTURES:
        return case.against(name, found, **tolerance["comps, ppeds, watch.*.comp"])
    return case.against(name, found, **tolerance["intermediates"])


def _clip(frames: list[Tensor]) -> Tensor:
    """Frames [1, 3, H, W] as one [3, T, H, W]."""
    return torch.cat(frames).transpose(0, 1)


class _PeelWatch:
    """Keeps the first pass's inner tensors."""

    def __init__(self, network: Opn) -> None:
        self.first: dict[str, Tensor] = {}
        encoder, decoder = network.Encoder, network.Decoder
        self._handles = [
            encoder.register_forward_hook(self._keep_query),
            encoder.conv3d.register_forward_hook(self._keep_maps),
            network.attention.register_forward_pre_hook(self._keep_asking),
            decoder.register_forward_hook(self._keep_decoded),
        ]

    def stop(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _keep_query(self, _module: torch.nn.Module, args: tuple[Tensor, ...], output: Any) -> None:
        self.first.setdefault("query_key", output.key[:, ::16])

    def _keep_maps(self, _module: torch.nn.Module, _args: tuple[Tensor, ...], output: Tensor) -> None:
        self.first.setdefault("enc_conv3d", output[:, ::16])

    def _keep_asking(self, _module: AsymmetricAttention, args: tuple[Any, ...]) -> None:
        self.first.setdefault("peel", args[1][:, None].to(torch.uint8))

    def _keep_decoded(self, _module: torch.nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        self.first.setdefault("read", args[0][:, ::16])
        self.first.setdefault("pred", output[..., ::2, ::2])


class _TemporalWatch:
    """Keeps the encoder's maps and the hidden state of every frame."""

    def __init__(self, temporal: TemporalNetwork) -> None:
        self.maps: list[Any] = []
        self.hidden: list[Tensor] = []
        temporal.Encoder.register_forward_hook(lambda _module, _args, output: self.maps.append(output))
        temporal.GRU.register_forward_hook(lambda _module, _args, output: self.hidden.append(output))
