"""What masks depend on: the keys at both ends of their span, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Literal

Direction = Literal["forward", "backward"]


class FrameState(Enum):
    """What the mask of one object on one frame is worth; names as on the wire."""

    NONE = "NONE"
    KEY = "KEY"
    FOLLOWED = "FOLLOWED"
    HALF = "HALF"
    STALE = "STALE"

    @property
    def is_current(self) -> bool:
        """Whether the mask may be handed to a job."""
        return self in (FrameState.KEY, FrameState.FOLLOWED)


@dataclass(frozen=True)
class KeyMark:
    """A key without its mask.

    Args:
        object_id: whose.
        frame: where.
        digest: of the mask.
        number: grows with every mask that is kept; never used again.
    """

    object_id: int
    frame: int
    digest: str
    number: int


@dataclass(frozen=True)
class Span:
    """Frames of one object between two keys, or between a key and the end of its shot.

    Args:
        frames: ascending, without the keys' own; may be empty.
        before, after: the keys at its ends; at least one.
    """

    object_id: int
    frames: range
    before: KeyMark | None
    after: KeyMark | None

    @property
    def directions(self) -> tuple[Direction, ...]:
        """From where its frames are reached."""
        forward: tuple[Direction, ...] = ("forward",) if self.before else ()
        return (*forward, "backward") if self.after else forward

    def basis(self, engine: str) -> str:
        """A digest of all that masks in the span are made from: equal bases, equal masks."""
        ends = [f"{key.frame}:{key.digest}" if key else "-" for key in (self.before, self.after)]
        return hashlib.sha256("/".join([engine, *ends]).encode()).hexdigest()[:16]


def cut_spans(keys: Sequence[KeyMark], shot: range) -> list[Span]:
    """The spans of one object in one shot; none without a key in it.

    Args:
        keys: of one object, of any frames.
        shot: frame numbers.
    """
    own = sorted((key for key in keys if key.frame in shot), key=lambda key: key.frame)
    if not own:
        return []
    ends: list[KeyMark | None] = [None, *own, None]
    spans = []
    for before, after in pairwise(ends):
        start = before.frame + 1 if before else shot.start
        stop = after.frame if after else shot.stop
        spans.append(Span(own[0].object_id, range(start, stop), before, after))
    return spans
