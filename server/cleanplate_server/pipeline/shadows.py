"""The shadows that followed objects cast, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cleanplate_server.clip import Media
from cleanplate_server.models.embedded.survey import walk
from cleanplate_server.models.protocols import Box, Mask
from cleanplate_server.pipeline.job import Job
from cleanplate_server.stages.plates import MaskedShot
from cleanplate_server.stages.shadow import ShadowFinder
from cleanplate_server.stages.windows import Array, MaskFiles, cut_windows, pack_alpha, window_name, write_arrays

Objects = Sequence[tuple[range, Mapping[int, MaskFiles]]]
"""Each shot with the masks of its objects by id."""


class _Union:
    """All objects of a shot in one mask (``stages.plates.MaskSource``)."""

    def __init__(self, masks: Sequence[MaskFiles], size: tuple[int, int]) -> None:
        self._masks = masks
        self._size = size

    def mask(self, frame: int) -> Mask:
        union = np.zeros(self._size, np.bool_)
        for masks in self._masks:
            if masks.box(frame) is not None:
                union |= masks.mask(frame)
        return union

    def box(self, frame: int) -> Box | None:
        boxes = [box for masks in self._masks if (box := masks.box(frame)) is not None]
        if not boxes:
            return None
        return Box(
            min(box.x0 for box in boxes),
            min(box.y0 for box in boxes),
            max(box.x1 for box in boxes),
            max(box.y1 for box in boxes),
        )


def find_shadows(job: Job, media: Media, objects: Objects) -> dict[range, list[MaskFiles]]:
    """Finds the shadows of all objects of each shot, and says by how much masks grow to them."""
    total = sum(len(shot) for shot, masks in objects if masks)
    shadows: dict[range, list[MaskFiles]] = {}
    shadow_px = object_px = with_shadow = with_object = done = 0
    for shot, masks in objects:
        if not masks:
            continue
        union = _Union(list(masks.values()), media.size)
        shadows[shot] = [_shadows_of(job, media, shot, union, done=done, total=total)]
        done += len(shot)
        for frame in (frame for frame in shot if union.box(frame) is not None):
            grown = int(shadows[shot][0].mask(frame).sum())
            shadow_px, object_px = shadow_px + grown, object_px + int(union.mask(frame).sum())
            with_shadow, with_object = with_shadow + bool(grown), with_object + 1
    share = shadow_px / max(1, object_px)
    job.note(
        f"masks grow to the cast shadow by {share:.0%} of the objects' area, on {with_shadow} of {with_object} frames;"
        " look at the masks where the ground is uneven"
        if shadow_px
        else "no cast shadow was found beside the objects, so masks do not grow to one; click on it with --object 2"
    )
    return shadows


def _shadows_of(job: Job, media: Media, shot: range, union: _Union, *, done: int, total: int) -> MaskFiles:
    """The shadows of a shot in window files; windows that are there already are kept."""
    windows = cut_windows(shot)
    files = {window: job.ledger.finished("shadow", window_name(window)) for window in windows}
    with job.plates(media) as plates:
        finder: ShadowFinder | None = None
        for window in windows:
            if files[window] is None:
                finder = finder or _finder(job, MaskedShot(plates, media, shot, union), done=done, total=total)
                arrays: dict[str, Array] = {}
                for frame in window:
                    arrays |= pack_alpha(finder.shadow(frame).astype(np.float32), str(frame))
                    job.ledger.progress("shadow", done + frame - shot.start + 1, total)
                file = job.ledger.folder / "shadow" / f"{window_name(window)}.npz"
                write_arrays(file, arrays)
                job.ledger.finish("shadow", window_name(window), file)
                files[window] = file
    found = MaskFiles(media.size)
    for window, kept in files.items():
        assert kept is not None
        found.add(window, kept)
    return found


def _finder(job: Job, frames: MaskedShot, *, done: int, total: int) -> ShadowFinder:
    def walked(frame: int) -> None:
        job.ledger.progress("shadow", done, total)  # a wish to stop is heard here

    folder = job.ledger.folder / "shadow" / f"survey-{window_name(frames.frames)}"
    folder.mkdir(parents=True, exist_ok=True)
    return ShadowFinder(frames, walk(frames, folder, walked))
