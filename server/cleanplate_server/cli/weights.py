"""``weights``: checkpoints listed, fetched, taken in, checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from cleanplate_server.cli.operations import voice_options
from cleanplate_server.cli.report import Report, readable_bytes
from cleanplate_server.cli.sessions import Place
from cleanplate_server.errors import CleanplateError, InputError
from cleanplate_server.models.registry import Registry
from cleanplate_server.models.weights import WeightsRow, manifest_file, read_manifest
from cleanplate_server.models.weights_download import download
from cleanplate_server.models.weights_store import Record, WeightsStore, discard


@click.group()
def weights() -> None:
    """Checkpoints that engines may load. None is needed: the embedded engines work without."""


@weights.command("list", params=voice_options())
@click.pass_context
def list_weights(ctx: click.Context, as_json: bool, quiet: bool, verbose: bool) -> None:
    """The manifest: name, kind, purpose, licence, size, and whether the file is here."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    folder, store = _store(ctx)
    rows = read_manifest(manifest_file())
    loaded = Registry().weights
    for row in rows:
        state = _state(row, store)
        if as_json:
            report.json({**asdict(row), "state": state, "loaded": row.name in loaded})
        else:
            report.result(_line(row, state) + ("" if row.name in loaded else " (no engine of this version loads it)"))
    report.say(f"{len(rows)} checkpoints; they lie in {folder}")


@weights.command("pull", params=voice_options())
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option(
    "--accept-licence", "accepted", multiple=True, metavar="LICENCE",
    help="Needed for weights that may not be used commercially, or under conditions; name the licence that was shown.",
)  # fmt: skip
@click.pass_context
def pull_weights(
    ctx: click.Context, names: tuple[str, ...], accepted: tuple[str, ...], as_json: bool, quiet: bool, verbose: bool
) -> None:
    """Download checkpoints, go on where a download was cut, and prove them."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    folder, store = _store(ctx)
    rows = [store.row(name) for name in names]
    loaded = Registry().weights
    for row in rows:
        _ask_licence(row, accepted, report)
        if row.name not in loaded:
            report.say(f"{row.name} is of no use here yet: no engine of this version loads it")
    for row in rows:
        if store.record(row):
            report.say(f"{row.name} is here")
        else:
            file = _download(row, folder, report)
            try:
                store.add(row, file, move=True)
            except InputError:
                discard(file)  # whole, and not what it should be: going on would never mend it
                raise
        _tell(row, store, report)


@weights.command("add", params=voice_options())
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def add_weights(ctx: click.Context, name: str, file: Path, as_json: bool, quiet: bool, verbose: bool) -> None:
    """Take a file that you downloaded, or a folder where weights are several files, after it was proved to be right."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    _, store = _store(ctx)
    row = store.row(name)
    _show_licence(row, report)
    try:
        store.add(row, file)
    except InputError as error:
        others = ", ".join(found.name for found in store.recognise(file)) if error.reason == "WRONG_WEIGHTS" else ""
        if others:
            raise InputError(
                f"{file} is not {name} but {others}; `cleanplate weights add` it by that name", reason="WRONG_WEIGHTS"
            ) from error
        raise
    _tell(row, store, report)


@weights.command("verify", params=voice_options())
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.pass_context
def verify_weights(ctx: click.Context, names: tuple[str, ...], as_json: bool, quiet: bool, verbose: bool) -> int:
    """Hash files in the weights folder anew; all that are here, or those named. Exit 1 when one is wrong."""
    report = Report(as_json=as_json, quiet=quiet, verbose=verbose)
    folder, store = _store(ctx)
    rows = [store.row(name) for name in names] or [
        row for row in read_manifest(manifest_file()) if row.is_present(folder)
    ]
    wrong = 0
    for row in rows:
        try:
            store.verify(row)
        except CleanplateError as error:
            wrong += 1
            click.echo(f"cleanplate: {error}", err=True)
        else:
            _tell(row, store, report)
    if not rows:
        report.say(f"no weights in {folder}; none are needed")
    return 1 if wrong else 0


def _store(ctx: click.Context) -> tuple[Path, WeightsStore]:
    folder = ctx.ensure_object(Place).settings().weights_folder
    return folder, WeightsStore(folder, read_manifest(manifest_file()), _layout)


def _layout(file: Path) -> str:
    # torch takes seconds to import, and most commands never need it
    from cleanplate_server.models.networks.checkpoints import read_state, state_layout

    return state_layout(read_state(file))


def _show_licence(row: WeightsRow, report: Report) -> None:
    use = row.conditions or ("commercial use allowed" if row.commercial_use else "NO commercial use")
    report.say(f"{row.name}: {row.licence}, {use}; {row.page}")


def _ask_licence(row: WeightsRow, accepted: tuple[str, ...], report: Report) -> None:
    """Shows the licence, and refuses one that forbids commercial use or has conditions until it was named."""
    _show_licence(row, report)
    if (row.conditions or not row.commercial_use) and row.licence not in accepted:
        why = f": {row.conditions}" if row.conditions else ", which does not allow commercial use"
        raise click.UsageError(
            f"{row.name} is under {row.licence}{why}; read it at {row.page}, and if it suits you add --accept-licence"
            f" {row.licence}"
        )


def _download(row: WeightsRow, folder: Path, report: Report) -> Path:
    with _bar(report) as bar:
        task = bar.add_task(row.name, total=row.bytes or None)
        return download(row, folder, lambda done, total: bar.update(task, completed=done, total=total or None))


def _bar(report: Report) -> Progress:
    return Progress(
        TextColumn("{task.description:<16}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TimeRemainingColumn(compact=True), console=report.console,
        disable=report.quiet or report.as_json or not report.console.is_terminal,
    )  # fmt: skip


def _tell(row: WeightsRow, store: WeightsStore, report: Report) -> None:
    record = store.record(row)
    assert record
    if report.as_json:
        report.json({"name": row.name, "path": str(store.path(row)), **asdict(record)})
    else:
        report.result(f"{row.name}  {store.path(row)}  sha256 {record.sha256}  {_proof(record)}")


def _proof(record: Record) -> str:
    if record.proof == "first use":
        return "recorded: no hash was published"
    return (
        "its entries are right: no hash was published" if record.proof == "entries" else f"{record.proof} as published"
    )


def _state(row: WeightsRow, store: WeightsStore) -> str:
    if store.record(row):
        return "checked"
    return "present" if row.is_present(store.folder) else "absent"


def _line(row: WeightsRow, state: str) -> str:
    use = "NO commercial use" if not row.commercial_use else "conditions" if row.conditions else "commercial use"
    size = readable_bytes(row.bytes) if row.bytes else "size unknown"
    return f"{row.name:<21} {row.kind:<11} {row.licence:<20} {use:<17} {size:<12} {state:<7} {row.purpose}"
