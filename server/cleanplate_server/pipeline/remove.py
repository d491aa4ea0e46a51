"""Click to clean media, top to bottom; and a few frames of it to look at before."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import MaskError, RangeError
from cleanplate_server.pipeline.deliver import Delivering, deliver, deliver_preview
from cleanplate_server.pipeline.filling import fill_frames, make_patches
from cleanplate_server.pipeline.following import Followed, follow_objects, keep_masks
from cleanplate_server.pipeline.given_plates import check_clean_plates
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.shadows import find_shadows
from cleanplate_server.pipeline.spec import RemoveOperation, Take
from cleanplate_server.pipeline.tracking import make_holes
from cleanplate_server.pipeline.unseen import Shots, deliver_maps
from cleanplate_server.stages.given_masks import FollowedMasks


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
    found = _find_holes(job, clip, operation)
    shots, plates = found.shots, operation.clean_plates
    made = make_patches(job, clip, how, shots, feather_px=found.feather_px, clean_plates=plates)
    unseen_path = deliver_maps(job, clip, made.unseen, shots)
    return deliver(
        job, clip, how, made.patches, engines=found.followed.engines + made.engines,
        masks_path=keep_masks(job, shots), unseen=made.unseen, unseen_path=unseen_path,
    )  # fmt: skip


def preview(job: Job, operation: RemoveOperation, frames: range) -> Take:
    """Does the same for a few frames alone, and delivers them as pictures to look at.

    Raises:
        RangeError: frames outside the range.
        MaskError: none of the frames has a mask.
    """
    clip = job.open_clip()
    if frames[0] not in clip.frames or frames[-1] not in clip.frames:
        raise RangeError(
            f"the preview of frames {frames[0]} to {frames[-1]} lies outside the range, frames {clip.frames.start} to"
            f" {clip.frames.stop - 1}; choose frames in it"
        )
    check_clean_plates(operation.clean_plates, clip)
    found = _find_holes(job, clip, operation)
    shots = [(shot, holes) for shot, holes in found.shots if any(frame in shot for frame in frames)]
    if not any(holes.box(frame) is not None for shot, holes in shots for frame in frames if frame in shot):
        raise MaskError(f"none of the frames {frames[0]} to {frames[-1]} has a mask; follow the object that far first")
    made = fill_frames(
        job, clip, shots, feather_px=found.feather_px, clean_plates=operation.clean_plates, only=frames
    )  # fmt: skip
    unseen_path = deliver_maps(job, clip, made.unseen, shots)
    engines = found.followed.engines + made.engines
    return deliver_preview(
        job, clip, made.patches, frames, engines=engines, unseen=made.unseen, unseen_path=unseen_path
    )  # fmt: skip


@dataclass(frozen=True)
class _Found:
    """What is to be filled: each shot with its holes."""

    followed: Followed
    shots: Shots
    feather_px: int


def _find_holes(job: Job, clip: ClipRange, operation: RemoveOperation) -> _Found:
    size = clip.media.size
    grow_px = operation.grow_px if operation.grow_px is not None else default_grow_px(size[0])
    feather_px = operation.feather_px if operation.feather_px is not None else default_feather_px(grow_px)
    job.note(f"masks are grown by {grow_px} pixels to cover the object's blurred edge, {feather_px} of them soft")
    given = {each.object_id: FollowedMasks(each.masks_path, size) for each in operation.followed}
    followed = follow_objects(job, clip, operation.prompts, given)
    shadows = find_shadows(job, clip.media, followed.shots) if operation.with_shadow else {}
    shots = [
        (shot, make_holes([*masks.values(), *shadows.get(shot, ())], shot, size, grow_px=grow_px, ledger=job.ledger))
        for shot, masks in followed.shots
    ]
    if not any(holes.box(frame) is not None for shot, holes in shots for frame in shot):
        raise MaskError("no frame of the range has a mask, so there is nothing to remove; prompt on the object again")
    return _Found(followed, shots, feather_px)
