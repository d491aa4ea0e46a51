"""The gateway: listens on the loopback, speaks HTTP/JSON, and is a client of the gRPC server."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Sequence
from types import TracebackType

from cleanplate_plugin.client import Client
from cleanplate_plugin.errors import PluginError
from cleanplate_plugin.gateway.access import Access
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.gateway.listener import HttpServer
from cleanplate_plugin.gateway.routes import Router
from cleanplate_plugin.gateway.workshop import Workshop

_log = logging.getLogger(__name__)

_HEARTBEAT_SECONDS = 2.0
"""So long a watch that was cut still holds its threads."""


class PortsTakenError(PluginError):
    """None of the ports can be listened on."""

    reason = "PORT_IN_USE"


class Gateway:
    """The server's API and a page for hosts that speak nothing but HTTP.

    Args:
        server_address: ``HOST:PORT`` of the gRPC server.
        token: of the server, which callers of the gateway must know too.
        facts: make sense of hosts' answers.
        ports: tried in this order; 0 is any free one.
        heartbeat_seconds: between signs of life where nothing changes.
        key: signs the pages' cookies; with the same key they outlive the gateway. None makes one for this run.
    """

    def __init__(
        self,
        server_address: str,
        token: str,
        *,
        facts: FactsReaders,
        ports: Sequence[int] = (0,),
        heartbeat_seconds: float = _HEARTBEAT_SECONDS,
        key: bytes | None = None,
    ) -> None:
        self._key = key or secrets.token_bytes(32)
        self._server_address, self._token = server_address, token
        self._facts, self._ports, self._heartbeat_seconds = facts, ports, heartbeat_seconds
        self._running: tuple[HttpServer, threading.Thread, Client, Workshop] | None = None
        self.address = ""

    def __enter__(self) -> Gateway:
        if self._running is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> str:
        """Listens.

        Returns:
            ``127.0.0.1:PORT``.

        Raises:
            PortsTakenError: no port is free.
        """
        http = self._listen()
        self.address = f"127.0.0.1:{http.server_port}"
        client = Client(self._server_address, self._token)
        workshop = Workshop(client, self._facts)
        access = Access(self._token, http.server_port, self._key)
        http.router = Router(client, workshop, access, self._heartbeat_seconds)
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.1}, name="gateway")
        thread.start()
        self._running = (http, thread, client, workshop)
        _log.info("the gateway listens on %s", self.address)
        return self.address

    def stop(self) -> None:
        """Ends every watch and every connection; jobs go on, for they are the server's."""
        if self._running is None:
            return
        http, thread, client, workshop = self._running
        self._running = None
        http.shutdown()
        thread.join()
        client.close()
        workshop.close()
        http.hang_up()
        http.server_close()

    def _listen(self) -> HttpServer:
        for port in self._ports:
            try:
                return HttpServer(port)
            except OSError as error:
                _log.debug("port %d: %s", port, error)
        raise PortsTakenError(
            f"none of the ports {', '.join(map(str, self._ports))} of 127.0.0.1 can be listened on;"
            " stop the other server, or choose another with --gateway-port"
        )
