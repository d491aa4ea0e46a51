"""How much memory an engine needs, told before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

_LIBRARY_BYTES = 672 << 20
"""PyTorch with what it loads; measured on a CPU."""
_DRIVER_BYTES = 2 << 30
"""Of the host, for a GPU's libraries; not measured."""
_CONTEXT_BYTES = 640 << 20
"""Of the device, for its context and kernels; not measured."""


@dataclass(frozen=True)
class MemoryNeed:
    """Memory beside what every job needs.

    Args:
        host_bytes: of the machine.
        device_bytes: of the GPU; 0 where the work is the processor's.
        engine: name of the one that needs it; empty for those that need no more than every job.
    """

    host_bytes: int = 0
    device_bytes: int = 0
    engine: str = ""


def network_need(
    *, device: str, weights_bytes: int, work_bytes: int, held_bytes: int = 0, copies: int = 2
) -> MemoryNeed:  # fmt: skip
    """What a network needs: the library, its weights while they are read, and its work.

    Args:
        device: ``cpu`` or ``cuda:N``.
        weights_bytes: of its files.
        work_bytes: where it computes.
        held_bytes: beside it, of the host.
        copies: of the weights, while they are read.
    """
    host_bytes = _LIBRARY_BYTES + copies * weights_bytes + held_bytes
    if device == "cpu":
        return MemoryNeed(host_bytes + work_bytes)
    return MemoryNeed(host_bytes + _DRIVER_BYTES, _CONTEXT_BYTES + weights_bytes + work_bytes)


def greatest(needs: Sequence[MemoryNeed]) -> MemoryNeed:
    """What engines need that work one after the other, each let go before the next; named is the host's hungriest."""
    hungriest = max(needs, key=lambda need: need.host_bytes, default=MemoryNeed())
    return replace(hungriest, device_bytes=max((need.device_bytes for need in needs), default=0))
