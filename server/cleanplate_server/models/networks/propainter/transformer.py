"""ProPainter's transformer: windows of tokens with a hole look at all frames, the others at themselves."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.by_parts import by_parts
from cleanplate_server.models.networks.soft_split import TAPS, TOKEN_WIDTH, Size, average_overlaps, cut
from cleanplate_server.models.networks.token_windows import WINDOW, WINDOW_AREA, WINDOWS_AT_ONCE, to_windows

_BLOCKS = 8
_ROLL = (-(-WINDOW[0] // 2), -(-WINDOW[1] // 2))
"""How far tokens are rolled in each of four directions, so that each window meets its surroundings."""
_QUADRANTS = ((-1, -1), (-1, 1), (1, -1), (1, 1))
_HEADS = 4
_POOL = 4
"""So many tokens each way are seen as one from afar."""
_MIXED_WIDTH = 40
"""Channels of the maps in which neighbouring tokens mix."""


class Transformer(nn.Module):
    """Eight blocks; those at odd places look at frames 1, 3, 5 and so on, the others at 0, 2, 4."""

    def __init__(self) -> None:
        super().__init__()
        self.transformer = nn.ModuleList(Block(index % 2) for index in range(_BLOCKS))

    def forward(self, tokens: Tensor, holes: Tensor) -> Tensor:
        """Mixes the tokens of a window of frames.

        Args:
            tokens: [b, t, rows, columns, 512].
            holes: [b, l, 1, h, w], above 0 in the local frames' holes, of the maps that the tokens were cut from.

        Returns:
            [b, t, rows, columns, 512].
        """
        touched = cut(holes.amax(1)).amax(2).reshape(len(tokens), 1, *tokens.shape[2:4], 1)
        active = (to_windows(_padded(touched)) > 0).flatten(2).any(2)
        size = (holes.shape[3], holes.shape[4])
        for block in self.transformer:
            tokens = block(tokens, active, size)
        return tokens


class Block(nn.Module):
    """Attention, then feed-forward; ``first`` is the first of every other frame that is looked at."""

    def __init__(self, first: int) -> None:
        super().__init__()
        self.attention = WindowAttention(first)
        self.norm1 = nn.LayerNorm(TOKEN_WIDTH)
        self.norm2 = nn.LayerNorm(TOKEN_WIDTH)
        self.mlp = OverlapFeedForward()

    def forward(self, tokens: Tensor, active: Tensor, size: Size) -> Tensor:
        """Mixes tokens [b, t, rows, columns, 512]; windows with a hole are ``active``, bool [b, windows]."""
        tokens = tokens + self.attention(self.norm1(tokens), active)
        mixed: Tensor = self.mlp(self.norm2(tokens), size)
        return tokens + mixed


class WindowAttention(nn.Module):
    """Tokens of windows with a hole attend to every other frame, those of the others to their own window and frame.

    Of a frame they see their window, its surroundings, and all the picture with 4 x 4 tokens as one. The entry
    ``valid_ind_rolled`` of a checkpoint says which of the tokens of four rolled windows lie outside the window: 148 of
    180. Padded tokens, below and at the right, count as any other, and rolling goes around the edges.
    """

    valid_ind_rolled: Tensor

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first
        self.register_buffer("valid_ind_rolled", surrounding_index())
        self.key = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        self.query = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        self.value = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        self.proj = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        self.pool_layer = nn.Conv2d(TOKEN_WIDTH, TOKEN_WIDTH, _POOL, _POOL, groups=TOKEN_WIDTH)

    def forward(self, tokens: Tensor, active: Tensor) -> Tensor:
        """Mixes tokens.

        Args:
            tokens: [b, t, rows, columns, 512].
            active: bool [b, windows], those with a hole.

        Returns:
            [b, t, rows, columns, 512].
        """
        padded = _padded(tokens)
        near, far = padded.flatten(2, 3), self._pool(padded)
        everything = torch.cat([near, far], 2)
        grid = (padded.shape[2], padded.shape[3])
        seen = self._places(grid, far_count=far.shape[2])
        each = zip(self.query(near), self.key(everything), self.value(everything), active, strict=True)
        mixed = torch.stack([self._attend(*clip, seen) for clip in each])
        rows, columns = tokens.shape[2:4]
        out: Tensor = self.proj(mixed.reshape(padded.shape)[:, :, :rows, :columns])
        return out

    def _pool(self, tokens: Tensor) -> Tensor:
        """What is seen from afar, [b, t, n, 512]; the last rows and columns that fill no square are left out."""
        maps: Tensor = self.pool_layer(tokens.flatten(0, 1).permute(0, 3, 1, 2))
        return maps.flatten(2).transpose(1, 2).reshape(*tokens.shape[:2], -1, TOKEN_WIDTH)

    def _places(self, grid: Size, *, far_count: int) -> Tensor:
        """The places of the tokens each window sees, its own first: int64 [windows, 45 + 148 + far].

        Pooled tokens come after the grid's, so that their places follow it.
        """
        count = grid[0] * grid[1]
        index = torch.arange(count, device=self.valid_ind_rolled.device).reshape(1, 1, *grid, 1)
        rolled = [
            to_windows(torch.roll(index, (down * _ROLL[0], right * _ROLL[1]), (2, 3))) for down, right in _QUADRANTS
        ]
        around = torch.cat(rolled, 3).index_select(3, self.valid_ind_rolled).flatten(1, 2)[0, ..., 0]
        own = to_windows(index)[0, :, 0, :, 0]
        far = torch.arange(count, count + far_count, device=index.device).expand(len(own), -1)
        return torch.cat([own, around, far], 1)

    def _attend(self, query: Tensor, key: Tensor, value: Tensor, active: Tensor, seen: Tensor) -> Tensor:
        """Mixes the tokens of one clip.

        Args:
            query: [t, places, 512].
            key, value: [t, places + far, 512].
            active: bool [windows].
            seen: int64 [windows, 45 + 148 + far].

        Returns:
            [t, places, 512].
        """
        mixed = torch.empty_like(query)
        own = seen[:, :WINDOW_AREA]
        still = own[~active]
        if len(still):
            alone = [tokens[:, still].flatten(0, 1)[None] for tokens in (query, key, value)]
            mixed[:, still] = _mix(*alone).reshape(len(query), *still.shape, TOKEN_WIDTH)
        key, value = key[self._first :: 2], value[self._first :: 2]
        holed = active.nonzero().flatten()
        for start in range(0, len(holed), WINDOWS_AT_ONCE):
            windows = holed[start : start + WINDOWS_AT_ONCE]
            places = seen[windows]
            mixed[:, own[windows]] = _mix(query[:, own[windows]], key[:, places], value[:, places])
        return mixed


class OverlapFeedForward(nn.Module):
    """A feed-forward part in which neighbouring tokens mix: what their patches share is averaged.

    Liu et al.: FuseFormer: Fusing Fine-Grained Information in Transformers for Video Inpainting, ICCV 2021.
    """

    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Sequential(nn.Linear(TOKEN_WIDTH, _MIXED_WIDTH * TAPS))
        self.fc2 = nn.Sequential(nn.GELU(), nn.Linear(_MIXED_WIDTH * TAPS, TOKEN_WIDTH))

    def forward(self, tokens: Tensor, size: Size) -> Tensor:
        """Mixes tokens [b, t, rows, columns, 512], cut from maps of a size, to the same."""
        frames = tokens.flatten(0, 1).flatten(1, 2)
        mixed = by_parts(
            lambda part: self.fc2(average_overlaps(self.fc1(part), size)), frames, size[0] * size[1]
        )  # fmt: skip
        return mixed.reshape(tokens.shape)


def surrounding_index() -> Tensor:
    """int64 [148]: the places in four rolled windows, one after the other, that lie outside the window itself."""
    kept = []
    for down, right in _QUADRANTS:
        outside = torch.ones(WINDOW, dtype=torch.bool)
        # rolled up by three rows, a window's first two rows hold its own last two
        rows = slice(None, WINDOW[0] - _ROLL[0]) if down < 0 else slice(_ROLL[0], None)
        columns = slice(None, WINDOW[1] - _ROLL[1]) if right < 0 else slice(_ROLL[1], None)
        outside[rows, columns] = False
        kept.append(outside.flatten())
    return torch.cat(kept).nonzero().flatten()


def _padded(tokens: Tensor) -> Tensor:
    """Tokens [b, t, rows, columns, C] with zeros below and at the right, to whole windows."""
    rows, columns = tokens.shape[2:4]
    return functional.pad(tokens, (0, 0, 0, -columns % WINDOW[1], 0, -rows % WINDOW[0]))


def _mix(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Attention in each window: [t, windows, n, 512] with keys and values of other frames and places, to the same."""
    mixed = functional.scaled_dot_product_attention(_by_head(query), _by_head(key), _by_head(value))
    time, windows, count, width = query.shape
    return mixed.transpose(1, 2).reshape(windows, time, count, width).transpose(0, 1)


def _by_head(tokens: Tensor) -> Tensor:
    """[t, windows, n, 512] to [windows, heads, t * n, 128]."""
    by_window = tokens.transpose(0, 1).flatten(1, 2)
    return by_window.reshape(*by_window.shape[:2], _HEADS, -1).transpose(1, 2)
