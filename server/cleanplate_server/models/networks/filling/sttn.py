"""STTN as a window network."""

from __future__ import annotations

import torch

from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Size
from cleanplate_server.models.networks.filling.schedule import Schedule
from cleanplate_server.models.networks.filling.torch_clips import as_clip, device_of, masked_clip, memory_watched
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.sttn import Sttn

SIZE: Size = (240, 432)
"""Of the published patches, and what it was trained at."""

_GROWN_PX = 4
# measured on a CPU: 0.27 GB for 4 frames of 432 x 240, 0.53 GB for 8, that is 642 and 635 bytes a pixel
_BYTES_EACH = 900
_FIXED_BYTES = 64 << 20


class SttnWindows:
    """Fills windows with STTN.

    Args:
        network: with its weights, in evaluation mode, on its device.
        name: of the engine, for messages.
        size: (height, width) that its patches are for.
    """

    def __init__(self, network: Sttn, name: str, *, size: Size = SIZE) -> None:
        self._network = network
        self._name = name
        self._size = size

    @property
    def sizes(self) -> AcceptedSizes:
        return AcceptedSizes(self._size, is_fixed=True)

    @property
    def schedule(self) -> Schedule:
        return Schedule()

    @property
    def least_local(self) -> int:
        return 1

    @property
    def grown_px(self) -> int:
        return _GROWN_PX

    def bytes_needed(self, size: Size, frame_count: int) -> int:
        return _FIXED_BYTES + _BYTES_EACH * size[0] * size[1] * frame_count

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window; see ``WindowNetwork.fill``."""
        device = device_of(self._network)
        with memory_watched(self._name, device, frames):
            masked = masked_clip(frames, holes, device)[0]
            maps = self._network.mix(torch.cat([self._network.encode(one[None]) for one in masked])[None])[0]
            return as_clip(torch.cat([self._network.decode(one[None]).cpu() for one in maps[:local_count]]))
