"""How OPN goes through a hole: distances from its rim, what is remembered, peel after peel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cleanplate_server.errors import MaskError
from cleanplate_server.models.networks.asymmetric_attention import Memory
from cleanplate_server.models.networks.opn.network import Opn, Peeled
from cleanplate_server.models.protocols import RGB, Mask

_CHAMFER = 5
"""Side of the distance's mask: steps cost 1, 1.4 and 2.1969, so that the rim lies at 1 and peels as the authors' do."""


def hole_distances(hole: Mask) -> NDArray[np.float32]:
    """How far each pixel of a hole is from the nearest one outside: float32 [H, W] in pixels, 0 outside.

    Raises:
        MaskError: everything is hole, so that there is no rim to begin at.
    """
    if hole.all():
        raise MaskError(
            f"the hole covers all {hole.shape[1]} x {hole.shape[0]} pixels of the frame, so that it has no rim to be "
            "filled from; leave some of the frame outside"
        )
    distances = cv2.distanceTransform(hole.astype(np.uint8), cv2.DIST_L2, _CHAMFER)
    return np.asarray(distances, np.float32)


def remember(network: Opn, frames: Sequence[tuple[RGB, Mask]]) -> Memory:
    """Encodes frames and their holes, all of one size, at least one.

    Raises:
        MaskError: a hole covers its frame.
    """
    device = next(network.parameters()).device
    inputs = [_as_input(rgb, hole, device) for rgb, hole in frames]
    return network.memorize(*(torch.stack(part, 2) for part in zip(*inputs, strict=True)))


def fill_frame(network: Opn, memory: Memory, rgb: RGB, hole: Mask) -> RGB:
    """Fills a frame's hole.

    Args:
        network: with weights.
        memory: other frames of the shot, of the same size.
        rgb: float32 [H, W, 3] from 0 to 1.
        hole: bool [H, W].

    Returns:
        float32 [H, W, 3] from 0 to 1: filled inside the hole; outside it the frame, clipped.

    Raises:
        MaskError: everything is hole.
    """
    frame, valid, distance = _as_input(rgb, hole, next(network.parameters()).device)
    *_, last = peel_all(network, memory, frame, valid=valid, distance=distance)
    return last.rgb[0].permute(1, 2, 0).cpu().numpy()


def peel_all(network: Opn, memory: Memory, rgb: Tensor, *, valid: Tensor, distance: Tensor) -> Iterator[Peeled]:
    """Peels until no hole is left; one pass is made even without a hole.

    Args:
        network, memory: what fills.
        rgb, valid, distance: as `Opn` has them.

    Yields:
        What each pass left.
    """
    while True:
        peeled = network.peel(memory, rgb, valid, distance)
        rgb, distance = peeled.rgb, peeled.distance
        yield peeled
        if not distance.any():
            return


def _as_input(rgb: RGB, hole: Mask, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Frame [1, 3, H, W], what is original and how deep the hole is [1, 1, H, W]."""
    frame = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
    valid, distance = torch.from_numpy(~hole), torch.from_numpy(hole_distances(hole))
    return frame[None].to(device), valid[None, None].to(device, torch.float32), distance[None, None].to(device)
