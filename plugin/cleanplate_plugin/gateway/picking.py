"""Sessions as the gateway gives them to pages: the server's, with the shot that a host waits for in them."""

from __future__ import annotations

import queue
import threading
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import grpc
from cleanplate.v1 import job_pb2, model_pb2, picker_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from cleanplate_plugin.client import Client, ClientError, Res, Stream
from cleanplate_plugin.gateway.exchange import Event
from cleanplate_plugin.gateway.refusals import Problem, RefusedError
from cleanplate_plugin.gateway.shots import ENDED, Shot
from cleanplate_plugin.gateway.wire import read_message, write_message
from cleanplate_plugin.gateway.workshop import Workshop

_SERVICE = picker_pb2.DESCRIPTOR.services_by_name["SessionService"]
_PATH = f"/{_SERVICE.full_name}/"
VERBS = {
    "prepare": "PrepareFrame",
    "object": "PutObject",
    "delete-object": "DeleteObject",
    "prompt": "PutPrompt",
    "clear": "ClearPrompt",
    "choose": "ChooseCandidate",
    "range": "PutRange",
    "settings": "PutSettings",
    "propagate": "Propagate",
    "shadows": "FindShadows",
    "stop": "StopRun",
    "estimate": "EstimateTake",
    "preview": "SubmitPreview",
    "cancel-take": "CancelTake",
    "resume-take": "ResumeTake",
    "close": "CloseSession",
}
"""What a page may ask for in one call, and the rpc that does it."""

_Change = picker_pb2.WatchSessionResponse | Shot | ClientError | None


class _OfSession(Protocol):
    """Each request of the service."""

    session: str


