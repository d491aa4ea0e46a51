"""Dense motion without weights."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.fields import to_bytes
from cleanplate_server.models.protocols import Flow, Luma

_SMALLEST_SIDE_PX = 32
"""DIS needs room for its pyramid of 8x8 patches; smaller pictures are padded to this."""


class DisFlow:
    """Dense inverse search flow (Kroeger et al., ECCV 2016), a `FlowEstimator`."""

    def __init__(self) -> None:
        # The medium preset at any effort: the fast one saves less time than a smaller picture and costs tracks as much.
        self._search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def flow(self, source: Luma, target: Luma) -> Flow:
        """Finds where each source pixel lies in the target.

        Args:
            source, target: float32 [H, W], nominal 0 to 1.

        Returns:
            float32 [H, W, 2]: (dx, dy) in pixels from each source pixel to its place in the target.
        """
        return self.flow_of_bytes(to_bytes(source), to_bytes(target))

    def flow_of_bytes(self, source: NDArray[np.uint8], target: NDArray[np.uint8]) -> Flow:
        """The same for uint8 [H, W] pictures, 0 to 255."""
        height, width = source.shape
        down, right = max(0, _SMALLEST_SIDE_PX - height), max(0, _SMALLEST_SIDE_PX - width)
        padded = [cv2.copyMakeBorder(p, 0, down, 0, right, cv2.BORDER_REPLICATE) for p in (source, target)]
        # An empty array asks for a search from nothing; one of the right size would be taken as a first guess.
        motion = self._search.calc(padded[0], padded[1], np.zeros((0, 0), np.float32))
        return np.ascontiguousarray(motion[:height, :width], np.float32)


def sample_along(picture: NDArray[np.float32], motion: Flow) -> NDArray[np.float32]:
    """Fetches a picture along a flow: result[y, x] = picture at (x, y) + motion[y, x].

    Args:
        picture: float32 [H, W] or [H, W, C]; beyond its border the nearest pixel counts.
        motion: float32 [H, W, 2].
    """
    height, width = motion.shape[:2]
    x = motion[..., 0] + np.arange(width, dtype=np.float32)
    y = motion[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
