"""The last stage of every operation: plates and patches to media, and the manifest beside it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cleanplate_server.clip import ClipRange, ColorTags, PixelFormat, Plate
from cleanplate_server.models.protocols import EngineInfo, EngineKind
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.manifest import manifest_path, write_manifest
from cleanplate_server.pipeline.spec import Delivery, EngineUse, Take
from cleanplate_server.pipeline.unseen import Unseen, check_maps
from cleanplate_server.stages.composite import PlatePatch, empty_plate, paste
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.encode import (
    Target,
    Writer,
    check_target,
    choose_codec,
    converts,
    delivery_format,
    delivery_tags,
)
from cleanplate_server.stages.viewing import to_picture, write_picture

_OUTPUT_INODE = "output-inode"
"""Names the file in the making, and still does after it has been renamed onto the target."""


@dataclass(frozen=True)
class Delivering:
    """How a job's result will be written, settled before any work.

    Args:
        target: path and codec.
        delivery: plate, patch or matte.
        format, tags: the frames' format when they are encoded, and what its code values mean.
    """

    target: Target
    delivery: Delivery
    format: PixelFormat
    tags: ColorTags

    @classmethod
    def plan(cls, job: Job, clip: ClipRange, delivery: Delivery) -> Delivering:
        """Settles codec and format.

        Raises:
            OutputError, AccessError, InputError: what can be known before the work begins.
        """
        output = job.spec.output
        codec = output.codec or choose_codec(output.path, clip.media, delivery)
        target = Target(output.path, codec, overwrite=output.overwrite or _is_own_output(job, output.path))
        media = clip.media
        check_target(target, media, audio=output.keeps_audio(delivery))
        check_maps(job)
        return cls(target, delivery, delivery_format(codec, media, delivery), delivery_tags(codec, media, delivery))

    @property
    def patch_layer(self) -> tuple[PixelFormat, ColorTags] | None:
        """Format and tags of the patches in window files; None for plates, which keep the source's."""
        return None if self.delivery == "plate" else (self.format, self.tags)


def deliver(
    job: Job, clip: ClipRange, how: Delivering, patches: Iterable[PlatePatch], *,
    engines: Iterable[tuple[EngineKind, EngineInfo]], masks_path: Path | None,
    unseen: Unseen | None = None, unseen_path: Path | None = None,
) -> Take:  # fmt: skip
    """Writes the media, beside its place and renamed, then the manifest.

    Args:
        patches: in order of frames; frames without one are the plate, or empty for patches and mattes.
        engines: which ran, for the manifest.
        masks_path: folder of the masks that were used.
        unseen: what no frame shows, where that is known.
        unseen_path: folder of the maps of it.
    """
    media = clip.media
    audio = job.spec.output.keeps_audio(how.delivery)
    writer = Writer(how.target, media=media, frames=clip.frames, format=how.format, tags=how.tags, audio=audio)
    (job.ledger.folder / "partials").write_text(f"{writer.partial_path}\n", encoding="utf-8")
    with Decoder(media) as decoder, writer:
        (job.ledger.folder / _OUTPUT_INODE).write_text(str(writer.partial_path.stat().st_ino), encoding="utf-8")
        for done, frame in enumerate(_frames(decoder, clip, how, patches), start=1):
            writer.write(frame)
            job.ledger.progress("encode", done, len(clip.frames))
    uses = tuple(EngineUse(kind, info) for kind, info in engines)
    beside = manifest_path(how.target.path)
    share = unseen.share if unseen else None
    write_manifest(
        beside, job.spec, clip, uses, notes=tuple(job.notes), codec=how.target.codec, unseen=(share, unseen_path)
    )
    start = media.start_timecode
    return Take(
        path=how.target.path,
        manifest_path=beside,
        masks_path=masks_path,
        frame_count=len(clip.frames),
        start_timecode=str(start + clip.frames.start) if start else "",
        engines=uses,
        notes=tuple(job.notes),
        unseen_path=unseen_path,
        unseen_share=share,
    )


def deliver_preview(
    job: Job, clip: ClipRange, patches: Iterable[PlatePatch], frames: range, *,
    engines: Iterable[tuple[EngineKind, EngineInfo]], unseen: Unseen | None, unseen_path: Path | None,
) -> Take:  # fmt: skip
    """Writes filled frames as ``%05d.png`` to look at into the folder at the output's path; all appear at once."""
    media, folder = clip.media, job.spec.output.path
    partial = folder.with_name(f".{folder.name}.partial")
    (job.ledger.folder / "partials").write_text(f"{partial}\n", encoding="utf-8")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    filled = {patch.frame: patch for patch in patches}
    with Decoder(media) as decoder:
        for done, plate in enumerate(decoder.plates(frames), start=1):
            shown = paste(plate, filled[plate.frame], media.format) if plate.frame in filled else plate
            write_picture(partial / f"{plate.frame:05d}.png", to_picture(shown.planes, media.format, media.tags))
            job.ledger.progress("encode", done, len(frames))
    if folder.exists():
        shutil.rmtree(folder)  # this job's own, of a run before
    partial.rename(folder)
    uses = tuple(EngineUse(kind, info) for kind, info in engines)
    share = unseen.share if unseen else None
    return Take(folder, folder, None, len(frames), "", uses, tuple(job.notes), unseen_path, share)


def _is_own_output(job: Job, path: Path) -> bool:
    """Whether an earlier run of this job, ended between its rename and its last word, put the target there."""
    noted = job.ledger.folder / _OUTPUT_INODE
    return noted.exists() and path.exists() and noted.read_text(encoding="utf-8") == str(path.stat().st_ino)


def _frames(decoder: Decoder, clip: ClipRange, how: Delivering, patches: Iterable[PlatePatch]) -> Iterator[Plate]:
    media = clip.media
    waiting = iter(patches)
    patch = next(waiting, None)
    for plate in decoder.plates(clip.frames):
        base = plate if how.delivery == "plate" else empty_plate(plate, how.format, how.tags)
        if patch is not None and patch.frame == plate.frame:
            base = paste(base, patch, media.format if how.delivery == "plate" else how.format)
            patch = next(waiting, None)
        if how.delivery == "plate":
            interlaced = media.field_order not in ("progressive", "unknown")
            base = converts(base, media.format, how.format, media.tags, how.tags, interlaced=interlaced)
        yield base
    assert patch is None, f"the patch for frame {patch.frame} is out of order"
