"""Somebody on a scooter."""

from __future__ import annotations

import numpy as np

from cleanplate_server.demo.canvas import Canvas, Color, tinted
from cleanplate_server.demo.figure import Figure, finish

FIGURE_SIZE = (300, 400)
"""(height, width) of the picture that the figure and its shadow are drawn in."""
FOOT = (120.0, 236.0)
"""Where the point on the ground under the middle of the scooter lies in that picture."""

_JACKET: Color = (0.80, 0.16, 0.14)
_TROUSERS: Color = (0.16, 0.20, 0.34)
_BAG: Color = (0.10, 0.50, 0.52)
_SKIN: Color = (0.72, 0.52, 0.40)
_SCOOTER: Color = (0.90, 0.88, 0.84)
_TYRE: Color = (0.09, 0.09, 0.10)
_SHADOW_LEAN, _SHADOW_DROP = 0.5, 0.24


def draw_rider(travelled_px: float) -> Figure:
    """Draws the rider, facing right, after so much way."""
    canvas = Canvas(FIGURE_SIZE, _JACKET, opaque=False)
    x, ground = FOOT
    sway = 2.0 * float(np.sin(travelled_px / 55))
    hip, shoulder = (x - 9 + 0.4 * sway, ground - 116), (x - 3 + sway, ground - 172)
    grip = (x + 45, ground - 128)
    _scooter(canvas, grip, travelled_px)
    for toe, shade in ((x + 18, 0.78), (x - 22, 1.0)):
        knee = ((hip[0] + toe) / 2 + 9, ground - 66)
        canvas.line(hip, knee, 21, tinted(_TROUSERS, shade))
        canvas.line(knee, (toe, ground - 26), 16, tinted(_TROUSERS, shade))
        canvas.ellipse(toe + 6, ground - 23, 13, 6, (0.92, 0.92, 0.90))
    _torso(canvas, hip, shoulder)
    elbow = (shoulder[0] + 20, shoulder[1] + 36)
    canvas.line((shoulder[0] + 2, shoulder[1] + 8), elbow, 15, tinted(_JACKET, 0.86))
    canvas.line(elbow, grip, 13, tinted(_JACKET, 0.92))
    canvas.ellipse(*grip, 6, 6, _SKIN)
    _head(canvas, shoulder)
    return finish(canvas, ground=ground, lean=_SHADOW_LEAN, drop=_SHADOW_DROP)


def _scooter(canvas: Canvas, grip: tuple[float, float], travelled_px: float) -> None:
    x, ground = FOOT
    for hub in (x - 58, x + 62):
        canvas.ellipse(hub, ground - 13, 14, 14, _TYRE)
        canvas.ellipse(hub, ground - 13, 8, 8, (0.62, 0.62, 0.60))
        turn = travelled_px / 14
        for spoke in range(3):
            angle = turn + 2 * np.pi * spoke / 3
            canvas.line((hub, ground - 13), (hub + 8 * float(np.cos(angle)), ground - 13 + 8 * float(np.sin(angle))),
                        2, _TYRE)  # fmt: skip
    canvas.line((x - 56, ground - 17), (x + 50, ground - 17), 9, _SCOOTER)
    canvas.line((x + 62, ground - 14), (grip[0] + 4, grip[1]), 8, _SCOOTER)
    canvas.line((grip[0] - 8, grip[1]), (grip[0] + 9, grip[1] - 2), 6, _TYRE)


def _torso(canvas: Canvas, hip: tuple[float, float], shoulder: tuple[float, float]) -> None:
    canvas.polygon(
        [(hip[0] - 17, hip[1] + 10), (hip[0] + 17, hip[1] + 8), (shoulder[0] + 18, shoulder[1] + 4),
         (shoulder[0], shoulder[1] - 6), (shoulder[0] - 18, shoulder[1] + 4)],
        _JACKET,
    )  # fmt: skip
    canvas.polygon(
        [(hip[0] + 6, hip[1] + 9), (hip[0] + 17, hip[1] + 8), (shoulder[0] + 18, shoulder[1] + 4),
         (shoulder[0] + 9, shoulder[1] + 2)],
        tinted(_JACKET, 0.82),
    )  # fmt: skip
    canvas.rectangle(shoulder[0] - 18, shoulder[1] + 26, shoulder[0] + 17, shoulder[1] + 31, (0.93, 0.90, 0.74))
    canvas.ellipse(shoulder[0] - 22, shoulder[1] + 26, 13, 24, _BAG)
    canvas.ellipse(shoulder[0] - 26, shoulder[1] + 34, 8, 11, tinted(_BAG, 0.75))


def _head(canvas: Canvas, shoulder: tuple[float, float]) -> None:
    x, y = shoulder[0] + 3, shoulder[1] - 21
    canvas.rectangle(x - 7, y + 8, x + 5, y + 20, tinted(_SKIN, 0.85))
    canvas.ellipse(x, y, 13, 15, _SKIN)
    canvas.ellipse(x - 3, y - 6, 16, 12, (0.94, 0.93, 0.90))
    canvas.rectangle(x - 18, y - 5, x + 12, y - 1, (0.20, 0.22, 0.26))
    canvas.ellipse(x + 9, y + 1, 1.5, 1.7, (0.1, 0.07, 0.06))
