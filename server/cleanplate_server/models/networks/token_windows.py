"""Grids of tokens parted into windows that attend together."""

from __future__ import annotations

from torch import Tensor

WINDOW = (5, 9)
"""Rows and columns of a window's tokens."""
WINDOW_AREA = WINDOW[0] * WINDOW[1]
WINDOWS_AT_ONCE = 4
"""So many look at all frames together: with 31 frames they hold 0.2 GB of keys and values, HD's 1,400 hold 70."""


def to_windows(tokens: Tensor) -> Tensor:
    """Cuts tokens [b, t, rows, columns, C] into windows [b, windows, t, 45, C], both row by row."""
    count, time, rows, columns, width = tokens.shape
    parts = tokens.reshape(count, time, rows // WINDOW[0], WINDOW[0], columns // WINDOW[1], WINDOW[1], width)
    return parts.permute(0, 2, 4, 1, 3, 5, 6).reshape(count, -1, time, WINDOW_AREA, width)
