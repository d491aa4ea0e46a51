"""The part of the picture that a window of frames is filled in, and the size at which a network sees it.

The region is the union of the window's holes and what lies around it, at native resolution. Only where a network takes
no picture so large, or memory has no room for it, is the region (never the frame) seen smaller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.protocols import RGB, Box, Mask

Size = tuple[int, int]
"""Height and width."""

CONTEXT_SHARE = 0.5
"""Surroundings on each side, as a share of the holes' longer side."""
LEAST_CONTEXT_PX = 48
_SMALLER = 1.05
"""Step in which a region shrinks until it fits."""
_SMALLEST_SCALE = 32.0


@dataclass(frozen=True)
class AcceptedSizes:
    """What sizes of pictures a network takes.

    Args:
        trained: (height, width) that it was trained at; smaller regions are widened to it, as far as the picture goes.
        multiple: what heights and widths are multiples of.
        is_fixed: whether the size that it was trained at is the only one.
        least_px: shortest side, itself a multiple of both.
    """

    trained: Size
    multiple: Size = (1, 1)
    is_fixed: bool = False
    least_px: int = 0

    def padded(self, size: Size) -> Size:
        """The smallest accepted size that holds a picture."""
        if self.is_fixed:
            return self.trained
        height, width = (max(self.least_px, _up(side, step)) for side, step in zip(size, self.multiple, strict=True))
        return height, width


@dataclass(frozen=True)
class Region:
    """A part of the picture as a network sees it.

    Args:
        box: in the picture.
        seen: (height, width) that the box is brought to.
        padded: (height, width) that the network gets: ``seen``, mirrored below and at the right.
    """

    box: Box
    seen: Size
    padded: Size

    @property
    def scale(self) -> float:
        """How many of the picture's pixels stand for one that the network sees; 1 at native resolution."""
        return max(self.box.size[0] / self.seen[0], self.box.size[1] / self.seen[1])

    def shrink(self, rgb: RGB) -> RGB:
        """The box's pixels float32 [h, w, 3] at the size seen, not padded."""
        if self.box.size == self.seen:
            return rgb
        return np.asarray(cv2.resize(rgb, self.seen[::-1], interpolation=cv2.INTER_AREA), np.float32)

    def shrink_hole(self, hole: Mask) -> Mask:
        """The same for a hole: all that it touches, so that nothing of the object is seen."""
        if self.box.size == self.seen:
            return hole
        share = cv2.resize(hole.astype(np.float32), self.seen[::-1], interpolation=cv2.INTER_AREA)
        return np.asarray(share > 0, np.bool_)

    def pad(self, picture: RGB) -> RGB:
        """Mirrors float32 [h, w, c] below and at the right, the last row and column once more, as often as it takes."""
        down, right = self.padded[0] - self.seen[0], self.padded[1] - self.seen[1]
        return np.pad(picture, ((0, down), (0, right), (0, 0)), mode="symmetric")

    def enlarge(self, picture: RGB, box: Box) -> RGB:
        """A part of the picture at native resolution, out of what a network made.

        Args:
            picture: float32 [h, w, 3] at the padded size.
            box: in the picture, within the region.
        """
        whole = picture[: self.seen[0], : self.seen[1]]
        if self.box.size != self.seen:
            # OpenCV's cubic puts ripples on a ramp, linear keeps its levels
            whole = np.asarray(cv2.resize(whole, self.box.size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)
        return whole[box.y0 - self.box.y0 : box.y1 - self.box.y0, box.x0 - self.box.x0 : box.x1 - self.box.x0]


def union(boxes: Iterable[Box | None]) -> Box | None:
    """The smallest box that holds all that there are."""
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    return Box(
        min(box.x0 for box in found),
        min(box.y0 for box in found),
        max(box.x1 for box in found),
        max(box.y1 for box in found),
    )


def plan_region(holes: Box, picture: Size, sizes: AcceptedSizes, *, fits: Callable[[Size], bool]) -> Region:
    """Chooses the region for a window.

    Args:
        holes: union of the window's holes.
        picture: (height, width) of the frames.
        sizes: what the network takes.
        fits: whether memory has room for pictures of a size.

    Raises:
        DeviceMemoryError: it has no room for the smallest ones.
    """
    margin = max(LEAST_CONTEXT_PX, round(CONTEXT_SHARE * max(holes.size)))
    wanted = _wanted(holes.grown(margin, picture), picture, sizes)
    box = _placed(holes, wanted, picture)
    scale = max(1.0, box.size[0] / sizes.trained[0], box.size[1] / sizes.trained[1]) if sizes.is_fixed else 1.0
    while scale <= _SMALLEST_SCALE:
        seen = max(1, round(box.size[0] / scale)), max(1, round(box.size[1] / scale))
        if fits(sizes.padded(seen)):
            return Region(box, seen, sizes.padded(seen))
        scale *= _SMALLER
        if sizes.is_fixed:
            break
    raise DeviceMemoryError(
        f"there is not enough memory to fill a region of {box.size[1]} x {box.size[0]} pixels; choose --effort fast or"
        " --engine inpainter=embedded"
    )


def _wanted(least: Box, picture: Size, sizes: AcceptedSizes) -> Size:
    """A size that holds a box, is no smaller than was trained, and needs no padding if the picture is large enough."""
    height, width = (max(side, trained) for side, trained in zip(least.size, sizes.trained, strict=True))
    if sizes.is_fixed:
        scale = max(height / sizes.trained[0], width / sizes.trained[1])
        height, width = round(sizes.trained[0] * scale), round(sizes.trained[1] * scale)
    else:
        height, width = sizes.padded((height, width))
    return min(height, picture[0]), min(width, picture[1])


def _placed(holes: Box, size: Size, picture: Size) -> Box:
    """A box of a size with the holes in its middle, moved into the picture."""
    y0 = min(max(0, (holes.y0 + holes.y1 - size[0]) // 2), picture[0] - size[0])
    x0 = min(max(0, (holes.x0 + holes.x1 - size[1]) // 2), picture[1] - size[1])
    return Box(x0, y0, x0 + size[1], y0 + size[0])


def _up(side: int, step: int) -> int:
    return -(-side // step) * step
