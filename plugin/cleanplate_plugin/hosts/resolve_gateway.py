"""The gateway as our own process asks it: the page of clicks for a shot that Resolve Studio stands on."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path

import grpc
from cleanplate.v1 import resolve_pb2, shot_pb2
from google.protobuf import json_format
from google.protobuf.message import Message

from cleanplate_plugin.client import SERVER_FILE, ClientError, ServerAddress

_SECONDS = 130.0
"""Longest wait for one answer; opening media on a slow disk may take two minutes."""
_LOOPBACK = "127.0.0.1:"


@dataclass(frozen=True)
class ShotGateway:
    """Calls on a running gateway.

    Args:
        address: ``127.0.0.1:PORT``.
        token: of the server.
    """

    address: str
    token: str

    @classmethod
    def discover(cls, state_folder: Path) -> ShotGateway:
        """Finds the gateway beside the server that holds a state folder.

        Raises:
            ClientError: no server runs there, or it has no gateway.
        """
        token = ServerAddress.read(state_folder).token
        try:
            known = json.loads((state_folder / SERVER_FILE).read_text(encoding="utf-8"))
            address = str(known.get("gateway") or "")
        except (OSError, ValueError, AttributeError):
            address = ""
        if not address.startswith(_LOOPBACK):
            raise _gone(
                "the Cleanplate server has no gateway for editing programs; stop it and start `cleanplate serve`"
            )
        return cls(address, token)

    def announce(self, facts: resolve_pb2.ResolveFacts) -> shot_pb2.Shot:
        """Announces the shot that Resolve stands on.

        Raises:
            ClientError: it cannot be cleaned, or nobody answers; so do the other calls.
        """
        return self._call("POST", "/v1/shots", shot_pb2.AnnounceShotRequest(resolve=facts))

    def shot(self, name: str) -> shot_pb2.Shot:
        """As it now stands."""
        return self._call("GET", f"/v1/{name}", None)

    def check(self, name: str, facts: resolve_pb2.ResolveFacts) -> shot_pb2.Shot:
        """Compares the clip with what was announced."""
        return self._call("POST", f"/v1/{name}/check", shot_pb2.CheckShotRequest(name=name, resolve=facts))

    def report(self, name: str, state: shot_pb2.Shot.State.ValueType, message: str) -> shot_pb2.Shot:
        """Says what became of it."""
        request = shot_pb2.ReportShotRequest(name=name, state=state, message=message)
        return self._call("POST", f"/v1/{name}/report", request)

    def page(self, shot: shot_pb2.Shot) -> str:
        """The address for the browser."""
        return f"http://{self.address}{shot.page}"

    def _call(self, method: str, path: str, request: Message | None) -> shot_pb2.Shot:
        body = json_format.MessageToJson(request, preserving_proto_field_name=True) if request is not None else None
        connection = http.client.HTTPConnection(self.address, timeout=_SECONDS)
        try:
            headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise _gone("the Cleanplate server does not answer; start it with `cleanplate serve`") from error
        finally:
            connection.close()
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            raise _refused(answer.status, text)
        return json_format.Parse(text, shot_pb2.Shot(), ignore_unknown_fields=True)


def _refused(status: int, text: bytes) -> ClientError:
    try:
        told = json.loads(text)["error"]
        return ClientError(str(told["message"]), grpc.StatusCode.FAILED_PRECONDITION, reason=str(told["reason"]))
    except (ValueError, KeyError, TypeError):
        return ClientError(f"the Cleanplate server answered {status}; see its log", grpc.StatusCode.UNKNOWN)


def _gone(sentence: str) -> ClientError:
    return ClientError(sentence, grpc.StatusCode.UNAVAILABLE, reason="UNAVAILABLE")
