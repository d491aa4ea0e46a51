"""OPN (Oh, Lee, Lee, Kim: Onion-Peel Networks for Deep Video Completion, ICCV 2019) and its temporal network.

Frames of a memory are encoded once; a frame's hole is then filled from the rim inwards, 8 pixels in each pass, every
pass asking the memory anew. A second, recurrent network steadies the finished frames. The weights are for
non-commercial use.

What an adapter does, as the authors' demonstration does it:

- RGB from 0 to 1, resized to 424 x 240 (bilinear), masks by nearest neighbour, then grown once by a 3 x 3 cross. The
  networks put their own borders to multiples of 4 and 8 on any size, and cut them again.
- Memory: every 5th frame of the whole shot, encoded once, holes and all, never with filled content (`remember`);
  without the frame that is being filled. A long shot needs a cap on it, since each pass compares every rim position
  with every seen position.
- `fill_frame` for each frame; inside the hole its result counts, outside it is the frame.
- The temporal network goes from the first frame to the last and gives whole frames; outside the hole the original is
  to be kept. Its state follows the shot from its start, so that a window in the middle cannot be begun without it.
- A hole that covers a frame whole has no rim: `hole_distances` refuses it.
"""

from __future__ import annotations

from cleanplate_server.models.networks.opn.filling import fill_frame, hole_distances, remember
from cleanplate_server.models.networks.opn.network import Opn, Peeled
from cleanplate_server.models.networks.opn.temporal import TemporalNetwork, TemporalState

MEMORY_GAP = 5
"""Every so many frames one is remembered."""
SIZE = (240, 424)
"""(height, width) that the networks were trained for and shown at."""

__all__ = [
    "MEMORY_GAP",
    "SIZE",
    "Opn",
    "Peeled",
    "TemporalNetwork",
    "TemporalState",
    "fill_frame",
    "hole_distances",
    "remember",
]
