"""Maps cut into overlapping patches, one token for each, and put together again."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.by_parts import by_parts
from cleanplate_server.models.networks.interleaved_encoder import WIDTH

TOKEN_WIDTH = 512
"""Channels of a token."""

_KERNEL, _STRIDE, _PADDING = 7, 3, 3
TAPS = _KERNEL * _KERNEL
"""Places in one patch."""

Size = tuple[int, int]
"""Height and width of maps."""


def cut(maps: Tensor) -> Tensor:
    """Cuts maps [n, C, h, w] into patches [n, L, C * 49], channel by channel, patches row by row."""
    return functional.unfold(maps, _KERNEL, padding=_PADDING, stride=_STRIDE).transpose(1, 2)


def join(patches: Tensor, size: Size) -> Tensor:
    """Puts patches [n, L, C * 49] in their places, summing where they overlap: [n, C, h, w]."""
    return functional.fold(patches.transpose(1, 2), size, _KERNEL, padding=_PADDING, stride=_STRIDE)


def average_overlaps(patches: Tensor, size: Size) -> Tensor:
    """Gives what overlapping patches [n, L, C * 49] share its mean in each of them."""
    shares = join(cut(patches.new_ones(1, 1, *size)), size)
    return cut(join(patches, size) / shares)


def token_grid(size: Size) -> Size:
    """Rows and columns of the patches that maps of a size are cut into."""
    rows, columns = ((side + 2 * _PADDING - _KERNEL) // _STRIDE + 1 for side in size)
    return rows, columns


class SoftSplit(nn.Module):
    """Maps [b, t, 128, h, w] to tokens [b, t, rows, columns, 512]."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(WIDTH * TAPS, TOKEN_WIDTH)

    def forward(self, maps: Tensor) -> Tensor:
        rows, columns = token_grid((maps.shape[3], maps.shape[4]))
        places = maps.shape[3] * maps.shape[4]
        tokens = by_parts(lambda part: self.embedding(cut(part)), maps.flatten(0, 1), places)
        return tokens.reshape(*maps.shape[:2], rows, columns, TOKEN_WIDTH)


class SoftComposition(nn.Module):
    """Tokens [b, t, rows, columns, 512] to what is added to maps [b * t, 128, h, w]; overlaps are summed."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Linear(TOKEN_WIDTH, WIDTH * TAPS)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        frames = tokens.flatten(0, 1).flatten(1, 2)
        return by_parts(lambda part: join(self.embedding(part), size), frames, size[0] * size[1])


class PlacedComposition(SoftComposition):
    """With a bias for every place, which ties the network to one size (E2FGVI's base network)."""

    def __init__(self, size: Size) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(WIDTH, *size))

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        return super().forward(tokens, size) + self.bias


class FreeComposition(SoftComposition):
    """With a convolution, for maps of any size (E2FGVI-HQ, ProPainter)."""

    def __init__(self) -> None:
        super().__init__()
        self.bias_conv = nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        maps: Tensor = self.bias_conv(super().forward(tokens, size))
        return maps


class OverlapFeedForward(nn.Module):
    """A feed-forward part in which neighbouring tokens mix: what their patches share is averaged.

    Liu et al.: FuseFormer: Fusing Fine-Grained Information in Transformers for Video Inpainting, ICCV 2021.
    """

    def __init__(self) -> None:
        super().__init__()
        hidden = 40 * TAPS
        self.conv1 = nn.Sequential(nn.Linear(TOKEN_WIDTH, hidden))
        self.conv2 = nn.Sequential(nn.GELU(), nn.Linear(hidden, TOKEN_WIDTH))

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        """Mixes tokens [b, t, rows, columns, 512], cut from maps of a size, to the same."""
        frames = tokens.flatten(0, 1).flatten(1, 2)
        mixed = by_parts(
            lambda part: self.conv2(average_overlaps(self.conv1(part), size)), frames, size[0] * size[1]
        )  # fmt: skip
        return mixed.reshape(tokens.shape)
