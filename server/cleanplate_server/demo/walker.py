"""Somebody who walks through the street."""

from __future__ import annotations

import numpy as np

from cleanplate_server.demo.canvas import Canvas, Color, tinted
from cleanplate_server.demo.figure import Figure, finish

FIGURE_SIZE = (240, 330)
"""(height, width) of the picture that the figure and its shadow are drawn in."""
FEET = (110.0, 190.0)
"""Where the point between the feet lies in that picture."""

_STRIDE = 92.0
_COAT: Color = (0.90, 0.66, 0.10)
_TROUSERS: Color = (0.84, 0.58, 0.08)
_SKIN: Color = (0.78, 0.56, 0.44)
_SHADOW_LEAN, _SHADOW_DROP = 0.62, 0.25


def draw_walker(travelled_px: float) -> Figure:
    """Draws the walker, facing left, after so much way."""
    canvas = Canvas(FIGURE_SIZE, _COAT, opaque=False)
    phase = 2 * np.pi * travelled_px / _STRIDE
    x, ground = FEET
    bob = 2.0 * abs(float(np.sin(phase)))
    hip = (x, ground - 88 - bob)
    shoulder = (x - 3, hip[1] - 56)
    _arm(canvas, shoulder, phase + np.pi, tinted(_COAT, 0.72))
    _leg(canvas, hip, phase + np.pi, tinted(_TROUSERS, 0.75))
    _leg(canvas, hip, phase, _TROUSERS)
    _coat(canvas, hip, shoulder, phase)
    _head(canvas, shoulder)
    _arm(canvas, shoulder, phase, _COAT)
    return finish(canvas, ground=FEET[1], lean=_SHADOW_LEAN, drop=_SHADOW_DROP)


def _leg(canvas: Canvas, hip: tuple[float, float], phase: float, color: Color) -> None:
    swing = 0.46 * float(np.sin(phase))
    bend = 0.75 * max(0.0, float(np.cos(phase)))
    knee = (hip[0] - 44 * float(np.sin(swing)), hip[1] + 44 * float(np.cos(swing)))
    ankle = (knee[0] - 42 * float(np.sin(swing - bend)), knee[1] + 42 * float(np.cos(swing - bend)))
    canvas.line(hip, knee, 19, color)
    canvas.line(knee, ankle, 14, color)
    canvas.ellipse(ankle[0] - 6, ankle[1] + 3, 13, 5, (0.70, 0.46, 0.06))


def _arm(canvas: Canvas, shoulder: tuple[float, float], phase: float, color: Color) -> None:
    swing = -0.5 * float(np.sin(phase))
    elbow = (shoulder[0] - 30 * float(np.sin(swing)), shoulder[1] + 6 + 30 * float(np.cos(swing)))
    hand = (elbow[0] - 27 * float(np.sin(swing + 0.4)), elbow[1] + 27 * float(np.cos(swing + 0.4)))
    canvas.line((shoulder[0], shoulder[1] + 6), elbow, 14, tinted(color, 0.92))
    canvas.line(elbow, hand, 12, tinted(color, 0.92))
    canvas.ellipse(hand[0], hand[1] + 3, 5.5, 6, _SKIN)


def _coat(canvas: Canvas, hip: tuple[float, float], shoulder: tuple[float, float], phase: float) -> None:
    sway = 3 * float(np.sin(phase))
    hem = hip[1] + 26
    left, right = [(shoulder[0] - 17, shoulder[1] + 4), (hip[0] - 18, hip[1] - 8)], [(hip[0] + 19, hip[1] - 8)]
    outline = [*left, (hip[0] - 25 + sway, hem), (hip[0] + 25 + sway, hem - 2), *right]
    canvas.polygon([*outline, (shoulder[0] + 18, shoulder[1] + 4), (shoulder[0], shoulder[1] - 6)], _COAT)
    canvas.polygon(
        [(shoulder[0] + 8, shoulder[1] + 2), (shoulder[0] + 18, shoulder[1] + 4), *right,
         (hip[0] + 25 + sway, hem - 2), (hip[0] + 10 + sway, hem - 1)],
        tinted(_COAT, 0.82),
    )  # fmt: skip
    canvas.rectangle(hip[0] - 19, hip[1] - 13, hip[0] + 19, hip[1] - 9, tinted(_COAT, 0.6))
    for button in (8.0, 20.0, 32.0):
        canvas.ellipse(shoulder[0] - 9, shoulder[1] + button, 1.8, 1.8, (0.30, 0.20, 0.08))
    canvas.ellipse(shoulder[0] + 22, shoulder[1] + 22, 11, 19, tinted(_COAT, 0.68))


def _head(canvas: Canvas, shoulder: tuple[float, float]) -> None:
    x, y = shoulder[0] - 2, shoulder[1] - 20
    canvas.rectangle(x - 5, y + 8, x + 8, y + 20, tinted(_COAT, 0.8))
    canvas.ellipse(x, y, 12, 14, _SKIN)
    canvas.ellipse(x + 5, y, 12, 17, tinted(_COAT, 0.88))
    canvas.ellipse(x + 1, y - 10, 13, 8, tinted(_COAT, 0.95))
    canvas.ellipse(x - 7, y, 1.4, 1.6, (0.1, 0.07, 0.06))
