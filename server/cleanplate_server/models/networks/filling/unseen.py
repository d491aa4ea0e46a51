"""Which hole pixels no frame of the shot shows, as far as the camera's motion tells.

Fill networks do not say what they saw and what they made up. The background is taken to move as the camera does, which
is wrong for parallax; the share that a job reports is an estimate.
"""

from __future__ import annotations

import cv2
import numpy as np

from cleanplate_server.models.embedded.camera import move_places
from cleanplate_server.models.embedded.fields import sample_free
from cleanplate_server.models.embedded.sources import ladder
from cleanplate_server.models.embedded.survey import CameraPath
from cleanplate_server.models.protocols import Box, Mask, MaskedFrames

_GRID_PX = 4
"""Every so many pixels one is followed."""
_GROWTH = 1.2
"""Ratio of the distance of one frame that is asked to that of the one before."""


def find_unseen(shot: MaskedFrames, camera: CameraPath, frame: int, box: Box) -> Mask:
    """Finds the hole pixels of a box that no frame shows: bool [h, w]."""
    hole = shot.mask(frame)[box.slices]
    rows, columns = np.mgrid[box.y0 : box.y1 : _GRID_PX, box.x0 : box.x1 : _GRID_PX].astype(np.float32)
    places = np.dstack([columns, rows])
    missing = np.ones(rows.shape, np.bool_)
    for way in (1, -1):
        for other in ladder(frame, shot.frames, way, growth=_GROWTH):
            if not missing.any():
                return np.zeros_like(hole)
            free = np.asarray(~shot.mask(other), np.uint8)
            missing &= sample_free(free, move_places(camera.between(frame, other), places)) == 0
    whole = cv2.resize(missing.astype(np.uint8), box.size[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(hole & (whole > 0), np.bool_)
