"""Pictures and labels to the network's size and range."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from cleanplate_server.models.networks.seen_sizes import LONG_EDGE_PX

_STRIDE = 16
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


def network_size(size: tuple[int, int], *, align_corners: bool, long_edge_px: int = LONG_EDGE_PX) -> tuple[int, int]:
    """The size (height, width) at which a picture is seen: multiples of 16, plus 1 where corners are aligned."""
    height, width = size
    longest = max(size)
    if longest > long_edge_px:
        height, width = (int(side * (long_edge_px / longest)) for side in size)
    extra = 1 if align_corners else 0
    # Python rounds halves to even, as the cases do
    rows, columns = (max(1, round((side - extra) / _STRIDE)) * _STRIDE + extra for side in (height, width))
    return rows, columns


def prepare_picture(rgb: NDArray[np.float32], size: tuple[int, int]) -> Tensor:
    """Resizes float32 [H, W, 3], RGB from 0 to 1, to (height, width), bicubic, and normalises it: [1, 3, h, w]."""
    if rgb.shape[:2] != size:
        rgb = np.asarray(cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_CUBIC), np.float32)
    return torch.from_numpy(np.ascontiguousarray(((rgb - _MEAN) / _DEVIATION).transpose(2, 0, 1))[None])


def shrink_label(label: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes labels int64 [H, W] to (height, width), nearest: int64 [h, w]."""
    # torch finds the nearest in float32, which is one off in places; the published outputs hold that
    return functional.interpolate(label[None, None].float(), size, mode="nearest")[0, 0].long()
