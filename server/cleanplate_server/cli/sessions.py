"""A server to talk to: the one that runs, else a private one in this process for as long as the command lasts."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
from cleanplate_plugin.client import Client, ClientError

from cleanplate_server.config import FlagValue, Settings
from cleanplate_server.service.server import Server

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Place:
    """Where settings and state are, as far as the command line says.

    Args:
        config: the TOML file, None for the usual one.
        state_folder: None for the usual one.
    """

    config: Path | None = None
    state_folder: Path | None = None

    def flags(self) -> dict[str, FlagValue]:
        """As ``Settings.load`` takes them."""
        return {"config": self.config, "state_folder": self.state_folder}

    def settings(self) -> Settings:
        """The settings with these flags."""
        return Settings.load(self.flags())


@contextmanager
def connected(place: Place, folders: Sequence[Path] = ()) -> Iterator[Client]:
    """Connects to the server of the state folder, or to a private one that may use the folders alone.

    Args:
        place: settings and state.
        folders: those named on the command line for work that needs them; links among them are followed. With any,
            the private server of another command will not do: it may not use them, and goes away.

    Raises:
        ClientError: a server is there and refuses.
        CleanplateError: the settings are wrong, or no private server can start.
    """
    settings = place.settings()
    try:
        client = Client.discover(settings.state_folder, private=not folders)
    except ClientError as error:
        if error.code is not grpc.StatusCode.UNAVAILABLE:
            raise
        with _private(place, folders) as client:
            yield client
        return
    _log.info("connected to the server at %s", client.address)
    with client:
        yield client


@contextmanager
def _private(place: Place, folders: Sequence[Path]) -> Iterator[Client]:
    allowed = {folder for named in folders for folder in (named, named.resolve())} or {place.settings().state_folder}
    settings = Settings.load({**place.flags(), "allowed_folders": sorted(allowed)})
    with Server(settings, private=True) as server, Client(server.address, server.token) as client:
        _log.info("started a private server at %s", server.address)
        yield client
