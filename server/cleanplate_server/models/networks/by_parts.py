"""Work that frames do not share, done for a few of them at a time, so that its memory does not grow with a window."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

PLACES_AT_ONCE = 4 * 60 * 108
"""Of maps at a quarter: four frames of 432 x 240, which keep a device busy, or a part of one larger frame's worth."""


def by_parts(work: Callable[[Tensor], Tensor], frames: Tensor, places: int) -> Tensor:
    """Does the work for some frames after the other, at least one at a time.

    Args:
        work: takes [n, ...] and gives [n, ...], each frame for itself.
        frames: [n, ...].
        places: of one frame's maps at a quarter of its size.
    """
    at_once = max(1, PLACES_AT_ONCE // places)
    return torch.cat([work(part) for part in torch.split(frames, at_once)])
