"""DFGVI as a window network: motion completed, pixels carried along it, the rest from a frame's own surroundings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from cleanplate_server.models.embedded.exemplar import fill_from_surroundings
from cleanplate_server.models.networks.dfgvi import (
    REFINED_SIZES,
    SIZE,
    DfcNet,
    complete,
    enlarge_flow,
    propagate_all,
    refine,
)
from cleanplate_server.models.networks.filling.regions import Size
from cleanplate_server.models.networks.filling.torch_clips import device_of, memory_watched
from cleanplate_server.models.networks.filling.traits import WindowTraits
from cleanplate_server.models.networks.filling.window_network import Clip, Holes
from cleanplate_server.models.protocols import RGB, Flow, FlowEstimator, Luma, Mask


@dataclass(frozen=True)
class DfgviWindows:
    """Fills windows with DFGVI.

    What no frame of a window shows is filled by the embedded engine's patches, where the authors took DeepFill.

    Args:
        stages: completes motion; up to two more refine it. With weights, in evaluation mode, on one device.
        motion: finds it, both ways, with the object in the pictures.
        traits: how they want their windows.
        name: of the engine, for messages.
        size: (height, width) at which motion is completed first.
    """

    stages: Sequence[DfcNet]
    motion: FlowEstimator
    traits: WindowTraits
    name: str
    size: Size = SIZE

    @torch.inference_mode()
    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window, in float32; see ``WindowNetwork.fill``. References are not looked at."""
        pictures, masks = list(frames[:local_count]), list(holes[:local_count])
        with memory_watched(self.name, device_of(self.stages[0]), frames):
            forward, backward = self._completed(pictures, masks)
        filled = propagate_all(pictures, masks, forward, backward[1:], fallback=_invent)
        return np.stack(filled).astype(np.float32)

    def _completed(self, pictures: Sequence[RGB], holes: Sequence[Mask]) -> tuple[list[Flow], list[Flow]]:
        """Motion to the next frame, one fewer than there are, and to the one before, the first of which is zero."""
        grey = [_luma(picture) for picture in pictures]
        ahead = [self._between(earlier, later) for earlier, later in pairwise(grey)]
        behind = [np.zeros_like(ahead[0]), *(self._between(later, earlier) for earlier, later in pairwise(grey))]
        first, *refining = self.stages
        forward, backward = self._first(first, ahead, holes), self._first(first, behind, holes)
        for network, size in zip(refining, REFINED_SIZES, strict=False):
            refined = list(refine(network, forward, backward, holes, size=size))
            # the last frame's forward motion is the one before's, found once more
            forward = [*(both.forward for both in refined[:-2]), refined[-1].forward]
            backward = [both.backward for both in refined]
        return forward, backward

    def _first(self, network: DfcNet, flows: Sequence[Flow], holes: Sequence[Mask]) -> list[Flow]:
        return list(complete(network, flows, holes, size=self.size))

    def _between(self, source: Luma, target: Luma) -> Flow:
        """Motion at the size at which it is completed, so that little is held."""
        return enlarge_flow(self.motion.flow(source, target), self.size)


def _luma(picture: RGB) -> Luma:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2GRAY), np.float32)


def _invent(frame: int, picture: NDArray[np.uint8 | np.float32], hole: Mask) -> RGB:
    """Fills what no frame of a window shows."""
    return fill_from_surroundings(picture.astype(np.float32), hole)
