"""Mask R-CNN as a name finder: the 80 names of COCO, each hit with its rough mask.

He et al., "Mask R-CNN", ICCV 2017; version 2 after Li et al., "Benchmarking Detection Transfer Learning with Vision
Transformers", 2021. The network is torchvision's; its download is never used.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import (  # type: ignore[import-untyped]
    MaskRCNN,
    MaskRCNN_ResNet50_FPN_Weights,
    maskrcnn_resnet50_fpn_v2,
)
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone  # type: ignore[import-untyped]
from torchvision.ops.misc import FrozenBatchNorm2d  # type: ignore[import-untyped]

from cleanplate_server.errors import DeviceMemoryError, InputError
from cleanplate_server.models.naming.colours import colour_share
from cleanplate_server.models.naming.words import Words, read_words
from cleanplate_server.models.networks.checkpoints import read_state
from cleanplate_server.models.protocols import RGB, Box, EngineInfo, Mask, NameAnswer, NameHit

CATEGORIES: tuple[str, ...] = tuple(MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"])
"""What each of the network's 91 outputs is called; some are N/A."""
_LEAST_SCORE = 0.5
"""Below this most hits are something else."""
_SAME_OVERLAP = 0.7
"""Boxes of two names that share more than this are one thing."""
_COLOUR_SHARE = 0.3
"""A thing of which so many pixels have the colour is wholly of that colour to a person: the rest is shade and glass."""
_LEAST_COLOUR_SHARE = 0.08


def load_mask_rcnn(name: str, checkpoint: Path, *, device: str) -> MaskRCNN:
    """Builds the network with its published weights.

    Args:
        name: ``maskrcnn`` or ``maskrcnn-v2``.
        checkpoint: proved beforehand.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        InputError: the file's entries are not the network's.
        DeviceMemoryError: it does not fit the device's memory.
    """
    network = build_mask_rcnn(name)
    try:
        network.load_state_dict(read_state(checkpoint), strict=True)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint} does not hold the weights of {name}; `cleanplate weights verify {name}` says more",
            reason="WRONG_WEIGHTS",
        ) from error
    try:
        return network.eval().to(device)
    except torch.OutOfMemoryError as error:
        raise _too_small(device) from error


def build_mask_rcnn(name: str) -> MaskRCNN:
    """The network of a published checkpoint, on the CPU, without its weights."""
    if name == "maskrcnn-v2":
        network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None, box_score_thresh=_LEAST_SCORE)
        assert isinstance(network, MaskRCNN)
        return network
    backbone = resnet_fpn_backbone(
        backbone_name="resnet50", weights=None, norm_layer=FrozenBatchNorm2d, trainable_layers=5
    )
    for module in backbone.modules():
        if isinstance(module, FrozenBatchNorm2d):
            module.eps = 0.0  # as the checkpoint was trained
    return MaskRCNN(backbone, num_classes=len(CATEGORIES), box_score_thresh=_LEAST_SCORE)


