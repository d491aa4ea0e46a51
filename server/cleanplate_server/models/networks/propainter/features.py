"""Features carried along the local frames, backwards, then forwards, where completed motion says they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from cleanplate_server.models.networks.frame_coding import SLOPE
from cleanplate_server.models.networks.interleaved_encoder import WIDTH
from cleanplate_server.models.networks.propainter.alignment import Alignment
from cleanplate_server.models.networks.propainter.flows import Flows, agree
from cleanplate_server.models.networks.warping import warp

Direction = Literal["backward_1", "forward_1"]

_DIRECTIONS: tuple[Direction, ...] = ("backward_1", "forward_1")
_REACH_PX = 3.0
"""How far learnt offsets go beyond the flow."""
_MASKS = 2
_SEEN = 2 * WIDTH + 2 + 1 + _MASKS
"""The current maps, the previous ones warped, the flow, whether it agrees, and the masks."""


class Propagation(nn.Module):
    """Local frames' maps, each enriched by all others on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.deform_align = nn.ModuleDict(
            {name: Alignment(WIDTH, seen=_SEEN, reach_px=_REACH_PX) for name in _DIRECTIONS}
        )
        self.backbone = nn.ModuleDict({name: _mixing() for name in _DIRECTIONS})
        self.fuse = _mixing()

    def forward(self, maps: Tensor, masks: Tensor, flows: Flows) -> Tensor:
        """Carries features over all local frames.

        Args:
            maps: [b, l, 128, h, w].
            masks: [b, l, 2, h, w]: the holes, and what is left of them.
            flows: l - 1 of them, in pixels of the maps.

        Returns:
            [b, l, 128, h, w].
        """
        frames, holes = maps.unbind(1), masks.unbind(1)
        backward = self._carry("backward_1", frames[::-1], holes[::-1], flows.backwards())[::-1]
        forward = self._carry("forward_1", backward, holes, flows.forwards())
        fused = [self.fuse(torch.cat(parts, 1)) for parts in zip(backward, forward, holes, strict=True)]
        return torch.stack(fused, 1) + maps

    def _carry(
        self,
        direction: Direction,
        frames: Sequence[Tensor],
        holes: Sequence[Tensor],
        steps: Sequence[tuple[Tensor, Tensor]],
    ) -> list[Tensor]:
        """Walks in one direction; arguments are in the order of travel, and the first frame has no step."""
        carried: list[Tensor] = []
        for frame, hole, step in zip(frames, holes, [None, *steps], strict=True):
            brought = frame if step is None else self._align(direction, carried[-1], (frame, hole), step)
            carried.append(brought + self.backbone[direction](torch.cat([frame, brought, hole], 1)))
        return carried

    def _align(
        self, direction: Direction, previous: Tensor, current: tuple[Tensor, Tensor], step: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Brings previous maps to the places of the current ones, given with their masks."""
        (frame, hole), (there, back) = current, step
        certain = agree(there, back).to(frame.dtype)
        context = torch.cat([frame, warp(previous, there), there, certain, hole], 1)
        aligned: Tensor = self.deform_align[direction](previous, context, there)
        return aligned


def _mixing() -> nn.Sequential:
    """Two maps and the masks to one map."""
    return nn.Sequential(
        nn.Conv2d(2 * WIDTH + _MASKS, WIDTH, 3, padding=1),
        nn.LeakyReLU(SLOPE),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
    )
