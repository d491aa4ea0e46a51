"""RNoT as a window network."""

from __future__ import annotations

import torch

from cleanplate_server.models.networks.filling.torch_clips import device_of, memory_watched
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.rnot import Encoded, Rnot, gather

MOST_REMEMBERED = 20
"""Frames in a memory at most."""
_NEAR = 2
_GAP = 5


class RnotWindows:
    """Fills windows with RNoT: every frame encoded once, each hole painted at once from a memory of other frames.

    Args:
        network: with its weights, in evaluation mode, on its device.
        traits: how it wants its windows.
        name: of the engine, for messages.
    """

    def __init__(self, network: Rnot, traits: WindowTraits, name: str) -> None:
        self.traits = traits
        self._network = network
        self._name = name

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window, in float32, since regions are parted by a hard step; see ``WindowNetwork.fill``."""
        device = device_of(self._network)
        with memory_watched(self._name, device, frames):
            rgb = torch.from_numpy(frames).permute(0, 3, 1, 2)
            marks = torch.from_numpy(holes)[:, None].float()
            encoded = [
                self._network.encode(one.to(device), mark.to(device))
                for one, mark in zip(torch.split(rgb, 1), torch.split(marks, 1), strict=True)
            ]
            painted = [self._paint(encoded, place, local_count) for place in range(local_count)]
            return torch.cat(painted).permute(0, 2, 3, 1).contiguous().numpy()

    def _paint(self, encoded: list[Encoded], place: int, local_count: int) -> torch.Tensor:
        remembered = gather([encoded[other] for other in remembered_places(place, local_count, len(encoded))])
        painted: torch.Tensor = self._network(encoded[place], remembered)
        return painted.cpu()


def remembered_places(place: int, local_count: int, count: int) -> list[int]:
    """Which frames of a window the one at a place is filled from; its own, if there is no other.

    Neighbours, every fifth local frame and the references; of more than ``MOST_REMEMBERED`` the first of these.
    """
    others = [other for other in range(local_count) if other != place]
    near = [other for other in others if abs(other - place) <= _NEAR]
    spaced = [other for other in others[::_GAP] if other not in near]
    chosen = near + spaced + list(range(local_count, count))
    return sorted(chosen[:MOST_REMEMBERED]) or [place]