class MaskRcnnFinder:
    """Name finder with a closed list of names; of a colour that is named it takes what has it.

    Args:
        network: in evaluation mode, on its device, with outputs as in ``CATEGORIES``.
        info: name, licence, weights.
    """

    def __init__(self, network: MaskRCNN, info: EngineInfo) -> None:
        self._network = network
        self._info = info
        self._lock = threading.Lock()

    @property
    def info(self) -> EngineInfo:
        return self._info

    def find(self, rgb: RGB, words: str) -> NameAnswer:
        """Finds everything on a frame that words may mean; see ``NameFinder``."""
        meant = read_words(words)
        wanted = [number for number, name in enumerate(CATEGORIES) if name in meant.names]
        found = self._detect(rgb, wanted)
        hits = [hit for seen in found if (hit := _hit(seen, rgb, meant)) is not None]
        return NameAnswer(_distinct(hits), _remark(meant, len(found) - len(hits)))

    def _detect(self, rgb: RGB, wanted: list[int]) -> list[_Seen]:
        """What the network sees of some of its outputs."""
        small = self._shrunk(rgb)
        picture = torch.from_numpy(np.ascontiguousarray(np.clip(small, 0, 1).transpose(2, 0, 1)))
        device = next(self._network.parameters()).device
        try:
            with self._lock, torch.inference_mode():
                (answer,) = self._network([picture.to(device)])
        except torch.OutOfMemoryError as error:
            raise _too_small(str(device)) from error
        kept = torch.isin(answer["labels"].cpu(), torch.tensor(wanted)) & (answer["scores"].cpu() >= _LEAST_SCORE)
        outlines = answer["masks"].cpu()[kept, 0].numpy()
        corners, scores = answer["boxes"].cpu()[kept].numpy(), answer["scores"].cpu()[kept].tolist()
        labels = [CATEGORIES[number] for number in answer["labels"].cpu()[kept].tolist()]
        scale = rgb.shape[1] / small.shape[1], rgb.shape[0] / small.shape[0]
        return [
            _Seen(label, float(score), _full_mask(outline, rgb), _full_box(corner, scale, rgb))
            for label, score, outline, corner in zip(labels, scores, outlines, corners, strict=True)
        ]

    def _shrunk(self, rgb: RGB) -> RGB:
        """The picture no larger than the network looks at it; it gives its masks at the size of what it is given."""
        limit = int(self._network.transform.max_size)
        longest = max(rgb.shape[:2])
        if longest <= limit:
            return rgb
        size = (max(1, round(rgb.shape[1] * limit / longest)), max(1, round(rgb.shape[0] * limit / longest)))
        return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.float32)


@dataclass(frozen=True, eq=False)
class _Seen:
    """A detection at the frame's size."""

    name: str
    score: float
    mask: Mask
    box: Box


def _hit(seen: _Seen, rgb: RGB, meant: Words) -> NameHit | None:
    """A detection as a hit; None for one of another colour than was named."""
    mask = seen.mask if seen.mask.any() else None
    score = seen.score
    if meant.colours:
        share = 0.0 if mask is None else colour_share(rgb, mask, meant.colours)
        if share < _LEAST_COLOUR_SHARE:
            return None
        score *= min(1.0, share / _COLOUR_SHARE)
    return NameHit(seen.box, min(1.0, score), meant.label(seen.name), mask)


def _distinct(hits: list[NameHit]) -> tuple[NameHit, ...]:
    """Hits best first, each thing once: what may be a car or a truck is found as both."""
    kept: list[NameHit] = []
    for hit in sorted(hits, key=lambda hit: -hit.score):
        if all(_overlap(hit.box, other.box) < _SAME_OVERLAP for other in kept):
            kept.append(hit)
    return tuple(kept)


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first.x1, second.x1) - max(first.x0, second.x0)
    height = min(first.y1, second.y1) - max(first.y0, second.y0)
    shared = max(0, width) * max(0, height)
    areas = [(box.x1 - box.x0) * (box.y1 - box.y0) for box in (first, second)]
    return shared / (sum(areas) - shared)


def _remark(meant: Words, other_count: int) -> str:
    if not other_count:
        return meant.remark
    colours = " or ".join(meant.colours)
    verb = "is" if other_count == 1 else "are"
    others = f"{other_count} more of it {verb} not {colours} and {verb} left out"
    return f"{meant.remark}; {others}" if meant.remark else others


def _full_mask(outline: NDArray[np.float32], rgb: RGB) -> Mask:
    large = cv2.resize(outline, (rgb.shape[1], rgb.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(large >= 0.5, np.bool_)


def _full_box(corners: NDArray[np.float32], scale: tuple[float, float], rgb: RGB) -> Box:
    """Corners (x0, y0, x1, y1) as the network gives them to the pixels of the frame that they touch."""
    height, width = rgb.shape[:2]
    x0, x1 = (float(corners[place]) * scale[0] for place in (0, 2))
    y0, y1 = (float(corners[place]) * scale[1] for place in (1, 3))
    left, top = min(max(0, int(np.floor(x0))), width - 1), min(max(0, int(np.floor(y0))), height - 1)
    right, bottom = min(width, int(np.ceil(x1))), min(height, int(np.ceil(y1)))
    return Box(left, top, max(left + 1, right), max(top + 1, bottom))


def _too_small(device: str) -> DeviceMemoryError:
    return DeviceMemoryError(
        f"the memory of {device} is too small for Mask R-CNN; set device to cpu, or end what else uses that memory"
    )
