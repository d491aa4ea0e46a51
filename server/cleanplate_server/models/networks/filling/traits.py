"""What each fill network is like, as far as it can be told without its weights: sizes, windows, memory, precision.

How much memory a job takes is said before it starts, by a server that does not load torch for it; so nothing here does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from cleanplate_server.models.networks.filling.regions import AcceptedSizes, Size
from cleanplate_server.models.networks.filling.schedule import Schedule

_POSITION_PX = 64
"""Pixels of one position at an eighth, of which RAFT compares each with each."""
_COMPARISON_BYTES = 6
"""A float32 for each pair of positions, and a third of that again in smaller ones."""


@dataclass(frozen=True)
class WindowCost:
    """What a window needs beside the weights; ``docs/engines.md`` has what was measured.

    Args:
        fixed_bytes: whatever the window.
        each_bytes: for each pixel of each frame.
        once_bytes: for each pixel of one frame, whatever their number: what is made a few frames at a time.
        compares: whether every position of one frame is compared with every one of another (RAFT).
    """

    fixed_bytes: int
    each_bytes: int
    once_bytes: int = 0
    compares: bool = False

    def window_bytes(self, size: Size, frame_count: int) -> int:
        """About what a window needs.

        Args:
            size: (height, width) of its pictures.
            frame_count: local frames and references.
        """
        pixels = size[0] * size[1]
        pairs = _COMPARISON_BYTES * (pixels // _POSITION_PX) ** 2 if self.compares else 0
        return self.fixed_bytes + pixels * (self.each_bytes * frame_count + self.once_bytes) + pairs


@dataclass(frozen=True)
class WindowTraits:
    """How a network wants its windows.

    Args:
        sizes: of pictures that it takes.
        schedule: how its authors lay windows over a shot.
        least_local: fewest local frames that it can work with; the last one of a shorter shot is repeated.
        grown_px: how often holes are grown by a 3 x 3 cross before it sees them, as in training.
        cost: memory of a window.
        halves: whether half precision moves its results by less than one code value of 8 bits.
    """

    sizes: AcceptedSizes
    schedule: Schedule
    least_local: int
    grown_px: int
    cost: WindowCost
    halves: bool = False


_TRAINED: Size = (240, 432)
_ALONG_SHOT = Schedule(stride=20, reach=20, reference_limit=0)
"""Pixels that travel along motion need all frames in between, and none from elsewhere."""

_E2FGVI_COST = WindowCost(96 << 20, each_bytes=400, once_bytes=600)
_DFGVI = WindowTraits(
    AcceptedSizes(_TRAINED),
    _ALONG_SHOT,
    least_local=2,
    grown_px=8,
    cost=WindowCost(640 << 20, each_bytes=150, once_bytes=400),
)
_DFGVI_RAFT = replace(_DFGVI, cost=replace(_DFGVI.cost, compares=True))

TRAITS: Mapping[str, WindowTraits] = {
    "e2fgvi-hq": WindowTraits(
        AcceptedSizes(_TRAINED, (60, 108)), Schedule(), least_local=2, grown_px=4, cost=_E2FGVI_COST, halves=True
    ),
    "e2fgvi": WindowTraits(
        AcceptedSizes(_TRAINED, is_fixed=True), Schedule(), least_local=2, grown_px=4, cost=_E2FGVI_COST, halves=True
    ),
    "sttn": WindowTraits(
        AcceptedSizes(_TRAINED, is_fixed=True),
        Schedule(),
        least_local=1,
        grown_px=4,
        cost=WindowCost(64 << 20, 900),
        halves=True,
    ),
    "opn": WindowTraits(
        AcceptedSizes((240, 424), (8, 8)),
        Schedule(reference_gap=5),
        least_local=2,
        grown_px=1,
        cost=WindowCost(640 << 20, 400),
        halves=True,
    ),
    "rnot": WindowTraits(
        AcceptedSizes(_TRAINED, (8, 8), least_px=40),
        Schedule(reference_gap=5),
        least_local=1,
        grown_px=1,
        cost=WindowCost(640 << 20, 400),
    ),
    # the published figures are with 21 local frames too
    "propainter": WindowTraits(
        AcceptedSizes(_TRAINED, (8, 8)),
        Schedule(stride=10, reach=10),
        least_local=2,
        grown_px=4,
        cost=WindowCost(96 << 20, each_bytes=400, once_bytes=600, compares=True),
        halves=True,
    ),
    "dfgvi": _DFGVI_RAFT,
    "dfgvi-davis": _DFGVI_RAFT,
    "dfgvi-dis": _DFGVI,
}
"""By the names of the engines."""
