"""The shot that the page's tests look at, and its pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Json = dict[str, Any]


@dataclass(frozen=True)
class Shot:
    """What there is to be seen."""

    height: int = 360
    width: int = 640
    count: int = 40
    first: int = 0

    def center(self, frame: int) -> tuple[int, int]:
        return round(self.width * (0.15 + 0.7 * frame / max(1, self.count - 1))), self.height // 2

    @property
    def radius(self) -> int:
        return self.height // 8

    def disc(self, frame: int, scale: float = 1.0) -> Mask:
        (x, y), reach = self.center(frame), int(scale * self.radius)
        rows, columns = np.ogrid[-reach : reach + 1, -reach : reach + 1]
        disc = np.zeros((self.height, self.width), bool)
        disc[y - reach : y + reach + 1, x - reach : x + reach + 1] = rows**2 + columns**2 <= (scale * self.radius) ** 2
        return disc

    def wall(self) -> NDArray[np.uint8]:
        """uint8 [H,W,3] BGR, not to be written to."""
        return _wall(self.height, self.width)

    def plate(self, frame: int) -> NDArray[np.uint8]:
        plate = self.wall().copy()
        plate[self.disc(frame)] = (40, 190, 230)
        return plate


@cache
def _wall(height: int, width: int) -> NDArray[np.uint8]:
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    wall = np.empty((height, width, 3), np.uint8)
    wall[..., 0], wall[..., 1] = 60 + columns * 60 // width, 70 + rows * 50 // height
    wall[..., 2] = 90 + ((rows % 24).astype(np.uint8) + (columns % 24).astype(np.uint8)) % 24
    return wall


def paint(mask: Mask, edits: list[Json]) -> None:
    for edit in edits:
        line = np.array([[round(point["x"]), round(point["y"])] for point in edit["points"]], np.int32)
        drawn = np.zeros(mask.shape, np.uint8)
        cv2.polylines(drawn, [line], False, (255,), max(1, round(2 * edit["radius_px"])))
        mask[drawn > 0] = edit["side"] == "SIDE_INSIDE"


def crop(mask: Mask, score: float) -> Json:
    rows, columns = np.nonzero(mask)
    if not rows.size:
        return {"mask": {"png": base64.b64encode(png(np.uint8(255) * mask)).decode()}, "score": score}
    box = {"x0": int(columns.min()), "y0": int(rows.min()), "x1": int(columns.max()), "y1": int(rows.max())}
    part = np.uint8(255) * mask[box["y0"] : box["y1"] + 1, box["x0"] : box["x1"] + 1]
    return {"mask": {"png": base64.b64encode(png(part)).decode()}, "score": score, "box": box}


def png(picture: NDArray[np.uint8]) -> bytes:
    return cv2.imencode(".png", picture)[1].tobytes()


def encoded(picture: NDArray[np.uint8], query: dict[str, str]) -> bytes:
    height = int(query.get("max_height", 0))
    if 0 < height < picture.shape[0]:
        size = (round(picture.shape[1] * height / picture.shape[0]), height)
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".png" if query.get("encoding") == "png" else ".jpg", picture)[1].tobytes()
