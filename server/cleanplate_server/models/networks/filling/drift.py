"""How far the background has moved since a shot's start, so that what is invented can move along."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.embedded.camera import move_places
from cleanplate_server.models.embedded.survey import CameraPath
from cleanplate_server.models.networks.filling.regions import Size


def background_drift(camera: CameraPath, frames: range, size: Size) -> NDArray[np.float64]:
    """Adds up the steps of the background in the middle of the picture.

    Turning and zooming are left out: between neighbours they move things near the middle little.

    Args:
        camera: the background's motion.
        frames: of the shot.
        size: (height, width) of the picture.

    Returns:
        float64 [T, 2], (x, y) in pixels of each frame; zeros for the first.
    """
    middle = np.array([[[size[1] / 2, size[0] / 2]]], np.float32)
    steps = np.zeros((len(frames), 2))
    for place, frame in enumerate(frames[1:], start=1):
        steps[place] = (move_places(camera.between(frame - 1, frame), middle) - middle)[0, 0]
    return np.asarray(np.cumsum(steps, axis=0))
