"""HTTP/1.1 on a socket: requests in, answers and event streams out, everything bounded."""

from __future__ import annotations

import logging
import os
import socket
import socketserver
import sys
import threading
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qsl

import grpc

from cleanplate_plugin.client import ClientError
from cleanplate_plugin.errors import PluginError
from cleanplate_plugin.gateway.exchange import Answer, EventStream, Request
from cleanplate_plugin.gateway.refusals import Problem, RefusedError
from cleanplate_plugin.gateway.routes import Router

_log = logging.getLogger(__name__)

BODY_LIMIT_BYTES = 64 << 20
"""Masks of large pictures travel as base64 within prompts."""
_CONNECTION_LIMIT = 48
"""Each holds a thread, and a watch holds one of the server's 64 as well."""
_IDLE_SECONDS = 30.0
_LINGER_SECONDS = 1.0
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class HttpServer(ThreadingHTTPServer):
    """Listens on the loopback, one thread for each connection, up to a limit."""

    daemon_threads = False
    block_on_close = True
    allow_reuse_address = os.name == "posix"  # elsewhere it would let a second server take over the port unseen
    request_queue_size = 32

    def __init__(self, port: int) -> None:
        self.router: Router | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", port), _Handler)

    def server_bind(self) -> None:
        """Without asking a name server who 127.0.0.1 is."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = "127.0.0.1", self.socket.getsockname()[1]

    def verify_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> bool:  # fmt: skip
        """Takes a connection in, or turns it away when there are too many."""
        assert isinstance(request, socket.socket)
        with self._lock:
            if len(self._open) >= _CONNECTION_LIMIT:
                return False
            self._open.add(request)
            return True

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Lets a connection go."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Logs what ended a connection's thread: as a rule the other side has left, which is its right."""
        level = logging.DEBUG if isinstance(sys.exc_info()[1], OSError) else logging.ERROR
        _log.log(level, "a connection has ended", exc_info=True)

    def hang_up(self) -> None:
        """Ends every connection."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:
                _log.debug("a connection was gone already: %s", error)


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = _IDLE_SECONDS
    disable_nagle_algorithm = True
    server: HttpServer
    _LOST: ClassVar = (BrokenPipeError, ConnectionResetError, ConnectionAbortedError, TimeoutError)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def version_string(self) -> str:
        """Names the program and tells no versions."""
        return "Cleanplate"

    def log_message(self, format: str, *args: object) -> None:
        """Requests are of interest to whoever looks for a fault."""
        _log.debug(format, *args)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is not even HTTP, in the same form as everything else."""
        sentence = f"the request cannot be understood ({message or HTTPStatus(code).phrase}); send GET or POST"
        problem = Problem(HTTPStatus(code), grpc.StatusCode.INVALID_ARGUMENT.name, "INVALID_HTTP", sentence)
        self.close_connection = True
        self.request_version = self.protocol_version  # else a broken first line would be answered as HTTP/0.9 was
        self._send(Answer.of_problem(problem))

    def _serve(self) -> None:
        self._unread_bytes = -1
        try:
            self._reply(self._answer())
        except self._LOST as error:
            _log.debug("the other side has left: %s", error)
            self.close_connection = True

    def _answer(self) -> Answer | EventStream:
        assert self.server.router is not None
        try:
            return self.server.router.answer(self._request(), self._read_body)
        except (RefusedError, ClientError, PluginError) as error:
            return Answer.of_problem(Problem.of(error))
        except self._LOST:
            raise
        except Exception as error:  # noqa: BLE001  (the entry: it goes to the caller, and to the log)
            _log.error("a fault of the program", exc_info=error)
            return Answer.of_problem(Problem.of_fault(error))

    def _request(self) -> Request:
        path, _, query = self.path.partition("?")
        headers = {name.lower(): ", ".join(self.headers.get_all(name, [])) for name in self.headers}
        self._unread_bytes = self._body_length()
        try:
            values = dict(reversed(parse_qsl(query, keep_blank_values=True, max_num_fields=16)))
        except ValueError as error:
            raise _invalid(f"the query cannot be read ({error})", "INVALID_QUERY") from error
        return Request(self.command, path, values, headers)

    def _body_length(self) -> int:
        lengths = self.headers.get_all("Content-Length", [])
        if "Transfer-Encoding" in self.headers or (self.command == "POST" and not lengths):
            raise _invalid("a body needs its Content-Length", "LENGTH_REQUIRED", HTTPStatus.LENGTH_REQUIRED)
        if not lengths:
            return 0
        if len(lengths) > 1 or not (lengths[0].isascii() and lengths[0].isdigit() and len(lengths[0]) < 16):
            raise _invalid(f"Content-Length {', '.join(lengths)!r} is not a number of bytes", "INVALID_HTTP")
        return int(lengths[0])

    def _read_body(self) -> bytes:
        length = self._unread_bytes
        if length > BODY_LIMIT_BYTES:
            raise RefusedError(
                f"the body has {length} bytes, and {BODY_LIMIT_BYTES} are the most; send smaller masks",
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                reason="BODY_TOO_LARGE",
                status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            )
        body = self.rfile.read(length)
        if len(body) < length:
            raise ConnectionResetError(f"{len(body)} of {length} bytes came")
        self._unread_bytes = 0
        return body

    def _reply(self, answer: Answer | EventStream) -> None:
        if isinstance(answer, EventStream):
            self._stream(answer)
            return
        if self._unread_bytes:
            self.close_connection = True
        self._send(answer)
        if self._unread_bytes:
            self._let_finish()

    def _send(self, answer: Answer) -> None:
        headers = {
            "Content-Type": answer.content_type,
            "Cache-Control": "no-store",
            **({} if answer.status is HTTPStatus.NO_CONTENT else {"Content-Length": str(len(answer.body))}),
            **answer.headers,
        }
        self._begin(answer.status, headers)
        self.wfile.write(answer.body)

    def _begin(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self.send_response(status)
        if self.close_connection:
            self.send_header("Connection", "close")
        for name, value in {**_HEADERS, **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _stream(self, stream: EventStream) -> None:
        self.close_connection = True
        headers = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store"}
        try:
            self._begin(HTTPStatus.OK, headers)
            for event in stream.events:
                if self._has_left():
                    break
                self.wfile.write(b": heartbeat\n\n" if event is None else event.encode())
        finally:
            stream.events.close()

    def _has_left(self) -> bool:
        """Whether the other side has closed the connection, which a first write would not show."""
        self.connection.setblocking(False)
        try:
            return not self.connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        finally:
            self.connection.settimeout(self.timeout)

    def _let_finish(self) -> None:
        """Reads on a little: a connection closed on unread bytes may lose the answer on its way."""
        end = time.monotonic() + _LINGER_SECONDS
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(_LINGER_SECONDS)
        while time.monotonic() < end and self.connection.recv(1 << 16):
            pass


def _invalid(what: str, reason: str, status: HTTPStatus | None = None) -> RefusedError:
    return RefusedError(f"{what}; correct the request", grpc.StatusCode.INVALID_ARGUMENT, reason=reason, status=status)
