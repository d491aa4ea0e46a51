"""ProPainter as a window network: motion by RAFT, completed; pixels carried along it; what is left painted."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from cleanplate_server.models.networks.filling.torch_clips import (
    as_clip,
    as_frames,
    as_masks,
    device_of,
    memory_watched,
    precision,
)
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.networks.propainter import (
    FlowCompletion,
    Flows,
    ProPainter,
    Window,
    complete_flows,
    propagate_pixels,
)
from cleanplate_server.models.networks.raft import Raft


@dataclass(frozen=True)
class ProPainterWindows:
    """Fills windows with ProPainter.

    Motion, its completion and the way of pixels go over a window's local frames, where the authors take up to 80 at a
    time: what lies farther away is seen in the references, by the painting network alone.

    Args:
        painter, completion, raft: with their weights, in evaluation mode, on one device.
        traits: how they want their windows.
        name: of the engine, for messages.
    """

    painter: ProPainter
    completion: FlowCompletion
    raft: Raft
    traits: WindowTraits
    name: str

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window; see ``WindowNetwork.fill``."""
        device = device_of(self.painter)
        with memory_watched(self.name, device, frames):
            shown, masks = as_frames(frames, device), as_masks(holes, device)
            flows = complete_flows(self.completion, self._motion(shown[:, :local_count]), masks[:, :local_count])
            window = _propagated(shown, masks, flows)
            with precision(self.traits, device):
                maps = self.painter.complete(window)
                return as_clip(torch.cat([self.painter.decode(one[None]).cpu() for one in maps[0]]))

    def _motion(self, frames: Tensor) -> Flows:
        """Motion between neighbours, one pair at a time, since comparing takes the most memory of all."""
        pairs = list(pairwise(torch.split(frames[0], 1)))
        to_next = [self.raft(earlier, later) for earlier, later in pairs]
        to_previous = [self.raft(later, earlier) for earlier, later in pairs]
        return Flows(torch.cat(to_next)[None], torch.cat(to_previous)[None])


def _propagated(frames: Tensor, masks: Tensor, flows: Flows) -> Window:
    """A window whose local frames have what they show each other; references keep their holes."""
    local_count = flows.to_next.shape[1] + 1
    local = propagate_pixels(frames[:, :local_count], masks[:, :local_count], flows)
    references = frames[:, local_count:] * (1 - masks[:, local_count:])
    return Window(
        torch.cat([local.frames, references], 1), masks, torch.cat([local.left, masks[:, local_count:]], 1), flows
    )
