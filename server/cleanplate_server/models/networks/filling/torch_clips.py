"""Clips between arrays and a network's device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from cleanplate_server.errors import EngineError
from cleanplate_server.models.networks.filling.window_network import Clip, Holes


def masked_clip(frames: Clip, holes: Holes, device: torch.device) -> Tensor:
    """Frames [1, T, 3, H, W] from -1 to 1 with middle grey, 0, in the holes."""
    rgb = torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).to(device)
    seen = torch.from_numpy(~holes)[:, None].to(device)
    return ((2 * rgb - 1) * seen)[None]


def as_clip(frames: Tensor) -> Clip:
    """Frames [T, 3, H, W] from -1 to 1 as float32 [T, H, W, 3] from 0 to 1."""
    return np.asarray(((frames.float() + 1) / 2).permute(0, 2, 3, 1).contiguous().cpu().numpy(), np.float32)


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are."""
    return next(network.parameters()).device


@contextmanager
def memory_watched(name: str, device: torch.device, frames: Clip) -> Iterator[None]:
    """Says in a sentence when the device's memory was not enough for a window.

    Raises:
        EngineError.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        count, height, width, _ = frames.shape
        raise EngineError(
            f"{name} ran out of memory on {device} with {count} frames of {width} x {height}; choose --effort fast or"
            " --engine inpainter=embedded"
        ) from error
