"""AOT's transformer (Yang, Wei, Yang, NeurIPS 2021, section 4.3): long- and short-term attention with eight heads."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.association.attention import (
    OFFSET_COUNT,
    attend,
    by_offset,
    mix_window,
    weigh_window,
)
from cleanplate_server.models.networks.association.memory import (
    Attended,
    Look,
    Memory,
    Recalled,
    Transformer,
    to_maps,
    to_tokens,
)

_WIDTH = 256
_HEADS = 8
_HIDDEN = 1024


class LongShortTermTransformer(Transformer):
    """Layers in sequence; all of their outputs, each normed by its own norm, and the input go to the decoder."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.width = _WIDTH * (layers + 1)
        self.layers = nn.ModuleList(Layer() for _ in range(layers))
        self.decoder_norms = nn.ModuleList(nn.LayerNorm(_WIDTH) for _ in range(layers))

    def forward(self, features: Tensor, source: tuple[Recalled, ...] | Tensor) -> Attended:
        grid = features.shape[2], features.shape[3]
        tokens = to_tokens(features)
        position = to_tokens(position_embedding(grid, features.device).to(features))
        maps, looks = [features], []
        for index, (layer, norm) in enumerate(zip(self.layers, self.decoder_norms, strict=True)):
            recalled = source if isinstance(source, Tensor) else source[index]
            tokens, look = layer(tokens, position, recalled, grid)
            maps.append(to_maps(norm(tokens), grid))
            looks.append(look)
        return Attended(torch.cat(maps, 1), tuple(looks))

    def fuse(self, looks: tuple[Look, ...], identity: Tensor) -> tuple[Memory, ...]:
        layers = (cast(Layer, layer) for layer in self.layers)
        return tuple(layer.fuse(look, identity) for layer, look in zip(layers, looks, strict=True))


class Layer(nn.Module):
    """Self-attention, long- plus short-term attention, feed-forward: tokens [T, n, 256] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(_WIDTH)
        self.self_attn = SelfAttention()
        self.norm2 = nn.LayerNorm(_WIDTH)
        self.linear_Q = nn.Linear(_WIDTH, _WIDTH)
        self.linear_V = nn.Linear(_WIDTH, _WIDTH)
        self.long_term_attn = LongTermAttention()
        self.short_term_attn = ShortTermAttention()
        self.norm3 = nn.LayerNorm(_WIDTH)
        self.linear1 = nn.Linear(_WIDTH, _HIDDEN)
        self.activation = DepthwiseActivation(_HIDDEN)
        self.linear2 = nn.Linear(_HIDDEN, _WIDTH)

    def forward(
        self, tokens: Tensor, position: Tensor, source: Recalled | Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Look]:
        tokens = tokens + self.self_attn(self.norm1(tokens), position)
        seen: Tensor = self.norm2(tokens)
        query: Tensor = self.linear_Q(seen)
        look = Look(query, seen)
        if isinstance(source, Tensor):
            itself = self.fuse(look, source)
            source = Recalled(long=itself, short=itself)
        tokens = tokens + self.long_term_attn(query, source.long) + self.short_term_attn(query, source.short, grid)
        hidden = to_maps(self.linear1(self.norm3(tokens)), grid)
        return tokens + self.linear2(to_tokens(self.activation(hidden))), look

    def fuse(self, look: Look, identity: Tensor) -> Memory:
        """What to remember of a frame, given its identity tokens [T, n, 256]."""
        return Memory(look.key, self.linear_V(look.visual + identity))


class SelfAttention(nn.Module):
    """Every token attends to every token of its frame: [T, n, 256] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_Q = nn.Linear(_WIDTH, _WIDTH)
        self.linear_K = nn.Linear(_WIDTH, _WIDTH)
        self.linear_V = nn.Linear(_WIDTH, _WIDTH)
        self.projection = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, tokens: Tensor, position: Tensor) -> Tensor:
        placed = tokens + position
        mixed = attend(self.linear_Q(placed), self.linear_K(placed), self.linear_V(tokens), heads=_HEADS)
        out: Tensor = self.projection(mixed)
        return out


class LongTermAttention(nn.Module):
    """Every token [T, n, 256] attends to all stored frames."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, query: Tensor, memory: Memory) -> Tensor:
        out: Tensor = self.projection(attend(query, memory.key, memory.value, heads=_HEADS))
        return out


class ShortTermAttention(nn.Module):
    """Every token [T, n, 256] attends to the 15 x 15 around it on the frame before."""

    def __init__(self) -> None:
        super().__init__()
        self.relative_emb_k = nn.Conv2d(_WIDTH, _HEADS * OFFSET_COUNT, 1, groups=_HEADS)
        self.relative_emb_v = nn.Parameter(torch.zeros(_HEADS, _WIDTH // _HEADS, OFFSET_COUNT))
        self.projection = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, query: Tensor, memory: Memory, grid: tuple[int, int]) -> Tensor:
        bias = self.relative_emb_k(to_maps(query, grid))
        weights = weigh_window(query, memory.key, bias, grid=grid, heads=_HEADS)
        mixed = mix_window(weights, memory.value, grid=grid, heads=_HEADS)
        places = torch.einsum("nghwj,gcj->hwngc", by_offset(weights), self.relative_emb_v)
        out: Tensor = self.projection(mixed + places.flatten(3).flatten(0, 1))
        return out


class DepthwiseActivation(nn.Module):
    """Group normalisation, GELU and a 5 x 5 filter for each channel: [n, C, h, w] to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(32, channels)
        self.conv = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(functional.gelu(self.gn(x)))
        return y


def position_embedding(grid: tuple[int, int], device: torch.device) -> Tensor:
    """float32 [1, 256, h, w]: sines and cosines of the row, then of the column, each scaled to a full turn."""
    channel = torch.arange(_WIDTH // 2, device=device)
    periods = 10000.0 ** (2 * torch.div(channel, 2, rounding_mode="floor") / (_WIDTH // 2))

    def turns(length: int) -> Tensor:
        angle = torch.arange(length, device=device) / (length - 1 + 1e-6) * (2 * math.pi)
        phase = angle / periods[:, None]
        return torch.where(channel[:, None] % 2 == 0, phase.sin(), phase.cos())

    height, width = grid
    rows = turns(height)[:, :, None].expand(-1, -1, width)
    columns = turns(width)[:, None, :].expand(-1, height, -1)
    return torch.cat([rows, columns])[None]
