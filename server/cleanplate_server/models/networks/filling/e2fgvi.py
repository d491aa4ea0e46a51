"""E2FGVI and E2FGVI-HQ as window networks."""

from __future__ import annotations

import torch

from cleanplate_server.models.networks.e2fgvi.network import E2fgvi
from cleanplate_server.models.networks.filling.torch_clips import (
    as_clip,
    device_of,
    masked_clip,
    memory_watched,
    precision,
)
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes


class E2fgviWindows:
    """Fills windows with E2FGVI.

    Args:
        network: with its weights, in evaluation mode, on its device.
        traits: how it wants its windows.
        name: of the engine, for messages.
    """

    def __init__(self, network: E2fgvi, traits: WindowTraits, name: str) -> None:
        self.traits = traits
        self._network = network
        self._name = name

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window; see ``WindowNetwork.fill``."""
        device = device_of(self._network)
        with memory_watched(self._name, device, frames), precision(self.traits, device):
            maps = self._network.complete(masked_clip(frames, holes, device), local_count).maps
            # one by one, since decoding is at full size
            return as_clip(torch.cat([self._network.decode(one[None]).cpu() for one in maps[0, :local_count]]))
