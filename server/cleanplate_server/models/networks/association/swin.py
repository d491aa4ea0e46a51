"""Swin-B (Liu et al., ICCV 2021), its first three stages."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.association.pyramid import Encoder, Pyramid, Widths

_WINDOW = 7
_SHIFT = _WINDOW // 2
_PATCH = 4
_DEPTHS = (2, 2, 18)
_HEADS = (4, 8, 16)
_WIDTH = 128
_APART = -100.0
"""Added to the scores of positions that only a roll has brought together; the weights were trained with this number."""


class SwinB(Encoder):
    """Picture [n, 3, H, W] to maps of 128, 256, 512 and the same 512 channels."""

    def __init__(self) -> None:
        super().__init__()
        widths = [_WIDTH * 2**stage for stage in range(len(_DEPTHS))]
        self.widths = Widths(widths[0], widths[1], widths[2], widths[2])
        self.patch_embed = PatchEmbedding()
        self.layers = nn.ModuleList(
            Stage(width, depth, heads, narrows=stage < len(_DEPTHS) - 1)
            for stage, (width, depth, heads) in enumerate(zip(widths, _DEPTHS, _HEADS, strict=True))
        )
        self.norm0 = nn.LayerNorm(widths[0])
        self.norm1 = nn.LayerNorm(widths[1])
        self.norm2 = nn.LayerNorm(widths[2])

    def forward(self, picture: Tensor) -> Pyramid:
        x: Tensor = self.patch_embed(picture)
        maps: list[Tensor] = []
        for layer, norm in zip(self.layers, (self.norm0, self.norm1, self.norm2), strict=True):
            y, x = layer(x)
            maps.append(norm(y).permute(0, 3, 1, 2).contiguous())
        return Pyramid(maps[0], maps[1], maps[2], maps[2])


class PatchEmbedding(nn.Module):
    """Patches of 4 x 4 pixels to tokens: [n, 3, H, W] to [n, h, w, 128]."""

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, _WIDTH, _PATCH, _PATCH)
        self.norm = nn.LayerNorm(_WIDTH)

    def forward(self, picture: Tensor) -> Tensor:
        height, width = picture.shape[-2:]
        x = self.proj(functional.pad(picture, (0, -width % _PATCH, 0, -height % _PATCH)))
        tokens: Tensor = self.norm(x.permute(0, 2, 3, 1))
        return tokens


class Stage(nn.Module):
    """Blocks at one resolution: [n, h, w, C] to the same, and to half the size with twice the channels."""

    def __init__(self, width: int, depth: int, heads: int, *, narrows: bool) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Block(width, heads, shift=_SHIFT * (index % 2)) for index in range(depth))
        self.downsample = PatchMerging(width) if narrows else nn.Identity()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        for block in self.blocks:
            x = block(x)
        return x, self.downsample(x)


class PatchMerging(nn.Module):
    """Four neighbours to one token: [n, h, w, C] to [n, h / 2, w / 2, 2 C], rounded up."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * width)
        self.reduction = nn.Linear(4 * width, 2 * width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        x = functional.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        phases = [x[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
        merged: Tensor = self.reduction(self.norm(torch.cat(phases, -1)))
        return merged


class Block(nn.Module):
    """Attention within windows, then two linear layers for each token: [n, h, w, C] to the same."""

    def __init__(self, width: int, heads: int, *, shift: int) -> None:
        super().__init__()
        self._shift = shift
        self.norm1 = nn.LayerNorm(width)
        self.attn = WindowAttention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.mlp = Perceptron(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._attend(self.norm1(x))
        y: Tensor = self.mlp(self.norm2(x))
        return x + y

    def _attend(self, x: Tensor) -> Tensor:
        n, height, width, channels = x.shape
        # padding is seen by attention, as in training
        x = functional.pad(x, (0, 0, 0, -width % _WINDOW, 0, -height % _WINDOW))
        size = x.shape[1], x.shape[2]
        apart = _between_regions(size, x.device) if self._shift else None
        windows = _cut(torch.roll(x, (-self._shift, -self._shift), (1, 2)))
        x = _join(self.attn(windows, apart), n, size)
        x = torch.roll(x, (self._shift, self._shift), (1, 2))
        return x[:, :height, :width].reshape(n, height, width, channels)


class WindowAttention(nn.Module):
    """Attention among the 49 tokens of each window, with a learned bias for each offset."""

    relative_position_index: Tensor

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * _WINDOW - 1) ** 2, heads))
        self.register_buffer("relative_position_index", offset_index())
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, windows: Tensor, apart: Tensor | None) -> Tensor:
        """Attends.

        Args:
            windows: [n * windows, 49, C].
            apart: [windows, 49, 49], added to the scores.
        """
        batch, length, width = windows.shape
        q, k, v = self.qkv(windows).view(batch, length, 3, self._heads, -1).permute(2, 0, 3, 1, 4)
        scores = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        scores = scores + bias.view(length, length, -1).permute(2, 0, 1)
        if apart is not None:
            by_window = scores.view(-1, apart.shape[0], self._heads, length, length) + apart[:, None]
            scores = by_window.view_as(scores)
        mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width)
        out: Tensor = self.proj(mixed)
        return out


class Perceptron(nn.Module):
    """Two linear layers, four times as wide between."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.fc2(functional.gelu(self.fc1(x)))
        return y


def offset_index() -> Tensor:
    """int64 [49, 49]: the row of the bias table for each query and key of a window."""
    y, x = torch.meshgrid(torch.arange(_WINDOW), torch.arange(_WINDOW), indexing="ij")
    y, x = y.flatten(), x.flatten()
    span = 2 * _WINDOW - 1
    return (y[:, None] - y + _WINDOW - 1) * span + (x[:, None] - x + _WINDOW - 1)


def _between_regions(size: tuple[int, int], device: torch.device) -> Tensor:
    """float32 [windows, 49, 49]: what keeps apart the pieces that a roll brings into one window."""

    def pieces(length: int) -> Tensor:
        position = torch.arange(length, device=device)
        return (position >= length - _WINDOW).long() + (position >= length - _SHIFT).long()

    region = 3 * pieces(size[0])[:, None] + pieces(size[1])
    tokens = _cut(region[None, :, :, None])[:, :, 0]
    return torch.where(tokens[:, :, None] == tokens[:, None, :], 0.0, _APART)


def _cut(x: Tensor) -> Tensor:
    """[n, h, w, C] to [n * windows, 49, C], row by row."""
    n, height, width, channels = x.shape
    x = x.view(n, height // _WINDOW, _WINDOW, width // _WINDOW, _WINDOW, channels)
    return x.transpose(2, 3).reshape(-1, _WINDOW * _WINDOW, channels)


def _join(windows: Tensor, n: int, size: tuple[int, int]) -> Tensor:
    """[n * windows, 49, C] to [n, h, w, C]."""
    height, width = size
    x = windows.view(n, height // _WINDOW, width // _WINDOW, _WINDOW, _WINDOW, -1)
    return x.transpose(2, 3).reshape(n, height, width, -1)
