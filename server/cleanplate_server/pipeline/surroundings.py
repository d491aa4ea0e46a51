"""Whether a hole leaves anything to fill it from."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from cleanplate_server.errors import MaskError
from cleanplate_server.models.protocols import Box
from cleanplate_server.stages.windows import MaskFiles


def check_surroundings(
    shots: Sequence[tuple[range, MaskFiles]], size: tuple[int, int], given_frames: Collection[int]
) -> None:
    """Refuses a shot whose every frame is hole from edge to edge, because no engine could know what belongs there.

    Args:
        shots: each with what is to be filled.
        size: (height, width) of the picture.
        given_frames: those that somebody painted clean.

    Raises:
        MaskError.
    """
    whole = Box(0, 0, size[1], size[0])
    for shot, holes in shots:
        if any(frame in shot for frame in given_frames):
            continue
        if all(holes.box(frame) == whole and bool(holes.mask(frame).all()) for frame in shot):
            raise MaskError(
                f"the mask covers the whole picture in every frame from {shot.start} to {shot.stop - 1}, so nothing is"
                " left to fill it from; mask the object alone, or give a clean frame with --clean-plate F@FILE"
            )
