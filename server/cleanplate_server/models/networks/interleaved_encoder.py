"""Frames to maps at a quarter, mixing what is wide again and again with what is deep (E2FGVI, ProPainter)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from cleanplate_server.models.networks.frame_coding import QUARTER_WIDTH, SLOPE, quarter_layers

WIDTH = 128
"""Channels of the encoder's maps."""

_MIXED = ((640, 512, 2), (768, 384, 4), (640, 256, 8), (512, WIDTH, 1))
"""Channels in and out, and groups, of the convolutions that see the wide maps once more."""


class Encoder(nn.Module):
    """Frames [n, 3, H, W] to maps [n, 128, H / 4, W / 4]; every convolution is followed by a LeakyReLU."""

    def __init__(self) -> None:
        super().__init__()
        layers = [*quarter_layers(), nn.Conv2d(QUARTER_WIDTH, 384, 3, padding=1), nn.LeakyReLU(SLOPE)]
        self._mixed_from = len(layers)
        for into, out, groups in _MIXED:
            layers += [nn.Conv2d(into, out, 3, padding=1, groups=groups), nn.LeakyReLU(SLOPE)]
        self.layers = nn.ModuleList(layers)
        self._wide_until = len(quarter_layers())

    def forward(self, frames: Tensor) -> Tensor:
        layers = list(self.layers)
        wide = _run(layers[: self._wide_until], frames)
        maps = _run(layers[self._wide_until : self._mixed_from], wide)
        for index, (_, _, groups) in enumerate(_MIXED):
            start = self._mixed_from + 2 * index
            maps = _run(layers[start : start + 2], _interleave(wide, maps, groups))
        return maps


def _run(layers: list[nn.Module], maps: Tensor) -> Tensor:
    for layer in layers:
        maps = layer(maps)
    return maps


def _interleave(first: Tensor, second: Tensor, groups: int) -> Tensor:
    """Joins maps so that each of the groups of a convolution sees a part of both."""
    count, _, height, width = first.shape
    parts = [maps.reshape(count, groups, -1, height, width) for maps in (first, second)]
    return torch.cat(parts, 2).flatten(1, 2)
