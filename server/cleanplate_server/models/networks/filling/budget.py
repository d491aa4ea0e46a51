"""How much memory a device has for a window of frames."""

from __future__ import annotations

import os

_SHARE = 0.6
"""Of a GPU's memory: its context and the weights need the rest."""
_CPU_SHARE = 0.35
"""Of a machine's memory: plates, libraries and other programs need the rest."""
_MOST_ON_CPU = 8 << 30
"""The machine is an editor's, who works on it meanwhile."""


def device_budget(device: str) -> int:
    """Bytes that one window may need on a device.

    It is a share of what the machine has, not of what is free just now, so that a shot that is begun again is filled
    as before.

    Args:
        device: ``cpu`` or ``cuda:N``.
    """
    if device == "cpu":
        whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else _MOST_ON_CPU
        return min(_MOST_ON_CPU, int(whole * _CPU_SHARE))
    import torch  # takes seconds, which only a GPU is worth

    return int(torch.cuda.get_device_properties(device).total_memory * _SHARE)
