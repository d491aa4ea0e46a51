"""Clips between arrays and a network's device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np
import torch
from torch import Tensor, nn

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes


def masked_clip(frames: Clip, holes: Holes, device: torch.device) -> Tensor:
    """Frames [1, T, 3, H, W] from -1 to 1 with middle grey, 0, in the holes."""
    return as_frames(frames, device) * (1 - as_masks(holes, device))


def as_clip(frames: Tensor) -> Clip:
    """Frames [T, 3, H, W] from -1 to 1 as float32 [T, H, W, 3] from 0 to 1."""
    return np.asarray(((frames.float() + 1) / 2).permute(0, 2, 3, 1).contiguous().cpu().numpy(), np.float32)


def as_masks(holes: Holes, device: torch.device) -> Tensor:
    """Holes as float32 [1, T, 1, H, W], 1 inside."""
    return torch.from_numpy(holes)[None, :, None].to(device, torch.float32)


def as_frames(frames: Clip, device: torch.device) -> Tensor:
    """Frames [1, T, 3, H, W] from -1 to 1, the object in them."""
    return 2 * torch.from_numpy(np.ascontiguousarray(frames)).permute(0, 3, 1, 2).to(device)[None] - 1


def precision(traits: WindowTraits, device: torch.device) -> AbstractContextManager[object]:
    """Half precision where it is a GPU's and the network's results stay the same to the eye, else none."""
    return torch.autocast("cuda", torch.float16) if traits.halves and device.type == "cuda" else nullcontext()


def device_of(network: nn.Module) -> torch.device:
    """Where a network's weights are."""
    return next(network.parameters()).device


@contextmanager
def memory_watched(name: str, device: torch.device, frames: Clip) -> Iterator[None]:
    """Says in a sentence when the device's memory was not enough for a window.

    Raises:
        DeviceMemoryError.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        count, height, width, _ = frames.shape
        raise DeviceMemoryError(
            f"{name} ran out of memory on {device} with {count} frames of {width} x {height}; choose --effort fast or"
            " --engine inpainter=embedded"
        ) from error
