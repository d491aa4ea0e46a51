"""Given masks to clean media."""

from __future__ import annotations

from cleanplate_server.errors import MaskError
from cleanplate_server.pipeline.deliver import Delivering, deliver
from cleanplate_server.pipeline.filling import fill_holes, patches_in
from cleanplate_server.pipeline.following import keep_masks
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.spec import FillOperation, Take
from cleanplate_server.pipeline.tracking import make_holes
from cleanplate_server.stages.given_masks import GivenMasks


def fill(job: Job, operation: FillOperation) -> Take:
    """Fills under masks that somebody else made; nothing outside them changes unless they are grown."""
    clip = job.open_clip()
    how = Delivering.plan(job, clip, job.spec.output.delivery)
    with GivenMasks(operation.masks_path, clip) as given:
        shots = [
            (shot, make_holes([given], shot, clip.media.size, grow_px=operation.grow_px, ledger=job.ledger))
            for shot in job.shots(clip)
        ]
    if not any(holes.box(frame) is not None for shot, holes in shots for frame in shot):
        raise MaskError(
            f"every mask in {operation.masks_path} is empty in the range, so there is nothing to fill;"
            " 128 and above is hole"
        )
    inpainter = job.engines.inpainter(job.spec.engines.get("inpainter", ""), job.spec.effort)
    files = fill_holes(job, clip.media, shots, inpainter, feather_px=operation.feather_px, patch_layer=how.patch_layer)
    return deliver(
        job, clip, how, patches_in(files), engines=[("inpainter", inpainter.info)], masks_path=keep_masks(job, shots)
    )
