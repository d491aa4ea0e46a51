"""The border of the service: nobody without the token gets in, no error gets out but as a rich status."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Iterator
from typing import NoReturn, TypeVar

import grpc
from grpc_status import rpc_status

from cleanplate_server.errors import AccessError, CleanplateError
from cleanplate_server.jobs.failures import error_status, system_error

_log = logging.getLogger(__name__)

_OPEN_TO_ALL = ("/grpc.health.v1.Health/", "/grpc.reflection.")
"""Health and reflection tell nothing of the user's work, and standard tools that ask for them know no token."""

_Request = TypeVar("_Request")
_Response = TypeVar("_Response")
_Call = Callable[[_Request, grpc.ServicerContext], _Response]


class Boundary(grpc.ServerInterceptor):
    """Asks every call for ``authorization: Bearer TOKEN`` and answers with ``google.rpc.Status``.

    Args:
        token: what a caller must know.
    """

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()

    def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], grpc.RpcMethodHandler[_Request, _Response] | None],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> grpc.RpcMethodHandler[_Request, _Response] | None:
        """Wraps a method of ours; health and reflection pass."""
        handler = continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(_OPEN_TO_ALL):
            return handler
        if handler.unary_unary:
            return grpc.unary_unary_rpc_method_handler(
                self._guarded(handler.unary_unary), handler.request_deserializer, handler.response_serializer
            )
        assert handler.unary_stream, f"{handler_call_details.method} takes a stream, which no method of ours does"
        return grpc.unary_stream_rpc_method_handler(
            self._guarded_stream(handler.unary_stream), handler.request_deserializer, handler.response_serializer
        )

    def _guarded(self, call: _Call[_Request, _Response]) -> _Call[_Request, _Response]:
        def answer(request: _Request, context: grpc.ServicerContext) -> _Response:
            try:
                self._check_token(context)
                return call(request, context)
            except Exception as error:  # noqa: BLE001  (the border: it goes to the caller, and to the log)
                failure = _explain(error)
            _abort(context, failure)

        return answer

    def _guarded_stream(self, call: _Call[_Request, Iterator[_Response]]) -> _Call[_Request, Iterator[_Response]]:
        def answer(request: _Request, context: grpc.ServicerContext) -> Iterator[_Response]:
            try:
                self._check_token(context)
                yield from call(request, context)
                return
            except Exception as error:  # noqa: BLE001  (the border: it goes to the caller, and to the log)
                failure = _explain(error)
            _abort(context, failure)

        return answer

    def _check_token(self, context: grpc.ServicerContext) -> None:
        given = dict(context.invocation_metadata()).get("authorization", "")
        raw = given.encode() if isinstance(given, str) else given
        if not hmac.compare_digest(raw, self._expected):
            raise AccessError(
                "the call has no token of this server, or a wrong one; send the one in the file 'token' of its state"
                " folder as 'authorization: Bearer TOKEN'",
                reason="WRONG_TOKEN",
            )


def _explain(error: Exception) -> CleanplateError:
    if isinstance(error, CleanplateError):
        return error
    if isinstance(error, OSError):
        _log.warning("the system refused a file", exc_info=error)
        return system_error(error)
    _log.error("a fault of the program", exc_info=error)
    return CleanplateError(
        f"the server met a fault of its own ({type(error).__name__}); its log says more, please report it"
    )


def _abort(context: grpc.ServicerContext, failure: CleanplateError) -> NoReturn:
    context.abort_with_status(rpc_status.to_status(error_status(failure)))
