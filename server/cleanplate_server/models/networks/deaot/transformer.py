"""DeAOT's transformer (Yang, Yang, NeurIPS 2022, section 4): gated propagation of a visual and an identity stream.

Both streams share one attention map with one head; in what follows, concatenations have the visual half first.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.association.attention import OFFSET_COUNT, attend, mix_window, weigh_window
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
_KEY = 128
_VALUE = 512
"""Channels of one stream's values; two streams together have twice as many."""


class GatedPropagationTransformer(Transformer):
    """Layers in sequence; both streams of the last one, normed over the whole frame, go to the decoder."""

    def __init__(self, layers: int) -> None:
        super().__init__()
        self.width = 2 * _WIDTH
        self.layers = nn.ModuleList(Layer(first=index == 0) for index in range(layers))
        self.decoder_norms = nn.ModuleList([StreamNorm()])

    def forward(self, features: Tensor, source: tuple[Recalled, ...] | Tensor) -> Attended:
        grid = features.shape[2], features.shape[3]
        visual = to_tokens(features)
        identity: Tensor | None = None
        looks = []
        for index, layer in enumerate(self.layers):
            recalled = source if isinstance(source, Tensor) else source[index]
            visual, identity, look = layer(visual, identity, recalled, grid)
            looks.append(look)
        assert identity is not None, "a transformer has at least one layer"
        return Attended(to_maps(self.decoder_norms[0](torch.cat([visual, identity], 2)), grid), tuple(looks))

    def fuse(self, looks: tuple[Look, ...], identity: Tensor) -> tuple[Memory, ...]:
        layers = (cast(Layer, layer) for layer in self.layers)
        return tuple(layer.fuse(look, identity) for layer, look in zip(layers, looks, strict=True))


class Layer(nn.Module):
    """Propagation from memory, then within the frame, on two streams [T, n, 256].

    Args:
        first: the first layer has no identity stream to begin with.
    """

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(_WIDTH)
        self.linear_QV = nn.Linear(_WIDTH, _KEY + _VALUE)
        self.linear_U = nn.Linear(_WIDTH, _VALUE)
        self.id_norm1 = None if first else nn.LayerNorm(_WIDTH)
        self.linear_ID_U = None if first else nn.Linear(_WIDTH, _VALUE)
        self.linear_ID_V = nn.Linear(_WIDTH if first else 2 * _WIDTH, _VALUE)
        self.long_term_attn = GatedPropagation()
        self.short_term_attn = LocalGatedPropagation()
        self.norm2 = nn.LayerNorm(_WIDTH)
        self.id_norm2 = nn.LayerNorm(_WIDTH)
        self.self_attn = SelfPropagation()

    def forward(
        self, visual: Tensor, identity: Tensor | None, source: Recalled | Tensor, grid: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Look]:
        look, gate = self._look(visual, identity)
        if isinstance(source, Tensor):
            itself = self.fuse(look, source)
            source = Recalled(long=itself, short=itself)
        carried: Tensor = self.long_term_attn(look.key, source.long, gate, grid)
        carried = carried + self.short_term_attn(look.key, source.short, gate, grid)
        visual = visual + carried[:, :, :_WIDTH]
        identity = carried[:, :, _WIDTH:] if identity is None else identity + carried[:, :, _WIDTH:]
        settled = self.self_attn(self.norm2(visual), self.id_norm2(identity), grid)
        return visual + settled[:, :, :_WIDTH], identity + settled[:, :, _WIDTH:], look

    def _look(self, visual: Tensor, identity: Tensor | None) -> tuple[Look, Tensor]:
        """Gives what may be remembered, and the gate [T, n, 1024]."""
        seen = self.norm1(visual)
        key, value = self.linear_QV(seen).split([_KEY, _VALUE], 2)
        opening: Tensor = self.linear_U(seen)
        if identity is None or self.id_norm1 is None or self.linear_ID_U is None:
            # here the identity half of the gate is open, one, not SiLU of one
            gate = torch.cat([functional.silu(opening), torch.ones_like(opening)], 2)
            return Look(key, functional.silu(value)), gate
        known: Tensor = self.id_norm1(identity)
        gate = functional.silu(torch.cat([opening, self.linear_ID_U(known)], 2))
        return Look(key, functional.silu(value), known), gate

    def fuse(self, look: Look, identity: Tensor) -> Memory:
        """What to remember of a frame, given its identity tokens [T, n, 256]: the values of both streams."""
        known = identity if look.identity is None else torch.cat([look.identity, identity], 2)
        return Memory(look.key, torch.cat([look.visual, functional.silu(self.linear_ID_V(known))], 2))


