"""What the transformers remember of a frame."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, eq=False)
class Memory:
    """A frame with its labels, as one layer sees it.

    Args:
        key: float32 [T, n, K], tokens row by row.
        value: float32 [T, n, V].
    """

    key: Tensor
    value: Tensor

    def to(self, dtype: torch.dtype) -> Memory:
        """The same in another precision."""
        return Memory(self.key.to(dtype), self.value.to(dtype))


@dataclass(frozen=True, eq=False)
class Look:
    """A frame as one layer sees it, not yet labelled.

    Args:
        key: float32 [T, n, K], which is its query too.
        visual: float32 [T, n, C], what it looks like.
        identity: float32 [T, n, C], what the layers before took it for; None in layers that have no such stream.
    """

    key: Tensor
    visual: Tensor
    identity: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Recalled:
    """What one layer attends to.

    Args:
        long: of all stored frames, one after the other.
        short: of the frame just before.
    """

    long: Memory
    short: Memory


@dataclass(frozen=True, eq=False)
class Attended:
    """What a transformer made of a frame.

    Args:
        maps: float32 [n, C, h, w], the decoder's input.
        looks: one for each layer.
    """

    maps: Tensor
    looks: tuple[Look, ...]


class Transformer(nn.Module):
    """A stack of layers that carry labels from remembered frames to this one; the base of AOT's and DeAOT's."""

    width: int
    """Channels of `Attended.maps`."""

    def forward(self, features: Tensor, source: tuple[Recalled, ...] | Tensor) -> Attended:
        """Attends to remembered frames.

        Args:
            features: float32 [n, 256, h, w].
            source: what each layer recalls; or, on a frame whose labels are known, their identity tokens [T, n, 256],
                so that it attends to itself.
        """
        raise NotImplementedError

    def fuse(self, looks: tuple[Look, ...], identity: Tensor) -> tuple[Memory, ...]:
        """Labels a frame: what each layer is to remember of it, given identity tokens [T, n, 256]."""
        raise NotImplementedError


def join(memories: tuple[Memory, ...]) -> Memory:
    """Lays memories one after the other."""
    if len(memories) == 1:
        return memories[0]
    return Memory(torch.cat([m.key for m in memories]), torch.cat([m.value for m in memories]))


def to_tokens(maps: Tensor) -> Tensor:
    """[n, C, h, w] to [h * w, n, C], row by row."""
    return maps.flatten(2).permute(2, 0, 1)


def to_maps(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """[h * w, n, C] to [n, C, h, w]."""
    return torch.unflatten(tokens.permute(1, 2, 0), 2, grid)
