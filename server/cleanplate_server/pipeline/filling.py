"""From holes to patches of clean plate, window by window; the inpainting half of the story."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cleanplate_server.clip import ColorTags, Media, PixelFormat
from cleanplate_server.models.protocols import CleanRegion, Filler, Inpainter, Tick
from cleanplate_server.pipeline.job import Job
from cleanplate_server.stages.composite import PlatePatch, composite, patch, soft_edge
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import MaskedShot, PlateCache
from cleanplate_server.stages.windows import (
    MaskFiles,
    cut_windows,
    pack_patches,
    read_arrays,
    unpack_patches,
    window_name,
    write_arrays,
)


@dataclass
class FillWork:
    """Fills any window of one shot (``WindowWork``).

    Args:
        media: the clip's media.
        shot: frame numbers.
        holes: what is to be filled.
        inpainter: the engine.
        folder: of the job; surveys and windows are kept below it.
        feather_px: soft edge inside the hole.
        patch_layer: format and tags of patches with alpha; None composites in the plate's own format.
        cache_bytes: limit of the plates kept.
    """

    media: Media
    shot: range
    holes: MaskFiles
    inpainter: Inpainter
    folder: Path
    feather_px: int
    patch_layer: tuple[PixelFormat, ColorTags] | None
    cache_bytes: int
    _open: ExitStack = field(default_factory=ExitStack, init=False, repr=False)
    _plates: PlateCache | None = field(default=None, init=False, repr=False)
    _filler: Filler | None = field(default=None, init=False, repr=False)

    def survey(self, tick: Tick) -> None:
        """The first pass over the shot."""
        self._plates = PlateCache(self._open.enter_context(Decoder(self.media)), self.cache_bytes)
        folder = self.folder / "survey" / window_name(self.shot)
        folder.mkdir(parents=True, exist_ok=True)
        frames = MaskedShot(self._plates, self.media, self.shot, self.holes)
        self._filler = self.inpainter.survey(frames, folder, tick)

    def __call__(self, window: range, tick: Tick) -> Path:
        if self._filler is None:
            self.survey(lambda frame: None)
        assert self._filler is not None
        unseen = hole = 0
        patches = []
        for region in self._filler.fill(window):
            patches.append(self._patch(region))
            unseen += int(region.unseen.sum())
            hole += int(self.holes.mask(region.frame).sum())
            tick(region.frame)
        file = self.folder / "inpaint" / f"{window_name(window)}.npz"
        write_arrays(file, pack_patches(patches) | {"unseen": np.array([unseen, hole], np.int32)})
        return file

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


def fill_holes(
    job: Job, media: Media, shots: Sequence[tuple[range, MaskFiles]], inpainter: Inpainter, *,
    feather_px: int, patch_layer: tuple[PixelFormat, ColorTags] | None,
) -> list[Path]:  # fmt: skip
    """Fills every hole and gives the window files in order; windows that are there already are kept.

    Says with a note what share of the holes no frame of its shot shows.
    """
    progress = FillProgress(job, shots)
    files: list[Path] = []
    for shot, holes in shots:
        windows = [w for w in cut_windows(shot) if any(holes.box(frame) is not None for frame in w)]
        missing = [w for w in windows if job.ledger.finished("inpaint", window_name(w)) is None]
        work = FillWork(
            media, shot, holes, inpainter, job.ledger.folder, feather_px, patch_layer, job.plate_cache_bytes
        )
        try:
            if missing:
                work.survey(progress.surveyed)
            progress.skip([w for w in windows if w not in missing], holes)
            for window, file in job.executor.run(work, missing, progress.filled):
                job.ledger.finish("inpaint", window_name(window), file)
        finally:
            work.close()
        files += [job.ledger.folder / "inpaint" / f"{window_name(w)}.npz" for w in windows]
    _tell_unseen(job, files)
    return files


class FillProgress:
    """Counts the frames of both passes over all shots."""

    def __init__(self, job: Job, shots: Sequence[tuple[range, MaskFiles]]) -> None:
        self._job = job
        self._survey_total = sum(len(shot) for shot, _ in shots)
        self._fill_total = sum(_hole_count(shot, holes) for shot, holes in shots)
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


def _hole_count(frames: range, holes: MaskFiles) -> int:
    return sum(holes.box(frame) is not None for frame in frames)


def _tell_unseen(job: Job, files: Iterable[Path]) -> None:
    unseen = hole = 0
    for file in files:
        counts = read_arrays(file)["unseen"]
        unseen += int(counts[0])
        hole += int(counts[1])
    if unseen:
        share = f"{unseen / hole:.1%}" if unseen >= hole / 1000 else "under 0.1%"
        job.note(
            f"no frame of the shot shows what is behind {share} of the filled pixels;"
            " they were painted from their surroundings, so look at them"
        )
