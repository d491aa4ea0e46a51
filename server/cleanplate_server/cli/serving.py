"""``serve``: the server in the foreground."""

from __future__ import annotations

import logging
import signal
import threading
from pathlib import Path
from types import FrameType

import click

from cleanplate_server.cli.operations import voice_options
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place
from cleanplate_server.config import Settings
from cleanplate_server.service.server import Server


@click.command(params=voice_options())
@click.option("--port", type=click.IntRange(0, 65535), help="Port on the loopback; 0 takes a free one.")
@click.option(
    "--allow", "folders", type=click.Path(path_type=Path), multiple=True, metavar="DIR",
    help="Folder that media may be read from and written to; repeatable. Your home folder by default.",
)  # fmt: skip
@click.pass_context
def serve(
    ctx: click.Context, port: int | None, folders: tuple[Path, ...], as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Run the server until Ctrl-C. Jobs that were interrupted go on."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    if not quiet and not verbose:
        logging.getLogger("cleanplate_server").setLevel(logging.INFO)
    flags = {**ctx.ensure_object(Place).flags(), "port": port, "allowed_folders": list(folders) or None}
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    settings = Settings.load(flags)
    with Server(settings) as server:
        if as_json:
            report.json({"address": server.address, "state_folder": str(settings.state_folder)})
        else:
            report.result(server.address)
        report.say(
            f"serving {', '.join(map(str, settings.allowed_folders))}; Ctrl-C stops, jobs go on at the next start"
        )
        _wait(stop)


def _wait(stop: threading.Event) -> None:
    """Waits for Ctrl-C or SIGTERM; both are the usual way to end, so neither is a failure."""
    try:
        stop.wait()
    except KeyboardInterrupt:
        return
