"""The published networks that follow objects, by the names that the weights manifest gives them."""

from __future__ import annotations

from pathlib import Path

import torch

from cleanplate_server.errors import DeviceMemoryError, InputError
from cleanplate_server.models.networks import aot, deaot
from cleanplate_server.models.networks.association.network import AssociationNetwork
from cleanplate_server.models.networks.checkpoints import read_state
from cleanplate_server.models.networks.osvos import Osvos
from cleanplate_server.models.networks.osvos_propagator import UPDATES, OsvosPropagator
from cleanplate_server.models.networks.seen_sizes import OSVOS_LONG_EDGES_PX
from cleanplate_server.models.protocols import Effort, EngineInfo

_BUILDERS = {
    **{name.replace("_", "-"): (aot.build_aot, variant) for name, variant in aot.VARIANTS.items()},
    **{name.replace("_", "-"): (deaot.build_deaot, variant) for name, variant in deaot.VARIANTS.items()},
}
PROPAGATOR_NAMES = tuple(_BUILDERS)


def load_osvos(
    checkpoint: Path, info: EngineInfo, *, device: str, effort: Effort, updates: int | None = None
) -> OsvosPropagator:
    """Takes OSVOS's parent network, from which one is trained for each object.

    Args:
        checkpoint: of the parent, proved beforehand.
        info: name, licence, weights.
        device: ``cpu`` or ``cuda:N``.
        effort: sets the size at which frames are seen, and the updates.
        updates: of the training; None is the effort's.

    Raises:
        InputError: the file's entries are not the network's.
    """
    state = read_state(checkpoint)
    try:
        Osvos().load_state_dict(state)
    except RuntimeError as error:
        raise _wrong_weights(checkpoint, "osvos-parent") from error
    return OsvosPropagator(
        state, info, device=device, updates=UPDATES[effort] if updates is None else updates,
        long_edge_px=OSVOS_LONG_EDGES_PX[effort],
    )  # fmt: skip


def build_association(name: str) -> AssociationNetwork:
    """Builds one of ``PROPAGATOR_NAMES`` without weights, in evaluation mode."""
    build, variant = _BUILDERS[name]
    return build(variant)


def load_association(name: str, checkpoint: Path, *, device: str) -> AssociationNetwork:
    """Builds a published network with its weights.

    Args:
        name: one of ``PROPAGATOR_NAMES``.
        checkpoint: proved beforehand.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        InputError: the file's entries are not the network's.
        DeviceMemoryError: it does not fit the device's memory.
    """
    network = build_association(name)
    try:
        network.load_published(read_state(checkpoint))
    except RuntimeError as error:
        raise _wrong_weights(checkpoint, name) from error
    try:
        return network.to(device)
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{name} does not fit the memory of {device}; choose a smaller one with --engine propagator=deaott, or"
            " --engine propagator=embedded"
        ) from error


def _wrong_weights(checkpoint: Path, name: str) -> InputError:
    return InputError(
        f"{checkpoint} does not hold the weights of {name}; `cleanplate weights verify {name}` says more",
        reason="WRONG_WEIGHTS",
    )
