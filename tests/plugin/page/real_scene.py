"""A real server with its embedded engines, the gateway before it, and a session on some media."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_server.config import Settings
from cleanplate_server.models.registry import Registry
from cleanplate_server.service.server import Server
from gateways import READERS, Caller
from plugin.page.fake_shot import Json, Mask, Shot

KEY = b"k" * 32
"""Signs cookies, as the command line keeps it beside the state."""


@dataclass
class RealScene:
    """A server, its gateway, and a session.

    Args:
        settings: of the server.
        media: that it may read.
        port: of the gateway, the same each time.
        shot: what the media shows.
        registry: of engines; None is this machine's.
    """

    settings: Settings
    media: Path
    port: int
    shot: Shot
    registry: Registry | None = None
    session: str = ""
    announced: str = ""
    _running: list[Server | Gateway] = field(default_factory=list)

    @classmethod
    def of(cls, media: Path, shot: Shot, *, registry: Registry | None = None) -> RealScene:
        """Its state lies beside the media."""
        folder = media.parent
        settings = Settings.load({"state_folder": folder / "state", "allowed_folders": [folder]}, environment={})
        with socket.create_server(("127.0.0.1", 0)) as free:
            return cls(settings, media, int(free.getsockname()[1]), shot, registry)

    def start(self) -> None:
        server = Server(self.settings, registry=self.registry)
        server.start()
        gateway = Gateway(server.address, server.token, facts=READERS, ports=(self.port,), key=KEY)
        gateway.start()
        self._running = [gateway, server]

    def stop(self) -> None:
        while self._running:
            self._running.pop(0).stop()

    @property
    def host(self) -> Caller:
        token = (self.settings.state_folder / "token").read_text().strip()
        return Caller(f"127.0.0.1:{self.port}", {"Authorization": f"Bearer {token}"})

    @property
    def page(self) -> str:
        """A session's, or that of a shot once one is announced."""
        if self.announced:
            return f"http://127.0.0.1:{self.port}{self.announced}"
        opened = self.host.post("/v1/sessions", {"path": str(self.media)}).json
        self.session = opened["name"]
        return f"http://127.0.0.1:{self.port}{opened['page']}"

    @property
    def kept(self) -> Json:
        """The session, as the server keeps it."""
        found: Json = self.host.get(f"/v1/{self.session}").json["session"]
        return found

    def mask(self, frame: int) -> Mask:
        picture = self.host.get(f"/v1/{self.session}/masks/1/{frame}").body
        return np.asarray(cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_GRAYSCALE) > 127)
