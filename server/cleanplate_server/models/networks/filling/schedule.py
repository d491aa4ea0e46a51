"""The windows of a shot: which frames go through a network together, and how much each window's answer counts.

They lie on a grid of the shot's own, so that a frame's result never depends on what a job asks for at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cleanplate_server.models.protocols import Effort

REFERENCE_LIMITS: dict[Effort, int] = {"fast": 4, "balanced": 10, "best": 20}
"""References of a window at most."""


@dataclass(frozen=True)
class Schedule:
    """How a shot is cut into windows.

    Args:
        stride: frames from one window's centre to the next one's.
        reach: local frames to each side of a centre.
        reference_gap: every so many frames of the shot one may be a reference.
        reference_limit: references of a window at most, since attention is over all frames at once.
    """

    stride: int = 5
    reach: int = 5
    reference_gap: int = 10
    reference_limit: int = 20

    def __post_init__(self) -> None:
        # a frame behind the last centre has no other window
        assert self.reach >= self.stride - 1 >= 0, f"windows {self.stride} apart must reach {self.stride - 1} frames"

    @property
    def local_limit(self) -> int:
        """Local frames of a window at most."""
        return 2 * self.reach + 1

    def centres(self, shot: range) -> range:
        """The frames that windows of a shot lie around."""
        return range(shot.start, shot.stop, self.stride)

    def centres_over(self, frame: int, shot: range) -> range:
        """The centres whose windows hold a frame: at least one."""
        first = shot.start + max(0, -(-(frame - self.reach - shot.start) // self.stride)) * self.stride
        return range(first, min(shot.stop, frame + self.reach + 1), self.stride)

    def window(self, centre: int, shot: range, given: Sequence[int] = ()) -> ShotWindow:
        """The window around a centre.

        Args:
            centre: one of ``centres``.
            shot: frame numbers.
            given: frames that a person cleaned; those nearest take up to half of the references' places.
        """
        local = range(max(shot.start, centre - self.reach), min(shot.stop, centre + self.reach + 1))
        clean = _nearest([frame for frame in given if frame not in local], centre, self.reference_limit // 2)
        others = [frame for frame in shot[:: self.reference_gap] if frame not in local and frame not in clean]
        chosen = clean + _choose(others, centre, self.reference_limit - len(clean))
        return ShotWindow(centre, local, tuple(sorted(chosen)), self.reach)


@dataclass(frozen=True)
class ShotWindow:
    """Frames that go through a network together.

    Args:
        centre: the frame that it lies around.
        local: frames that follow each other; these are filled.
        references: frames from anywhere else in the shot, ascending; these are only looked at.
        reach: as in the schedule.
    """

    centre: int
    local: range
    references: tuple[int, ...]
    reach: int

    @property
    def frames(self) -> tuple[int, ...]:
        """All of them, local ones first."""
        return (*self.local, *self.references)

    def weight(self, frame: int) -> float:
        """How much the answer for a local frame counts: 1 at the centre, falling evenly, never 0."""
        return 1 - abs(frame - self.centre) / (self.reach + 1)


def _choose(frames: Sequence[int], centre: int, limit: int) -> list[int]:
    """At most so many: half of them the nearest, the others evenly over the rest of the shot.

    Near frames show the surroundings as they are now, far ones what an object that stands long has behind it.
    """
    if len(frames) <= limit:
        return list(frames)
    near = _nearest(frames, centre, (limit + 1) // 2)
    far = [frame for frame in frames if frame not in near]
    count = limit - len(near)
    return near + [far[(2 * i + 1) * len(far) // (2 * count)] for i in range(count)]


def _nearest(frames: Sequence[int], centre: int, count: int) -> list[int]:
    return sorted(frames, key=lambda frame: (abs(frame - centre), frame))[:count]
