"""AOT and DeAOT as propagators: key masks to probabilities, frame by frame, with bounded memory.

What is remembered, in half precision: the start frame and up to three more key frames that show every followed object
(the nearest ones); frames on which keys came in on the way, all of these together the newest eight; and of the followed
frames every few the newest few, by effort. The oldest is forgotten first. So a long shot needs no more memory than a
short one. Objects followed together know of each other: a pixel belongs to one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from cleanplate_server.models.networks.association.following import Follower, Rules
from cleanplate_server.models.networks.association.network import OBJECTS_PER_BANK, AssociationNetwork
from cleanplate_server.models.networks.association.tracker import AssociationTracker, Sight
from cleanplate_server.models.networks.seen_sizes import ASSOCIATION_LONG_EDGES_PX, STORED_FRAMES
from cleanplate_server.models.prompt_checks import refuse_unusable_keys
from cleanplate_server.models.protocols import Effort, EngineInfo, Frames, Key

Precision = Literal["half", "float32"]

GIVEN_FRAMES = 8
"""Key frames that are remembered at most."""
_MORE_KEY_FRAMES = 3
_LEAST_LONG_EDGE_PX = 480
_SMALLER = 0.7
"""Of the long edge, when memory is short: about half of the tokens, a quarter of what attention needs."""


class AssociationPropagator:
    """Key masks to masks on all frames, a `SharedPropagator` that can do with less memory.

    Args:
        network: with its weights, in evaluation mode, on its device.
        info: name, licence, weights.
        effort: sets the size at which frames are seen, and how many are remembered.
        long_edge_px: frames are seen no larger than this; None is the effort's.
        precision: what the network computes in; None is half on a GPU and float32 elsewhere.
    """

    def __init__(
        self, network: AssociationNetwork, info: EngineInfo, *, effort: Effort = "balanced",
        long_edge_px: int | None = None, precision: Precision | None = None,
    ) -> None:  # fmt: skip
        rules = Rules(
            network.variant.long_term_gap,
            long_term_limit=STORED_FRAMES[effort],
            given_limit=GIVEN_FRAMES,
            stores_halves=True,
        )
        self._network = network
        self._effort: Effort = effort
        self._precision = precision
        self._long_edge_px = long_edge_px or ASSOCIATION_LONG_EDGES_PX[effort]
        on_gpu = next(network.parameters()).device.type == "cuda"
        halves = precision == "half" if precision is not None else on_gpu
        self._sight = Sight(Follower(network, rules), self._long_edge_px, halves=halves, name=info.name)
        self._info = info

    @property
    def info(self) -> EngineInfo:
        return self._info

    @property
    def memory_object_count(self) -> int:
        """Objects in one memory; see `SharedPropagator`."""
        return OBJECTS_PER_BANK

    def smaller(self, size: tuple[int, int]) -> AssociationPropagator | None:
        """The same at a smaller size; see `ShrinkingPropagator`."""
        before = min(self._long_edge_px, max(size))
        edge = max(_LEAST_LONG_EDGE_PX, int(before * _SMALLER))
        if edge >= before:
            return None
        return AssociationPropagator(
            self._network, self._info, effort=self._effort, long_edge_px=edge, precision=self._precision
        )

    def working_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size (height, width) at which frames of a size are seen; see `ShrinkingPropagator`."""
        return self._sight.seen(size)

    def follow(
        self, frames: Frames, keys: Sequence[Key], start: Sequence[Key], saved: bytes | None = None
    ) -> AssociationTracker:
        """Starts to follow objects; see `Propagator.follow`."""
        refuse_unusable_keys((*keys, *start), frames.size)
        tracker = AssociationTracker(self._sight, frames, start)
        if saved is not None:
            tracker.resume(saved)
        else:
            tracker.learn(choose_key_frames(keys, start))
        return tracker


def choose_key_frames(keys: Sequence[Key], start: Sequence[Key]) -> list[list[Key]]:
    """The frames to learn from: the start frame, last, and before it the nearest others that show every object.

    A frame with keys of some objects alone would teach that the others are not there.
    """
    objects = [key.object_id for key in start]
    by_frame: dict[int, dict[int, Key]] = {}
    for key in keys:
        by_frame.setdefault(key.frame, {})[key.object_id] = key
    first = start[0].frame
    others = [frame for frame, found in by_frame.items() if frame != first and all(o in found for o in objects)]
    nearest = sorted(others, key=lambda frame: (abs(frame - first), frame))[:_MORE_KEY_FRAMES]
    return [*([by_frame[frame][o] for o in objects] for frame in reversed(nearest)), list(start)]
