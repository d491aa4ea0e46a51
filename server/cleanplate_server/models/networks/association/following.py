"""The walk along a shot: which frames are remembered, and for how long.

Objects are numbered 1, 2, ... over the whole shot. Ten share one *bank*; each bank has memories of its own and sees the
objects of others as nothing. What is known so far goes in and comes out as a `Following`; nothing is kept here.

The long-term memory is bounded: of frames whose labels were given the newest ``given_limit`` stay, of those that were
followed the newest ``long_term_limit``; the oldest is forgotten first. (The authors' program forgets nothing.)
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cleanplate_server.models.networks.association.memory import Attended, Memory, Recalled, join
from cleanplate_server.models.networks.association.network import OBJECTS_PER_BANK, AssociationNetwork, Scene

_LEAST = 1e-5
"""Probabilities of several banks are kept this far from 0 and 1 before they become logits."""


@dataclass(frozen=True)
class Rules:
    """When a frame is remembered.

    Args:
        long_term_gap: every so many frames one is stored.
        long_term_limit: how many followed frames are kept at most; None for all.
        given_limit: how many given frames are kept at most; None for all.
        short_term_frames: how far back the short-term memory lies.
        stores_halves: whether stored frames are kept in half precision, which needs half the memory.
    """

    long_term_gap: int
    long_term_limit: int | None = None
    given_limit: int | None = None
    short_term_frames: int = 1
    stores_halves: bool = False


@dataclass(frozen=True, eq=False)
class Stored:
    """A frame in the long-term memory: a `Memory` for each layer, and whether its labels were given by a person."""

    layers: tuple[Memory, ...]
    given: bool


@dataclass(frozen=True, eq=False)
class Bank:
    """What is known of up to ten objects.

    Args:
        object_count: 1 to 10.
        long: stored frames, the newest first.
        short: the last frames, the newest last.
        step: frames followed since the bank began.
        stored_at: the step of the newest stored frame.
    """

    object_count: int
    long: tuple[Stored, ...] = ()
    short: tuple[tuple[Memory, ...], ...] = ()
    step: int = 0
    stored_at: int = 0


@dataclass(frozen=True, eq=False)
class Following:
    """What is known of all objects: one bank for each ten of them."""

    banks: tuple[Bank, ...]

    @property
    def object_count(self) -> int:
        return sum(bank.object_count for bank in self.banks)


@dataclass(frozen=True, eq=False)
class Glimpse:
    """A new frame, attended to by every bank, its labels not yet decided."""

    scene: Scene
    attended: tuple[Attended, ...]


@dataclass(frozen=True)
class Follower:
    """Carries labels from frame to frame.

    Args:
        network: AOT or DeAOT.
        rules: when a frame is remembered.
    """

    network: AssociationNetwork
    rules: Rules

    def begin(self, scene: Scene, label: Tensor, *, object_count: int, known: Following | None = None) -> Following:
        """Learns a frame whose labels are given.

        Args:
            scene: the frame.
            label: int64 [H, W] at the network's size: 0 nothing, 1 to ``object_count``.
            object_count: all objects, the new ones too; not fewer than before.
            known: what was known before; new objects join it.
        """
        banks = []
        for index, count in enumerate(bank_sizes(object_count)):
            before = known.banks[index] if known is not None and index < len(known.banks) else Bank(count)
            identity = self.network.identify(label_in_bank(label, index))
            memories = self.network.LSTT.fuse(self.network(scene, identity).looks, identity)
            bank = replace(before, object_count=count, short=(memories,), stored_at=before.step)
            banks.append(self._store(bank, Stored(memories, given=True)))
        return Following(tuple(banks))

    def look(self, known: Following, scene: Scene) -> tuple[Following, Glimpse]:
        """Attends to the next frame; the memories stay as they are until ``remember``."""
        attended = tuple(self.network(scene, _recall(bank)) for bank in known.banks)
        banks = tuple(replace(bank, step=bank.step + 1) for bank in known.banks)
        return Following(banks), Glimpse(scene, attended)

    def decode(self, known: Following, glimpse: Glimpse, size: tuple[int, int]) -> Tensor:
        """Logits [1, 1 + objects, H, W] at (height, width), nothing first; of several banks all ten each."""
        logits = [
            self.network.decode(attended, glimpse.scene, object_count=bank.object_count)
            for bank, attended in zip(known.banks, glimpse.attended, strict=True)
        ]
        if len(logits) == 1:
            # unused identities have no chance, so that large pictures need not hold them
            logits = [logits[0][:, : 1 + known.object_count]]
        return merge_banks([self.network.decoder.enlarge(each, size) for each in logits])

    def remember(self, known: Following, glimpse: Glimpse, label: Tensor) -> Following:
        """Takes the labels int64 [H, W] that were decided for a frame as the truth, and stores it when its time is."""
        banks = []
        for index, (bank, attended) in enumerate(zip(known.banks, glimpse.attended, strict=True)):
            identity = self.network.identify(label_in_bank(label, index))
            memories = self.network.LSTT.fuse(attended.looks, identity)
            bank = replace(bank, short=(*bank.short, memories)[-self.rules.short_term_frames :])
            if bank.step - bank.stored_at >= self.rules.long_term_gap:
                bank = replace(self._store(bank, Stored(memories, given=False)), stored_at=bank.step)
            banks.append(bank)
        return Following(tuple(banks))

    def _store(self, bank: Bank, stored: Stored) -> Bank:
        if self.rules.stores_halves:
            stored = replace(stored, layers=tuple(memory.to(torch.float16) for memory in stored.layers))
        frames = [stored, *bank.long]
        limit = self.rules.given_limit if stored.given else self.rules.long_term_limit
        alike = [frame for frame in frames if frame.given == stored.given]
        if limit is not None and len(alike) > limit:
            frames = [frame for frame in frames if frame is not alike[-1]]
        return replace(bank, long=tuple(frames))


def bank_sizes(object_count: int) -> list[int]:
    """How many objects each bank has: tens, and the rest in the last; at least one bank."""
    starts = range(0, max(1, object_count), OBJECTS_PER_BANK)
    return [min(OBJECTS_PER_BANK, object_count - start) for start in starts]


def label_in_bank(label: Tensor, index: int) -> Tensor:
    """Renumbers a bank's own objects from 1; all others become 0."""
    own = label - index * OBJECTS_PER_BANK
    return torch.where((own >= 1) & (own <= OBJECTS_PER_BANK), own, 0)


def merge_banks(logits: list[Tensor]) -> Tensor:
    """Makes one set of logits of several banks': nothing is what all of them call nothing."""
    if len(logits) == 1:
        return logits[0]
    chances = [bank.softmax(1) for bank in logits]
    nothing = torch.stack([chance[:, :1] for chance in chances]).prod(0)
    merged = torch.cat([nothing, *(chance[:, 1:] for chance in chances)], 1)
    return merged.clamp(_LEAST, 1 - _LEAST).logit()


def _recall(bank: Bank) -> tuple[Recalled, ...]:
    before = bank.short[0]
    recalled = []
    for layer, short in enumerate(before):
        stored = join(tuple(frame.layers[layer] for frame in bank.long))
        recalled.append(Recalled(long=stored.to(short.key.dtype), short=short))
    return tuple(recalled)
