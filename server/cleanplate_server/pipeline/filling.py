"""From holes to patches of clean plate, window by window; the inpainting half of the story."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ClipRange, ColorTags, Media, PixelFormat
from cleanplate_server.models.protocols import (
    CleanRegion,
    EngineInfo,
    EngineKind,
    Filler,
    Inpainter,
    RemarkingFiller,
    Tick,
)
from cleanplate_server.pipeline.deliver import Delivering
from cleanplate_server.pipeline.given_plates import fit_given
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.mattes import hole_mattes
from cleanplate_server.pipeline.spec import CleanPlate
from cleanplate_server.pipeline.surroundings import check_surroundings
from cleanplate_server.pipeline.unseen import (
    Shots,
    Unseen,
    expect,
    expected_unseen,
    filled_unseen,
    joined_unseen,
    survey_folder,
    tell_expected,
    tell_unseen,
)
from cleanplate_server.stages.clean_plates import FittedPlate
from cleanplate_server.stages.composite import PlatePatch, composite, patch, soft_edge
from cleanplate_server.stages.coverage import Outlook
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import CleanedShot, PlateCache
from cleanplate_server.stages.unseen import COUNTS, pack_unseen
from cleanplate_server.stages.windows import (
    Array,
    MaskFiles,
    cut_windows,
    pack_patches,
    unpack_patches,
    window_name,
    write_arrays,
    write_bytes,
)

_REMARKS_FILE = "remarks.json"


@dataclass
class FillWork:
    """Fills any window of one shot (``WindowWork``).

    Args:
        media: the clip's media.
        shot: frame numbers.
        holes: what is to be filled.
        inpainter: the engine.
        folder: of the job; windows are kept below it.
        survey_folder: of this shot alone.
        feather_px: soft edge inside the hole.
        patch_layer: format and tags of patches with alpha; None composites in the plate's own format.
        cache_bytes: limit of the plates kept.
        given: frames that a person cleaned.
    """

    media: Media
    shot: range
    holes: MaskFiles
    inpainter: Inpainter
    folder: Path
    survey_folder: Path
    feather_px: int
    patch_layer: tuple[PixelFormat, ColorTags] | None
    cache_bytes: int
    given: Mapping[int, FittedPlate] = field(default_factory=dict)
    _open: ExitStack = field(default_factory=ExitStack, init=False, repr=False)
    _plates: PlateCache | None = field(default=None, init=False, repr=False)
    _filler: Filler | None = field(default=None, init=False, repr=False)

    def survey(self, tick: Tick) -> None:
        """The first pass over the shot."""
        self._plates = PlateCache(self._open.enter_context(Decoder(self.media)), self.cache_bytes)
        frames = CleanedShot(self._plates, self.media, self.shot, self.holes, given=self.given)
        self._filler = self.inpainter.survey(frames, self.survey_folder, tick)
        remarks = self._filler.remarks() if isinstance(self._filler, RemarkingFiller) else ()
        write_bytes(self.survey_folder / _REMARKS_FILE, json.dumps(remarks).encode())

    def __call__(self, window: range, tick: Tick) -> Path:
        if self._filler is None:
            self.survey(lambda frame: None)
        assert self._filler is not None
        unseen = hole = 0
        arrays: dict[str, Array] = {}
        for region in self._regions(self._filler, window):
            arrays |= pack_patches([self._patch(region)]) | pack_unseen(region)
            unseen += int(region.unseen.sum())
            hole += int(self.holes.mask(region.frame).sum())
            tick(region.frame)
        file = self.folder / "inpaint" / f"{window_name(window)}.npz"
        write_arrays(file, arrays | {COUNTS: np.array([unseen, hole], np.int32)})
        return file

    def _regions(self, filler: Filler, window: range) -> Iterator[CleanRegion]:
        """What the engine fills, and what was given in its place."""
        filled = filler.fill(window)
        for frame in window:
            plate = self.given.get(frame)
            if plate is not None:
                yield plate.over(next(filled) if plate.rest(self.holes.mask(frame)).any() else None)
            elif self.holes.box(frame) is not None:
                yield next(filled)
        assert next(filled, None) is None

    def close(self) -> None:
        """Closes the media."""
        self._open.close()

    def _patch(self, region: CleanRegion) -> PlatePatch:
        assert self._plates is not None
        plate = self._plates.plate(region.frame)
        alpha = soft_edge(self.holes.mask(region.frame), self.feather_px)
        if self.patch_layer is None:
            return composite(plate, region, alpha, self.media)
        format, tags = self.patch_layer
        return patch(plate, region, alpha, self.media, format=format, tags=tags)


@dataclass(frozen=True)
class Made:
    """Patches for the holes of a clip.

    Args:
        patches: in order of frames.
        engines: which made them.
        unseen: what no frame shows; None where nobody asked and nothing was filled.
    """

    patches: Iterable[PlatePatch]
    engines: tuple[tuple[EngineKind, EngineInfo], ...]
    unseen: Unseen | None


def make_patches(
    job: Job, clip: ClipRange, how: Delivering, shots: Shots, *, feather_px: int, clean_plates: Sequence[CleanPlate]
) -> Made:  # fmt: skip
    """Fills every hole; for a matte it gives the holes' alpha, and no more than looks ahead where maps are wanted."""
    media = clip.media
    if how.delivery == "matte":
        patches = hole_mattes(shots, how.format, how.tags, feather_px=feather_px)
        if job.spec.output.unseen_path is None:
            return Made(patches, (), None)
        given = fit_given(job, media, shots, clean_plates)
        return Made(patches, (), expected_unseen(media, _look_ahead(job, media, shots, given)))
    return fill_frames(
        job, clip, shots, feather_px=feather_px, clean_plates=clean_plates, patch_layer=how.patch_layer
    )  # fmt: skip


