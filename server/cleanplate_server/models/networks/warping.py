"""Maps brought to other places along a flow."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional


def warp(maps: Tensor, flow: Tensor, *, outside: Literal["zeros", "border"] = "zeros") -> Tensor:
    """Fetches for each place what lies where the flow points, bilinear.

    Args:
        maps: [n, C, h, w].
        flow: [n, 2, h, w], (dx, dy) in pixels.
        outside: what is found beyond the edge.
    """
    height, width = maps.shape[2:]
    # places in half precision would be off
    precise = flow.float()
    x = torch.arange(width, device=flow.device) + precise[:, 0]
    y = torch.arange(height, device=flow.device)[:, None] + precise[:, 1]
    grid = torch.stack([2 * x / max(width - 1, 1) - 1, 2 * y / max(height - 1, 1) - 1], -1)
    found = functional.grid_sample(maps.float(), grid, mode="bilinear", padding_mode=outside, align_corners=True)
    return found.to(maps.dtype)
