"""What the job store gives and takes: plain values."""

from __future__ import annotations

from dataclasses import dataclass

from cleanplate_server.jobs.states import JobState


@dataclass(frozen=True)
class JobRequest:
    """What is stored when a job is submitted.

    Args:
        spec: serialised ``cleanplate.v1.JobSpec``, made whole.
        request_id: the caller's, empty for none.
        request_sha256: of the spec as the caller sent it, to tell a repeated request from a reused name.
        memory_estimate_bytes: host memory that the job is expected to need at most.
        device_memory_estimate_bytes: the same of the GPU; 0 without one.
    """

    spec: bytes
    request_id: str = ""
    request_sha256: str = ""
    memory_estimate_bytes: int = 0
    device_memory_estimate_bytes: int = 0


@dataclass(frozen=True)
class StageRow:
    """How far one stage is; ``frames_per_second`` over the last seconds."""

    stage: str
    done_frame_count: int
    frame_count: int
    frames_per_second: float


@dataclass(frozen=True)
class WindowRow:
    """A finished window's file, relative to the job's folder, and its hash."""

    file: str
    sha256: str


@dataclass(frozen=True)
class JobRecord:
    """One job as it stands.

    Args:
        number: order of submission.
        job_id: as in ``jobs/ID``.
        state: where it stands.
        spec: serialised ``JobSpec``.
        error: serialised ``google.rpc.Status``, of a failed job.
        take: serialised ``Take``, of a succeeded job.
        create_ns, start_ns, end_ns: nanoseconds since 1970 UTC; 0 when it has not happened.
        memory_estimate_bytes: of the host, told before it starts.
        device_memory_estimate_bytes: of the GPU, told before it starts.
        cancel_requested: somebody asked to stop it.
        version: grows with every change.
        stages: in the order in which they ran.
        notes: sentences worth telling.
    """

    number: int
    job_id: str
    state: JobState
    spec: bytes
    error: bytes
    take: bytes
    create_ns: int
    start_ns: int
    end_ns: int
    memory_estimate_bytes: int
    device_memory_estimate_bytes: int
    cancel_requested: bool
    version: int
    stages: tuple[StageRow, ...] = ()
    notes: tuple[str, ...] = ()
