"""What a network that fills windows of frames is to the adapter: arrays in, arrays out; the rest is shared."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.networks.filling.traits import WindowTraits

Clip = NDArray[np.float32]
"""float32 [T, H, W, 3], RGB as on a screen, 0 to 1."""
Holes = NDArray[np.bool_]
"""bool [T, H, W]."""


class WindowNetwork(Protocol):
    """A network that fills the holes of some frames together, with its weights, on its device."""

    @property
    def traits(self) -> WindowTraits:
        """How it wants its windows."""

    def fill(self, frames: Clip, holes: Holes, local_count: int) -> Clip:
        """Fills a window.

        Args:
            frames: of an accepted size, local ones first; what lies in the holes is the
                object, of which nothing may be taken but its motion.
            holes: of the same frames.
            local_count: how many are local.

        Returns:
            The local frames whole, as the network makes them, also outside the holes.

        Raises:
            EngineError: the device's memory is not enough.
        """
