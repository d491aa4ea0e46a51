"""What the gateway refuses, as a sentence, a gRPC code and an HTTP status; one table says which goes with which."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

import grpc

from cleanplate_plugin.client import ClientError
from cleanplate_plugin.errors import PluginError

HTTP_STATUS: dict[grpc.StatusCode, HTTPStatus] = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.OUT_OF_RANGE: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.TOO_MANY_REQUESTS,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
}
"""By gRPC code; those that are missing are faults: 500."""


class RefusedError(Exception):
    """The gateway itself refuses a request.

    Args:
        sentence: what is wrong, the values, the remedy; fit for a person.
        code: gRPC's code.
        reason: UPPER_SNAKE_CASE name for programs.
        status: of HTTP where the code's own does not say enough, such as 413.
    """

    def __init__(self, sentence: str, code: grpc.StatusCode, *, reason: str, status: HTTPStatus | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.code = code
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class Problem:
    """An error on its way out.

    Args:
        status: of HTTP.
        code: name of gRPC's code.
        reason: UPPER_SNAKE_CASE name for programs.
        message: one sentence.
    """

    status: HTTPStatus
    code: str
    reason: str
    message: str

    @classmethod
    def of(cls, error: RefusedError | ClientError | PluginError) -> Problem:
        """Whatever was refused, by the server, the timeline arithmetic or the gateway."""
        if isinstance(error, PluginError):
            code, reason, status = grpc.StatusCode.FAILED_PRECONDITION, error.reason, None
        elif isinstance(error, ClientError):
            code, reason, status = error.code, error.reason, None
        else:
            code, reason, status = error.code, error.reason, error.status
        status = status or HTTP_STATUS.get(code, HTTPStatus.INTERNAL_SERVER_ERROR)
        return cls(status, code.name, reason or code.name, error.sentence)

    @classmethod
    def of_fault(cls, error: Exception) -> Problem:
        """A fault of the program, which tells no more than its kind."""
        sentence = f"the gateway met a fault of its own ({type(error).__name__}); its log says more, please report it"
        return cls(HTTPStatus.INTERNAL_SERVER_ERROR, grpc.StatusCode.INTERNAL.name, "INTERNAL", sentence)

    def to_json(self) -> bytes:
        """``{"error": {"code": ..., "reason": ..., "message": ...}}``."""
        error = {"code": self.code, "reason": self.reason, "message": self.message}
        return json.dumps({"error": error}, ensure_ascii=False).encode()
