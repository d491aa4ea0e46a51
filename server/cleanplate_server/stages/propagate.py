"""Key masks to a mask for every frame: what is followed from where, and how two directions are joined."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Key, Mask


@dataclass(frozen=True, eq=False)
class Walk:
    """Objects followed together from their keys on one frame, in one direction, up to before their next keys.

    Args:
        starts: keys on one frame, by object.
        frames: consecutive frame numbers, ascending or descending, the first one next to the keys' frame.
    """

    starts: tuple[Key, ...]
    frames: range

    @property
    def name(self) -> str:
        """Unique among the walks of a shot."""
        objects = "+".join(str(key.object_id) for key in self.starts)
        direction = "forward" if self.frames.step > 0 else "backward"
        return f"object-{objects}-{direction}-{self.starts[0].frame:06d}"


def plan_walks(keys: Sequence[Key], shot: range) -> list[Walk]:
    """The walks that reach every frame of a shot: both ways between keys, outwards beyond them.

    Keys are hard: no walk goes through one, so a further key changes only the spans up to its neighbours.

    Args:
        keys: of any objects, on frames of the shot.
        shot: frame numbers.
    """
    spans: dict[tuple[int, range], list[Key]] = {}
    for object_id in sorted({key.object_id for key in keys}):
        own = sorted((key for key in keys if key.object_id == object_id), key=lambda key: key.frame)
        bounds = [shot.start - 1, *(key.frame for key in own), shot.stop]
        for i, key in enumerate(own, start=1):
            for frames in (range(key.frame + 1, bounds[i + 1]), range(key.frame - 1, bounds[i - 1], -1)):
                if frames:
                    spans.setdefault((key.frame, frames), []).append(key)
    return [Walk(tuple(starts), frames) for (_, frames), starts in spans.items()]


def join_directions(
    frame: int,
    forward: tuple[int, NDArray[np.uint8]] | None,
    backward: tuple[int, NDArray[np.uint8]] | None,
) -> Mask:
    """The mask of a frame from what came from the key before it and from the key after it.

    Args:
        frame: frame number.
        forward, backward: (the key's frame, probability uint8 [H, W], 255 is certain); at least one. Between two
            keys the nearer one counts more.

    Returns:
        bool [H, W].
    """
    if forward is None or backward is None:
        only = forward or backward
        assert only is not None
        return np.asarray(only[1] >= 128, np.bool_)
    (before, first), (after, second) = forward, backward
    weight = np.float32((after - frame) / (after - before))
    return np.asarray(first * weight + second * (1 - weight) >= 127.5, np.bool_)
