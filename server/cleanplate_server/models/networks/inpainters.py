"""The published networks that fill holes window by window, by the names that the weights manifest gives them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from cleanplate_server.errors import EngineError, InputError
from cleanplate_server.models.networks.checkpoints import read_state
from cleanplate_server.models.networks.e2fgvi import build_e2fgvi, build_e2fgvi_hq
from cleanplate_server.models.networks.filling.budget import device_budget
from cleanplate_server.models.networks.filling.e2fgvi import E2fgviWindows
from cleanplate_server.models.networks.filling.inpainter import NetworkInpainter
from cleanplate_server.models.networks.filling.opn import OpnWindows
from cleanplate_server.models.networks.filling.sttn import SttnWindows
from cleanplate_server.models.networks.filling.window_network import WindowNetwork
from cleanplate_server.models.networks.opn import Opn, TemporalNetwork
from cleanplate_server.models.networks.sttn import Sttn
from cleanplate_server.models.protocols import Effort, EngineInfo

N = TypeVar("N", bound=nn.Module)


@dataclass(frozen=True)
class _Place:
    """Where a network gets its weights and goes to."""

    name: str
    device: str

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
            raise EngineError(
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
        EngineError: it does not fit the device's memory.
    """
    network = _BUILDERS[info.name](_Place(info.name, device), checkpoints)
    return NetworkInpainter(network, info, budget_bytes=device_budget(device), effort=effort)


def _e2fgvi(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = build_e2fgvi()
    return E2fgviWindows(place.put(network, checkpoints[0], network.load_state_dict), place.name, takes_one_size=True)


def _e2fgvi_hq(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = build_e2fgvi_hq()
    return E2fgviWindows(place.put(network, checkpoints[0], network.load_state_dict), place.name, takes_one_size=False)


def _sttn(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network = Sttn()
    return SttnWindows(place.put(network, checkpoints[0], network.load_state_dict), place.name)


def _opn(place: _Place, checkpoints: Sequence[Path]) -> WindowNetwork:
    network, temporal = Opn(), TemporalNetwork()
    return OpnWindows(
        place.put(network, checkpoints[0], network.load_published),
        place.put(temporal, checkpoints[1], temporal.load_published),
        place.name,
    )


_BUILDERS: Mapping[str, Callable[[_Place, Sequence[Path]], WindowNetwork]] = {
    "e2fgvi-hq": _e2fgvi_hq,
    "e2fgvi": _e2fgvi,
    "sttn": _sttn,
    "opn": _opn,
}
INPAINTER_NAMES = tuple(_BUILDERS)
