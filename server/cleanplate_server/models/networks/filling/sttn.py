"""STTN as a window network."""

from __future__ import annotations

import torch

from cleanplate_server.models.networks.filling.torch_clips import (
    as_clip,
    device_of,
    masked_clip,
    memory_watched,
    precision,
)
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.sttn import Sttn


class SttnWindows:
    """Fills windows with STTN.

    Args:
        network: with its weights, in evaluation mode, on its device.
        traits: how it wants its windows; their only size is the one that its patches are for.
        name: of the engine, for messages.
    """

    def __init__(self, network: Sttn, traits: WindowTraits, name: str) -> None:
        self.traits = traits
        self._network = network
        self._name = name

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window; see ``WindowNetwork.fill``."""
        device = device_of(self._network)
        with memory_watched(self._name, device, frames), precision(self.traits, device):
            masked = masked_clip(frames, holes, device)[0]
            maps = self._network.mix(torch.cat([self._network.encode(one[None]) for one in masked])[None])[0]
            return as_clip(torch.cat([self._network.decode(one[None]).cpu() for one in maps[:local_count]]))
