"""Maps of one frame brought to another's places by a deformable convolution (Zhu et al., CVPR 2019)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torchvision.ops import deform_conv2d  # type: ignore[import-untyped]

from cleanplate_server.models.networks.interleaved_encoder import WIDTH

ALIGNMENT_SLOPE = 0.1
"""Of the LeakyReLUs that find offsets."""

_TAPS = 9
_GROUPS = 16
"""Parts of the channels that are sampled each at its own places."""
_PAIRS = _GROUPS * _TAPS
"""Offsets (dy, dx), group by group, tap by tap."""


class Alignment(nn.Module):
    """A modulated deformable 3 x 3 convolution to 128 channels that finds its offsets itself.

    Args:
        into: channels of the maps that are aligned.
        seen: channels of what the offsets are found from.
        reach_px: how far offsets go.
    """

    def __init__(self, into: int, *, seen: int, reach_px: float) -> None:
        super().__init__()
        self._reach_px = reach_px
        self.weight = nn.Parameter(torch.empty(WIDTH, into, 3, 3))
        self.bias = nn.Parameter(torch.zeros(WIDTH))
        nn.init.kaiming_uniform_(self.weight)
        layers: list[nn.Module] = []
        for before, after in pairwise((seen, WIDTH, WIDTH, WIDTH, 3 * _PAIRS)):
            layers += [nn.Conv2d(before, after, 3, padding=1), nn.LeakyReLU(ALIGNMENT_SLOPE)]
        self.conv_offset = nn.Sequential(*layers[:-1])

    def forward(self, carried: Tensor, context: Tensor, flow: Tensor | None = None) -> Tensor:
        """Aligns maps.

        Args:
            carried: [b, into, h, w], where they were.
            context: [b, seen, h, w].
            flow: [b, 2, h, w], (dx, dy), which offsets are added to; without it they are all there is.

        Returns:
            [b, 128, h, w].
        """
        found: Tensor = self.conv_offset(context)
        # places in half precision would be off; on the CPU there is no other kernel either
        offsets = self._reach_px * torch.tanh(found[:, : 2 * _PAIRS].float())
        if flow is not None:
            offsets = offsets + flow.flip(1).repeat(1, _PAIRS, 1, 1)
        aligned: Tensor = deform_conv2d(
            carried.float(),
            offsets,
            self.weight.float(),
            self.bias.float(),
            padding=1,
            mask=torch.sigmoid(found[:, 2 * _PAIRS :].float()),
        )
        return aligned.to(carried.dtype)
