"""A hand-held camera turns along a street while somebody walks by; and the same without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.demo.canvas import OVERSAMPLING, Picture
from cleanplate_server.demo.shot import FRAME_COUNT, SIZE, Pointing, ShotFrame, grain, seen_from
from cleanplate_server.demo.street import WORLD_SIZE, Layer, draw_street
from cleanplate_server.demo.walker import FEET, draw_walker

_PAN = (560.0, 880.0)
_WALK = (950.0, 640.0)
_GROUND_Y = 572.0
_CENTRE_Y = 362.0


class StreetShot:
    """Renders the shot frame by frame, the same on every run (see ``shot.Shot``)."""

    name = "street"
    telling = "a street, and somebody who walks along it"
    subject = "walker"
    prompt_frames = (24,)
    pointings = (
        Pointing(click=(0, -110), box=(-50, -195, 55, 8)),
        Pointing(click=(60, 15), box=(-20, -2, 130, 44)),
    )

    def __init__(self) -> None:
        self._layers = draw_street()

    def frame(self, number: int) -> ShotFrame:
        """Renders one frame."""
        clean = np.zeros((*SIZE, 3), np.float32)
        for layer in self._layers:
            _over(clean, layer, _view(number, layer.nearness))
        figure = draw_walker(_WALK[0] - _walker_x(number))
        place = _view(number, 1.0) @ _shift(_walker_x(number) - FEET[0], _GROUND_Y - FEET[1])
        rgb, alpha, shade = (seen_from(picture, place) for picture in (figure.rgb, figure.alpha, figure.shade))
        alpha = np.clip(alpha, 0, 1)[..., None]
        with_walker = clean * (1 - shade[..., None]) * (1 - alpha) + rgb * alpha
        noise = grain(number)
        return ShotFrame(
            plate=with_walker + noise,
            truth=clean + noise,
            body=alpha[..., 0] > 0.5,
            shadow=seen_from(figure.shadow, place) > 0.25,
        )

    def on_screen(self, number: int, x: float, y: float) -> tuple[float, float]:
        """Where a point relative to the walker's feet is seen in the frame, in pixels."""
        world = np.array([_walker_x(number) + x, _GROUND_Y + y, 1.0]) * (OVERSAMPLING, OVERSAMPLING, 1)
        seen = _view(number, 1.0) @ world
        return float(seen[0]), float(seen[1])


def _walker_x(number: int) -> float:
    """Where the walker stands in the street, in final pixels."""
    return _between(_WALK, number)


def _between(ends: tuple[float, float], number: int) -> float:
    return ends[0] + (ends[1] - ends[0]) * number / (FRAME_COUNT - 1)


def _view(number: int, nearness: float) -> NDArray[np.float64]:
    """From the enlarged street to the picture: a pan with a little zoom, roll and shake of a hand."""
    time = number / (FRAME_COUNT - 1)
    zoom = 1 + 0.05 * time
    roll = np.radians(0.5 * np.sin(2.2 * np.pi * time) + 0.3 * time)
    middle = WORLD_SIZE[1] / 2
    x = middle + (_between(_PAN, number) - middle) * nearness + 0.8 * np.sin(number * 1.3)
    y = _CENTRE_Y + 1.2 * np.sin(number * 0.9)
    cos, sin = zoom * np.cos(roll), zoom * np.sin(roll)
    turn = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    show = np.diag([1 / OVERSAMPLING, 1 / OVERSAMPLING, 1.0])
    view: NDArray[np.float64] = show @ _shift(SIZE[1] / 2, SIZE[0] / 2) @ turn @ _shift(-float(x), -float(y))
    return view


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x * OVERSAMPLING], [0, 1, y * OVERSAMPLING], [0, 0, 1]], np.float64)


def _over(below: Picture, layer: Layer, view: NDArray[np.float64]) -> None:
    alpha = seen_from(layer.alpha, view)[..., None]
    below *= 1 - alpha
    below += seen_from(layer.rgb, view) * alpha
