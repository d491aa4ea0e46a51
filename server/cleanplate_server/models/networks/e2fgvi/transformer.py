"""E2FGVI's transformer: focal attention (Yang et al., NeurIPS 2021) over all frames, one window of tokens at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.soft_split import TOKEN_WIDTH, OverlapFeedForward, Size
from cleanplate_server.models.networks.token_windows import WINDOW, WINDOW_AREA, WINDOWS_AT_ONCE, to_windows

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
        grid = (tokens.shape[2], tokens.shape[3])
        query, key, value = self.qkv(tokens).flatten(2, 3).chunk(3, -1)
        _, far_key, far_value = self.qkv(pooled).flatten(2, 3).chunk(3, -1)
        beyond = torch.zeros_like(far_key[:, :, :1])
        keys, values = torch.cat([key, far_key, beyond], 2), torch.cat([value, far_value, beyond], 2)
        seen, bias = self._places(grid, far_count=far_key.shape[2])
        mixed = torch.empty_like(query)
        for start in range(0, len(seen), WINDOWS_AT_ONCE):
            places, added = seen[start : start + WINDOWS_AT_ONCE], bias[start : start + WINDOWS_AT_ONCE]
            own = places[:, :WINDOW_AREA]
            mixed[:, :, own] = _mix(query[:, :, own], keys[:, :, places], values[:, :, places], added)
        out: Tensor = self.proj(mixed.reshape(tokens.shape))
        return out

    def _places(self, grid: Size, *, far_count: int) -> tuple[Tensor, Tensor]:
        """The places of the tokens each window sees, and what is added to the logits of one frame's.

        Returns:
            int64 [windows, 45 + 120 + 45], its own first, then those around, then whole windows, which come after the
            grid's tokens, and after them one for all that lie outside the picture; float32 of the same shape.
        """
        count, device = grid[0] * grid[1], self.valid_ind_rolled.device
        index = torch.arange(count, device=device).reshape(1, 1, *grid, 1)
        rolled = [
            to_windows(torch.roll(index, (down * _REACH[0], right * _REACH[1]), (2, 3))) for down, right in _QUADRANTS
        ]
        around = torch.cat(rolled, 3).index_select(3, self.valid_ind_rolled)[0, :, 0, :, 0]
        near = torch.cat([to_windows(index)[0, :, 0, :, 0], around], 1)
        windows = torch.arange(far_count, dtype=torch.float32, device=device) + 1
        numbers = windows.reshape(1, 1, grid[0] // WINDOW[0], grid[1] // WINDOW[1])
        # zero, which stands for what lies outside, is the place after the last
        far = functional.unfold(numbers, WINDOW, padding=_REACH)[0].T.long()
        outside = far == 0
        places = torch.cat([near, torch.where(outside, far_count, far - 1) + count], 1)
        return places, functional.pad(_BEYOND * outside.float(), (near.shape[1], 0))


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


def _mix(query: Tensor, key: Tensor, value: Tensor, bias: Tensor) -> Tensor:
    """Attention in each window: [b, t, windows, n, 512] with keys and values of all frames, to the same.

    ``bias``, [windows, m], is added to the logits of each frame's m keys.
    """
    count, time, windows, area, width = query.shape
    mask = bias.to(query.dtype).repeat(count, time)[:, None, None]
    mixed = functional.scaled_dot_product_attention(_by_head(query), _by_head(key), _by_head(value), attn_mask=mask)
    return mixed.transpose(1, 2).reshape(count, windows, time, area, width).transpose(1, 2)


def _by_head(tokens: Tensor) -> Tensor:
    """[b, t, windows, n, 512] to [b * windows, heads, t * n, 128]."""
    by_window = tokens.transpose(1, 2).flatten(0, 1).flatten(1, 2)
    return by_window.reshape(*by_window.shape[:2], _HEADS, -1).transpose(1, 2)
