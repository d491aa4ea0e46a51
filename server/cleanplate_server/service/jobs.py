"""JobService: jobs in, their progress out."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from cleanplate.v1 import job_pb2, job_pb2_grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2

from cleanplate_server.errors import InputError
from cleanplate_server.jobs.manager import JobManager
from cleanplate_server.jobs.records import JobRecord
from cleanplate_server.jobs.states import JobState
from cleanplate_server.messages.jobs import spec_from_message
from cleanplate_server.service.folders import AllowedFolders
from cleanplate_server.service.submitting import Submitter

_PREFIX = "jobs/"
_PAGE_DEFAULT, _PAGE_LIMIT = 50, 1000


class JobService(job_pb2_grpc.JobServiceServicer):
    """Implements ``cleanplate.v1.JobService``.

    Args:
        manager: the queue.
        submitter: checks and stores.
        folders: where media may lie.
        check_resumed: check the paths of resumed jobs again, because the allowed folders may be others than when they
            were submitted. A private server's are those of one command, and who resumes a job there named it.
    """

    def __init__(
        self, manager: JobManager, submitter: Submitter, *, folders: AllowedFolders, check_resumed: bool
    ) -> None:  # fmt: skip
        self._manager = manager
        self._submitter = submitter
        self._folders = folders
        self._check_resumed = check_resumed

    def SubmitJob(self, request: job_pb2.SubmitJobRequest, context: grpc.ServicerContext) -> job_pb2.SubmitJobResponse:
        asked = request.spec.SerializeToString(deterministic=True)
        record = self._submitter.find(request.request_id, asked)
        if record is None:
            record = self._submitter.submit(request.spec, request.request_id, asked)
        return job_pb2.SubmitJobResponse(job=job_to_message(record))

    def GetJob(self, request: job_pb2.GetJobRequest, context: grpc.ServicerContext) -> job_pb2.GetJobResponse:
        return job_pb2.GetJobResponse(job=job_to_message(self._manager.get(_job_id(request.name))))

    def ListJobs(self, request: job_pb2.ListJobsRequest, context: grpc.ServicerContext) -> job_pb2.ListJobsResponse:
        if request.page_size < 0:
            raise InputError(f"a page of {request.page_size} jobs makes no sense; give 0 to {_PAGE_LIMIT}")
        size = min(request.page_size or _PAGE_DEFAULT, _PAGE_LIMIT)
        records = self._manager.page(size + 1, before=_page_start(request.page_token))
        more = str(records[size - 1].number) if len(records) > size else ""
        return job_pb2.ListJobsResponse(jobs=map(job_to_message, records[:size]), next_page_token=more)

    def WatchJob(
        self, request: job_pb2.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[job_pb2.WatchJobResponse]:
        for record in self._manager.watch(_job_id(request.name), wanted=context.is_active):
            yield job_pb2.WatchJobResponse(job=job_to_message(record))

    def CancelJob(self, request: job_pb2.CancelJobRequest, context: grpc.ServicerContext) -> job_pb2.CancelJobResponse:
        return job_pb2.CancelJobResponse(job=job_to_message(self._manager.cancel(_job_id(request.name))))

    def ResumeJob(self, request: job_pb2.ResumeJobRequest, context: grpc.ServicerContext) -> job_pb2.ResumeJobResponse:
        job_id = _job_id(request.name)
        if self._check_resumed:
            stored = job_pb2.JobSpec.FromString(self._manager.get(job_id).spec)
            spec_from_message(stored, admit=self._folders.admit)
        return job_pb2.ResumeJobResponse(job=job_to_message(self._manager.resume(job_id)))


def job_to_message(record: JobRecord) -> job_pb2.Job:
    """A job as it stands."""
    running = record.state is JobState.RUNNING
    stages = [
        job_pb2.StageProgress(
            stage=row.stage,
            done_frame_count=row.done_frame_count,
            frame_count=row.frame_count,
            frames_per_second=row.frames_per_second if running else 0.0,
        )
        for row in record.stages
    ]
    return job_pb2.Job(
        name=_PREFIX + record.job_id,
        state=job_pb2.Job.State.Value(record.state.value),
        spec=job_pb2.JobSpec.FromString(record.spec),
        stages=stages,
        error=status_pb2.Status.FromString(record.error) if record.error else None,
        take=job_pb2.Take.FromString(record.take) if record.take else None,
        create_time=_timestamp(record.create_ns),
        start_time=_timestamp(record.start_ns),
        end_time=_timestamp(record.end_ns),
        memory_estimate_bytes=record.memory_estimate_bytes,
        device_memory_estimate_bytes=record.device_memory_estimate_bytes,
        notes=record.notes,
    )


def _timestamp(nanoseconds: int) -> Timestamp | None:
    if not nanoseconds:
        return None
    time = Timestamp()
    time.FromNanoseconds(nanoseconds)
    return time


def _job_id(name: str) -> str:
    if not name.startswith(_PREFIX) or name == _PREFIX:
        raise InputError(f"{name!r} is not a job's name; give jobs/ID, as ListJobs shows it")
    return name[len(_PREFIX) :]


def _page_start(token: str) -> int | None:
    if token and not (token.isascii() and token.isdigit() and len(token) < 19):
        raise InputError(f"{token!r} is not a page token; give the next_page_token of the page before")
    return int(token) if token else None
