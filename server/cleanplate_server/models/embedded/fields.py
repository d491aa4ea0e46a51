"""Arithmetic on the small pictures and motions that filling compares: each in as few passes as OpenCV needs for it."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import RGB, Luma, Mask

Field = NDArray[np.float32]
"""float32 [h, w, c], anything that varies over a picture."""

Weight = NDArray[np.float32]
"""float32 [h, w] in [0, 1]: how far a value is to be believed."""

Places = NDArray[np.float32]
"""float32 [h, w, 2]: a point (x, y) in some picture for each pixel of another."""

Points = NDArray[np.float32]
"""float32 [n, 2]: (x, y)."""

Choice = NDArray[np.uint8]
"""uint8 [h, w], 0 or 255."""


@lru_cache(maxsize=16)
def lattice(height: int, width: int) -> Places:
    """Column and row of each pixel, read-only; kept, for the same sizes come again and again."""
    places = np.dstack(np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)))
    places.setflags(write=False)
    return places


def sample(picture: Field, places: Places) -> Field:
    """Values between a picture's pixels, float32 [h, w] or [h, w, c]; beyond its border the nearest pixel counts."""
    return np.asarray(take(picture, places, cv2.INTER_LINEAR, beyond=cv2.BORDER_REPLICATE), np.float32)


def sample_free(free: NDArray[np.uint8], places: Places) -> NDArray[np.uint8]:
    """Samples a map of what is free of holes; what lies outside the picture is not."""
    return np.asarray(take(free, places, cv2.INTER_NEAREST, beyond=cv2.BORDER_CONSTANT), np.uint8)


def take(picture: cv2.typing.MatLike, places: Places, how: int, *, beyond: int) -> cv2.typing.MatLike:
    """A picture's values at places, by OpenCV's numbers for the interpolation and for what lies beyond the border."""
    return cv2.remap(picture, places, None, how, borderMode=beyond, borderValue=0)  # type: ignore[call-overload,no-any-return]


def choice(mask: Mask) -> Choice:
    """A mask as OpenCV takes it."""
    return np.asarray(mask.view(np.uint8) * np.uint8(255), np.uint8)


def choose(which: Mask | Choice, one: Field, other: Field) -> Field:
    """``one`` where it is chosen, elsewhere ``other``: float32 [h, w] or [h, w, c]."""
    chosen: Field = other.copy()
    cv2.copyTo(one, which.view(np.uint8), chosen)
    return chosen


def weighted(field: Field, weight: Weight) -> Field:
    """The field times the weight, float32 [h, w, c]."""
    if field.shape[2] == 2:  # as complex numbers: a vector of two times one
        return (field.view(np.complex64)[..., 0] * weight).view(np.float32).reshape(field.shape)
    return np.asarray(field * repeat(weight, field.shape[2]), np.float32)


def repeat(weight: Weight, count: int) -> Field:
    """float32 [h, w, count]: the same in every channel."""
    return weight[..., None] if count == 1 else np.asarray(cv2.merge((weight,) * count), np.float32)


def halve(field: cv2.typing.MatLike) -> Field:
    """Half the size, each pixel the mean of those that it covers; float32 [h, w] or [h, w, c]."""
    return np.asarray(cv2.resize(field, half_size(field.shape[:2]), interpolation=cv2.INTER_AREA), np.float32)


def half_size(size: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) of half a picture of (height, width)."""
    return max(1, size[1] // 2), max(1, size[0] // 2)


def enlarge(field: Field, size: tuple[int, int]) -> Field:
    """Back to (height, width), smoothly; a last axis of length one is dropped."""
    return np.asarray(cv2.resize(field, size[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def channels(array: cv2.typing.MatLike) -> Field:
    """OpenCV drops a last axis of length one; this puts it back."""
    return np.asarray(array[..., None] if array.ndim == 2 else array, np.float32)


def gray(rgb: RGB) -> Luma:
    """float32 [h, w]: the weights of BT.601, near enough to compare pictures of any matrix."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.float32)


def length(field: Field) -> Luma:
    """float32 [h, w]: of each vector of a field [h, w, 2]."""
    squared = cv2.transform(cv2.multiply(field, field), np.ones((1, 2), np.float32))
    return np.asarray(cv2.sqrt(squared), np.float32)


def mean_of(colours: cv2.typing.MatLike) -> Luma:
    """float32 [h, w]: the mean over the three channels of a field [h, w, 3]."""
    return np.asarray(cv2.transform(colours, np.full((1, 3), 1 / 3, np.float32)), np.float32)


def bell(distance: Luma, width: float) -> Luma:
    """exp(-(distance / width)²)."""
    return np.asarray(cv2.exp(distance * distance * np.float32(-1 / width**2)), np.float32)


def to_bytes(picture: NDArray[np.float32], white: float = 1.0) -> NDArray[np.uint8]:
    """Rounds and clips to 0 to 255, white being 255; what is not a number becomes 0."""
    return np.asarray(cv2.convertScaleAbs(np.clip(picture, 0, white), alpha=255 / white), np.uint8)
