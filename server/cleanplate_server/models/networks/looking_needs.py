"""How much memory networks that find and follow objects need, told before anything is loaded.

``tests/bench/looking_memory.py`` measures it on a CPU in float32; on a GPU it was not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cleanplate_server.models.memory_need import MemoryNeed, network_need
from cleanplate_server.models.network_entries import ASSOCIATION_NAMES, LATER_SAM_NAMES
from cleanplate_server.models.networks.seen_sizes import ASSOCIATION_LONG_EDGES_PX, OSVOS_LONG_EDGES_PX, STORED_FRAMES
from cleanplate_server.models.protocols import Effort, EngineKind


@dataclass(frozen=True)
class _Cost:
    """What a network needs beside its weights.

    Args:
        fixed_bytes: whatever the picture.
        each_bytes: for each pixel of a picture as it is seen.
        stored_bytes: the same for each frame that stays stored.
        edges_px: longest side that is seen, by effort; None where every picture is made the same size, which is fixed.
        copies: of the weights while they are read; a folder's are taken as they lie in the file.
    """

    fixed_bytes: int
    each_bytes: int = 0
    stored_bytes: int = 0
    edges_px: Mapping[Effort, int] | None = None
    copies: int = 2

    def work_bytes(self, size: tuple[int, int], effort: Effort) -> int:
        """For pictures of (height, width)."""
        if self.edges_px is None:
            return self.fixed_bytes
        share = min(1.0, self.edges_px[effort] / max(size))
        each_bytes = self.each_bytes + self.stored_bytes * STORED_FRAMES[effort]
        return self.fixed_bytes + round(each_bytes * size[0] * size[1] * share**2)


def _fixed(mebibytes: int, *, copies: int = 2) -> _Cost:
    return _Cost(mebibytes << 20, copies=copies)


_LATER_SAM = _fixed(1088, copies=1)


def _association(name: str) -> _Cost:
    """Those that end with l remember followed frames; DeAOT keeps two memories."""
    if not name.endswith("l"):
        return _Cost(96 << 20, 600, edges_px=ASSOCIATION_LONG_EDGES_PX)
    each_bytes, stored_bytes = (600, 190) if "deaot" in name else (400, 100)
    return _Cost(96 << 20, each_bytes, stored_bytes, ASSOCIATION_LONG_EDGES_PX)


_COSTS: Mapping[tuple[EngineKind, str], _Cost] = {
    ("segmenter", "sam-vit-b"): _fixed(2400),
    ("segmenter", "sam-vit-l"): _fixed(3200),
    ("segmenter", "sam-vit-h"): _fixed(3200),
    **{("segmenter", name): _LATER_SAM for name in LATER_SAM_NAMES},
    **{("propagator", name): _LATER_SAM for name in LATER_SAM_NAMES},
    **{("propagator", name): _association(name) for name in ASSOCIATION_NAMES},
    ("propagator", "osvos"): _Cost(128 << 20, 2900, edges_px=OSVOS_LONG_EDGES_PX),
    ("name-finder", "maskrcnn"): _fixed(960),
    ("name-finder", "maskrcnn-v2"): _fixed(960),
    ("name-finder", "grounding-dino"): _fixed(1600, copies=1),
}
"""By kind, and the name of the engine."""


def looking_need(
    kind: EngineKind, name: str, picture: tuple[int, int], effort: Effort, *, device: str, weights_bytes: int
) -> MemoryNeed:
    """What finding or following needs at most, however long the shot.

    Args:
        kind: ``segmenter``, ``propagator`` or ``name-finder``.
        name: of a network of that kind.
        picture: (height, width) of the frames.
        effort: sets the size at which some see them.
        device: ``cpu`` or ``cuda:N``.
        weights_bytes: of its files.
    """
    cost = _COSTS[kind, name]
    work_bytes = cost.work_bytes(picture, effort)
    return network_need(device=device, weights_bytes=weights_bytes, work_bytes=work_bytes, copies=cost.copies)
