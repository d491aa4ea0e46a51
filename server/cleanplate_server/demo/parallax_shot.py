"""A camera slides along a promenade while somebody rides by and a cloud comes; and the same without them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.demo.canvas import OVERSAMPLING, Picture
from cleanplate_server.demo.dolly import MIDDLE, View, camera_at, shake
from cleanplate_server.demo.promenade import Backdrop, draw_before, draw_behind
from cleanplate_server.demo.rider import FOOT, draw_rider
from cleanplate_server.demo.shot import FRAME_COUNT, SIZE, Pointing, ShotFrame, grain, seen_from

_RIDER_DEPTH = 8.0
_RIDE = (-4.0, 3.5)
_CLOUD_GAIN = (0.70, 0.74, 0.80)
"""What a whole cloud leaves of red, green and blue: darker, and a little colder."""
_CLOUD_SHADE = 0.55
"""How much of a shadow's depth a whole cloud takes away."""


class ParallaxShot:
    """Renders the shot frame by frame, the same on every run (see ``shot.Shot``).

    It is pointed at twice, as a person would who looks at the shot: before and after a lamp post hides the scooter.
    """

    name = "parallax"
    telling = "a promenade past which the camera slides, somebody who rides along it, and a cloud"
    subject = "rider"
    prompt_frames = (12, 36)
    pointings = (
        Pointing(click=(-6, -140), box=(-75, -215, 80, 3)),
        Pointing(click=(60, 32), box=(-45, 0, 120, 56)),
    )

    def __init__(self) -> None:
        self._behind = draw_behind()
        self._before = draw_before()

    def frame(self, number: int) -> ShotFrame:
        """Renders one frame."""
        clean = np.zeros((*SIZE, 3), np.float32)
        for backdrop in self._behind:
            _lay(clean, backdrop, number)
        figure = draw_rider(_rider_x(number) * MIDDLE.scale(_RIDER_DEPTH))
        place = _place(number)
        rgb, alpha, shade = (seen_from(picture, place) for picture in (figure.rgb, figure.alpha, figure.shade))
        alpha = np.clip(alpha, 0, 1)[..., None]
        shade *= 1 - _CLOUD_SHADE * cloud(number)
        with_rider = clean * (1 - shade[..., None]) * (1 - alpha) + rgb * alpha
        open_to_view = np.ones((*SIZE, 1), np.float32)
        for backdrop in self._before:
            for picture in (clean, with_rider):
                _lay(picture, backdrop, number)
            open_to_view *= 1 - seen_from(backdrop.alpha, backdrop.plane.seen(number))[..., None]
        light, noise = light_at(number), grain(number)
        return ShotFrame(
            plate=with_rider * light + noise,
            truth=clean * light + noise,
            body=(alpha * open_to_view)[..., 0] > 0.5,
            shadow=seen_from(figure.shadow, place) * open_to_view[..., 0] > 0.25,
        )

    def on_screen(self, number: int, x: float, y: float) -> tuple[float, float]:
        """Where a point relative to the ground under the rider is seen in the frame, in pixels."""
        drawn = np.array([(FOOT[0] + x) * OVERSAMPLING, (FOOT[1] + y) * OVERSAMPLING, 1.0])
        seen = _place(number) @ drawn
        return float(seen[0]), float(seen[1])


def cloud(number: int) -> float:
    """How much of a cloud lies before the sun: none at the start, whole after two thirds, thinning at the end."""
    time = number / (FRAME_COUNT - 1)
    come, go = (float(np.clip(part, 0, 1)) for part in ((time - 0.2) / 0.45, (time - 0.75) / 0.5))
    return (3 - 2 * come) * come**2 - (3 - 2 * go) * go**2


def light_at(number: int) -> Picture:
    """float32 [3]: gain of red, green and blue."""
    return np.asarray(1 - (1 - np.array(_CLOUD_GAIN)) * cloud(number), np.float32)


def _rider_x(number: int) -> float:
    """Where the rider is along the promenade, in metres."""
    return _RIDE[0] + (_RIDE[1] - _RIDE[0]) * number / (FRAME_COUNT - 1)


def _place(number: int) -> View:
    """From the enlarged picture of the rider to the frame."""
    camera = camera_at(number)
    x, y = camera.project(_rider_x(number), 0.0, _RIDER_DEPTH)
    scale = camera.scale(_RIDER_DEPTH) / MIDDLE.scale(_RIDER_DEPTH)
    size = scale / OVERSAMPLING
    put: NDArray[np.float64] = np.array([[size, 0, x - scale * FOOT[0]], [0, size, y - scale * FOOT[1]], [0, 0, 1]])
    return np.asarray(shake(number) @ put, np.float64)


def _lay(below: Picture, backdrop: Backdrop, number: int) -> None:
    view = backdrop.plane.seen(number)
    below *= 1 - seen_from(backdrop.alpha, view)[..., None]
    below += seen_from(backdrop.light, view)
