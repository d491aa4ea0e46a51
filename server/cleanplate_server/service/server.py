"""The gRPC server: on the loopback alone, with its token and address in the state folder."""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import secrets
from concurrent import futures
from pathlib import Path
from types import TracebackType

import grpc
from cleanplate.v1 import (
    job_pb2,
    job_pb2_grpc,
    media_pb2,
    media_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    picker_pb2,
    picker_pb2_grpc,
    prompt_pb2,
    prompt_pb2_grpc,
)
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from cleanplate_server.config import Settings
from cleanplate_server.errors import StateError
from cleanplate_server.jobs.manager import JobManager
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.service.answering import Answering
from cleanplate_server.service.boundary import Boundary
from cleanplate_server.service.clips import OpenClips, Segmenters
from cleanplate_server.service.finders import NameFinders
from cleanplate_server.service.folders import AllowedFolders
from cleanplate_server.service.jobs import JobService
from cleanplate_server.service.media import MediaService, ModelService, SegmentService
from cleanplate_server.service.session_takes import SessionTakes
from cleanplate_server.service.sessions import SessionService
from cleanplate_server.service.submitting import Submitter
from cleanplate_server.sessions.book import SessionBook

_log = logging.getLogger(__name__)

TOKEN_FILE = "token"  # noqa: S105  (a file's name)
SERVER_FILE = "server.json"
_THREAD_COUNT = 64
"""Each open WatchJob holds one, so there are many more than there are cores."""
_MESSAGE_LIMIT_BYTES = 64 << 20
"""Masks of large pictures travel as PNG within prompts."""


class Server:
    """Media, prompts, jobs and models over gRPC.

    Args:
        settings: state folder, address, allowed folders, memory.
        private: belongs to one run of the command line: jobs that others left interrupted are not started.
        registry: the engines.
        runner: what the worker process runs.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        private: bool = False,
        registry: Registry | None = None,
        runner: RunnerPlace | None = None,
    ) -> None:
        self._settings = settings
        self._private = private
        self._registry = registry or Registry(EnginePlace(settings.weights_folder, settings.device))
        self._manager = JobManager(settings, runner=runner, autostart=not private)
        self._segmenters = Segmenters(self._registry)
        self._clips = OpenClips(self._segmenters)
        self._finders = NameFinders(self._registry)
        self._answer = Answering(self._segmenters, self._finders)
        self._sessions = SessionBook(
            settings.state_folder / "sessions",
            open_clip=self._clips.opened,
            answer=self._answer,
            engines=self._registry,
        )
        self._gateway_address = ""
        self._health = health.HealthServicer()
        self._grpc: grpc.Server | None = None
        self._holds_folder = False
        self.token = secrets.token_urlsafe(32)
        self.address = ""

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Takes the state folder, listens, and tells its address and token there.

        Returns:
            ``HOST:PORT``.

        Raises:
            ServerBusyError: another server holds the state folder.
            StateError: the port is taken.
            AccessError: the state folder cannot be used.
        """
        self._manager.start()
        self._holds_folder = True
        try:
            self._grpc = self._listen()
            self._announce()
        except (StateError, OSError):
            self.stop()
            raise
        _log.info("listens on %s", self.address)
        return self.address

    def stop(self, grace_seconds: float = 1.0) -> None:
        """Lets calls end, stops the running job where it is, and takes back address and token."""
        if not self._holds_folder:
            return  # address and token there are another server's
        self._holds_folder = False
        for name in (SERVER_FILE, TOKEN_FILE):
            (self._settings.state_folder / name).unlink(missing_ok=True)
        if self._grpc:
            self._health.enter_graceful_shutdown()
            self._grpc.stop(grace_seconds).wait()
        self._sessions.close_all()
        self._clips.close_all()
        self._manager.stop()

    def announce_gateway(self, address: str) -> None:
        """Tells in the state folder where the server can be reached over HTTP.

        Args:
            address: ``127.0.0.1:PORT``; empty when there is no gateway any more.
        """
        self._gateway_address = address
        if self._holds_folder:
            self._announce()

    def wait(self) -> None:
        """Returns when the server was stopped."""
        assert self._grpc
        self._grpc.wait_for_termination()

    def _listen(self) -> grpc.Server:
        server = grpc.server(
            futures.ThreadPoolExecutor(_THREAD_COUNT, thread_name_prefix="rpc"),
            interceptors=[Boundary(self.token)],
            options=[
                ("grpc.so_reuseport", 0),  # else a second server could take over the port unseen
                ("grpc.max_receive_message_length", _MESSAGE_LIMIT_BYTES),
                ("grpc.max_send_message_length", _MESSAGE_LIMIT_BYTES),
            ],
        )
        self._add_services(server)
        host, port = self._settings.host, self._settings.port
        host = f"[{host}]" if ":" in host else host
        try:
            bound = server.add_insecure_port(f"{host}:{port}")
        except RuntimeError as error:
            raise StateError(
                f"port {port} of {host} cannot be listened on; choose another --port, or 0 for a free one",
                reason="PORT_IN_USE",
                metadata={"port": str(port)},
            ) from error
        self.address = f"{host}:{bound}"
        server.start()
        return server

    def _add_services(self, server: grpc.Server) -> None:
        own = self._settings.state_folder / "sessions"
        folders = AllowedFolders(self._settings.allowed_folders, own=own)
        memory_bytes = self._settings.memory_bytes
        submitter = Submitter(self._manager, self._registry, folders=folders, memory_bytes=memory_bytes)
        jobs = JobService(self._manager, submitter, folders=folders, check_resumed=not self._private)
        takes = SessionTakes(self._manager, submitter, self._registry, memory_bytes=memory_bytes)
        sessions = SessionService(self._sessions, self._clips, folders=folders, takes=takes)
        picker_pb2_grpc.add_SessionServiceServicer_to_server(sessions, server)
        media_pb2_grpc.add_MediaServiceServicer_to_server(MediaService(self._clips, folders), server)
        segments = SegmentService(self._clips, self._answer, self._finders, folders)
        prompt_pb2_grpc.add_SegmentServiceServicer_to_server(segments, server)
        job_pb2_grpc.add_JobServiceServicer_to_server(jobs, server)
        model_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self._registry), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        files = (media_pb2, prompt_pb2, job_pb2, model_pb2, picker_pb2)
        names = [service.full_name for file in files for service in file.DESCRIPTOR.services_by_name.values()]
        for name in ("", *names):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)

    def _announce(self) -> None:
        """The token first: who finds the address finds the token that goes with it."""
        folder = self._settings.state_folder
        write_private(folder / TOKEN_FILE, self.token.encode())
        known = {
            "address": self.address,
            "pid": os.getpid(),
            "version": importlib.metadata.version("cleanplate"),
            "private": self._private,
        }
        if self._gateway_address:
            known["gateway"] = self._gateway_address
        write_private(folder / SERVER_FILE, json.dumps(known).encode())


def write_private(file: Path, content: bytes) -> None:
    """Writes a file that its owner alone may read, whole or not at all."""
    partial = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as written:
        written.write(content)
    partial.replace(file)
