"""How the motion behind holes is completed: eleven prepared fields go in, the middle one comes out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cleanplate_server.models.networks.dfgvi.membrane import stretch
from cleanplate_server.models.networks.dfgvi.network import DfcNet
from cleanplate_server.models.protocols import Flow, Mask

Planes = NDArray[np.float32]

SIZE = (240, 424)
"""(height, width) of the first stage's fields, whatever the picture's are."""
REFINED_SIZES = ((320, 600), (480, 840))
"""Of the second and the third stage."""
REACH = 5
"""Frames on each side that a field is completed from; at a shot's ends the last one stands for those beyond."""


@dataclass(frozen=True, eq=False)
class Field:
    """One frame's motion at the network's size.

    Args:
        flow: float32 [2, h, w], (u, v) in pixels of that size.
        hole: float32 [h, w] of 0 and 1.
    """

    flow: Planes
    hole: Planes

    @property
    def planes(self) -> Planes:
        """[3, h, w], as the network takes them."""
        return np.concatenate([self.flow, self.hole[None]])

    def composed(self, found: Planes) -> Flow:
        """[h, w, 2]: what was found inside the hole, the field's own motion outside."""
        return np.ascontiguousarray((found * self.hole + self.flow * (1 - self.hole)).transpose(1, 2, 0))


@dataclass(frozen=True, eq=False)
class Refined:
    """Both directions of one frame, float32 [h, w, 2] each."""

    forward: Flow
    backward: Flow


def prepare_field(flow: Flow, hole: Mask, size: tuple[int, int], *, guesses: bool) -> Field:
    """Brings one field to the network's size.

    Args:
        flow: float32 [H, W, 2] in its own pixels.
        hole: bool of any size.
        size: (height, width) of the network.
        guesses: whether the hole gets a first guess from its rim, as the first stage has it; the later ones begin with
            what the stage before completed.
    """
    height, width = flow.shape[:2]
    resized = _resize(flow, size)
    limits = np.array([width, height], np.float32)
    scaled = np.clip(resized, -limits, limits) * (np.array(size[::-1], np.float32) / limits)
    inside = cv2.resize(hole.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST).astype(np.float32)
    planes = np.ascontiguousarray(scaled.transpose(2, 0, 1), np.float32)
    if guesses:
        planes = planes * (1 - inside) + inside * _guess(planes, inside)
    return Field(planes, inside)


def complete(
    network: DfcNet, flows: Sequence[Flow], holes: Sequence[Mask], *, size: tuple[int, int] = SIZE
) -> Iterator[Flow]:
    """Completes one direction's motion: the first, or only, stage.

    Args:
        network: with weights.
        flows: float32 [H, W, 2] of each frame; forwards, the last frame has none; backwards, the first one's is zero.
        holes: bool of the same frames, of any size.
        size: (height, width) to work at.

    Yields:
        float32 [h, w, 2] of each frame in turn, in pixels of the size worked at.
    """
    fields = _Fields(flows, holes, size, guesses=True)
    for centre in range(len(flows)):
        found = _run(network, fields.window(centre))
        yield fields.at(centre).composed(found)


def refine(
    network: DfcNet,
    forward: Sequence[Flow],
    backward: Sequence[Flow],
    holes: Sequence[Mask],
    *,
    size: tuple[int, int],
) -> Iterator[Refined]:
    """Refines both directions' completed motion.

    Args:
        network: of a later stage, with weights.
        forward: of the stage before, one fewer than there are frames.
        backward: one for each frame, the first of which is zero.
        holes: bool of each frame, of any size.
        size: (height, width) to work at.

    Yields:
        Of each frame in turn; the last one's forward motion is the frame before's, found once more from its own place
        and the one to keep.
    """
    ahead = _Fields(forward, holes[: len(forward)], size, guesses=False)
    behind = _Fields(backward, holes, size, guesses=False)
    for centre in range(len(backward)):
        found = _run(network, np.concatenate([ahead.window(centre), behind.window(centre)]))
        yield Refined(ahead.at(centre).composed(found[:2]), behind.at(centre).composed(found[2:]))


class _Fields:
    """Prepared fields, made when they are needed and kept while a window may need them."""

    def __init__(self, flows: Sequence[Flow], holes: Sequence[Mask], size: tuple[int, int], *, guesses: bool) -> None:
        self._flows, self._holes = flows, holes
        self._size, self._guesses = size, guesses
        self._kept: dict[int, Field] = {}

    def at(self, frame: int) -> Field:
        """The field of a frame, or of the nearest that has one."""
        index = min(max(frame, 0), len(self._flows) - 1)
        if index not in self._kept:
            prepared = prepare_field(self._flows[index], self._holes[index], self._size, guesses=self._guesses)
            self._kept[index] = prepared
        return self._kept[index]

    def window(self, centre: int) -> Planes:
        """[33, h, w]."""
        planes = [self.at(frame).planes for frame in range(centre - REACH, centre + REACH + 1)]
        self._kept = {index: field for index, field in self._kept.items() if index > centre - REACH - 2}
        return np.concatenate(planes)


@torch.inference_mode()
def _run(network: DfcNet, planes: Planes) -> Planes:
    device = next(network.parameters()).device
    found = network(torch.from_numpy(planes)[None].to(device))
    return np.asarray(found[0].cpu().numpy(), np.float32)


def _guess(planes: Planes, inside: Planes) -> Planes:
    """Motion stretched over the hole at half the size, which is quick, and enlarged again."""
    height, width = inside.shape
    half = height // 2, width // 2
    hole = _resize(inside, half) > 0
    small = _resize(planes.transpose(1, 2, 0), half)
    stretched = np.stack([stretch(small[..., axis], hole) for axis in range(2)], -1)
    return np.moveaxis(_resize(np.asarray(stretched, np.float32), (height, width)), -1, 0)


def _resize(values: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    resized = cv2.resize(np.ascontiguousarray(values), size[::-1], interpolation=cv2.INTER_LINEAR)
    return np.asarray(resized, np.float32)
