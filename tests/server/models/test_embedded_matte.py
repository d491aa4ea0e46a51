"""The embedded matter on small drawn shots."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from cleanplate_server.errors import MaskError
from cleanplate_server.models.embedded.matter import GuidedMatter, band_radius, soften, trimap_of
from cleanplate_server.models.protocols import RGB, Alpha, Box, Luma, Mask

SIZE = (101, 133)


def soft_disk() -> tuple[RGB, Alpha]:
    """A red disk with a soft edge over green ground, and its true alpha."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    hard = (np.hypot(x - 66, y - 50) < 30).astype(np.float32)
    alpha = np.asarray(cv2.GaussianBlur(hard, (0, 0), 2.0), np.float32)[..., None]
    red, green = np.array([0.9, 0.1, 0.1], np.float32), np.array([0.1, 0.6, 0.2], np.float32)
    return (alpha * red + (1 - alpha) * green).astype(np.float32), alpha[..., 0]


class MaskedShot:
    """Two frames of the disk; the second has no mask."""

    def __init__(self, mask: Mask) -> None:
        self._rgb, _ = soft_disk()
        self._rgb.flags.writeable = False
        mask.flags.writeable = False
        self._mask = mask

    @property
    def frames(self) -> range:
        return range(2)

    @property
    def size(self) -> tuple[int, int]:
        return SIZE

    def rgb(self, frame: int, box: Box | None = None) -> RGB:
        return self._rgb if box is None else self._rgb[box.slices]

    def luma(self, frame: int) -> Luma:
        return self.rgb(frame).mean(-1)

    def mask(self, frame: int) -> Mask:
        return self._mask if frame == 0 else np.zeros_like(self._mask)

    def hole_box(self, frame: int) -> Box | None:
        return Box(0, 0, SIZE[1], SIZE[0]) if frame == 0 else None


def test_matter_soft_disk_is_nearer_to_truth_than_the_mask() -> None:
    rgb, truth = soft_disk()
    mask = truth >= 0.5
    alpha = soften(rgb, mask)
    assert np.abs(alpha - truth).sum() < 0.5 * np.abs(mask - truth).sum()


def test_matter_far_from_the_border_keeps_the_mask() -> None:
    rgb, truth = soft_disk()
    mask = truth >= 0.5
    alpha, trimap = soften(rgb, mask), trimap_of(mask, band_radius(mask))
    assert (alpha[trimap == 255] == 1).all()
    assert (alpha[trimap == 0] == 0).all()
    assert ((alpha > 0.05) & (alpha < 0.95)).any()


def test_matter_frame_without_mask_gives_zeros_and_resumes() -> None:
    shot = MaskedShot(soft_disk()[1] >= 0.5)
    walk = GuidedMatter().start(shot)
    first = walk.step(0)
    again = GuidedMatter().start(shot, walk.save())
    assert first.dtype == np.float32
    assert first.shape == SIZE
    assert not again.step(1).any()
    assert np.array_equal(GuidedMatter().start(shot).step(0), first)


def test_matter_full_mask_gives_ones() -> None:
    assert (soften(soft_disk()[0], np.ones(SIZE, np.bool_)) == 1).all()


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (3, 50)])
def test_matter_tiny_picture_stays_in_range(size: tuple[int, int]) -> None:
    mask = np.zeros(size, np.bool_)
    mask[0, : size[1] // 2 + 1] = True
    alpha = soften(np.zeros((*size, 3), np.float32), mask)
    assert alpha.shape == size
    assert 0 <= alpha.min() <= alpha.max() <= 1


def test_matter_mask_of_other_size_raises_mask_error() -> None:
    with pytest.raises(MaskError, match="4"):
        GuidedMatter().start(MaskedShot(np.ones((4, 4), np.bool_))).step(0)
