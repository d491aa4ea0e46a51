"""``models``: what can run here."""

from __future__ import annotations

import click

from cleanplate_server.cli.operations import voice_options
from cleanplate_server.cli.report import Report
from cleanplate_server.cli.sessions import Place, connected


@click.command(params=voice_options())
@click.pass_context
def models(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Engines of each kind, the preferred one first, and why others cannot run."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    with connected(ctx.ensure_object(Place)) as client:
        for model in client.models():
            state = f"on {model.device or 'cpu'}" if model.available else model.unavailable_reason
            licence = model.licence + ("" if model.commercial_use else ", no commercial use")
            report.result(f"{model.kind:<11}  {model.name:<16}  {licence:<32}  {state}", model)
