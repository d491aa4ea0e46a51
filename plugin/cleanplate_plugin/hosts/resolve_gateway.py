"""The gateway as our own process asks it: the page of clicks for a shot that Resolve Studio stands on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cleanplate.v1 import resolve_pb2, shot_pb2
from google.protobuf.message import Message

from cleanplate_plugin.gateway.calling import GatewayCalls


@dataclass(frozen=True)
class ShotGateway:
    """Calls about shots on a running gateway; each raises ClientError where it is refused, or nobody answers."""

    calls: GatewayCalls

    @classmethod
    def discover(cls, state_folder: Path) -> ShotGateway:
        """Finds the gateway beside the server that holds a state folder.

        Raises:
            ClientError: no server runs there, or it has no gateway.
        """
        return cls(GatewayCalls.discover(state_folder))

    def announce(self, facts: resolve_pb2.ResolveFacts) -> shot_pb2.Shot:
        """Announces the shot that Resolve stands on."""
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
        return self.calls.url(shot.page)

    def _call(self, method: str, path: str, request: Message | None) -> shot_pb2.Shot:
        return self.calls.call(method, path, request, shot_pb2.Shot)
