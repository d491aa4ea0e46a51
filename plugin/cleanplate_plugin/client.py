"""The server's client: one typed call for each rpc, one error class. Knows the proto alone."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import grpc
from cleanplate.v1 import (
    job_pb2,
    job_pb2_grpc,
    media_pb2,
    media_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    prompt_pb2,
    prompt_pb2_grpc,
)
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

SERVER_FILE = "server.json"
TOKEN_FILE = "token"  # noqa: S105  # a file's name, not a secret

_CALL_SECONDS = 120.0
_FIND_SECONDS = 600.0
"""A name may be looked for on a dozen frames by a network without a GPU."""
"""Longest wait for one answer; opening media on a slow disk may take a while."""
_GREETING_SECONDS = 5.0
_PATIENCE_SECONDS = 0.5
_THREAD_COUNT = 4
_MESSAGE_BYTES = 256 << 20
"""Masks travel as PNG; a noisy one of an 8K picture stays below this."""
_ENDED = (job_pb2.Job.SUCCEEDED, job_pb2.Job.FAILED, job_pb2.Job.CANCELLED)

_JPEG = media_pb2.GetFrameRequest.ENCODING_JPEG

Req = TypeVar("Req", bound=Message)
Res = TypeVar("Res", bound=Message)
ResCo = TypeVar("ResCo", covariant=True)
T = TypeVar("T")


class JobCall(Protocol):
    """A running call of WatchJob."""

    def __iter__(self) -> Iterator[job_pb2.WatchJobResponse]: ...

    def cancel(self) -> object: ...


class StreamCall(Protocol[ResCo]):
    """A running call of a streaming rpc."""

    def __iter__(self) -> Iterator[ResCo]: ...

    def cancel(self) -> object: ...


class ClientError(Exception):
    """A call failed.

    Args:
        sentence: what is wrong, the values, the remedy; fit for a person.
        code: gRPC's code.
        reason: UPPER_SNAKE_CASE name for programs, empty when the server gave none.
        metadata: the values named in the sentence.
    """

    def __init__(
        self, sentence: str, code: grpc.StatusCode, *, reason: str = "", metadata: dict[str, str] | None = None
    ) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})

    @classmethod
    def from_status(cls, status: status_pb2.Status) -> ClientError:
        """From the status that a failed call or a failed job carries."""
        info = error_details_pb2.ErrorInfo()
        for detail in status.details:
            if detail.Unpack(info):
                break
        return cls(status.message, _code(status.code), reason=info.reason, metadata=dict(info.metadata))

    @classmethod
    def from_rpc(cls, error: grpc.RpcError) -> ClientError:
        """From what gRPC raised."""
        assert isinstance(error, grpc.Call)
        status = rpc_status.from_call(error)
        if status is not None:
            return cls.from_status(status)
        if error.code() is grpc.StatusCode.UNAVAILABLE:
            return cls(
                "no Cleanplate server answers there; start one with `cleanplate serve`",
                grpc.StatusCode.UNAVAILABLE,
                reason="UNAVAILABLE",
            )
        return cls(error.details() or f"the server answered {error.code().name}", error.code())


@dataclass(frozen=True)
class ServerAddress:
    """Where a server listens and what it asks for.

    Args:
        address: ``HOST:PORT`` on the loopback.
        token: secret of this run of the server.
        private: it belongs to one command and goes away with it.
        gateway: ``127.0.0.1:PORT`` of its HTTP gateway; empty when it has none.
    """

    address: str
    token: str
    private: bool = False
    gateway: str = ""

    @classmethod
    def read(cls, state_folder: Path) -> ServerAddress:
        """Reads what a running server wrote into its state folder.

        Raises:
            ClientError: UNAVAILABLE when no server has written there, PERMISSION_DENIED when it is another user's.
        """
        try:
            document = json.loads((state_folder / SERVER_FILE).read_text(encoding="utf-8"))
            token = (state_folder / TOKEN_FILE).read_text(encoding="utf-8").strip()
            return cls(str(document["address"]), token, bool(document.get("private")), str(document.get("gateway", "")))
        except PermissionError as error:
            raise ClientError(
                f"the server's token in {state_folder} may not be read; it belongs to another user, start your own",
                grpc.StatusCode.PERMISSION_DENIED,
                reason="PERMISSION_DENIED",
            ) from error
        except (FileNotFoundError, NotADirectoryError, ValueError, KeyError, TypeError) as error:
            raise _no_server(state_folder) from error


class JobStream:
    """A job each time that it changes, until it has ended."""

    def __init__(self, call: JobCall) -> None:
        self._call = call

    def __iter__(self) -> Iterator[job_pb2.Job]:
        with _rpc_errors():
            for response in self._call:
                yield response.job

    def cancel(self) -> None:
        """Ends it, from any thread; whoever reads it gets a ClientError with the code CANCELLED."""
        self._call.cancel()


class Stream(Generic[Res]):
    """Answers of a streaming rpc, one after the other."""

    def __init__(self, call: StreamCall[Res]) -> None:
        self._call = call

    def __iter__(self) -> Iterator[Res]:
        with _rpc_errors():
            yield from self._call

    def cancel(self) -> None:
        """Ends it, from any thread; whoever reads it gets a ClientError with the code CANCELLED."""
        self._call.cancel()


class Client:
    """Calls on one server.

    Args:
        address: ``HOST:PORT``.
        token: what the server asks for.
    """

    def __init__(self, address: str, token: str) -> None:
        self.address = address
        options = [
            ("grpc.max_receive_message_length", _MESSAGE_BYTES),
            ("grpc.max_send_message_length", _MESSAGE_BYTES),
            ("grpc.enable_http_proxy", 0),
        ]
        self._channel = grpc.insecure_channel(address, options=options)
        self._metadata = (("authorization", f"Bearer {token}"),)
        self._threads = ThreadPoolExecutor(_THREAD_COUNT, thread_name_prefix="call")
        self._media = media_pb2_grpc.MediaServiceStub(self._channel)
        self._segment = prompt_pb2_grpc.SegmentServiceStub(self._channel)
        self._jobs = job_pb2_grpc.JobServiceStub(self._channel)
        self._models = model_pb2_grpc.ModelServiceStub(self._channel)

    @classmethod
    def discover(cls, state_folder: Path, *, private: bool = True) -> Client:
        """Connects to the server that holds a state folder.

        Args:
            state_folder: of the server.
            private: whether one that belongs to another command will do; it goes away with that command.

        Raises:
            ClientError: UNAVAILABLE when none runs, or the one that did was killed.
        """
        found = ServerAddress.read(state_folder)
        if found.private and not private:
            raise _no_server(state_folder)
        client = cls(found.address, found.token)
        try:
            client.greet()
        except ClientError:
            client.close()
            raise
        return client

    def greet(self) -> None:
        """Checks that the server answers and takes the token.

        Raises:
            ClientError.
        """
        self._call(self._models.ListModels, model_pb2.ListModelsRequest(), seconds=_GREETING_SECONDS)

    def open_clip(self, path: Path, *, stream_index: int = 0, sequence_rate: Fraction | None = None) -> media_pb2.Clip:
        """Probes media and keeps it ready for prompts; ``sequence_rate`` is that of images which name none."""
        request = media_pb2.OpenClipRequest(path=_absolute(path), stream_index=stream_index)
        if sequence_rate is not None:
            request.sequence_rate.CopyFrom(rational(sequence_rate))
        return self._call(self._media.OpenClip, request).clip

    def close_clip(self, clip_name: str) -> None:
        """Frees what was kept for an open clip."""
        self._call(self._media.CloseClip, media_pb2.CloseClipRequest(name=clip_name))

    def frame(
        self,
        clip_name: str,
        frame: int,
        *,
        max_height: int = 0,
        encoding: media_pb2.GetFrameRequest.Encoding.ValueType = _JPEG,
    ) -> media_pb2.GetFrameResponse:
        """One frame as a picture to look at; a ``max_height`` of 0 is the media's own size."""
        request = media_pb2.GetFrameRequest(clip=clip_name, frame=frame, max_height=max_height, encoding=encoding)
        return self._call(self._media.GetFrame, request)

    def segment(self, clip_name: str, prompt: prompt_pb2.Prompt, *, engine: str = "") -> prompt_pb2.SegmentResponse:
        """Finds what a prompt means on its frame; best candidate first."""
        request = prompt_pb2.SegmentRequest(clip=clip_name, prompt=prompt, engine=engine)
        return self._call(self._segment.Segment, request)

    def find_objects(
        self, clip_name: str, object_name: str, frames: Sequence[int], *, engine: str = ""
    ) -> prompt_pb2.FindObjectsResponse:
        """Finds what a name may mean, on the first of some frames that shows it; best hit first."""
        request = prompt_pb2.FindObjectsRequest(clip=clip_name, object_name=object_name, frames=frames, engine=engine)
        return self._call(self._segment.FindObjects, request, seconds=_FIND_SECONDS)

    def submit(self, spec: job_pb2.JobSpec, *, request_id: str = "") -> job_pb2.Job:
        """Queues a job; the same ``request_id`` gives the same job again."""
        request = job_pb2.SubmitJobRequest(request_id=request_id, spec=spec)
        return self._call(self._jobs.SubmitJob, request).job

    def job(self, name: str) -> job_pb2.Job:
        """One job as it now stands."""
        return self._call(self._jobs.GetJob, job_pb2.GetJobRequest(name=name)).job

    def jobs(self) -> Iterator[job_pb2.Job]:
        """Every job, newest first."""
        page_token = ""
        while True:
            page = self._call(self._jobs.ListJobs, job_pb2.ListJobsRequest(page_token=page_token))
            yield from page.jobs
            page_token = page.next_page_token
            if not page_token:
                return

    def watch(self, name: str) -> Iterator[job_pb2.Job]:
        """The job each time that it changes, until it has ended."""
        stream = self._apart(lambda: self.open_watch(name))
        states = iter(stream)
        try:
            while (state := self._apart(lambda: next(states, None))) is not None:
                yield state
        finally:
            stream.cancel()

    def open_watch(self, name: str) -> JobStream:
        """As ``watch``, for whoever may have to end it from another thread."""
        with _rpc_errors():
            return JobStream(self._jobs.WatchJob(job_pb2.WatchJobRequest(name=name), metadata=self._metadata))

    def cancel(self, name: str) -> job_pb2.Job:
        """Stops a job; one that has ended stays as it is."""
        return self._call(self._jobs.CancelJob, job_pb2.CancelJobRequest(name=name)).job

    def resume(self, name: str) -> job_pb2.Job:
        """Queues a job again that was stopped or failed."""
        return self._call(self._jobs.ResumeJob, job_pb2.ResumeJobRequest(name=name)).job

    def models(self) -> tuple[model_pb2.Model, ...]:
        """Every engine, by kind, the preferred one first."""
        return tuple(self._call(self._models.ListModels, model_pb2.ListModelsRequest()).models)

    def call(self, path: str, request: Message, response: type[Res]) -> Res:
        """Calls a unary rpc by its path.

        Args:
            path: such as ``/cleanplate.v1.JobService/GetJob``.
            request: of the kind that it takes.
            response: kind that it gives.
        """
        method: Callable[..., Res] = self._channel.unary_unary(
            path, request_serializer=_to_bytes, response_deserializer=response.FromString
        )
        return self._call(method, request)

    def open_stream(self, path: str, request: Message, response: type[Res]) -> Stream[Res]:
        """Calls a streaming rpc by its path; arguments as for ``call``."""
        method: Callable[..., StreamCall[Res]] = self._channel.unary_stream(
            path, request_serializer=_to_bytes, response_deserializer=response.FromString
        )
        with _rpc_errors():
            return Stream(method(request, metadata=self._metadata))

    def close(self) -> None:
        """Lets go of the connection."""
        self._channel.close()
        self._threads.shutdown(wait=False)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _call(self, method: Callable[..., Res], request: Message, *, seconds: float = _CALL_SECONDS) -> Res:
        with _rpc_errors():
            return self._apart(lambda: method(request, metadata=self._metadata, timeout=seconds))

    def _apart(self, call: Callable[[], T]) -> T:
        """Calls on another thread for the main one, where Ctrl-C may strike: within gRPC it would leave locks held."""
        if threading.current_thread() is not threading.main_thread():
            return call()
        answer = self._threads.submit(call)
        while True:
            done, _ = wait([answer], timeout=_PATIENCE_SECONDS)  # Windows lets Ctrl-C through only between waits
            if done:
                return answer.result()


def rational(value: Fraction) -> media_pb2.Rational:
    """A fraction as the wire has it."""
    return media_pb2.Rational(numerator=value.numerator, denominator=value.denominator)


def has_ended(job: job_pb2.Job) -> bool:
    """Whether a job will not change by itself any more."""
    return job.state in _ENDED


def _to_bytes(message: Message) -> bytes:
    return message.SerializeToString()


def _no_server(state_folder: Path) -> ClientError:
    return ClientError(
        f"no Cleanplate server is running with the state folder {state_folder}; start one with `cleanplate serve`",
        grpc.StatusCode.UNAVAILABLE,
        reason="UNAVAILABLE",
    )


@contextmanager
def _rpc_errors() -> Iterator[None]:
    try:
        yield
    except grpc.RpcError as error:
        raise ClientError.from_rpc(error) from error


def _code(number: int) -> grpc.StatusCode:
    name = code_pb2.Code.Name(code_pb2.Code.ValueType(number)) if number in code_pb2.Code.values() else "UNKNOWN"
    return grpc.StatusCode[name]


def _absolute(path: Path) -> str:
    """The path from the root, links and patterns left as they are."""
    return os.path.abspath(path)  # noqa: PTH100  # Path.resolve would follow links, and absolute() keeps `..`
