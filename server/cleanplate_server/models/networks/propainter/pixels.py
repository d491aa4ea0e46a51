"""Pixels carried along completed motion into holes, backwards, then forwards; no weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.propainter.flows import Flows, agree, fetch_nearest
from cleanplate_server.models.networks.warping import warp

_TOUCHED = 0.1
"""A place that comes by more than this from a hole brings nothing."""


@dataclass(frozen=True, eq=False)
class Propagated:
    """A shot after pixels have travelled.

    Args:
        frames: float32 [b, t, 3, H, W], 0 in what is left.
        left: float32 [b, t, 1, H, W] of 0 and 1: what no other frame could show.
    """

    frames: Tensor
    left: Tensor


def propagate_pixels(frames: Tensor, masks: Tensor, flows: Flows) -> Propagated:
    """Fills holes with what other frames show, as far as the motion there and back agrees.

    Args:
        frames: float32 [b, t, 3, H, W]; what is in the holes is not looked at.
        masks: float32 [b, t, 1, H, W], 1 in the holes.
        flows: completed, t - 1 of them.

    Raises:
        InputError: the motion is of another number of frames, or of another size.
    """
    _check(frames, masks, flows)
    holes = (masks > _TOUCHED).unbind(1)
    emptied = torch.where(masks > _TOUCHED, torch.zeros_like(frames), frames).unbind(1)
    behind, left = _carry(emptied[::-1], holes[::-1], flows.backwards())
    done, left = _carry(behind[::-1], left[::-1], flows.forwards())
    return Propagated(torch.stack(done, 1), torch.stack(left, 1).to(masks.dtype))


def _carry(
    frames: Sequence[Tensor], holes: Sequence[Tensor], steps: Sequence[tuple[Tensor, Tensor]]
) -> tuple[list[Tensor], list[Tensor]]:
    """Goes through a shot once.

    Args:
        frames: [b, 3, H, W] in the order of travel.
        holes: bool [b, 1, H, W], theirs.
        steps: for each but the first its motion to the one before in this order, and the way back.

    Returns:
        Frames, and what is left of their holes.
    """
    done, left = [frames[0]], [holes[0]]
    for frame, hole, (there, back) in zip(frames[1:], holes[1:], steps, strict=True):
        empty = warp(left[-1].to(frame.dtype), there) > _TOUCHED
        known = agree(there, back) & ~empty
        done.append(torch.where(hole & known, fetch_nearest(done[-1], there), frame))
        left.append(hole & ~known)
    return done, left


def _check(frames: Tensor, masks: Tensor, flows: Flows) -> None:
    count, time, _, height, width = frames.shape
    for motion in (flows.to_next, flows.to_previous):
        if motion.shape != (count, time - 1, 2, height, width) or masks.shape != (count, time, 1, height, width):
            raise InputError(
                f"{time} frames of {width} x {height} pixels need as many masks and one fewer motion fields of that "
                f"size, and there are {masks.shape[1]} of {masks.shape[4]} x {masks.shape[3]} and {motion.shape[1]} of "
                f"{motion.shape[4]} x {motion.shape[3]}; give one mask for each frame and motion between neighbours."
            )