@dataclass(frozen=True)
class Picking:
    """What pages do in sessions.

    Args:
        client: of the server.
        workshop: knows which shots wait for which sessions.
    """

    client: Client
    workshop: Workshop

    def open(self, request: picker_pb2.OpenSessionRequest) -> picker_pb2.Session:
        """Opens a session for whoever knows the token."""
        return self.client.call(f"{_PATH}OpenSession", request, picker_pb2.OpenSessionResponse).session

    def get(self, name: str) -> picker_pb2.GetSessionResponse:
        """A session with all its tracks."""
        answer = self.ask("GetSession", picker_pb2.GetSessionRequest(session=name), picker_pb2.GetSessionResponse)
        self._add_shot(answer.session)
        return answer

    def ask(self, method: str, request: Message, response: type[Res]) -> Res:
        """Calls an rpc of the service."""
        return self.client.call(_PATH + method, request, response)

    def do(self, name: str, verb: str, body: bytes) -> Message:
        """Does one thing in a session.

        Args:
            name: ``sessions/ID``.
            verb: one of ``VERBS``.
            body: the rpc's request as JSON; it need not name the session.

        Raises:
            RefusedError: the body cannot be read, or names another session.
            ClientError: the server's refusal.
        """
        if verb == "range":
            self._check_nobody_waits(name)
        method = _SERVICE.methods_by_name[VERBS[verb]]
        request = read_message(body, GetMessageClass(method.input_type))
        _set_session(request, name)
        answer = self.ask(method.name, request, GetMessageClass(method.output_type))
        session, job = getattr(answer, "session", None), getattr(answer, "job", None)
        if isinstance(session, picker_pb2.Session):
            self._add_shot(session)
        if isinstance(job, job_pb2.Job):
            job.ClearField("spec")
        return answer

    def engines(self) -> model_pb2.ListModelsResponse:
        """The engines that there are."""
        return model_pb2.ListModelsResponse(models=self.client.models())

    def _check_nobody_waits(self, name: str) -> None:
        """Refuses other frames than those that a host waits for."""
        shot = self.workshop.shot_of(name)
        if shot is not None and shot.state not in ENDED:
            raise RefusedError(
                f"{shot.host} waits for clip '{shot.clip_name}' as it stands on the timeline; trim it there",
                grpc.StatusCode.FAILED_PRECONDITION,
                reason="HOST_WAITS",
            )

    def submit(self, name: str, body: bytes) -> picker_pb2.SubmitTakeResponse:
        """Starts a take: where the body says, else for the host that waits.

        Raises:
            RefusedError: no path, and no host waits.
            ClientError, PluginError: the take is refused.
        """
        request = read_message(body, picker_pb2.SubmitTakeRequest)
        _set_session(request, name)
        if request.path:
            answer = self.ask("SubmitTake", request, picker_pb2.SubmitTakeResponse)
        else:
            session = self.get(name).session
            if not session.HasField("shot"):
                raise RefusedError(
                    "no editing program waits for this take; say where to save it",
                    grpc.StatusCode.INVALID_ARGUMENT,
                    reason="NO_PATH",
                )
            answer = picker_pb2.SubmitTakeResponse(job=self.workshop.submit_session(session).job)
        answer.job.ClearField("spec")
        return answer

    def give_up(self, name: str) -> picker_pb2.GetSessionResponse:
        """Tells the host that waits that nothing comes.

        Raises:
            RefusedError: no host waits.
        """
        shot = self.workshop.shot_of(name)
        if shot is None:
            raise RefusedError(
                "no editing program waits for this session any more; there is nothing to give up",
                grpc.StatusCode.FAILED_PRECONDITION,
                reason="NO_SHOT",
            )
        self.workshop.cancel(shot.name)
        answer = self.get(name)
        answer.ClearField("tracks")
        return answer

    def watch(self, name: str, heartbeat_seconds: float) -> Generator[Event | None, None, None]:
        """Everything that changes in a session, the waiting shot included.

        Raises:
            ClientError: no such session; before the first event.
        """
        self.get(name)
        return self._followed(name, heartbeat_seconds)

    def _followed(self, name: str, heartbeat_seconds: float) -> Generator[Event | None, None, None]:
        request = picker_pb2.WatchSessionRequest(session=name)
        stream = self.client.open_stream(f"{_PATH}WatchSession", request, picker_pb2.WatchSessionResponse)
        changes: queue.SimpleQueue[_Change] = queue.SimpleQueue()
        over = threading.Event()
        threads = [threading.Thread(target=_read, args=(stream, changes), name="session-watch")]
        shot = self.workshop.shot_of(name)
        if shot is not None:
            states = self.workshop.watch(shot.name, heartbeat_seconds)
            threads.append(threading.Thread(target=_read_shot, args=(states, changes, over), name="session-shot"))
        for thread in threads:
            thread.start()
        last: picker_pb2.Session | None = None
        try:
            while True:
                try:
                    change = changes.get(timeout=heartbeat_seconds)
                except queue.Empty:
                    yield None
                    continue
                if isinstance(change, ClientError):
                    yield Event("failure", Problem.of(change).to_json())
                    return
                if isinstance(change, picker_pb2.WatchSessionResponse) and change.HasField("session"):
                    last = change.session
                if change is None or (isinstance(change, Shot) and last is None):
                    continue
                yield self._event(change, last)
        finally:
            over.set()
            stream.cancel()
            for thread in threads:
                thread.join()

    def _event(self, change: picker_pb2.WatchSessionResponse | Shot, last: picker_pb2.Session | None) -> Event:
        if isinstance(change, picker_pb2.WatchSessionResponse) and not change.HasField("session"):
            kind = change.WhichOneof("change")
            return Event("track", write_message(change.track)) if kind == "track" else Event(
                "job", write_message(change.job)
            )  # fmt: skip
        assert last is not None
        self._add_shot(last)
        return Event("session", write_message(last))

    def _add_shot(self, session: picker_pb2.Session) -> None:
        shot = self.workshop.shot_of(session.name)
        if shot is not None:
            for name in ("job", "placement", "clip", "range", "page"):
                shot.ClearField(name)
            session.shot.CopyFrom(shot)


def _set_session(request: Message, name: str) -> None:
    asked = cast("_OfSession", request)
    if asked.session not in ("", name):
        raise RefusedError(
            f"the path is of {name} and the body of {asked.session!r}; name one session",
            grpc.StatusCode.INVALID_ARGUMENT,
            reason="INVALID_BODY",
        )
    asked.session = name


def _read(stream: Stream[picker_pb2.WatchSessionResponse], changes: queue.SimpleQueue[_Change]) -> None:
    try:
        for change in stream:
            changes.put(change)
        changes.put(ClientError("the watch has ended; connect again", grpc.StatusCode.UNAVAILABLE))
    except ClientError as error:
        changes.put(error)


def _read_shot(states: Iterator[Shot | None], changes: queue.SimpleQueue[_Change], over: threading.Event) -> None:
    for shot in states:
        if over.is_set():
            return
        changes.put(shot)
