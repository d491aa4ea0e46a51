"""Every unary rpc of the proto, found in its descriptors, so that a new one needs no line here."""

from __future__ import annotations

from dataclasses import dataclass

import grpc
from cleanplate.v1 import job_pb2, media_pb2, model_pb2, picker_pb2, prompt_pb2
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from cleanplate_plugin.client import Client
from cleanplate_plugin.gateway.exchange import Answer
from cleanplate_plugin.gateway.refusals import RefusedError
from cleanplate_plugin.gateway.wire import read_message

_FILES = (media_pb2, prompt_pb2, job_pb2, model_pb2, picker_pb2)


@dataclass(frozen=True)
class Rpc:
    """A unary rpc.

    Args:
        path: as gRPC has it, such as ``/cleanplate.v1.JobService/GetJob``.
    """

    path: str
    request: type[Message]
    response: type[Message]


class Rpcs:
    """Calls rpcs with JSON.

    Args:
        client: of the server.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unary: dict[tuple[str, str], Rpc] = {}
        self._streams: set[tuple[str, str]] = set()
        for file in _FILES:
            for service in file.DESCRIPTOR.services_by_name.values():
                for method in service.methods:
                    place = (service.name, method.name)
                    if method.server_streaming or method.client_streaming:
                        self._streams.add(place)
                        continue
                    path = f"/{service.full_name}/{method.name}"
                    kinds = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
                    self._unary[place] = Rpc(path, *kinds)

    def call(self, service: str, method: str, body: bytes) -> Answer:
        """Hands a request to the server.

        Raises:
            RefusedError: no such rpc, or no such request.
            ClientError: the server's own refusal.
        """
        place = (service, method)
        if place not in self._unary:
            remedy = f"GET /v1/{service}/{method}" if place in self._streams else "see the services of the proto"
            why = "answers with a stream" if place in self._streams else "is not an rpc of the server"
            raise RefusedError(
                f"{service}/{method} {why}; {remedy}", grpc.StatusCode.NOT_FOUND, reason="UNKNOWN_METHOD"
            )
        rpc = self._unary[place]
        return Answer.of(self._client.call(rpc.path, read_message(body, rpc.request), rpc.response))
