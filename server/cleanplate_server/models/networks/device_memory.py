"""What is said when a device's memory is too small for a network that follows objects."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cleanplate_server.errors import DeviceMemoryError


@contextmanager
def propagation_watched(name: str, device: torch.device, doing: str) -> Iterator[None]:
    """Makes one sentence of a device that ran out of memory.

    Args:
        name: of the engine.
        device: that it runs on.
        doing: where it was, for the sentence: ``at frame 12 (seen at 854 x 480)``.

    Raises:
        DeviceMemoryError.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{name} ran out of memory on {device} {doing}; choose --effort fast or --engine propagator=embedded"
        ) from error
