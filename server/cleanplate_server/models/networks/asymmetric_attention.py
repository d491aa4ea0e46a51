"""Attention from the hole of one frame to what other frames show (Oh et al.: Onion-Peel Networks, ICCV 2019).

It is asymmetric: positions with a hole ask, positions without one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

NUMBERS_AT_ONCE = 1 << 26
"""Scores held at a time, 256 MiB: one frame may put ten thousand questions to each of twenty others."""


@dataclass(frozen=True, eq=False)
class Memory:
    """Encoded frames that can be asked.

    Args:
        keys: float32 [n, K, T, h, w].
        values: float32 [n, V, T, h, w].
        holes: bool [n, T, h, w]; what lies there never answers.
    """

    keys: Tensor
    values: Tensor
    holes: Tensor

    def only(self, frames: Sequence[int]) -> Memory:
        """The same with some of its frames, by their places in it."""
        kept = list(frames)
        return Memory(self.keys[:, :, kept], self.values[:, :, kept], self.holes[:, kept])


class AsymmetricAttention(nn.Module):
    """Reads values for the positions that ask, as the mean of all that answer, weighted by how their keys agree.

    Args:
        most: only so many best answers count for each question; None lets all count.
        numbers_at_once: how much is held in memory; it changes nothing else.
    """

    def __init__(self, *, most: int | None = None, numbers_at_once: int = NUMBERS_AT_ONCE) -> None:
        super().__init__()
        self.most = most
        self.numbers_at_once = numbers_at_once

    def forward(self, keys: Tensor, asking: Tensor, memory: Memory) -> Tensor:
        """Asks the memory.

        Args:
            keys: float32 [n, K, h, w] of the frame that asks.
            asking: bool [n, h, w].
            memory: what answers.

        Returns:
            float32 [n, V, h, w]: what was read, 0 where nobody asks or nobody can answer.
        """
        read = memory.values.new_zeros(len(keys), memory.values.shape[1], *keys.shape[2:])
        for index, (key, asks) in enumerate(zip(keys, asking, strict=True)):
            answers = ~memory.holes[index]
            if asks.any() and answers.any():
                shown = memory.keys[index][:, answers], memory.values[index][:, answers]
                read[index][:, asks] = self._ask(key[:, asks], *shown)
        return read

    def _ask(self, questions: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Questions [K, q], keys [K, m] and values [V, m] to [V, q]; scores are float32 whatever the rest is."""
        keys = keys.float().T / keys.shape[0] ** 0.5
        for_each = max(len(keys), len(values) * (self.most or 0))
        at_once = max(1, self.numbers_at_once // for_each)
        starts = range(0, questions.shape[1], at_once)
        return torch.cat([self._weigh(keys @ questions[:, s : s + at_once].float(), values) for s in starts], 1)

    def _weigh(self, scores: Tensor, values: Tensor) -> Tensor:
        """The values [V, m] weighted by scores [m, q]."""
        if self.most is None or self.most >= len(scores):
            return values @ scores.softmax(0).to(values.dtype)
        best, places = scores.topk(self.most, dim=0)
        return (values[:, places] * best.softmax(0).to(values.dtype)).sum(1)
