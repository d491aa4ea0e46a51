"""Colours by their names: the eleven basic terms of Berlin and Kay ("Basic Color Terms", 1969), measured in CIELAB."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import RGB, Mask

ENGLISH = {
    "red": "red", "crimson": "red", "scarlet": "red", "orange": "orange", "yellow": "yellow", "golden": "yellow",
    "gold": "yellow", "green": "green", "blue": "blue", "purple": "purple", "violet": "purple", "pink": "pink",
    "brown": "brown", "beige": "brown", "black": "black", "white": "white", "grey": "grey", "gray": "grey",
    "silver": "grey",
}  # fmt: skip
"""Basic colours by English words."""

CHINESE = {
    "红": "red", "橙": "orange", "橘": "orange", "黄": "yellow", "金": "yellow", "绿": "green", "蓝": "blue",
    "紫": "purple", "粉红": "pink", "粉": "pink", "棕": "brown", "褐": "brown", "咖啡": "brown", "黑": "black",
    "白": "white", "灰": "grey", "银": "grey",
}  # fmt: skip
"""Basic colours by Chinese words, simplified, each with or without 色 after it."""

_BLACK_LIGHTNESS, _BLACK_CHROMA = 22.0, 30.0
_DARKEST = 8.0
"""Below this lightness even a strong colour is black."""
_GREY_CHROMA = 13.0
_WHITE_LIGHTNESS = 75.0
_HUES = ((-16.0, "pink"), (18.0, "red"), (44.0, "orange"), (74.0, "yellow"), (107.0, "green"), (185.0, "blue"),
         (298.0, "purple"), (330.0, "pink"))  # fmt: skip
"""Where each hue begins, in degrees of CIELAB; the last one goes on to the first."""
_PALE_LIGHTNESS = 62.0
"""Red as light as this is pink."""
_BROWN_HUE, _BROWN_LIGHTNESS, _BROWN_CHROMA = 38.0, 62.0, 55.0
"""Orange, yellow, and red from this hue on, darker and duller than this, are brown."""
_BLUE_HUE, _BLUE_CHROMA = 310.0, 80.0
"""Purple up to this hue and as strong as this is the blue of a screen."""
_SIDE_LIMIT_PX = 256
"""Pixels are counted on a picture no larger; colours need no more."""


def colour_share(rgb: RGB, mask: Mask, colours: tuple[str, ...]) -> float:
    """The share of an object's pixels that a person would call by one of some colours.

    Args:
        rgb: float32 [H, W, 3], nominal 0 to 1; taken as display values, so that log footage counts as grey.
        mask: bool [H, W], not empty.
        colours: of the basic eleven.

    Returns:
        0 to 1.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    step = max(1, int(max(np.ptp(rows), np.ptp(columns))) // _SIDE_LIMIT_PX)
    box = np.s_[rows[0] : rows[-1] + 1 : step, columns[0] : columns[-1] + 1 : step]
    inside = mask[box]
    if not inside.any():
        return 0.0
    pixels = np.clip(rgb[box][inside], 0, 1).astype(np.float32)
    names = basic_colours(pixels)
    return float(np.isin(names, colours).mean())


def basic_colours(pixels: NDArray[np.float32]) -> NDArray[np.str_]:
    """The basic colour of each pixel: float32 [N, 3] RGB in [0, 1] to [N] names."""
    lab = cv2.cvtColor(np.ascontiguousarray(pixels)[None], cv2.COLOR_RGB2LAB)[0]
    lightness, chroma = lab[:, 0], np.hypot(lab[:, 1], lab[:, 2])
    hue = np.degrees(np.arctan2(lab[:, 2], lab[:, 1])) % 360
    starts = np.array([start for start, _ in _HUES[1:]])
    names = np.array([name for _, name in _HUES])[np.searchsorted(starts, hue, side="right")]
    names = names.astype("<U8")
    warm = np.isin(names, ("orange", "yellow", "red"))
    names[(names == "red") & (lightness > _PALE_LIGHTNESS)] = "pink"
    names[warm & (hue > _BROWN_HUE) & (lightness < _BROWN_LIGHTNESS) & (chroma < _BROWN_CHROMA)] = "brown"
    names[(names == "purple") & (hue < _BLUE_HUE) & (chroma > _BLUE_CHROMA)] = "blue"
    names[chroma < _GREY_CHROMA] = "grey"
    names[(chroma < _GREY_CHROMA) & (lightness > _WHITE_LIGHTNESS)] = "white"
    names[(lightness < _DARKEST) | ((lightness < _BLACK_LIGHTNESS) & (chroma < _BLACK_CHROMA))] = "black"
    return np.asarray(names, np.str_)
