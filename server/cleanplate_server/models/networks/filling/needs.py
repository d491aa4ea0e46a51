"""How much memory a fill network needs, told before anything is loaded; the formula that regions are fitted by."""

from __future__ import annotations

from cleanplate_server.models.memory_need import MemoryNeed, network_need
from cleanplate_server.models.networks.filling.budget import device_budget
from cleanplate_server.models.networks.filling.regions import Size
from cleanplate_server.models.networks.filling.schedule import REFERENCE_LIMITS
from cleanplate_server.models.networks.filling.traits import TRAITS, WindowTraits
from cleanplate_server.models.protocols import Effort

_FRAME_BYTES = 13
"""A float32 pixel of three colours and its hole, as a window is put together."""
_FILLED_BYTES = 12
_PATIENCE: dict[Effort, float] = {"fast": 1.1, "balanced": 2.2, "best": 4.4}
"""On a processor: times the pixels that a network was trained at, shown at most; more takes minutes a frame."""
_HOLE_SHARE = 0.25
"""Of the picture, that a hole with its rim is taken to fill at most: larger ones are told too low."""


def window_budget(name: str, effort: Effort, *, device: str) -> int:
    """Bytes that one window may need: what the device has for it and, on a processor, what it does in bearable time.

    Args:
        name: of a fill network.
        effort: how long a person waits.
        device: ``cpu`` or ``cuda:N``.
    """
    budget = device_budget(device)
    if device != "cpu":
        return budget
    traits = TRAITS[name]
    height, width = traits.sizes.padded(traits.sizes.trained)
    size = height, round(width * _PATIENCE[effort])
    return min(budget, traits.cost.window_bytes(size, window_frames(traits, effort)))


def fill_need(name: str, picture: Size, effort: Effort, *, device: str, weights_bytes: int) -> MemoryNeed:
    """What filling needs at most, whatever the masks and however long the shot.

    Args:
        name: of a fill network.
        picture: (height, width) of the frames: no region is larger.
        effort: how many references a window has.
        device: ``cpu`` or ``cuda:N``.
        weights_bytes: of its files.
    """
    traits = TRAITS[name]
    count = window_frames(traits, effort)
    least = tuple(max(side, trained) for side, trained in zip(picture, traits.sizes.trained, strict=True))
    size = traits.sizes.padded((least[0], least[1]))
    wanted = traits.cost.window_bytes(size, count)
    window = min(wanted, window_budget(name, effort, device=device))
    # a region that does not fit is seen smaller; holes are kept as large as they are until their frame's turn comes
    seen = size[0] * size[1] * window / wanted
    kept = sum(range(traits.schedule.local_limit, 0, -traits.schedule.stride))
    hole = _HOLE_SHARE * picture[0] * picture[1]
    held = round(seen * count * _FRAME_BYTES + hole * kept * _FILLED_BYTES)
    return network_need(device=device, weights_bytes=weights_bytes, work_bytes=window, held_bytes=held)


def window_frames(traits: WindowTraits, effort: Effort) -> int:
    """Frames of a window at most: local ones and references."""
    return traits.schedule.local_limit + min(traits.schedule.reference_limit, REFERENCE_LIMITS[effort])
