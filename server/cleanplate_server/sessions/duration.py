"""How long a take may last: by takes that this machine has made, else by published figures."""

from __future__ import annotations

import os
from collections.abc import Iterable

from cleanplate.v1 import job_pb2, picker_pb2

from cleanplate_server.jobs.records import JobRecord
from cleanplate_server.jobs.states import JobState
from cleanplate_server.sessions.store import TakeRow

_FIGURES_PX = 854 * 480
_FOLLOW_SECONDS: dict[int, float] = {job_pb2.EFFORT_FAST: 0.115, job_pb2.EFFORT_BEST: 0.351}
_FILL_SECONDS: dict[int, float] = {job_pb2.EFFORT_FAST: 0.45, job_pb2.EFFORT_BEST: 1.6}
_USUAL_FOLLOW_SECONDS, _USUAL_FILL_SECONDS = 0.189, 0.88
"""Processor seconds a frame of 854x480, as docs/adr/0004 and 0005 tell them; that of the best fill is a guess."""
_ENCODE_SECONDS = 0.03
_MOST_CORES = 4


def measured_rate(takes: Iterable[tuple[TakeRow, JobRecord]], effort: int) -> float | None:
    """Seconds a frame of the newest whole take of the same effort; None without one."""
    for row, record in takes:
        same = picker_pb2.TakeSettings.FromString(row.settings).effort == effort
        if same and not row.preview and record.state is JobState.SUCCEEDED and record.start_ns:
            return (record.end_ns - record.start_ns) / 1e9 / max(1, len(row.frames))
    return None


def estimate_seconds(size: tuple[int, int], frame_count: int, unfollowed_count: int, effort: int) -> float:
    """Seconds by figures of the embedded engines, spread over the machine's cores.

    Args:
        size: (height, width).
        frame_count: frames to deliver.
        unfollowed_count: frames to follow first.
        effort: ``job_pb2.Effort``.
    """
    area = size[0] * size[1] / _FIGURES_PX
    follow = _FOLLOW_SECONDS.get(effort, _USUAL_FOLLOW_SECONDS)
    fill = (_FILL_SECONDS.get(effort, _USUAL_FILL_SECONDS) + _ENCODE_SECONDS) * area
    return (unfollowed_count * follow + frame_count * fill) / min(_MOST_CORES, os.cpu_count() or 1)
