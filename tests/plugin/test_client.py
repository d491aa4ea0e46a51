from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest
from cleanplate.v1 import job_pb2, job_pb2_grpc, model_pb2, model_pb2_grpc
from cleanplate_plugin.client import Client, ClientError, has_ended
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

TOKEN = "secret"


def _refuse(context: grpc.ServicerContext, code: int, sentence: str, reason: str) -> None:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(reason=reason, domain="cleanplate", metadata={"path": "/a.mov"}))
    status = status_pb2.Status(code=code, message=sentence, details=[detail])
    context.abort_with_status(rpc_status.to_status(status))


class _Jobs(job_pb2_grpc.JobServiceServicer):
    """Knows jobs 1 to 5, on pages of two; submitting is refused, and a job is done at its third state."""

    def ListJobs(self, request: job_pb2.ListJobsRequest, context: grpc.ServicerContext) -> job_pb2.ListJobsResponse:
        first = int(request.page_token or 5)
        jobs = [job_pb2.Job(name=f"jobs/{number}") for number in range(first, max(0, first - 2), -1)]
        return job_pb2.ListJobsResponse(jobs=jobs, next_page_token=str(first - 2) if first > 2 else "")

    def SubmitJob(self, request: job_pb2.SubmitJobRequest, context: grpc.ServicerContext) -> job_pb2.SubmitJobResponse:
        _refuse(context, code_pb2.INVALID_ARGUMENT, "the click is outside; click inside", "INVALID_PROMPT")
        raise AssertionError("abort raises")

    def WatchJob(
        self, request: job_pb2.WatchJobRequest, context: grpc.ServicerContext
    ) -> Iterator[job_pb2.WatchJobResponse]:
        for state in (job_pb2.Job.PENDING, job_pb2.Job.RUNNING, job_pb2.Job.SUCCEEDED):
            yield job_pb2.WatchJobResponse(job=job_pb2.Job(name=request.name, state=state))

    def GetJob(self, request: job_pb2.GetJobRequest, context: grpc.ServicerContext) -> job_pb2.GetJobResponse:
        context.abort(grpc.StatusCode.NOT_FOUND, "no such job")
        raise AssertionError("abort raises")


class _Models(model_pb2_grpc.ModelServiceServicer):
    def ListModels(
        self, request: model_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> model_pb2.ListModelsResponse:
        if dict(context.invocation_metadata()).get("authorization") != f"Bearer {TOKEN}":
            _refuse(context, code_pb2.PERMISSION_DENIED, "the token is wrong; read it anew", "PERMISSION_DENIED")
        return model_pb2.ListModelsResponse(models=[model_pb2.Model(kind="matter", name="one")])


@pytest.fixture
def address() -> Iterator[str]:
    server = grpc.server(futures.ThreadPoolExecutor(4))
    job_pb2_grpc.add_JobServiceServicer_to_server(_Jobs(), server)
    model_pb2_grpc.add_ModelServiceServicer_to_server(_Models(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None).wait()


def _state(folder: Path, address: str, *, token: str = TOKEN, private: bool = False) -> Path:
    (folder / "server.json").write_text(json.dumps({"address": address, "pid": 1, "private": private}))
    (folder / "token").write_text(token)
    return folder


def test_discover_with_a_running_server_connects_with_its_token(address: str, tmp_path: Path) -> None:
    with Client.discover(_state(tmp_path, address)) as client:
        assert [model.name for model in client.models()] == ["one"]


def test_discover_without_server_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="cleanplate serve") as caught:
        Client.discover(tmp_path)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_discover_of_a_killed_server_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(ClientError) as caught:
        Client.discover(_state(tmp_path, "127.0.0.1:9"))
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_discover_of_a_private_server_that_will_not_do_is_unavailable(address: str, tmp_path: Path) -> None:
    with pytest.raises(ClientError) as caught:
        Client.discover(_state(tmp_path, address, private=True), private=False)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


def test_wrong_token_gives_the_servers_sentence(address: str, tmp_path: Path) -> None:
    with pytest.raises(ClientError, match="the token is wrong; read it anew") as caught:
        Client.discover(_state(tmp_path, address, token="other"))
    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED


def test_rich_error_keeps_sentence_code_reason_and_values(address: str) -> None:
    with Client(address, TOKEN) as client, pytest.raises(ClientError) as caught:
        client.submit(job_pb2.JobSpec(path="/a.mov"))
    error = caught.value
    assert (str(error), error.code) == ("the click is outside; click inside", grpc.StatusCode.INVALID_ARGUMENT)
    assert (error.reason, error.metadata) == ("INVALID_PROMPT", {"path": "/a.mov"})


def test_plain_error_keeps_code_and_words(address: str) -> None:
    with Client(address, TOKEN) as client, pytest.raises(ClientError, match="no such job") as caught:
        client.job("jobs/9")
    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.NOT_FOUND, "")


def test_jobs_over_several_pages_gives_each_once(address: str) -> None:
    with Client(address, TOKEN) as client:
        assert [job.name for job in client.jobs()] == [f"jobs/{number}" for number in (5, 4, 3, 2, 1)]


def test_watch_gives_every_state_to_the_end(address: str) -> None:
    with Client(address, TOKEN) as client:
        jobs = list(client.watch("jobs/1"))
    assert [has_ended(job) for job in jobs] == [False, False, True]