def fill_frames(
    job: Job, clip: ClipRange, shots: Shots, *, feather_px: int, clean_plates: Sequence[CleanPlate],
    patch_layer: tuple[PixelFormat, ColorTags] | None = None, only: range | None = None,
) -> Made:  # fmt: skip
    """Fills every hole of some frames, in the plate's own format or as a layer.

    Args:
        only: these frames; None is all. What no frame shows is an estimate for the others.
    """
    media = clip.media
    inpainter = job.engines.inpainter(job.spec.engines.get("inpainter", ""), job.spec.effort)
    given = fit_given(job, media, shots, clean_plates)
    check_surroundings(shots, media.size, given)
    outlooks = _look_ahead(job, media, shots, given)
    files = fill_holes(
        job, media, shots, inpainter, feather_px=feather_px, patch_layer=patch_layer, given=given, only=only
    )  # fmt: skip
    unseen = filled_unseen(media, files)
    tell_unseen(job, unseen.share or 0.0)
    if only is not None:
        unseen = joined_unseen(only, unseen, expected_unseen(media, outlooks))
    return Made(patches_in(file for _, file in files), (("inpainter", inpainter.info),), unseen)


def fill_holes(
    job: Job, media: Media, shots: Shots, inpainter: Inpainter, *,
    feather_px: int, patch_layer: tuple[PixelFormat, ColorTags] | None, given: Mapping[int, FittedPlate],
    only: range | None = None,
) -> list[tuple[range, Path]]:  # fmt: skip
    """Fills every hole and gives the windows with their files in order; those that are there already are kept.

    Args:
        only: frames to fill; None is all.
    """
    progress = FillProgress(job, shots, only)
    files: list[tuple[range, Path]] = []
    for shot, holes in shots:
        windows = [w for w in cut_windows(_common(shot, only)) if any(holes.box(frame) is not None for frame in w)]
        missing = [w for w in windows if job.ledger.finished("inpaint", window_name(w)) is None]
        folder, plates = survey_folder(job, shot), {frame: plate for frame, plate in given.items() if frame in shot}
        work = FillWork(
            media, shot, holes, inpainter, job.ledger.folder, folder, feather_px, patch_layer, job.plate_cache_bytes,
            plates,
        )  # fmt: skip
        try:
            if missing:
                work.survey(progress.surveyed)
            progress.skip([w for w in windows if w not in missing], holes)
            for window, file in job.executor.run(work, missing, progress.filled):
                job.ledger.finish("inpaint", window_name(window), file)
        finally:
            work.close()
        _tell_remarks(job, folder)
        files += [(w, job.ledger.folder / "inpaint" / f"{window_name(w)}.npz") for w in windows]
    return files


def _tell_remarks(job: Job, folder: Path) -> None:
    """What the engine had to say of a shot, in this run or in one before it."""
    file = folder / _REMARKS_FILE
    for remark in json.loads(file.read_bytes()) if file.is_file() else ():
        job.note(str(remark))


def _look_ahead(job: Job, media: Media, shots: Shots, given: Mapping[int, FittedPlate]) -> list[Outlook]:
    """Estimates before the fill what no frame shows, and says so."""
    done, total = 0, sum(len(shot) for shot, _ in shots)
    outlooks = []

    def surveyed(frame: int) -> None:
        nonlocal done
        done += 1
        job.ledger.progress("survey", done, total)

    with job.plates(media) as cache:
        for shot, holes in shots:
            plates = {frame: plate for frame, plate in given.items() if frame in shot}
            outlooks.append(expect(job, CleanedShot(cache, media, shot, holes, given=plates), surveyed))
    tell_expected(job, outlooks)
    return outlooks


class FillProgress:
    """Counts the frames of both passes over all shots."""

    def __init__(self, job: Job, shots: Shots, only: range | None = None) -> None:
        self._job = job
        self._survey_total = sum(len(shot) for shot, _ in shots)
        self._fill_total = sum(_hole_count(_common(shot, only), holes) for shot, holes in shots)
        self._surveyed = self._filled = 0

    def skip(self, windows: Iterable[range], holes: MaskFiles) -> None:
        """Counts windows that were done before."""
        self._filled += sum(_hole_count(window, holes) for window in windows)
        self._job.ledger.progress("inpaint", self._filled, self._fill_total)

    def surveyed(self, frame: int) -> None:
        """A frame was walked in the first pass."""
        self._surveyed = min(self._surveyed + 1, self._survey_total)
        self._job.ledger.progress("survey", self._surveyed, self._survey_total)

    def filled(self, frame: int) -> None:
        """A frame was filled."""
        self._filled += 1
        self._job.ledger.progress("inpaint", self._filled, self._fill_total)


def patches_in(files: Iterable[Path]) -> Iterator[PlatePatch]:
    """The patches of window files, in order of frames; one window at a time is held."""
    for file in files:
        yield from unpack_patches(file)


def _common(shot: range, only: range | None) -> range:
    return shot if only is None else range(max(shot.start, only.start), min(shot.stop, only.stop))


def _hole_count(frames: range, holes: MaskFiles) -> int:
    return sum(holes.box(frame) is not None for frame in frames)
