"""E2FGVI's transformer: focal attention (Yang et al., NeurIPS 2021) over all frames, one window of tokens at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.soft_split import TOKEN_WIDTH, OverlapFeedForward, Size
from cleanplate_server.models.networks.token_windows import WINDOW, WINDOW_AREA, from_windows, to_windows

_REACH = (WINDOW[0] // 2, WINDOW[1] // 2)
"""How far a window sees beyond its edges: tokens as they are, and further windows as one token each."""
_QUADRANTS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
"""Directions in which tokens are rolled, so that each window meets its surroundings."""
_HEADS = 4
_BEYOND = -100.0
"""Added to the logits of windows that lie outside the picture."""


class Block(nn.Module):
    """Attention, then feed-forward: tokens [b, t, rows, columns, 512] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.pool_layers = nn.ModuleList([nn.Linear(WINDOW_AREA, 1)])
        self.norm1 = nn.LayerNorm(TOKEN_WIDTH)
        self.attn = WindowAttention()
        self.norm2 = nn.LayerNorm(TOKEN_WIDTH)
        self.mlp = OverlapFeedForward()

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        """Mixes tokens; ``size`` is that of the maps they were cut from."""
        normed = self.norm1(tokens)
        tokens = tokens + self.attn(normed, self._pool(normed))
        mixed: Tensor = self.mlp(self.norm2(tokens), size)
        return tokens + mixed

    def _pool(self, tokens: Tensor) -> Tensor:
        """One token for each window: [b, t, rows / 5, columns / 9, 512]."""
        windows = to_windows(tokens)
        pooled: Tensor = self.pool_layers[0](windows.transpose(3, 4))
        grid = (tokens.shape[2] // WINDOW[0], tokens.shape[3] // WINDOW[1])
        return pooled.squeeze(4).transpose(1, 2).reshape(*tokens.shape[:2], *grid, TOKEN_WIDTH)


class WindowAttention(nn.Module):
    """Each window's tokens attend to themselves, to those around, and to whole windows farther off, on all frames.

    The entry ``valid_ind_rolled`` of a checkpoint says which of the tokens of four rolled windows lie outside the
    window: 120 of 180, of which some occur twice and count twice.
    """

    valid_ind_rolled: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("valid_ind_rolled", surrounding_index())
        self.qkv = nn.Linear(TOKEN_WIDTH, 3 * TOKEN_WIDTH)
        self.proj = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)

    def forward(self, tokens: Tensor, pooled: Tensor) -> Tensor:
        """Attends.

        Args:
            tokens: [b, t, rows, columns, 512].
            pooled: [b, t, rows / 5, columns / 9, 512], one for each window.

        Returns:
            [b, t, rows, columns, 512].
        """
        query, key, value = self.qkv(tokens).chunk(3, -1)
        _, far_key, far_value = self.qkv(pooled).chunk(3, -1)
        bias = _far_bias(far_key, nearer_count=WINDOW_AREA + len(self.valid_ind_rolled))
        mixed = functional.scaled_dot_product_attention(
            _by_head(to_windows(query)),
            _by_head(self._seen(key, far_key)),
            _by_head(self._seen(value, far_value)),
            attn_mask=bias.repeat(len(tokens), 1, 1, tokens.shape[1]),
        )
        count, time, *grid, width = tokens.shape
        windows = mixed.transpose(1, 2).reshape(count, -1, time, WINDOW_AREA, width)
        out: Tensor = self.proj(from_windows(windows, (grid[0], grid[1])))
        return out

    def _seen(self, tokens: Tensor, pooled: Tensor) -> Tensor:
        """What each window attends to: [b, windows, t, 45 + 120 + 45, 512]."""
        rolled = [
            to_windows(torch.roll(tokens, (down * _REACH[0], right * _REACH[1]), (2, 3))) for down, right in _QUADRANTS
        ]
        around = torch.cat(rolled, 3).index_select(3, self.valid_ind_rolled)
        count, time = pooled.shape[:2]
        far = _neighbourhoods(pooled.flatten(0, 1).permute(0, 3, 1, 2))
        far = far.reshape(count, time, TOKEN_WIDTH, WINDOW_AREA, -1).permute(0, 4, 1, 3, 2)
        return torch.cat([to_windows(tokens), around, far], 3)


def surrounding_index() -> Tensor:
    """int64 [120]: the places in four rolled windows, one after the other, that lie outside the window itself."""
    kept = []
    for down, right in _QUADRANTS:
        outside = torch.ones(WINDOW, dtype=torch.bool)
        # rolled up by two rows, a window's first three rows hold its own last three
        rows = slice(None, -_REACH[0]) if down < 0 else slice(_REACH[0], None)
        columns = slice(None, -_REACH[1]) if right < 0 else slice(_REACH[1], None)
        outside[rows, columns] = False
        kept.append(outside.flatten())
    return torch.cat(kept).nonzero().flatten()


def _neighbourhoods(maps: Tensor) -> Tensor:
    """The 5 x 9 around each place of maps [n, C, h, w], zero beyond the edges: [n, C * 45, h * w]."""
    return functional.unfold(maps, WINDOW, padding=_REACH)


def _far_bias(pooled: Tensor, *, nearer_count: int) -> Tensor:
    """What to add to the logits of one frame's keys, [windows, 1, 1, nearer + 45], given [b, t, rows, columns, C]."""
    inside = _neighbourhoods(pooled.new_ones(1, 1, *pooled.shape[2:4]))[0].T
    return functional.pad(_BEYOND * (1 - inside), (nearer_count, 0))[:, None, None]


def _by_head(windows: Tensor) -> Tensor:
    """[b, windows, t, n, 512] to [b * windows, heads, t * n, 128]."""
    tokens = windows.flatten(0, 1).flatten(1, 2)
    return tokens.reshape(*tokens.shape[:2], _HEADS, -1).transpose(1, 2)
