"""Attention over everything remembered, and attention within a window around each position.

Heads are contiguous blocks of channels. Tokens are [T, n, C], T = h * w, row by row.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

RADIUS = 7
"""Of the window of short-term attention, in tokens."""
SPAN = 2 * RADIUS + 1
OFFSET_COUNT = SPAN * SPAN


def attend(query: Tensor, key: Tensor, value: Tensor, *, heads: int) -> Tensor:
    """Attends to every key: [T, n, K], [M, n, K], [M, n, V] to [T, n, V]."""
    q, k, v = (torch.unflatten(x, 2, (heads, -1)).permute(1, 2, 0, 3) for x in (query, key, value))
    mixed = functional.scaled_dot_product_attention(q, k, v)
    return mixed.permute(2, 0, 1, 3).flatten(2)


def weigh_window(query: Tensor, key: Tensor, bias: Tensor, *, grid: tuple[int, int], heads: int) -> Tensor:
    """Weighs the keys within the window around each position, band by band, so that nothing is T x T large.

    Args:
        query, key: [T, n, K].
        bias: [n, heads * 225, h, w], for each position and offset (dy, dx) of the window, dy first.
        grid: (h, w).
        heads: how many.

    Returns:
        Weights [n, heads, h, w, 15, w]: of the keys dy - 7 rows below and in any column; 0 outside the window.
    """
    height, width = grid
    q, rows = (_rows(x, grid, heads) for x in (query * (query.shape[2] // heads) ** -0.5, key))
    rows = functional.pad(rows, (0, 0, 0, 0, RADIUS, RADIUS))
    scores = torch.stack([q @ rows[:, :, dy : dy + height].transpose(-1, -2) for dy in range(SPAN)], 4)
    dx = _column_offsets(width, query.device)
    own = bias.view(-1, heads, SPAN, SPAN, height, width).permute(0, 1, 4, 5, 2, 3)
    scores = scores + own.gather(5, dx.clamp(0, SPAN - 1)[:, None].expand(*scores.shape))
    beside = (dx < 0) | (dx >= SPAN)
    row = torch.arange(height, device=query.device)[:, None] + torch.arange(-RADIUS, RADIUS + 1, device=query.device)
    above_or_below = (row < 0) | (row >= height)
    outside = above_or_below[:, None, :, None] | beside[:, None]
    weights = scores.masked_fill(outside, -torch.inf).flatten(4).softmax(-1)
    return weights.view_as(scores)


def mix_window(weights: Tensor, value: Tensor, *, grid: tuple[int, int], heads: int) -> Tensor:
    """Mixes values [T, n, V] with the weights of ``weigh_window``: [T, n, V]."""
    height = grid[0]
    rows = functional.pad(_rows(value, grid, heads), (0, 0, 0, 0, RADIUS, RADIUS))
    mixed = weights[..., 0, :] @ rows[:, :, :height]
    for dy in range(1, SPAN):
        mixed = mixed + weights[..., dy, :] @ rows[:, :, dy : dy + height]
    return mixed.permute(2, 3, 0, 1, 4).flatten(3).flatten(0, 1)


def by_offset(weights: Tensor) -> Tensor:
    """Picks from the weights of ``weigh_window`` those of each offset: [n, heads, h, w, 225], dy first."""
    width = weights.shape[3]
    column = torch.arange(width, device=weights.device)[:, None]
    column = column + torch.arange(-RADIUS, RADIUS + 1, device=weights.device)
    inside = (column >= 0) & (column < width)
    index = column.clamp(0, width - 1)[:, None].expand(*weights.shape[:5], SPAN)
    return (weights.gather(5, index) * inside[:, None]).flatten(4)


def _rows(tokens: Tensor, grid: tuple[int, int], heads: int) -> Tensor:
    """[T, n, heads * D] to [n, heads, h, w, D]."""
    return torch.unflatten(torch.unflatten(tokens, 2, (heads, -1)), 0, grid).permute(2, 3, 0, 1, 4)


def _column_offsets(width: int, device: torch.device) -> Tensor:
    """int64 [query column, key column]: place of the key in the window's row; outside it below 0 or above 14."""
    column = torch.arange(width, device=device)
    return column - column[:, None] + RADIUS
