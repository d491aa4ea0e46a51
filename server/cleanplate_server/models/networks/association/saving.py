"""What is known of objects as tensors by name, so that a stopped walk goes on with identical results."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from cleanplate_server.models.networks.association.following import Bank, Following, Stored
from cleanplate_server.models.networks.association.memory import Memory


def pack(known: Following) -> dict[str, Tensor]:
    """Names every tensor of what is known."""
    tensors: dict[str, Tensor] = {}
    for b, bank in enumerate(known.banks):
        counts = [bank.object_count, bank.step, bank.stored_at, len(bank.short), len(bank.short[0])]
        tensors[f"{b}/counts"] = torch.tensor(counts)
        tensors[f"{b}/given"] = torch.tensor([stored.given for stored in bank.long])
        frames = {"short": bank.short, "long": tuple(stored.layers for stored in bank.long)}
        for kind, memories in frames.items():
            for f, layers in enumerate(memories):
                for i, memory in enumerate(layers):
                    # views would be saved with all that they are cut from
                    tensors[f"{b}/{kind}/{f}/{i}/key"] = memory.key.clone()
                    tensors[f"{b}/{kind}/{f}/{i}/value"] = memory.value.clone()
    return tensors


def unpack(tensors: Mapping[str, Tensor]) -> Following:
    """Puts together what ``pack`` named."""
    banks: list[Bank] = []
    while f"{len(banks)}/counts" in tensors:
        b = len(banks)
        object_count, step, stored_at, short_count, layer_count = (int(n) for n in tensors[f"{b}/counts"])

        def memories(place: str, count: int = layer_count) -> tuple[Memory, ...]:
            return tuple(Memory(tensors[f"{place}/{i}/key"], tensors[f"{place}/{i}/value"]) for i in range(count))

        given = [bool(each) for each in tensors[f"{b}/given"]]
        banks.append(
            Bank(
                object_count,
                long=tuple(Stored(memories(f"{b}/long/{f}"), given=each) for f, each in enumerate(given)),
                short=tuple(memories(f"{b}/short/{f}") for f in range(short_count)),
                step=step,
                stored_at=stored_at,
            )
        )
    return Following(tuple(banks))
