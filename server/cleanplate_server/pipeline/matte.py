"""Soft alpha for objects."""

from __future__ import annotations

from cleanplate_server.models.protocols import Prompt
from cleanplate_server.pipeline.deliver import Delivering, deliver
from cleanplate_server.pipeline.filling import patches_in
from cleanplate_server.pipeline.following import follow_objects, keep_masks
from cleanplate_server.pipeline.job import Job
from cleanplate_server.pipeline.mattes import solve_mattes
from cleanplate_server.pipeline.spec import MatteOperation, Take
from cleanplate_server.pipeline.tracking import make_holes
from cleanplate_server.stages.plates import MaskedShot


def people(first_frame: int) -> Prompt:
    """What a matte is of that is told nothing: everybody in every shot."""
    return Prompt(first_frame, name="person", every_shot=True)


def matte(job: Job, operation: MatteOperation) -> Take:
    """Finds the objects, follows them, softens their edges, delivers the alpha."""
    clip = job.open_clip()
    how = Delivering.plan(job, clip, "matte")
    matter = job.engines.matter(job.spec.engines.get("matter", ""), job.spec.effort)
    followed = follow_objects(job, clip, operation.prompts or (people(clip.frames.start),))
    files, shots = [], []
    with job.plates(clip.media) as plates:
        for shot, masks in followed.shots:
            union = make_holes(list(masks.values()), shot, clip.media.size, grow_px=0, ledger=job.ledger)
            frames = MaskedShot(plates, clip.media, shot, union)
            files += solve_mattes(frames, matter, job.ledger, format=how.format, tags=how.tags)
            shots.append((shot, union))
    engines = (*followed.engines, ("matter", matter.info))
    return deliver(job, clip, how, patches_in(files), engines=engines, masks_path=keep_masks(job, shots))
