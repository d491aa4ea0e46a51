"""Grids of tokens parted into windows that attend together."""

from __future__ import annotations

from torch import Tensor

from cleanplate_server.models.networks.soft_split import Size

WINDOW = (5, 9)
"""Rows and columns of a window's tokens."""
WINDOW_AREA = WINDOW[0] * WINDOW[1]


def to_windows(tokens: Tensor) -> Tensor:
    """Cuts tokens [b, t, rows, columns, C] into windows [b, windows, t, 45, C], both row by row."""
    count, time, rows, columns, width = tokens.shape
    parts = tokens.reshape(count, time, rows // WINDOW[0], WINDOW[0], columns // WINDOW[1], WINDOW[1], width)
    return parts.permute(0, 2, 4, 1, 3, 5, 6).reshape(count, -1, time, WINDOW_AREA, width)


def from_windows(windows: Tensor, grid: Size) -> Tensor:
    """Undoes ``to_windows`` for a grid of (rows, columns)."""
    count, _, time, _, width = windows.shape
    across, down = grid[1] // WINDOW[1], grid[0] // WINDOW[0]
    parts = windows.reshape(count, down, across, time, *WINDOW, width)
    return parts.permute(0, 3, 1, 4, 2, 5, 6).reshape(count, time, *grid, width)