class Gate(nn.Module):
    """Lets values of both streams through, filters them in space and projects them; what propagations share."""

    def __init__(self) -> None:
        super().__init__()
        self.dw_conv = DepthwiseConvolution(2 * _VALUE)
        self.projection = nn.Linear(2 * _VALUE, 2 * _WIDTH)

    def let_through(self, mixed: Tensor, gate: Tensor, grid: tuple[int, int]) -> Tensor:
        """Gates values [T, n, 1024] with [T, n, 1024] to [T, n, 512]."""
        out: Tensor = self.projection(to_tokens(self.dw_conv(to_maps(mixed * gate, grid))))
        return out


class GatedPropagation(Gate):
    """Every token attends to all stored frames: query [T, n, 128] to [T, n, 512]."""

    def forward(self, query: Tensor, memory: Memory, gate: Tensor, grid: tuple[int, int]) -> Tensor:
        return self.let_through(attend(query, memory.key, memory.value, heads=1), gate, grid)


class LocalGatedPropagation(Gate):
    """Every token attends to the 15 x 15 around it on the frame before: query [T, n, 128] to [T, n, 512]."""

    def __init__(self) -> None:
        super().__init__()
        self.relative_emb_k = nn.Conv2d(_KEY, OFFSET_COUNT, 1)

    def forward(self, query: Tensor, memory: Memory, gate: Tensor, grid: tuple[int, int]) -> Tensor:
        bias = self.relative_emb_k(to_maps(query, grid))
        weights = weigh_window(query, memory.key, bias, grid=grid, heads=1)
        return self.let_through(mix_window(weights, memory.value, grid=grid, heads=1), gate, grid)


class SelfPropagation(Gate):
    """Every token attends to its own frame, by both streams together: twice [T, n, 256] to [T, n, 512]."""

    def __init__(self) -> None:
        super().__init__()
        self.linear_QK = nn.Linear(2 * _WIDTH, _KEY)
        self.linear_V1 = nn.Linear(_WIDTH, _VALUE)
        self.linear_V2 = nn.Linear(_WIDTH, _VALUE)
        self.linear_U1 = nn.Linear(_WIDTH, _VALUE)
        self.linear_U2 = nn.Linear(_WIDTH, _VALUE)

    def forward(self, visual: Tensor, identity: Tensor, grid: tuple[int, int]) -> Tensor:
        key: Tensor = self.linear_QK(torch.cat([visual, identity], 2))
        value = functional.silu(torch.cat([self.linear_V1(visual), self.linear_V2(identity)], 2))
        gate = functional.silu(torch.cat([self.linear_U1(visual), self.linear_U2(identity)], 2))
        return self.let_through(attend(key, key, value, heads=1), gate, grid)


class DepthwiseConvolution(nn.Module):
    """A 5 x 5 filter for each channel: [n, C, h, w] to the same."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 5, padding=2, groups=channels, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return y


class StreamNorm(nn.Module):
    """Group normalisation of both streams, one group each, over channels and positions: [T, n, 512] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.gn = nn.GroupNorm(2, 2 * _WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        normed: Tensor = self.gn(tokens.permute(1, 2, 0))
        return normed.permute(2, 0, 1)
