"""What a host is to place: which frames of the take stand where in the clip, and what the marker says."""

from __future__ import annotations

from cleanplate.v1 import job_pb2, shot_pb2

from cleanplate_plugin.timeline import Span, Take, Use


def placement_of(use: Use, part: Span | None, take: Take, job: job_pb2.Job) -> shot_pb2.Placement:
    """Settles where a take goes.

    Args:
        use: the clip, settled.
        part: record frames from its start; None is all.
        take: what was made for them.
        job: that made it.

    Raises:
        TimelineError: the take does not hold what the clip shows.
    """
    covered = part or Span(0, use.frame_count)
    shown = (use.part(part) if part else use).with_take(take)
    from_cut_to_cut = shown.source_span(Span(0, covered.frame_count))
    return shot_pb2.Placement(
        path=str(take.media.path),
        start_frame=shown.source_frame(0),
        frame_count=from_cut_to_cut.frame_count,
        record_offset=covered.start_frame,
        record_frame_count=covered.frame_count,
        whole_clip=covered == Span(0, use.frame_count),
        delivery=job.spec.output.delivery,
        marker_name="Cleanplate",
        marker_note=_note(take, job),
        marker_data=f"cleanplate:{job.name.removeprefix('jobs/')}",
    )


def _note(take: Take, job: job_pb2.Job) -> str:
    engines = ", ".join(f"{engine.kind} {engine.name} ({engine.licence})" for engine in job.take.engines)
    frames = ", ".join(str(frame) for frame in sorted({prompt.frame for prompt in job.spec.remove.prompts}))
    return f"{take.label}; {engines}; prompted on frame {frames} of the media; {job.take.path}"
