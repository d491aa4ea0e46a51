"""The published networks that follow objects, by the names that the weights manifest gives them."""

from __future__ import annotations

from pathlib import Path

import torch

from cleanplate_server.errors import DeviceMemoryError, InputError
from cleanplate_server.models.networks import aot, deaot
from cleanplate_server.models.networks.association.network import AssociationNetwork
from cleanplate_server.models.networks.checkpoints import read_state

_BUILDERS = {
    **{name.replace("_", "-"): (aot.build_aot, variant) for name, variant in aot.VARIANTS.items()},
    **{name.replace("_", "-"): (deaot.build_deaot, variant) for name, variant in deaot.VARIANTS.items()},
}
PROPAGATOR_NAMES = tuple(_BUILDERS)


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
        raise InputError(
            f"{checkpoint} does not hold the weights of {name}; `cleanplate weights verify {name}` says more",
            reason="WRONG_WEIGHTS",
        ) from error
    try:
        return network.to(device)
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{name} does not fit the memory of {device}",
            "choose a smaller one with --engine propagator=deaott, or --engine propagator=embedded",
        ) from error
