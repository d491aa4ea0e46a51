"""The published networks that fill holes window by window, by the names that the weights manifest gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from cleanplate_server.errors import DeviceMemoryError, InputError
from cleanplate_server.models.embedded.flow import DisFlow
from cleanplate_server.models.networks.checkpoints import read_state
from cleanplate_server.models.networks.dfgvi import VARIANTS, DfcNet, build_dfc
from cleanplate_server.models.networks.e2fgvi import build_e2fgvi, build_e2fgvi_hq
from cleanplate_server.models.networks.filling.dfgvi import DfgviWindows
from cleanplate_server.models.networks.filling.e2fgvi import E2fgviWindows
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.networks.filling.needs import window_budget
from cleanplate_server.models.networks.filling.opn import OpnWindows
from cleanplate_server.models.networks.filling.propainter import ProPainterWindows
from cleanplate_server.models.networks.filling.rnot import RnotWindows
from cleanplate_server.models.networks.filling.sttn import SttnWindows
from cleanplate_server.models.networks.filling.traits import TRAITS, WindowTraits
from cleanplate_server.models.networks.filling.window_network import WindowNetwork
from cleanplate_server.models.networks.opn import Opn, TemporalNetwork
from cleanplate_server.models.networks.propainter import build_flow_completion, build_propainter
from cleanplate_server.models.networks.raft import Raft, RaftFlow
from cleanplate_server.models.networks.rnot import Rnot
from cleanplate_server.models.networks.sttn import Sttn
from cleanplate_server.models.protocols import Effort, EngineInfo

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class _Place:
    """Where a network gets its weights and goes to."""

    name: str
    device: str

    @property
    def traits(self) -> WindowTraits:
        return TRAITS[self.name]

    def put(self, network: N, checkpoint: Path, load: Callable[[Mapping[str, Tensor]], object]) -> N:
        """Loads the weights and moves the network to the device."""
        try:
            load(read_state(checkpoint))
        except RuntimeError as error:
            raise InputError(
                f"{checkpoint} does not hold the weights of {self.name}; `cleanplate weights verify {self.name}` says"
                " more",
                reason="WRONG_WEIGHTS",
            ) from error
        try:
            return network.eval().to(self.device)
        except torch.OutOfMemoryError as error:
            raise DeviceMemoryError(
                f"{self.name} does not fit the memory of {self.device}; choose --engine inpainter=embedded"
            ) from error


def load_inpainter(
    info: EngineInfo, checkpoints: Sequence[Path], *, device: str, effort: Effort = "balanced"
) -> NetworkInpainter:
    """Builds a published network with its weights, as an inpainter.

    Args:
        info: its name is one of ``INPAINTER_NAMES``.
        checkpoints: proved beforehand, in the order in which the network's builder takes them.
        device: ``cpu`` or ``cuda:N``.
        effort: how much each window looks at.

    Raises:
        InputError: a file's entries are not the network's.
        DeviceMemoryError: it does not fit the device's memory.
    """
    network = load_network(info.name, checkpoints, device=device)
    return NetworkInpainter(network, info, budget_bytes=window_budget(info.name, effort, device=device), effort=effort)


def load_network(name: str, checkpoints: Sequence[Path], *, device: str) -> WindowNetwork:
    """The network alone, of an engine's name; see ``load_inpainter``."""
    return _BUILDERS[name](_Place(name, device), checkpoints)


def _e2fgvi(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = build_e2fgvi()
    return E2fgviWindows(place.put(network, checkpoints[0], network.load_state_dict), place.traits, place.name)


def _e2fgvi_hq(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = build_e2fgvi_hq()
    return E2fgviWindows(place.put(network, checkpoints[0], network.load_state_dict), place.traits, place.name)


def _sttn(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = Sttn()
    return SttnWindows(place.put(network, checkpoints[0], network.load_state_dict), place.traits, place.name)


def _opn(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network, temporal = Opn(), TemporalNetwork()
    return OpnWindows(
        place.put(network, checkpoints[0], network.load_published),
        place.put(temporal, checkpoints[1], temporal.load_published),
        place.traits,
        place.name,
    )


def _rnot(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = Rnot()
    return RnotWindows(place.put(network, checkpoints[0], network.load_state_dict), place.traits, place.name)


def _propainter(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    painter, completion = build_propainter(), build_flow_completion()
    return ProPainterWindows(
        place.put(painter, checkpoints[0], painter.load_state_dict),
        place.put(completion, checkpoints[1], completion.load_state_dict),
        _raft(place, checkpoints[2]),
        place.traits,
        place.name,
    )


def _dfgvi(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    stages = [_dfc(place, "dfgvi-movie", checkpoints[0])]
    return DfgviWindows(stages, RaftFlow(_raft(place, checkpoints[1])), place.traits, place.name)


def _dfgvi_dis(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    return DfgviWindows([_dfc(place, "dfgvi-movie", checkpoints[0])], DisFlow(), place.traits, place.name)


def _dfgvi_davis(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    names = ("dfgvi-stage1", "dfgvi-stage2", "dfgvi-stage3")
    stages = [_dfc(place, *each) for each in zip(names, checkpoints[:-1], strict=True)]
    return DfgviWindows(stages, RaftFlow(_raft(place, checkpoints[-1])), place.traits, place.name)


def _dfc(place: _Place, variant: str, checkpoint: Path) -> DfcNet:
    network = build_dfc(VARIANTS[variant])
    return place.put(network, checkpoint, network.load_published)


def _raft(place: _Place, checkpoint: Path) -> Raft:
    network = Raft()
    return place.put(network, checkpoint, network.load_published)


_BUILDERS: Mapping[str, Callable[[_Place, Sequence[Path]], WindowNetwork]] = {
    "propainter": _propainter,
    "e2fgvi-hq": _e2fgvi_hq,
    "e2fgvi": _e2fgvi,
    "sttn": _sttn,
    "dfgvi": _dfgvi,
    "dfgvi-davis": _dfgvi_davis,
    "dfgvi-dis": _dfgvi_dis,
    "rnot": _rnot,
    "opn": _opn,
}
INPAINTER_NAMES = tuple(_BUILDERS)
