"""Key masks to a mask for every frame: what is followed from where, and how two directions are joined."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cleanplate_server.models.protocols import Key, Mask


@dataclass(frozen=True, eq=False)
class Walk:
    """Objects followed together in one direction.

    Args:
        starts: keys on one frame, by object.
        frames: consecutive frame numbers, ascending or descending, the first one next to the starts' frame.
        joins: keys that come in on frames of the walk, in the order of travel: objects that appear there, and
            corrections of objects that are followed already.
    """

    starts: tuple[Key, ...]
    frames: range
    joins: tuple[Key, ...] = ()

    @property
    def name(self) -> str:
        """Unique among the walks of a shot."""
        objects = "+".join(str(key.object_id) for key in self.starts)
        direction = "forward" if self.frames.step > 0 else "backward"
        name = f"object-{objects}-{direction}-{self.starts[0].frame:06d}"
        if not self.joins:
            return name
        joined = " ".join(f"{key.object_id}@{key.frame}" for key in self.joins)
        return f"{name}-joined-{hashlib.sha256(joined.encode()).hexdigest()[:12]}"

    def joined_on(self, frame: int) -> tuple[Key, ...]:
        """The keys that come in on a frame."""
        return tuple(key for key in self.joins if key.frame == frame)

    def objects_on(self, frame: int) -> tuple[int, ...]:
        """Ids of the objects that are followed to a frame, in the order in which they came."""
        keys = [*self.starts, *(key for key in self.joins if self._before(key.frame, frame))]
        return tuple(dict.fromkeys(key.object_id for key in keys))

    def origin(self, object_id: int, frame: int) -> int | None:
        """The frame of the key that an object's mask on a frame came from; None where the object is not followed."""
        keys = [key for key in (*self.starts, *self.joins) if key.object_id == object_id]
        origins = [key.frame for key in keys if self._before(key.frame, frame)]
        return origins[-1] if origins else None

    def _before(self, one: int, other: int) -> bool:
        return (other - one) * self.frames.step > 0


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


def plan_shared_walks(keys: Sequence[Key], shot: range) -> list[Walk]:
    """The walks for objects that know of each other: forwards from the first key and backwards from the last.

    Keys on the way join, of objects that appear later, and of some that are corrected while others go on. Where every
    followed object has a key the walk ends and the next one starts, so that with one object, or with keys of all
    objects on the same frames, these are the walks of `plan_walks`.

    Args:
        keys: of any objects, on frames of the shot.
        shot: frame numbers.
    """
    by_frame: dict[int, list[Key]] = {}
    for key in sorted(keys, key=lambda key: key.object_id):
        by_frame.setdefault(key.frame, []).append(key)
    return [*_shared_along(by_frame, shot), *_shared_along(by_frame, shot[::-1])]


def _shared_along(by_frame: Mapping[int, Sequence[Key]], shot: range) -> list[Walk]:
    walks: list[Walk] = []
    starts: tuple[Key, ...] = ()
    joins: list[Key] = []

    def end(stop: int) -> None:
        frames = range(starts[0].frame + shot.step, stop, shot.step) if starts else range(0)
        if frames:
            walks.append(Walk(starts, frames, tuple(joins)))

    for frame in shot:
        given = by_frame.get(frame, ())
        if not given:
            continue
        if {key.object_id for key in (*starts, *joins)} <= {key.object_id for key in given}:
            end(frame)
            starts, joins = tuple(given), []
        else:
            joins += given
    end(shot.stop)
    return walks


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
