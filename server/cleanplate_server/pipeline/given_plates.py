"""Clean plates that a person gave: checked before the job, fitted to their frames once the holes are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ClipRange, Media
from cleanplate_server.errors import RangeError
from cleanplate_server.models.protocols import Box
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.spec import CleanPlate
from cleanplate_server.pipeline.unseen import Shots
from cleanplate_server.stages.clean_plates import FittedPlate, fit_clean_plate, read_clean_plate
from cleanplate_server.stages.plates import PlateCache, ShotPlates
from cleanplate_server.stages.windows import MaskFiles, read_arrays, write_arrays

_STAGE = "clean-plates"


def check_clean_plates(plates: Sequence[CleanPlate], clip: ClipRange) -> None:
    """Refuses clean plates that can be known not to fit before there are holes.

    Raises:
        RangeError: a frame outside the range.
        InputError, NotFoundError, AccessError, MediaError: see ``read_clean_plate``.
    """
    for plate in plates:
        if plate.frame not in clip.frames:
            raise RangeError(
                f"the clean plate for frame {plate.frame} is outside the range, frames {clip.frames.start} to"
                f" {clip.frames.stop - 1} with handles; give one inside it or widen the range"
            )
        read_clean_plate(plate.path, plate.frame, clip.media)


def fit_given(job: Job, media: Media, shots: Shots, plates: Sequence[CleanPlate]) -> Mapping[int, FittedPlate]:
    """Fits clean plates to their frames, each once, and says of those that nothing needs.

    Raises:
        InputError: one that does not show what its frame shows.
    """
    given: dict[int, FittedPlate] = {}
    if not plates:
        return given
    with job.plates(media) as cache:
        for shot, holes in shots:
            for plate in (each for each in plates if each.frame in shot):
                if holes.box(plate.frame) is None:
                    job.note(f"frame {plate.frame} has no hole, so its clean plate {plate.path.name} was not used")
                else:
                    given[plate.frame] = _fitted(job, cache, media, plate, shot, holes)
    return given


def _fitted(
    job: Job, cache: PlateCache, media: Media, plate: CleanPlate, shot: range, holes: MaskFiles
) -> FittedPlate:  # fmt: skip
    name = f"{plate.frame:06d}"
    file = job.ledger.finished(_STAGE, name)
    if file is None:
        picture, opaque = read_clean_plate(plate.path, plate.frame, media)
        source = ShotPlates(cache, media, shot).rgb(plate.frame)
        hole = holes.mask(plate.frame)
        fitted = fit_clean_plate(picture, opaque, frame=plate.frame, plate=source, hole=hole, name=plate.path.name)
        file = job.ledger.folder / _STAGE / f"{name}.npz"
        _save(fitted, file)
        job.ledger.finish(_STAGE, name, file)
    return _load(plate.frame, file)


def _save(plate: FittedPlate, file: Path) -> None:
    box = np.array([plate.box.x0, plate.box.y0, plate.box.x1, plate.box.y1], np.int32)
    write_arrays(file, {"box": box, "rgb": plate.rgb, "given": plate.given.astype(np.uint8)})


def _load(frame: int, file: Path) -> FittedPlate:
    arrays = read_arrays(file)
    x0, y0, x1, y1 = (int(side) for side in arrays["box"])
    rgb = np.asarray(arrays["rgb"], np.float32)
    return FittedPlate(frame, Box(x0, y0, x1, y1), rgb, np.asarray(arrays["given"] > 0, np.bool_))
