"""The street that the demo's shot was taken in: three layers, drawn once, with the same result on every machine."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate_server.demo.canvas import OVERSAMPLING, Canvas, Color, Picture, tinted

WORLD_SIZE = (700, 1640)
"""(height, width) of each layer in final pixels."""
_ROOF, _SHOP, _GROUND, _KERB = 120.0, 330.0, 452.0, 634.0
_STONE: Color = (0.80, 0.76, 0.68)


@dataclass(frozen=True)
class Layer:
    """One depth of the street.

    Args:
        rgb: float32 [H * OVERSAMPLING, W * OVERSAMPLING, 3] in [0, 1].
        alpha: float32 [H * OVERSAMPLING, W * OVERSAMPLING].
        nearness: how much of the camera's travel it moves by; 1 is the facades.
    """

    rgb: Picture
    alpha: Picture
    nearness: float


def draw_street() -> tuple[Layer, ...]:
    """All layers, the farthest first."""
    far, street, near = _far(), _street(), _near()
    return tuple(
        Layer(_soft(canvas.rgb), _soft(canvas.alpha), nearness)
        for canvas, nearness in ((far, 0.55), (street, 1.0), (near, 1.07))
    )


def _soft(picture: Picture) -> Picture:
    """Takes away what the final pixels could not hold."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 0.45 * OVERSAMPLING), np.float32)


def _far() -> Canvas:
    rng = np.random.default_rng(1)
    canvas = Canvas(WORLD_SIZE, (0.50, 0.68, 0.90))
    height, width = WORLD_SIZE
    ramp = np.linspace(0, 1, canvas.rgb.shape[0], dtype=np.float32)[:, None, None]
    canvas.rgb += ramp * np.array([0.9, 0.6, 0.2], np.float32)
    for _ in range(26):
        x, y = rng.uniform(0, width), rng.uniform(10, 140)
        for _ in range(9):
            spread_x, spread_y = rng.normal(0, 42), rng.normal(0, 6)
            canvas.ellipse(x + spread_x, y + spread_y, rng.uniform(18, 46), rng.uniform(6, 13), (0.97, 0.97, 0.98))
    canvas.rgb[:] = cv2.GaussianBlur(canvas.rgb, (0, 0), 7 * OVERSAMPLING)
    x = 0.0
    while x < width:
        tower, top = rng.uniform(36, 90), rng.uniform(48, 150)
        color = tinted((0.60, 0.66, 0.74), rng.uniform(0.9, 1.08))
        canvas.rectangle(x, top, x + tower, height, color)
        for row in np.arange(top + 10, 300, 14):
            for column in np.arange(x + 7, x + tower - 8, 12):
                canvas.rectangle(column, row, column + 5, row + 7, tinted(color, rng.uniform(0.72, 0.95)))
        x += tower * rng.uniform(0.8, 1.5)
    canvas.rgb[:] = cv2.GaussianBlur(canvas.rgb, (0, 0), 0.8 * OVERSAMPLING)
    return canvas


def _street() -> Canvas:
    canvas = Canvas(WORLD_SIZE, opaque=False)
    houses: tuple[tuple[float, float, Color, float], ...] = (
        (0, 330, (0.66, 0.33, 0.25), 26), (330, 590, (0.83, 0.74, 0.58), 0), (590, 930, (0.55, 0.30, 0.26), 44),
        (930, 1220, (0.62, 0.67, 0.62), 12), (1220, 1640, (0.70, 0.40, 0.28), 34),
    )  # fmt: skip
    for number, (x0, x1, color, higher) in enumerate(houses):
        _house(canvas, (x0, x1), color, _ROOF - higher, np.random.default_rng(10 + number))
        _shop(canvas, (x0, x1), number, np.random.default_rng(30 + number))
    _pavement(canvas, np.random.default_rng(50))
    return canvas


def _house(canvas: Canvas, span: tuple[float, float], color: Color, top: float, rng: np.random.Generator) -> None:
    x0, x1 = span
    canvas.rectangle(x0, top, x1, _GROUND, tinted(color, 0.72))
    _bricks(canvas, (x0, top, x1, _SHOP), color, rng)
    canvas.texture(x0, top, x1, _SHOP, 0.035, rng)
    canvas.rectangle(x0 - 4, top - 9, x1 + 4, top + 5, _STONE)
    canvas.rectangle(x0 - 4, top + 5, x1 + 4, top + 8, tinted(_STONE, 0.6))
    count = max(2, round((x1 - x0) / 92))
    for row in (top + 28, top + 118):
        for number in range(count):
            middle = x0 + (number + 0.5) * (x1 - x0) / count
            _window(canvas, middle, row, rng)


