"""E2FGVI and E2FGVI-HQ as window networks."""

from __future__ import annotations

import torch

from cleanplate_server.models.networks.e2fgvi.network import BASE_SIZE, FEWEST_LOCAL_FRAMES, MULTIPLE, E2fgvi
from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Size
from cleanplate_server.models.networks.filling.schedule import Schedule
from cleanplate_server.models.networks.filling.torch_clips import as_clip, device_of, masked_clip, memory_watched
from cleanplate_server.models.networks.filling.window_network import Clip, Holes

_GROWN_PX = 4
# measured on a CPU: 0.44 GB for 6 frames of 432 x 240, 0.88 GB for 12, that is 712 and 708 bytes a pixel
_BYTES_EACH = 1000
_FIXED_BYTES = 64 << 20


class E2fgviWindows:
    """Fills windows with E2FGVI.

    Args:
        network: with its weights, in evaluation mode, on its device.
        name: of the engine, for messages.
        takes_one_size: whether it is the base network.
    """

    def __init__(self, network: E2fgvi, name: str, *, takes_one_size: bool) -> None:
        self._network = network
        self._name = name
        self._takes_one_size = takes_one_size

    @property
    def sizes(self) -> AcceptedSizes:
        return AcceptedSizes(BASE_SIZE, MULTIPLE, is_fixed=self._takes_one_size)

    @property
    def schedule(self) -> Schedule:
        return Schedule()

    @property
    def least_local(self) -> int:
        return FEWEST_LOCAL_FRAMES

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
            maps = self._network.complete(masked_clip(frames, holes, device), local_count).maps
            # one by one, since decoding is at full size
            return as_clip(torch.cat([self._network.decode(one[None]).cpu() for one in maps[0, :local_count]]))
