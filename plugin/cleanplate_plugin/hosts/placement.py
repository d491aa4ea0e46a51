"""What a host is to place: which frames of the take stand where in the clip, and what the marker says."""

from __future__ import annotations

from collections.abc import Mapping

from cleanplate.v1 import job_pb2, shot_pb2

from cleanplate_plugin.timeline import Span, Take, Use

MARK = "cleanplate:"
"""What our markers' data and our media's comments begin with."""

_DELIVERIES = {"plate": job_pb2.DELIVERY_PLATE, "patch": job_pb2.DELIVERY_PATCH, "matte": job_pb2.DELIVERY_MATTE}


def placement_of(use: Use, part: Span | None, take: Take) -> shot_pb2.Placement:
    """Settles where a take goes.

    Args:
        use: the clip, settled.
        part: record frames from its start; None is all.
        take: what was made for them, of ``takes.take_of``.

    Raises:
        TimelineError: the take does not hold what the clip shows.
    """
    whole = Span(0, use.frame_count)
    covered = part or whole
    shown = (use.part(part) if part else use).with_take(take)
    return shot_pb2.Placement(
        path=str(take.media.path),
        start_frame=shown.source_frame(0),
        frame_count=shown.source_span(Span(0, covered.frame_count)).frame_count,
        record_offset=covered.start_frame,
        record_frame_count=covered.frame_count,
        whole_clip=covered == whole,
        delivery=_DELIVERIES.get(str(take.about.get("delivery")), job_pb2.DELIVERY_PLATE),
        marker_name="Cleanplate",
        marker_note=_note(take),
        marker_data=f"{MARK}{str(take.about.get('job', '')).removeprefix('jobs/') or take.label}",
    )


def _note(take: Take) -> str:
    engines = ", ".join(f"{e.get('kind')} {e.get('name')} ({e.get('licence')})" for e in _rows(take, "engines"))
    frames = sorted({int(str(prompt.get("frame", 0))) for prompt in _rows(take, "prompts")})
    prompted = f"prompted on frame {', '.join(map(str, frames))} of the media" if frames else ""
    return "; ".join(part for part in (take.label, engines, prompted, str(take.media.path)) if part)


def _rows(take: Take, name: str) -> list[Mapping[str, object]]:
    """A list of what was done, from the take's own account of it."""
    found = take.about.get(name, [])
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []
