"""The gateway as our own processes ask it."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path

import grpc
from google.protobuf import json_format
from google.protobuf.message import Message

from cleanplate_plugin.client import ClientError, Res, ServerAddress

_SECONDS = 130.0
"""Longest wait for one answer; opening media on a slow disk may take two minutes."""
_LOOPBACK = "127.0.0.1:"


@dataclass(frozen=True)
class GatewayCalls:
    """Calls on a running gateway.

    Args:
        address: ``127.0.0.1:PORT``.
        token: of the server.
    """

    address: str
    token: str

    @classmethod
    def discover(cls, state_folder: Path) -> GatewayCalls:
        """Finds the gateway beside the server that holds a state folder.

        Raises:
            ClientError: no server runs there, or it has no gateway.
        """
        found = ServerAddress.read(state_folder)
        if not found.gateway.startswith(_LOOPBACK):
            raise _gone(
                "the Cleanplate server has no gateway for editing programs; stop it and start `cleanplate serve`"
            )
        return cls(found.gateway, found.token)

    def call(self, method: str, path: str, request: Message | None, answer: type[Res]) -> Res:
        """Sends a request, as JSON.

        Raises:
            ClientError: it is refused, or nobody answers.
        """
        body = json_format.MessageToJson(request, preserving_proto_field_name=True) if request is not None else None
        connection = http.client.HTTPConnection(self.address, timeout=_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            text = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise _gone("the Cleanplate server does not answer; start it with `cleanplate serve`") from error
        finally:
            connection.close()
        if reply.status >= http.HTTPStatus.BAD_REQUEST:
            raise _refused(reply.status, text)
        return json_format.Parse(text, answer(), ignore_unknown_fields=True)

    def url(self, page: str) -> str:
        """The address of a page for the browser; ``page`` is a path with what follows ``#``."""
        return f"http://{self.address}{page}"


def _refused(status: int, text: bytes) -> ClientError:
    try:
        told = json.loads(text)["error"]
        return ClientError(str(told["message"]), grpc.StatusCode.FAILED_PRECONDITION, reason=str(told["reason"]))
    except (ValueError, KeyError, TypeError):
        return ClientError(f"the Cleanplate server answered {status}; see its log", grpc.StatusCode.UNKNOWN)


def _gone(sentence: str) -> ClientError:
    return ClientError(sentence, grpc.StatusCode.UNAVAILABLE, reason="UNAVAILABLE")
