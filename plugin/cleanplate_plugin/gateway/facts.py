"""The hosts' answers and who makes sense of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import grpc
from cleanplate.v1 import premiere_pb2, resolve_pb2, shot_pb2

from cleanplate_plugin.gateway.refusals import RefusedError
from cleanplate_plugin.hosts.protocol import HostShot


@dataclass(frozen=True)
class FactsReaders:
    """One function for each host that announces shots; each raises ``errors.PluginError`` for what cannot be cleaned.

    Args:
        resolve: for DaVinci Resolve.
        premiere: for Premiere Pro.
    """

    resolve: Callable[[resolve_pb2.ResolveFacts], HostShot]
    premiere: Callable[[premiere_pb2.PremiereFacts], HostShot]

    def read(self, request: shot_pb2.AnnounceShotRequest | shot_pb2.CheckShotRequest) -> HostShot:
        """The shot that a host stands on.

        Raises:
            RefusedError: there are no facts.
            PluginError: the clip cannot be cleaned where it stands.
        """
        host = request.WhichOneof("facts")
        if host == "resolve":
            return self.resolve(request.resolve)
        if host == "premiere":
            return self.premiere(request.premiere)
        raise RefusedError(
            "the request has no facts; give the host's answers as 'resolve' or 'premiere'",
            grpc.StatusCode.INVALID_ARGUMENT,
            reason="NO_FACTS",
        )
