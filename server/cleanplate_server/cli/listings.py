"""``models`` and ``weights``: what can run here, and what could be added."""

from __future__ import annotations

from dataclasses import asdict

import click

from cleanplate_server.cli.operations import voice_options
from cleanplate_server.cli.report import Report, readable_bytes
from cleanplate_server.cli.sessions import Place, connected
from cleanplate_server.models.weights import WeightsRow, manifest_file, read_manifest


@click.command(params=voice_options())
@click.pass_context
def models(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Engines of each kind, the preferred one first, and why others cannot run."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    with connected(ctx.ensure_object(Place)) as client:
        for model in client.models():
            state = f"on {model.device or 'cpu'}" if model.available else model.unavailable_reason
            licence = model.licence + ("" if model.commercial_use else ", no commercial use")
            report.result(f"{model.kind:<10}  {model.name:<16}  {licence:<32}  {state}", model)


@click.group()
def weights() -> None:
    """Checkpoints that engines may load. None is needed: the embedded engines work without."""


@weights.command("list", params=voice_options())
@click.pass_context
def list_weights(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """The manifest: name, kind, purpose, licence, size, and whether the file is here."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    folder = ctx.ensure_object(Place).settings().weights_folder
    rows = read_manifest(manifest_file())
    for row in rows:
        if as_json:
            report.json({**asdict(row), "present": row.is_present(folder)})
        else:
            report.result(_line(row, present=row.is_present(folder)))
    report.say(f"{len(rows)} checkpoints; they would lie in {folder}. No engine of this version loads them yet.")


def _line(row: WeightsRow, *, present: bool) -> str:
    use = "commercial use" if row.commercial_use else "NO commercial use"
    size = readable_bytes(row.bytes) if row.bytes else "size unknown"
    state = "present" if present else "absent"
    return f"{row.name:<17} {row.kind:<11} {row.licence:<20} {use:<17} {size:<12} {state:<7} {row.purpose}"
