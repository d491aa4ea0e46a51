"""Where a followed object is not seen, told, since a lost object stays in the picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cleanplate_server.pipeline.job import Job
from cleanplate_server.stages.windows import MaskFiles

_MOST_TOLD = 4
"""Stretches named one by one."""


def tell_absences(job: Job, shots: Sequence[tuple[range, Mapping[int, MaskFiles]]]) -> None:
    """Notes the frames on which an object has no mask; whether it is hidden, gone or lost only a person can say."""
    absent: dict[int, list[range]] = {}
    for shot, masks in shots:
        for object_id, files in masks.items():
            absent.setdefault(object_id, []).extend(empty_stretches(shot, files))
    for object_id, stretches in sorted(absent.items()):
        if stretches:
            job.note(_sentence(object_id, stretches))


def empty_stretches(frames: range, masks: MaskFiles) -> list[range]:
    """Runs of frames whose mask is empty, in order."""
    stretches: list[range] = []
    for frame in frames:
        if masks.box(frame) is not None:
            continue
        if stretches and stretches[-1].stop == frame:
            stretches[-1] = range(stretches[-1].start, frame + 1)
        else:
            stretches.append(range(frame, frame + 1))
    return stretches


def _sentence(object_id: int, stretches: Sequence[range]) -> str:
    told = [f"{s.start} to {s.stop - 1}" if len(s) > 1 else f"{s.start}" for s in stretches[:_MOST_TOLD]]
    rest = len(stretches) - len(told)
    where = ", ".join(told) + (f" and {rest} more stretches" if rest > 1 else " and one more stretch" if rest else "")
    count = sum(len(s) for s in stretches)
    return (
        f"object {object_id} is not seen on {count} {'frame' if count == 1 else 'frames'} ({where}); where it is in the"
        " picture, prompt on it there too"
    )
