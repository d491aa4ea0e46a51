"""Clicks to masks alone."""

from __future__ import annotations

from cleanplate_server.pipeline.deliver import Delivering, deliver
from cleanplate_server.pipeline.following import follow_objects, keep_masks
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.mattes import hole_mattes
from cleanplate_server.pipeline.spec import Take, TrackOperation
from cleanplate_server.pipeline.tracking import make_holes


def track(job: Job, operation: TrackOperation) -> Take:
    """Finds the objects, follows them, delivers their union as a black and white picture for each frame."""
    clip = job.open_clip()
    how = Delivering.plan(job, clip, "matte")
    followed = follow_objects(job, clip, operation.prompts)
    shots = [
        (shot, make_holes(list(masks.values()), shot, clip.media.size, grow_px=operation.grow_px, ledger=job.ledger))
        for shot, masks in followed.shots
    ]
    patches = hole_mattes(shots, how.format, how.tags, feather_px=0)
    return deliver(job, clip, how, patches, engines=followed.engines, masks_path=keep_masks(job, shots))
