"""The shot that the page's tests look at, and its pictures."""

from __future__ import annotations

import base64
from dataclasses import dataclass
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
        rows, columns = np.indices((self.height, self.width))
        x, y = self.center(frame)
        return np.asarray((rows - y) ** 2 + (columns - x) ** 2 <= (scale * self.radius) ** 2)

    def wall(self) -> NDArray[np.uint8]:
        """uint8 [H,W,3] BGR."""
        rows, columns = np.indices((self.height, self.width))
        wall = np.stack(
            [60 + columns * 60 // self.width, 70 + rows * 50 // self.height, 90 + (rows + columns) % 24], -1
        )
        return wall.astype(np.uint8)

    def plate(self, frame: int) -> NDArray[np.uint8]:
        plate = self.wall()
        plate[self.disc(frame)] = (40, 190, 230)
        return plate


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
