"""The promenade that the second shot was taken on: a skyline, trees, a wall, paving, and things near the camera."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from cleanplate_server.demo.canvas import OVERSAMPLING, Canvas, Color, Picture, tinted
from cleanplate_server.demo.dolly import Plane

WALL_DEPTH = 12.0
_NEAREST_GROUND = 4.6
_STONE: Color = (0.66, 0.58, 0.48)
_IRON: Color = (0.14, 0.17, 0.19)


@dataclass(frozen=True)
class Backdrop:
    """One depth of the promenade.

    Args:
        plane: where it is.
        light: float32 [H * OVERSAMPLING, W * OVERSAMPLING, 3] in [0, 1], already multiplied by ``alpha``.
        alpha: float32 [H * OVERSAMPLING, W * OVERSAMPLING].
    """

    plane: Plane
    light: Picture
    alpha: Picture


def draw_behind() -> tuple[Backdrop, ...]:
    """What lies behind whoever goes along the promenade, the farthest first."""
    return _skyline(), _trees(), _wall(), _paving()


def draw_before() -> tuple[Backdrop, ...]:
    """What lies between them and the camera, the farthest first."""
    return _bollards(), _plants(), _lamp()


def _finished(canvas: Canvas, plane: Plane, soft_px: float = 0.45) -> Backdrop:
    """Takes away what the final pixels could not hold."""
    lit = canvas.rgb * canvas.alpha[..., None]
    light, alpha = (cv2.GaussianBlur(part, (0, 0), soft_px * OVERSAMPLING) for part in (lit, canvas.alpha))
    return Backdrop(plane, np.asarray(light, np.float32), np.asarray(alpha, np.float32))


def _skyline() -> Backdrop:
    rng, plane = np.random.default_rng(101), Plane(margin=40, depth=300.0)
    canvas = Canvas(plane.size, (0.42, 0.62, 0.86))
    height, width = plane.size
    ramp = np.linspace(0, 1, canvas.rgb.shape[0], dtype=np.float32)[:, None, None]
    canvas.rgb += ramp * np.array([0.85, 0.55, 0.2], np.float32)
    for _ in range(22):
        x, y = rng.uniform(0, width), rng.uniform(0, 190)
        for _ in range(12):
            spread_x, spread_y = rng.normal(0, 50), rng.normal(0, 8)
            canvas.ellipse(x + spread_x, y + spread_y, rng.uniform(16, 44), rng.uniform(6, 15), (0.95, 0.96, 0.98))
    canvas.rgb[:] = cv2.GaussianBlur(canvas.rgb, (0, 0), 6 * OVERSAMPLING)
    x = 0.0
    while x < width:
        across, top = rng.uniform(26, 64), rng.uniform(110, 250)
        color = tinted((0.55, 0.62, 0.72), rng.uniform(0.86, 1.1))
        canvas.rectangle(x, top, x + across, height, color)
        canvas.rectangle(x + across * 0.7, top, x + across, height, tinted(color, 0.86))
        for row in np.arange(top + 8, 300, 11):
            for column in np.arange(x + 5, x + across - 6, 9):
                canvas.rectangle(column, row, column + 4, row + 6, tinted(color, rng.uniform(0.65, 0.98)))
        x += across * rng.uniform(0.8, 1.7)
    return _finished(canvas, plane, 0.9)


def _trees() -> Backdrop:
    rng, plane = np.random.default_rng(102), Plane(margin=70, depth=26.0)
    canvas = Canvas(plane.size, opaque=False)
    for middle in (-13.5, -9.0, -5.2, -1.6, 2.9, 6.1, 10.0, 13.4):
        x, base = plane.at(middle, 0)
        _, top = plane.at(middle, rng.uniform(4.2, 5.6))
        canvas.polygon([(x - 5, base), (x + 5, base), (x + 3, top), (x - 3, top)], (0.34, 0.26, 0.20))
        for _ in range(620):
            angle, reach = rng.uniform(0, 2 * np.pi), np.sqrt(rng.random())
            leaf_x, leaf_y = x + 58 * reach * np.cos(angle), top + 46 * reach * np.sin(angle)
            light = 1.1 - 0.005 * (leaf_y - top) + rng.normal(0, 0.15)
            canvas.ellipse(leaf_x, leaf_y, rng.uniform(3, 7), rng.uniform(2, 4.5), tinted((0.27, 0.42, 0.18), light),
                           rng.uniform(0, 180))  # fmt: skip
    _, hedge = plane.at(0, 1.5)
    for _ in range(2600):
        x, y = rng.uniform(0, plane.size[1]), hedge + rng.gamma(2, 16)
        canvas.ellipse(x, y, rng.uniform(3, 6), rng.uniform(2, 4), tinted((0.24, 0.36, 0.17), rng.uniform(0.6, 1.4)),
                       rng.uniform(0, 180))  # fmt: skip
    return _finished(canvas, plane, 0.6)


def _wall() -> Backdrop:
    rng, plane = np.random.default_rng(103), Plane(margin=110, depth=WALL_DEPTH)
    canvas = Canvas(plane.size, opaque=False)
    width = plane.size[1]
    (_, top), (_, foot) = plane.at(0, 1.38), plane.at(0, -0.3)
    canvas.rectangle(0, top, width, foot, tinted(_STONE, 0.6))
    y, course = top + 3, 0
    while y < foot:
        thick, x = rng.uniform(9, 15), rng.uniform(-30, 0)
        while x < width:
            long = rng.uniform(16, 44)
            color = tinted(_STONE, rng.normal(1, 0.13))
            tone = rng.uniform(-0.04, 0.04)
            canvas.rectangle(x, y, x + long - 1.5, y + thick - 1.5, (color[0] + tone, color[1], color[2] - tone))
            x += long
        y, course = y + thick, course + 1
    canvas.texture(0, top, width, foot, 0.06, rng)
    _posters(canvas, plane, rng)
    for middle in np.arange(-9.0, 9.1, 3.0):
        _pier(canvas, plane, float(middle), rng)
    canvas.rectangle(0, top - 7, width, top + 3, (0.76, 0.72, 0.64))
    canvas.rectangle(0, top + 3, width, top + 6, (0.36, 0.31, 0.26))
    for middle in (-6.2, -0.4, 4.4):
        _ivy(canvas, plane, middle, rng)
    return _finished(canvas, plane)


def _pier(canvas: Canvas, plane: Plane, middle: float, rng: np.random.Generator) -> None:
    (x, top), (_, foot) = plane.at(middle, 1.62), plane.at(middle, -0.3)
    for y in np.arange(top, foot, 13):
        canvas.rectangle(x - 15, y, x + 15, y + 11.6, tinted((0.72, 0.65, 0.55), rng.normal(1, 0.07)))
    canvas.rectangle(x + 9, top, x + 15, foot, tinted(_STONE, 0.72))
    canvas.rectangle(x - 19, top - 6, x + 19, top + 3, (0.78, 0.74, 0.67))
    canvas.ellipse(x, top - 13, 9, 9, (0.74, 0.70, 0.62))


def _posters(canvas: Canvas, plane: Plane, rng: np.random.Generator) -> None:
    papers: tuple[Color, ...] = ((0.92, 0.86, 0.62), (0.30, 0.46, 0.60), (0.86, 0.42, 0.30), (0.90, 0.90, 0.88))
    for number, left in enumerate(np.arange(-7.6, 7.0, 1.62)):
        (x0, y0), (x1, y1) = plane.at(left, 1.12), plane.at(left + 0.5, 0.38)
        paper = papers[number % len(papers)]
        canvas.rectangle(x0, y0, x1, y1, paper)
        canvas.rectangle(x0 + 4, y0 + 5, x1 - 4, y0 + 14, tinted(paper, 0.45))
        canvas.ellipse((x0 + x1) / 2, y0 + 29, 10, 10, tinted(papers[(number + 1) % len(papers)], 0.9))
        for line in np.arange(y0 + 42, y1 - 4, 4):
            canvas.rectangle(x0 + 5, line, x1 - rng.uniform(5, 16), line + 1.6, tinted(paper, 0.6))


def _ivy(canvas: Canvas, plane: Plane, middle: float, rng: np.random.Generator) -> None:
    x, top = plane.at(middle, 1.42)
    for _ in range(420):
        leaf_x, leaf_y = x + rng.normal(0, 26), top + rng.gamma(1.6, 17)
        green = tinted((0.22, 0.40, 0.16), rng.uniform(0.6, 1.5))
        canvas.ellipse(leaf_x, leaf_y, rng.uniform(2, 4), rng.uniform(1.6, 3), green, rng.uniform(0, 180))


def _paving() -> Backdrop:
    rng, plane = np.random.default_rng(104), Plane(margin=320)
    canvas = Canvas(plane.size, opaque=False)
    foot = plane.at(0, 0, WALL_DEPTH)[1]
    canvas.rectangle(0, foot, plane.size[1], plane.size[0], (0.42, 0.40, 0.37))
    for number, z in enumerate(np.arange(_NEAREST_GROUND, 11.3, 0.55)):
        for x in np.arange(-8.0 + 0.35 * (number % 2), 8.0, 0.7):
            corners = ((x, z), (x + 0.67, z), (x + 0.67, z + 0.52), (x, z + 0.52))
            slab = tinted((0.63, 0.60, 0.56), rng.normal(1, 0.08))
            canvas.polygon([plane.at(a, 0, b) for a, b in corners], slab)
    for _ in range(900):
        x, y = plane.at(rng.uniform(-7, 7), 0, _NEAREST_GROUND + 6.6 * rng.random() ** 1.5)
        spot = rng.uniform(0.8, 2.6)
        canvas.ellipse(x, y, spot * 1.7, spot * 0.6, tinted((0.48, 0.45, 0.41), rng.uniform(0.7, 1.2)))
    for _ in range(150):
        x, y = plane.at(rng.uniform(-7, 7), 0, _NEAREST_GROUND + 6.6 * rng.random() ** 1.4)
        leaf = ((0.82, 0.58, 0.20), (0.70, 0.36, 0.15), (0.60, 0.58, 0.22))[int(rng.integers(3))]
        canvas.ellipse(x, y, rng.uniform(2.5, 5), rng.uniform(1.2, 2.2), leaf, rng.uniform(-40, 40))
    canvas.texture(0, foot, plane.size[1], plane.size[0], 0.05, rng)
    for _ in range(2200):
        x, y = plane.at(rng.uniform(-8, 8), 0, rng.uniform(11.25, WALL_DEPTH))
        green = tinted((0.34, 0.44, 0.18), rng.uniform(0.6, 1.4))
        canvas.line((x, y), (x + rng.normal(0, 2), y - rng.uniform(3, 8)), 1.2, green)
    return _finished(canvas, plane)


def _bollards() -> Backdrop:
    plane = Plane(margin=230, depth=5.7)
    canvas = Canvas(plane.size, opaque=False)
    for middle in (-2.6, -0.9, 0.8, 2.5):
        (x, top), (_, foot) = plane.at(middle, 0.86), plane.at(middle, 0)
        canvas.ellipse(x, foot, 17, 4, (0.30, 0.28, 0.26))
        canvas.rectangle(x - 9, top, x + 9, foot, _IRON)
        canvas.rectangle(x - 6, top, x - 3, foot, tinted(_IRON, 2.2))
        canvas.rectangle(x - 11, top + 12, x + 11, top + 20, (0.86, 0.82, 0.74))
        canvas.ellipse(x, top, 11, 8, tinted(_IRON, 1.3))
    return _finished(canvas, plane)


def _plants() -> Backdrop:
    rng, plane = np.random.default_rng(106), Plane(margin=290, depth=4.6)
    canvas = Canvas(plane.size, opaque=False)
    for middle in (-2.7, -1.5, 0.1, 1.5, 2.8):
        x, foot = plane.at(middle, -0.1)
        for _ in range(150):
            root, tall = x + rng.normal(0, 26), rng.uniform(50, 118)
            green = tinted((0.30, 0.46, 0.16), rng.uniform(0.55, 1.45))
            tip = root + rng.normal(0, 26)
            canvas.polygon([(root - 2.5, foot), (root + 2.5, foot), (tip, foot - tall)], green)
        for _ in range(16):
            flower = (0.90, 0.78, 0.30) if rng.random() < 0.5 else (0.80, 0.40, 0.62)
            canvas.ellipse(x + rng.normal(0, 34), foot - rng.uniform(60, 115), 4.5, 4, flower)
    return _finished(canvas, plane, 0.7)


def _lamp() -> Backdrop:
    plane = Plane(margin=320, depth=4.2)
    canvas = Canvas(plane.size, opaque=False)
    x, _ = plane.at(0.55, 0)
    canvas.rectangle(x - 8, 0, x + 8, plane.size[0], _IRON)
    canvas.rectangle(x - 5, 0, x - 2, plane.size[0], tinted(_IRON, 2.0))
    for y in (120.0, 440.0):
        canvas.rectangle(x - 11, y, x + 11, y + 9, tinted(_IRON, 1.4))
    return _finished(canvas, plane, 0.7)
