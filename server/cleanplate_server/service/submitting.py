"""Jobs checked, made whole and stored; for whoever submits them."""

from __future__ import annotations

import hashlib

from cleanplate.v1 import job_pb2

from cleanplate_server.errors import InputError
from cleanplate_server.jobs.manager import JobManager
from cleanplate_server.jobs.records import JobRecord, JobRequest
from cleanplate_server.messages.jobs import spec_from_message, spec_to_message
from cleanplate_server.models.registry import Registry
from cleanplate_server.service.checks import check_job
from cleanplate_server.service.folders import AllowedFolders

_REQUEST_ID_LIMIT = 64


class Submitter:
    """Takes jobs in.

    Args:
        manager: the queue.
        registry: the engines.
        folders: where media may lie.
        memory_bytes: host memory that a job may need.
    """

    def __init__(
        self, manager: JobManager, registry: Registry, *, folders: AllowedFolders, memory_bytes: int
    ) -> None:  # fmt: skip
        self._manager = manager
        self._registry = registry
        self._folders = folders
        self._memory_bytes = memory_bytes

    def find(self, request_id: str, asked: bytes) -> JobRecord | None:
        """The job that an earlier request of this id made.

        Args:
            request_id: the caller's, empty for none.
            asked: what the caller sent.

        Raises:
            InputError: the id is too long, or was used for something else.
        """
        if len(request_id) > _REQUEST_ID_LIMIT:
            raise InputError(f"the request_id has {len(request_id)} characters; give at most {_REQUEST_ID_LIMIT}")
        return self._manager.find_request(request_id, _digest(asked))

    def submit(self, message: job_pb2.JobSpec, request_id: str, asked: bytes) -> JobRecord:
        """Stores a job and queues it.

        Raises:
            InputError, NotFoundError, AccessError, StateError: it cannot work.
        """
        spec = spec_from_message(message, admit=self._folders.admit)
        need = check_job(spec, self._registry, memory_bytes=self._memory_bytes)
        stored = spec_to_message(spec).SerializeToString()
        return self._manager.submit(JobRequest(stored, request_id, _digest(asked), need.host_bytes, need.device_bytes))


def _digest(asked: bytes) -> str:
    return hashlib.sha256(asked).hexdigest()
