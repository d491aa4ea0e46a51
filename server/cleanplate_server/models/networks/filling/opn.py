"""OPN and its temporal network as a window network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from cleanplate_server.errors import MaskError
from cleanplate_server.models.networks.filling.torch_clips import device_of, memory_watched, precision
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.opn import (
    Opn,
    TemporalNetwork,
    TemporalState,
    fill_frame,
    remember,
)


class OpnWindows:
    """Fills windows with OPN: each frame from all others of its window; then the temporal network steadies them.

    The temporal network's state follows a shot from its start in the authors' demonstration. Here it begins anew with
    each window, from the first frame as filled, so that no frame depends on how far a job has come; windows overlap,
    and the frames in the middle, which have had a run-up, count most.

    Args:
        network, temporal: with their weights, in evaluation mode, on one device.
        traits: how they want their windows.
        name: of the engine, for messages.
    """

    def __init__(self, network: Opn, temporal: TemporalNetwork, traits: WindowTraits, name: str) -> None:
        self.traits = traits
        self._network = network
        self._temporal = temporal
        self._name = name

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window; see ``WindowNetwork.fill``.

        Raises:
            MaskError: a hole covers the whole of a frame's region, so that it has no rim to be filled from.
        """
        device = device_of(self._network)
        if holes[:local_count].all(axis=(1, 2)).any():
            height, width = holes.shape[1:]
            raise MaskError(
                f"the hole covers all {width} x {height} pixels that {self._name} sees, so that it has no rim to be"
                " filled from; choose --engine inpainter=embedded"
            )
        with memory_watched(self._name, device, frames), precision(self.traits, device):
            filled = self._peel_all(frames, holes, local_count)
            return self._steady(filled, holes[:local_count], device)

    def _peel_all(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """The local frames, each filled from all others that show anything."""
        shown = [place for place, hole in enumerate(holes) if not hole.all()]
        memory = remember(self._network, [(frames[place], holes[place]) for place in shown])
        filled = []
        for place in range(local_count):
            others = [kept for kept, other in enumerate(shown) if other != place]
            filled.append(fill_frame(self._network, memory.only(others), frames[place], holes[place]))
        return np.stack(filled)

    def _steady(self, filled: Clip, holes: Holes, device: torch.device) -> Clip:
        pictures = torch.from_numpy(filled).permute(0, 3, 1, 2).to(device)
        marks = torch.from_numpy(holes)[:, None].to(device, torch.float32)
        state = TemporalState(pictures[:1], marks[:1])
        steadied: list[Tensor] = []
        for picture, mark in zip(pictures, marks, strict=True):
            state = self._temporal(picture[None], mark[None], state)
            steadied.append(state.rgb.cpu())
        return np.asarray(torch.cat(steadied).permute(0, 2, 3, 1).contiguous().numpy(), np.float32)
