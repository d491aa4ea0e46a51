"""Where a job may stand and which moves are legal."""

from __future__ import annotations

from enum import Enum

from cleanplate_server.errors import StateError


class JobState(str, Enum):
    """Names as on the wire."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"

    @property
    def ended(self) -> bool:
        """Whether nothing happens any more unless somebody resumes the job."""
        return self in (JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED)


_MOVES = {
    JobState.PENDING: {JobState.RUNNING, JobState.CANCELLED},
    JobState.RUNNING: {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED, JobState.PENDING},
    JobState.FAILED: {JobState.PENDING},
    JobState.CANCELLED: {JobState.PENDING},
    JobState.SUCCEEDED: set(),
}
"""RUNNING goes back to PENDING when a server stopped or was killed under it."""


def check_move(job_id: str, before: JobState, after: JobState) -> None:
    """Refuses a move that is not legal.

    Raises:
        StateError: names both states and what can be done.
    """
    if after in _MOVES[before]:
        return
    remedy = "submit it again to run it again" if before.ended else "wait for it, or cancel it first"
    raise StateError(
        f"job {job_id} is {before.value} and cannot become {after.value}; {remedy}",
        reason="WRONG_JOB_STATE",
        metadata={"job": job_id, "state": before.value},
    )
