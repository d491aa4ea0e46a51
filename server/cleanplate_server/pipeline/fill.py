"""Given masks to clean media."""

from __future__ import annotations

from cleanplate_server.errors import MaskError
from cleanplate_server.pipeline.deliver import Delivering, deliver
from cleanplate_server.pipeline.filling import make_patches
from cleanplate_server.pipeline.following import keep_masks
from cleanplate_server.pipeline.given_plates import check_clean_plates
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.spec import FillOperation, Take
from cleanplate_server.pipeline.tracking import make_holes
from cleanplate_server.pipeline.unseen import deliver_maps
from cleanplate_server.stages.given_masks import GivenMasks


def fill(job: Job, operation: FillOperation) -> Take:
    """Fills under masks that somebody else made; nothing outside them changes unless they are grown."""
    clip = job.open_clip()
    how = Delivering.plan(job, clip, job.spec.output.delivery)
    check_clean_plates(operation.clean_plates, clip)
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
    made = make_patches(
        job, clip, how, shots, feather_px=operation.feather_px, clean_plates=operation.clean_plates
    )  # fmt: skip
    unseen_path = deliver_maps(job, clip, made.unseen, shots)
    return deliver(
        job, clip, how, made.patches, engines=made.engines, masks_path=keep_masks(job, shots),
        unseen=made.unseen, unseen_path=unseen_path,
    )  # fmt: skip
