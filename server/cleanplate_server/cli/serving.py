"""``serve``: the server in the foreground."""

from __future__ import annotations

import logging
import secrets
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.gateway.server import Gateway, PortsTakenError
from cleanplate_plugin.hosts import premiere_facts, resolve_facts

from cleanplate_server.cli.operations import voice_options
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place
from cleanplate_server.config import Settings
from cleanplate_server.errors import StateError
from cleanplate_server.service.server import Server, write_private

_KEY_FILE = "gateway.key"
_KEY_BYTES = 32


@click.command(params=voice_options())
@click.option("--port", type=click.IntRange(0, 65535), help="Port on the loopback; 0 takes a free one.")
@click.option(
    "--gateway-port",
    metavar="PORT|FIRST-LAST|off",
    help="Port of the HTTP gateway that editing programs use. Default: the first free one of 47810-47819.",
)
@click.option(
    "--allow", "folders", type=click.Path(path_type=Path), multiple=True, metavar="DIR",
    help="Folder that media may be read from and written to; repeatable. Your home folder by default.",
)  # fmt: skip
@click.pass_context
def serve(
    ctx: click.Context, port: int | None, gateway_port: str | None, folders: tuple[Path, ...],
    as_json: bool, quiet: bool, verbose: bool,
) -> None:  # fmt: skip
    """Run the server until Ctrl-C. Jobs that were interrupted go on."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    if not quiet and not verbose:
        logging.getLogger("cleanplate_server").setLevel(logging.INFO)
    logging.getLogger("cleanplate_plugin").setLevel(logging.getLogger("cleanplate_server").level)
    given = {"port": port, "gateway_port": gateway_port, "allowed_folders": list(folders) or None}
    flags = {**ctx.ensure_object(Place).flags(), **given}
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    settings = Settings.load(flags)
    with Server(settings) as server, gateway_to(server, settings) as gateway:
        known = {"address": server.address, "gateway": gateway, "state_folder": str(settings.state_folder)}
        if as_json:
            report.json(known)
        else:
            report.result(server.address)
            report.say(f"editing programs reach it at http://{gateway}" if gateway else "the gateway is off")
        report.say(
            f"serving {', '.join(map(str, settings.allowed_folders))}; Ctrl-C stops, jobs go on at the next start"
        )
        _wait(stop)


@contextmanager
def gateway_to(server: Server, settings: Settings) -> Iterator[str]:
    """Starts the gateway beside a server, says so in the state folder, and gives its address; empty when it is off.

    Raises:
        StateError: its ports are taken.
    """
    if not settings.gateway_ports:
        yield ""
        return
    facts = FactsReaders(resolve_facts.shot_from_facts, premiere_facts.shot_from_facts)
    key = gateway_key(settings.state_folder)
    gateway = Gateway(server.address, server.token, facts=facts, ports=settings.gateway_ports, key=key)
    try:
        gateway.start()
    except PortsTakenError as error:
        raise StateError(error.sentence, reason=error.reason) from error
    with gateway:
        server.announce_gateway(gateway.address)
        try:
            yield gateway.address
        finally:
            server.announce_gateway("")


def gateway_key(state_folder: Path) -> bytes:
    """The key that signs pages' cookies, made once for a state folder, so that pages outlive a restart."""
    file = state_folder / _KEY_FILE
    if not file.is_file() or file.stat().st_size != _KEY_BYTES:
        write_private(file, secrets.token_bytes(_KEY_BYTES))
    return file.read_bytes()


def _wait(stop: threading.Event) -> None:
    """Waits for Ctrl-C or SIGTERM; both are the usual way to end, so neither is a failure."""
    try:
        stop.wait()
    except KeyboardInterrupt:
        return
