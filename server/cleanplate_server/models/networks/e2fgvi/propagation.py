"""Features carried along the local frames, first backwards, then forwards, aligned by flow and by learnt offsets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d  # type: ignore[import-untyped]

from cleanplate_server.models.networks.interleaved_encoder import WIDTH
from cleanplate_server.models.networks.warping import warp

Direction = Literal["backward_", "forward_"]

_SLOPE = 0.1
"""Of LeakyReLUs in this part alone."""
_TAPS = 9
_GROUPS = 16
"""Parts of the channels that are sampled each at its own places."""
_REACH_PX = 10.0
"""How far learnt offsets go beyond the flow."""


class Propagation(nn.Module):
    """Local frames' maps, each enriched by all others on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.deform_align = nn.ModuleDict({name: Alignment() for name in ("backward_", "forward_")})
        self.backbone = nn.ModuleDict({"backward_": _backbone(2 * WIDTH), "forward_": _backbone(3 * WIDTH)})
        self.fusion = nn.Conv2d(2 * WIDTH, WIDTH, 1)

    def forward(self, maps: Tensor, flow_next: Tensor, flow_previous: Tensor) -> Tensor:
        """Carries features over all local frames.

        Args:
            maps: [b, t, 128, h, w].
            flow_next: [b, t - 1, 2, h, w], from each frame to the one after it.
            flow_previous: [b, t - 1, 2, h, w], from each frame but the first to the one before it.

        Returns:
            [b, t, 128, h, w].
        """
        frames = maps.unbind(1)
        # the frames run backwards and the flows do not: published weights were trained with that slip and rely on it
        backward = self._carry("backward_", [(frame,) for frame in frames[::-1]], flow_next)[::-1]
        forward = self._carry("forward_", list(zip(frames, backward, strict=True)), flow_previous)
        fused = [self.fusion(torch.cat(both, 1)) for both in zip(backward, forward, strict=True)]
        return torch.stack(fused, 1) + maps

    def _carry(self, direction: Direction, steps: Sequence[tuple[Tensor, ...]], flows: Tensor) -> list[Tensor]:
        """Walks in one direction.

        Args:
            direction: whose layers to take.
            steps: for each frame its own maps [b, 128, h, w], then others that the layers may see.
            flows: [b, t - 1, 2, h, w], of the second step, the third, and so on.
        """
        carried: list[Tensor] = []
        for number, seen in enumerate(steps):
            before = torch.zeros_like(seen[0])
            if number:
                before = self._align(direction, seen[0], carried[-2:], flows[:, :number])
            carried.append(before + self.backbone[direction](torch.cat([*seen, before], 1)))
        return carried

    def _align(self, direction: Direction, current: Tensor, carried: Sequence[Tensor], flows: Tensor) -> Tensor:
        """Brings what one or two steps before carried to the current frame's places."""
        near, flow = carried[-1], flows[:, -1]
        near_warped = warp(near, flow)
        if len(carried) > 1:
            far, far_flow = carried[-2], flow + warp(flows[:, -2], flow)
            far_warped = warp(far, far_flow)
        else:
            far, far_flow, far_warped = torch.zeros_like(near), torch.zeros_like(flow), torch.zeros_like(near)
        context = torch.cat([near_warped, current, far_warped], 1)
        aligned: Tensor = self.deform_align[direction](torch.cat([near, far], 1), context, (flow, far_flow))
        return aligned


class Alignment(nn.Module):
    """A modulated deformable convolution whose offsets are flows and what is learnt to be added to them."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(WIDTH, 2 * WIDTH, 3, 3))
        self.bias = nn.Parameter(torch.zeros(WIDTH))
        nn.init.kaiming_uniform_(self.weight)
        into, out = 3 * WIDTH + 4, 3 * _GROUPS * _TAPS
        widths = (into, WIDTH, WIDTH, WIDTH, out)
        layers: list[nn.Module] = []
        for before, after in pairwise(widths):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(_SLOPE)]
        self.conv_offset = nn.Sequential(*layers[:-1])

    def forward(self, carried: Tensor, context: Tensor, flows: tuple[Tensor, Tensor]) -> Tensor:
        """Aligns two maps at once.

        Args:
            carried: [b, 256, h, w], the nearer step's maps, then the farther one's.
            context: [b, 384, h, w], the nearer warped, the current, the farther warped.
            flows: [b, 2, h, w], (dx, dy), for the nearer and the farther.

        Returns:
            [b, 128, h, w].
        """
        found: Tensor = self.conv_offset(torch.cat([context, *flows], 1))
        rows_columns, strength = found[:, : 2 * _GROUPS * _TAPS], found[:, 2 * _GROUPS * _TAPS :]
        # half of the groups lie on the nearer maps, half on the farther; offsets are (dy, dx) for each tap
        shifts = torch.cat([flow.flip(1).repeat(1, _GROUPS * _TAPS // 2, 1, 1) for flow in flows], 1)
        offsets = _REACH_PX * torch.tanh(rows_columns) + shifts
        # places in half precision would be off; on the CPU there is no other kernel either
        aligned: Tensor = deform_conv2d(
            carried.float(),
            offsets.float(),
            self.weight.float(),
            self.bias.float(),
            padding=1,
            mask=torch.sigmoid(strength).float(),
        )
        return aligned.to(carried.dtype)


def _backbone(into: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, WIDTH, 3, padding=1),
        nn.LeakyReLU(_SLOPE),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
    )
