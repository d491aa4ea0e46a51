"""What a network that fills windows of frames is to the adapter: arrays in, arrays out; the rest is shared."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Size
from cleanplate_server.models.networks.filling.schedule import Schedule

Clip = NDArray[np.float32]
"""float32 [T, H, W, 3], RGB as on a screen, 0 to 1."""
Holes = NDArray[np.bool_]
"""bool [T, H, W]."""


class WindowNetwork(Protocol):
    """A network that fills the holes of some frames together, with its weights, on its device."""

    @property
    def sizes(self) -> AcceptedSizes:
        """What sizes of pictures it takes."""

    @property
    def schedule(self) -> Schedule:
        """How its authors lay windows over a shot."""

    @property
    def least_local(self) -> int:
        """Fewest local frames that it can work with; the last one of a shorter shot is repeated."""

    @property
    def grown_px(self) -> int:
        """How often holes are grown by a 3 x 3 cross before it sees them, as in training."""

    def bytes_needed(self, size: Size, frame_count: int) -> int:
        """About what a window needs beside the weights.

        Args:
            size: (height, width) of its pictures.
            frame_count: local frames and references.
        """

    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window.

        Args:
            frames: of an accepted size, local ones first; what lies in the holes is not to be looked at.
            holes: of the same frames.
            local_count: how many are local.

        Returns:
            The local frames whole, as the network makes them, also outside the holes.

        Raises:
            EngineError: the device's memory is not enough.
        """
