"""Colour models over a picture's few colours, distances that keep to its edges, and parts of a region by them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]

_COLOUR_COUNT = 64
_SAMPLE_COUNT = 6000
_OTHER_SHARE = 0.3
"""A thick part at least so large, beside the one that was clicked, is another thing and no limb of it."""
_OUTSIDE_COST = 200.0
"""Price of a step outside a region, so that ways keep to its inside."""
_NOWHERE = 1e6


@dataclass(frozen=True)
class Palette:
    """A picture as the indices of a few colours.

    Args:
        indices: int [h, w] into the colours.
        kinship: float32 [K, K], how much one colour speaks for another; rows sum to 1.
    """

    indices: NDArray[np.intp]
    kinship: Picture

    @classmethod
    def of(cls, lab: Picture, *, radius_px: int) -> Palette:
        """Clusters float32 [h, w, 3] colours (L*a*b* over 100), averaged over squares of the radius."""
        size = (2 * radius_px + 1, 2 * radius_px + 1)
        rows = np.asarray(cv2.blur(lab, size), np.float32).reshape(-1, 3)
        # Lightness varies with shading within one thing, hue less so.
        rows = rows * np.array([0.7, 1.3, 1.3], np.float32)
        sample = rows[:: max(1, len(rows) // _SAMPLE_COUNT)]
        if len(sample) == 1:  # OpenCV would take one row of three for three rows of one.
            sample = np.repeat(sample, 2, axis=0)
        count = min(_COLOUR_COUNT, len(sample))
        cv2.setRNGSeed(1)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 1e-4)
        labels = np.zeros((len(sample), 1), np.int32)
        found = cv2.kmeans(sample, count, labels, stop, 1, cv2.KMEANS_PP_CENTERS)[2]
        centres = np.asarray(found, np.float32).reshape(-1, 3)
        squares = np.square(centres).sum(1)
        indices = np.argmin(squares - 2.0 * (rows @ centres.T), axis=1).reshape(lab.shape[:2])
        apart = np.maximum(squares[:, None] + squares - 2.0 * (centres @ centres.T), 0.0)
        kinship = np.exp(-apart / np.float32(2.0 * 0.03**2))
        return cls(indices, (kinship / kinship.sum(1, keepdims=True)).astype(np.float32))

    def log_odds(self, inside: Picture, outside: Picture) -> Picture:
        """Compares how often each pixel's colour occurs in two weightings.

        Args:
            inside, outside: float32 [h, w] weights of each pixel as an example of the object and of the rest.

        Returns:
            float32 [h, w] log odds, object positive.
        """
        shares = []
        for weight in (inside, outside):
            counts = np.bincount(self.indices.ravel(), weight.ravel(), minlength=len(self.kinship))
            spread = counts @ self.kinship
            shares.append((spread + 1e-6) / (spread.sum() + 1e-6 * len(spread)))
        floor = 0.15 / len(self.kinship)
        ratio = np.log((shares[0] + floor) / (shares[1] + floor)).astype(np.float32)
        return np.asarray(ratio[self.indices], np.float32)


class Ways:
    """Ways over a picture, each as long as the steps on it cost; ways of many seeds are found over the same steps.

    Args:
        cost: price of the step to the right and to the lower neighbour, float32 [h, w] each, above 0.
    """

    def __init__(self, cost: tuple[Picture, Picture]) -> None:
        self._right, self._below = np.zeros_like(cost[0]), np.zeros_like(cost[1])
        np.cumsum(cost[0][:, :-1], 1, out=self._right[:, 1:])
        np.cumsum(cost[1][:-1], 0, out=self._below[1:])

    def lengths(self, seeds: NDArray[np.bool_], *, sweeps: int = 3) -> Picture:
        """Geodesic distance from seeds, by fast sweeping over rows and columns (Criminisi et al., ECCV 2008).

        Args:
            seeds: bool [h, w].
            sweeps: times that each of the four directions is swept.

        Returns:
            float32 [h, w], 1e6 everywhere without seeds.
        """
        length: Picture = np.where(seeds, np.float32(0.0), np.float32(_NOWHERE))
        if not seeds.any():
            return length
        for _ in range(sweeps):
            for along, run in ((1, self._right), (0, self._below)):
                length -= run
                np.minimum.accumulate(length, axis=along, out=length)
                length += run
                length += run
                back = np.flip(length, along)
                np.minimum.accumulate(back, axis=along, out=back)
                length -= run
        return length


def part_at(region: NDArray[np.bool_], seeds: NDArray[np.bool_], neck_px: float) -> NDArray[np.bool_]:
    """Cuts a region at its necks and keeps the part that holds seeds.

    Args:
        region, seeds: bool [h, w].
        neck_px: half width of a neck; 0 keeps the connected region whole.

    Returns:
        bool [h, w]; thin limbs stay with the nearest thick part. All False where the seeds lie in no thick part.
    """
    depth = np.asarray(cv2.distanceTransform(region.astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    _, labels, stats, _ = cv2.connectedComponentsWithStats((depth > neck_px).astype(np.uint8), connectivity=4)
    held = np.unique(labels[seeds])
    held = held[held > 0]
    if not len(held):
        return np.zeros_like(region)
    areas = stats[:, cv2.CC_STAT_AREA]
    others = areas >= _OTHER_SHARE * areas[held].sum()
    others[0], others[held] = False, False
    # Ways that leave the region's box cost more than any that counts.
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    cost = np.where(region[box], np.float32(1.0), np.float32(_OUTSIDE_COST))
    ways = Ways((cost, cost))
    own, other = (ways.lengths(mask[box]) for mask in (np.isin(labels, held), others[labels]))
    part = np.zeros_like(region)
    part[box] = region[box] & (own < other) & (own < _OUTSIDE_COST)
    return part
