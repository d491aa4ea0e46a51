"""Click to clean media, top to bottom."""

from __future__ import annotations

from cleanplate_server.errors import MaskError
from cleanplate_server.pipeline.deliver import Delivering, deliver
from cleanplate_server.pipeline.filling import make_patches
from cleanplate_server.pipeline.following import follow_objects, keep_masks
from cleanplate_server.pipeline.given_plates import check_clean_plates
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.shadows import find_shadows
from cleanplate_server.pipeline.spec import RemoveOperation, Take
from cleanplate_server.pipeline.tracking import make_holes
from cleanplate_server.pipeline.unseen import deliver_maps


def default_grow_px(picture_height: int) -> int:
    """Pixels that cover an object's blurred edge: 3 at 480 lines, 4 at 720, 6 at 1080, 12 at 2160."""
    return max(2, -(-picture_height // 180))


def default_feather_px(grow_px: int) -> int:
    """A soft edge that lies in the grown rim alone, clear of the object."""
    return grow_px // 3


def remove(job: Job, operation: RemoveOperation) -> Take:
    """Finds the objects, follows them, fills what was behind them, delivers."""
    clip = job.open_clip()
    how = Delivering.plan(job, clip, job.spec.output.delivery)
    check_clean_plates(operation.clean_plates, clip)
    size = clip.media.size
    grow_px = operation.grow_px if operation.grow_px is not None else default_grow_px(size[0])
    feather_px = operation.feather_px if operation.feather_px is not None else default_feather_px(grow_px)
    job.note(f"masks are grown by {grow_px} pixels to cover the object's blurred edge, {feather_px} of them soft")

    followed = follow_objects(job, clip, operation.prompts)
    shadows = find_shadows(job, clip.media, followed.shots) if operation.with_shadow else {}
    shots = [
        (shot, make_holes([*masks.values(), *shadows.get(shot, ())], shot, size, grow_px=grow_px, ledger=job.ledger))
        for shot, masks in followed.shots
    ]
    if not any(holes.box(frame) is not None for shot, holes in shots for frame in shot):
        raise MaskError("no frame of the range has a mask, so there is nothing to remove; prompt on the object again")
    made = make_patches(job, clip, how, shots, feather_px=feather_px, clean_plates=operation.clean_plates)
    unseen_path = deliver_maps(job, clip, made.unseen, shots)
    return deliver(
        job, clip, how, made.patches, engines=followed.engines + made.engines, masks_path=keep_masks(job, shots),
        unseen=made.unseen, unseen_path=unseen_path,
    )  # fmt: skip
