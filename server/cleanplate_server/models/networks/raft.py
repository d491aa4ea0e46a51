"""RAFT (Teed, Deng: Recurrent All-Pairs Field Transforms for Optical Flow, ECCV 2020): dense motion between pictures.

Every pixel of one picture is compared with every pixel of the other at an eighth of their size, and a recurrent unit
looks along its present guess and corrects it. The network is torchvision's ``raft_large``; files of the authors'
repository (``raft-things.pth``) load by the table of names below, torchvision's own as they are.

What another engine that uses it has to know: pictures are RGB in [-1, 1], with the object still in them; the flow
inside a hole is the object's and is to be completed by someone else; always float32, also beside a network in half
precision; few pairs at once, since the comparison takes (H/8 * W/8)^2 floats for each. ProPainter takes 20 iterations
of frames whose sides are already multiples of 8, without a border.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import Lock

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.optical_flow import raft_large  # type: ignore[import-untyped]

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.borders import border_to_multiple
from cleanplate_server.models.protocols import Flow, Luma

ITERATIONS = 20
"""Corrections of the guess, as many as ProPainter makes; torchvision's default is 12."""
LONG_EDGE_PX = 960
"""Larger pictures are shrunk to this for a `RaftFlow`: the comparison, 0.4 GB here, grows by its fourth power."""

_STEP_PX = 8
_LEAST_PX = 128
"""The comparison's coarsest level is a sixteenth of a map at an eighth, and needs two cells."""

_RENAMES = (
    (r"^fnet\.", "feature_encoder."),
    (r"^cnet\.", "context_encoder."),
    (r"^(\w+_encoder)\.conv1\.", r"\1.convnormrelu.0."),
    (r"^(\w+_encoder)\.norm1\.", r"\1.convnormrelu.1."),
    (r"^(\w+_encoder)\.conv2\.", r"\1.conv."),
    (r"(layer\d\.\d)\.conv(\d)\.", r"\1.convnormrelu\2.0."),
    (r"(layer\d\.\d)\.norm(\d)\.", r"\1.convnormrelu\2.1."),
    (r"^update_block\.encoder\.conv([cf])(\d)\.", r"update_block.motion_encoder.conv\1\2.0."),
    (r"\.motion_encoder\.convc(\d)", r".motion_encoder.convcorr\1"),
    (r"\.motion_encoder\.convf(\d)", r".motion_encoder.convflow\1"),
    (r"^update_block\.encoder\.conv\.", "update_block.motion_encoder.conv.0."),
    (r"^update_block\.gru\.conv([zrq])(\d)\.", r"update_block.recurrent_block.convgru\2.conv\1."),
    (r"^update_block\.mask\.0\.", "mask_predictor.convrelu.0."),
    (r"^update_block\.mask\.2\.", "mask_predictor.conv."),
)
"""The authors' names to torchvision's, applied in order."""
_STORED_TWICE = re.compile(r"\.norm3\.")
"""The authors' files hold the shortcut's norm a second time under this name."""


class Raft(nn.Module):
    """Motion between pictures of any size, at least one pixel each way."""

    def __init__(self) -> None:
        super().__init__()
        self.network = raft_large(weights=None, progress=False)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes the entries of the authors' file or of torchvision's, strictly."""
        self.network.load_state_dict(torchvision_names(state))

    def forward(self, source: Tensor, target: Tensor, *, iterations: int = ITERATIONS) -> Tensor:
        """Finds where each source pixel lies in the target.

        Args:
            source, target: float32 [n, 3, H, W], RGB from -1 to 1. Sizes that are no multiple of 8, or below 128, get
                a border of their nearest pixels for the search.
            iterations: corrections of the guess.

        Returns:
            float32 [n, 2, H, W]: (dx, dy) in pixels; source pixel p lies at p + flow(p).

        Raises:
            InputError: the sizes differ, or there are no pixels.
        """
        size = _same_size(source, target)
        border = border_to_multiple(size, _STEP_PX, least=_LEAST_PX)
        padded = [border.add(picture, "replicate") for picture in (source, target)]
        flows: list[Tensor] = self.network(*padded, num_flow_updates=iterations)
        # it would keep the last comparison, the largest thing of all, until the next call
        self.network.corr_block.corr_pyramid = []
        return border.cut(flows[-1])


class RaftFlow:
    """RAFT as a `FlowEstimator`.

    Args:
        network: with weights; it is used by one thread at a time.
        iterations: corrections of the guess.
        long_edge_px: larger pictures are shrunk to this, and their flow is enlarged.
    """

    def __init__(self, network: Raft, *, iterations: int = ITERATIONS, long_edge_px: int = LONG_EDGE_PX) -> None:
        self._network = network.eval()
        self._iterations = iterations
        self._long_edge_px = long_edge_px
        self._turn = Lock()

    @torch.inference_mode()
    def flow(self, source: Luma, target: Luma) -> Flow:
        """Finds where each source pixel lies in the target.

        Args:
            source, target: float32 [H, W], nominal 0 to 1; what lies outside is clipped for the search.

        Returns:
            float32 [H, W, 2]: (dx, dy) in pixels from each source pixel to its place in the target.

        Raises:
            InputError: the sizes differ, or there are no pixels.
        """
        size = source.shape
        inputs = self._as_input(source), self._as_input(target)
        with self._turn:
            motion = self._network(*inputs, iterations=self._iterations)
        return _enlarge(motion[0].permute(1, 2, 0).cpu().numpy(), (size[0], size[1]))

    def _as_input(self, luma: Luma) -> Tensor:
        """Makes a grey picture [1, 3, h, w] from -1 to 1 on the network's device."""
        height, width = luma.shape
        shrink = min(1.0, self._long_edge_px / max(height, width, 1))
        if shrink < 1:
            seen = max(1, round(width * shrink)), max(1, round(height * shrink))
            luma = np.asarray(cv2.resize(luma, seen, interpolation=cv2.INTER_AREA), np.float32)
        grey = np.clip(np.nan_to_num(luma), 0.0, 1.0) * np.float32(2.0) - np.float32(1.0)
        device = next(self._network.parameters()).device
        return torch.from_numpy(grey).to(device).expand(1, 3, -1, -1)


def torchvision_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Renames the authors' entries as torchvision names them; torchvision's own stay as they are."""
    kept = (name for name in state if not _STORED_TWICE.search(name))
    return {_renamed(name): state[name] for name in kept}


def _renamed(name: str) -> str:
    for pattern, replacement in _RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


def _same_size(source: Tensor, target: Tensor) -> tuple[int, int]:
    (height, width), other = source.shape[2:], target.shape[2:]
    if (height, width) != tuple(other):
        raise InputError(
            f"motion is found between pictures of one size, not {width} x {height} and {other[1]} x {other[0]}; "
            "scale one to the other's size"
        )
    if not (height and width):
        raise InputError(f"motion is found between pictures with pixels, not {width} x {height}; give larger ones")
    return height, width


def _enlarge(motion: Flow, size: tuple[int, int]) -> Flow:
    """Brings a flow [h, w, 2] to a picture's size, in that picture's pixels."""
    height, width = motion.shape[:2]
    if (height, width) == size:
        return np.ascontiguousarray(motion, np.float32)
    enlarged = cv2.resize(motion, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(enlarged * np.array([size[1] / width, size[0] / height]), np.float32)