def _bricks(canvas: Canvas, box: tuple[float, float, float, float], color: Color, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = box
    width, height = 18.0, 7.0
    for course, y in enumerate(np.arange(y0, y1, height)):
        for x in np.arange(x0 - width * (course % 2) / 2, x1, width):
            left, right = max(x0, x), min(x1, x + width - 1.2)
            if right > left:
                canvas.rectangle(left, y, right, min(y1, y + height - 1.2), tinted(color, rng.normal(1, 0.10)))


def _window(canvas: Canvas, middle: float, top: float, rng: np.random.Generator) -> None:
    half, height = 19.0, 62.0
    canvas.rectangle(middle - half - 5, top - 8, middle + half + 5, top, _STONE)
    canvas.rectangle(middle - half - 3, top, middle + half + 3, top + height, (0.93, 0.92, 0.88))
    sky = rng.uniform(0.85, 1.1)
    for left in (middle - half, middle + 1.5):
        for y in (top + 3, top + height / 2 + 1):
            canvas.rectangle(left, y, left + half - 1.5, y + height / 2 - 5, tinted((0.27, 0.34, 0.42), sky))
            canvas.polygon(
                [(left + 2, y + 20), (left + 12, y), (left + 17, y), (left + 3, y + 26)],
                tinted((0.47, 0.57, 0.66), sky),
            )
    if rng.random() < 0.6:
        canvas.rectangle(middle - half, top + 3, middle - half + 9, top + height - 4, (0.86, 0.80, 0.70))
    canvas.rectangle(middle - half - 7, top + height, middle + half + 7, top + height + 5, tinted(_STONE, 0.9))
    if rng.random() < 0.5:
        _flowers(canvas, middle, top + height, half, rng)


def _flowers(canvas: Canvas, middle: float, sill: float, half: float, rng: np.random.Generator) -> None:
    canvas.rectangle(middle - half, sill - 7, middle + half, sill, (0.42, 0.24, 0.16))
    for _ in range(46):
        x, y = rng.uniform(middle - half, middle + half), sill - 7 - rng.gamma(2, 2.0)
        green = tinted((0.24, 0.44, 0.18), rng.uniform(0.7, 1.4))
        canvas.ellipse(x, y, 2.3, 1.6, (0.86, 0.25, 0.35) if rng.random() < 0.3 else green, rng.uniform(0, 180))


def _shop(canvas: Canvas, span: tuple[float, float], number: int, rng: np.random.Generator) -> None:
    x0, x1 = span
    paints: tuple[Color, ...] = (
        (0.16, 0.34, 0.30), (0.52, 0.16, 0.15), (0.17, 0.24, 0.40), (0.85, 0.80, 0.70), (0.30, 0.20, 0.32),
    )  # fmt: skip
    paint = paints[number]
    canvas.rectangle(x0, _SHOP, x1, _GROUND, paint)
    canvas.rectangle(x0, _SHOP, x1, _SHOP + 20, tinted(paint, 1.25))
    for letter in np.arange(x0 + 50, x1 - 60, 17):
        if rng.random() < 0.8:
            canvas.rectangle(letter, _SHOP + 6, letter + rng.uniform(5, 11), _SHOP + 14, (0.95, 0.86, 0.60))
    door = x1 - 66
    for left, right in ((x0 + 16, (x0 + door) / 2 - 5), ((x0 + door) / 2 + 5, door - 12)):
        _display(canvas, left, right, rng)
    canvas.rectangle(door, _SHOP + 26, door + 44, _GROUND, tinted(paint, 0.6))
    canvas.rectangle(door + 6, _SHOP + 32, door + 38, _GROUND - 34, (0.35, 0.43, 0.47))
    canvas.ellipse(door + 38, _GROUND - 26, 2.6, 2.6, (0.90, 0.76, 0.35))
    canvas.texture(x0, _SHOP, x1, _GROUND, 0.02, rng)
    if number % 2 == 0:
        _awning(canvas, x0 + 8, door - 4, paint)


def _display(canvas: Canvas, left: float, right: float, rng: np.random.Generator) -> None:
    canvas.rectangle(left - 4, _SHOP + 30, right + 4, _GROUND - 18, (0.88, 0.85, 0.78))
    canvas.rectangle(left, _SHOP + 34, right, _GROUND - 22, (0.22, 0.24, 0.26))
    for shelf in (_SHOP + 62, _GROUND - 24):
        x = left + 4
        while x < right - 12:
            width, height = rng.uniform(6, 14), rng.uniform(9, 24)
            color = (rng.uniform(0.3, 0.95), rng.uniform(0.3, 0.85), rng.uniform(0.2, 0.8))
            canvas.rectangle(x, shelf - height, x + width, shelf, color)
            x += width + rng.uniform(2, 7)
        canvas.rectangle(left, shelf, right, shelf + 3, (0.55, 0.42, 0.28))


def _awning(canvas: Canvas, left: float, right: float, paint: Color) -> None:
    top, bottom, stripe = _SHOP + 20, _SHOP + 48, 14.0
    for number, x in enumerate(np.arange(left, right - 1, stripe)):
        end = min(right, x + stripe)
        color = (0.94, 0.92, 0.86) if number % 2 else tinted(paint, 1.7)
        canvas.polygon([(x, top), (end, top), (end, bottom), (x, bottom)], color)
        canvas.ellipse((x + end) / 2, bottom, (end - x) / 2, 5, color)
    canvas.shade(left, bottom + 5, right, bottom + 26, 0.62, 1.0)


def _pavement(canvas: Canvas, rng: np.random.Generator) -> None:
    """Slabs seen from standing height: rows grow towards the camera, joints run to a vanishing point."""
    height, width = WORLD_SIZE
    canvas.rectangle(0, _GROUND, width, height, (0.40, 0.39, 0.38))
    rows = _GROUND + (_KERB - _GROUND) * (np.linspace(0, 1, 8) ** 1.45)
    vanishing = (width / 2, -900.0)

    def across(x: float, y: float) -> float:
        return float(vanishing[0] + (x - vanishing[0]) * (y - vanishing[1]) / (_KERB - vanishing[1]))

    for number, (top, bottom) in enumerate(itertools.pairwise(rows)):
        for x in np.arange(-200, width + 200, 78.0) + 39 * (number % 2):
            corners = [(across(x, top), top), (across(x + 76, top), top)]
            corners += [(across(x + 76, bottom), bottom - 1.5), (across(x, bottom), bottom - 1.5)]
            canvas.polygon(corners, tinted((0.66, 0.63, 0.58), rng.normal(1, 0.07)))
    for _ in range(700):
        x, y = rng.uniform(0, width), rng.uniform(_GROUND + 4, _KERB)
        size = rng.uniform(0.8, 2.4)
        canvas.ellipse(x, y, size * 1.6, size * 0.6, tinted((0.5, 0.47, 0.42), rng.uniform(0.7, 1.15)))
    for _ in range(90):
        x, y = rng.uniform(0, width), rng.uniform(_GROUND + 8, _KERB)
        leaf = ((0.80, 0.55, 0.20), (0.70, 0.38, 0.16), (0.62, 0.60, 0.22))[int(rng.integers(3))]
        canvas.ellipse(x, y, rng.uniform(2.5, 4.5), rng.uniform(1.2, 2), leaf, rng.uniform(-40, 40))
    canvas.texture(0, _GROUND, width, _KERB, 0.045, rng)
    canvas.shade(0, _GROUND, width, _GROUND + 14, 0.66, 1.0)
    canvas.rectangle(0, _KERB, width, _KERB + 9, (0.78, 0.76, 0.72))
    canvas.rectangle(0, _KERB + 9, width, _KERB + 20, (0.46, 0.45, 0.43))
    canvas.rectangle(0, _KERB + 20, width, height, (0.27, 0.27, 0.28))
    canvas.texture(0, _KERB + 20, width, height, 0.09, rng)


def _near() -> Canvas:
    canvas = Canvas(WORLD_SIZE, opaque=False)
    for number, x in enumerate((120.0, 700.0, 1330.0)):
        _tree(canvas, x, np.random.default_rng(70 + number))
    for x in (430.0, 1030.0):
        _lamp(canvas, x)
    return canvas


def _tree(canvas: Canvas, x: float, rng: np.random.Generator) -> None:
    base = _GROUND + 34
    canvas.ellipse(x, base, 30, 7, (0.33, 0.26, 0.20))
    canvas.polygon([(x - 7, base), (x + 7, base), (x + 4, 300), (x - 4, 300)], (0.36, 0.27, 0.20))
    for _ in range(60):
        y = rng.uniform(300, base)
        canvas.line((x + rng.uniform(-5, 4), y), (x + rng.uniform(-5, 4), y + rng.uniform(4, 12)), 1.0,
                    tinted((0.36, 0.27, 0.20), rng.uniform(0.6, 1.4)))  # fmt: skip
    for _ in range(1500):
        angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
        leaf_x, leaf_y = x + 88 * reach * np.cos(angle), 238 + 74 * reach * np.sin(angle)
        light = 1.15 - 0.004 * (leaf_y - 170) + rng.normal(0, 0.16)
        canvas.ellipse(leaf_x, leaf_y, rng.uniform(3, 6.5), rng.uniform(2, 4), tinted((0.33, 0.47, 0.17), light),
                       rng.uniform(0, 180))  # fmt: skip


def _lamp(canvas: Canvas, x: float) -> None:
    base, iron = _GROUND + 40, (0.13, 0.15, 0.15)
    canvas.rectangle(x - 6, base - 26, x + 6, base, iron)
    canvas.rectangle(x - 2.4, 210, x + 2.4, base, iron)
    canvas.line((x, 216), (x, 200), 9, iron)
    canvas.polygon([(x - 11, 200), (x + 11, 200), (x + 8, 168), (x - 8, 168)], (0.95, 0.93, 0.82))
    canvas.polygon([(x - 13, 168), (x + 13, 168), (x, 152)], iron)
