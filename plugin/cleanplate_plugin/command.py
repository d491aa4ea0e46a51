"""The command ``cleanplate-plugin``: installs what runs inside an editing program, and drives Resolve Studio."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click
import grpc
import platformdirs
from cleanplate.v1 import job_pb2

from cleanplate_plugin.client import Client, ClientError
from cleanplate_plugin.documents.otio_file import OtioDocument
from cleanplate_plugin.errors import PluginError
from cleanplate_plugin.hosts.resolve import ResolveHost, connect
from cleanplate_plugin.hosts.resolve_gateway import ShotGateway
from cleanplate_plugin.hosts.resolve_reading import product_of, version_of
from cleanplate_plugin.hosts.resolve_session import Clicks, Wishes, clean_by_page, clean_here
from cleanplate_plugin.install import System, install_resolve, pack_premiere, remove_premiere, uninstall_resolve

if TYPE_CHECKING:
    from fusionscript import Resolve

_NO_SERVER_EXIT = 3
_DELIVERIES = {"plate": job_pb2.DELIVERY_PLATE, "patch": job_pb2.DELIVERY_PATCH}
_EFFORTS = {"fast": job_pb2.EFFORT_FAST, "balanced": job_pb2.EFFORT_BALANCED, "best": job_pb2.EFFORT_BEST}


def _this_system() -> System:
    return System(sys.platform, os.environ, Path.home())


def _this_resolve() -> Resolve:
    return connect(os.environ)


@dataclass(frozen=True)
class Reach:
    """What the command touches outside; tests hand in their own.

    Args:
        system: that is installed on.
        resolve: finds the Resolve that runs.
        open_page: in a browser.
        sleep: seconds.
    """

    system: Callable[[], System] = _this_system
    resolve: Callable[[], Resolve] = _this_resolve
    open_page: Callable[[str], object] = webbrowser.open
    sleep: Callable[[float], None] = time.sleep


@dataclass
class Place:
    """Where the server keeps its state, and what is in reach."""

    state_folder: Path
    reach: Reach = field(default_factory=Reach)

    @contextmanager
    def host(self) -> Iterator[ResolveHost]:
        """The Resolve that runs."""
        self.state_folder.mkdir(parents=True, exist_ok=True)
        yield ResolveHost(
            self.reach.resolve(),
            say=lambda line: click.echo(line, err=True),
            work_folder=self.state_folder,
            open_document=OtioDocument.open,
        )


class _Pixels(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.4
    """Numbers with commas between, such as ``600,430``."""

    def __init__(self, form: str) -> None:
        self.name = form
        self._count = form.count(",") + 1

    def convert(
        self, value: str | tuple[float, ...], param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(float(number) for number in value.split(","))
        except ValueError:
            numbers = ()
        if len(numbers) != self._count:
            self.fail(f"'{value}' is not {self.name}: {self._count} numbers in pixels are needed", param, ctx)
        return numbers


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cleanplate", prog_name="cleanplate-plugin")
@click.option(
    "--state-folder",
    type=click.Path(path_type=Path),
    envvar="CLEANPLATE_STATE_FOLDER",
    help="Of the server; default: the usual one.",
)
@click.pass_context
def cli(ctx: click.Context, state_folder: Path | None) -> None:
    """Cleanplate inside editing programs."""
    usual = platformdirs.user_state_path("cleanplate", appauthor=False)
    reach = ctx.obj if isinstance(ctx.obj, Reach) else Reach()
    ctx.obj = Place((state_folder or usual).absolute(), reach)


@cli.command()
@click.argument("host", type=click.Choice(["resolve", "premiere"]))
@click.option("--for-all-users", is_flag=True, help="Into the folder of all users (Resolve).")
@click.option("--uninstall", is_flag=True, help="Take it away again.")
@click.option("--dry-run", is_flag=True, help="Only tell which files.")
@click.pass_obj
def install(place: Place, host: str, for_all_users: bool, uninstall: bool, dry_run: bool) -> None:
    """Install what runs inside HOST: Resolve's menu items, Premiere's panel."""
    with _sentences():
        if host == "resolve":
            _install_resolve(place, for_all_users=for_all_users, uninstall=uninstall, dry_run=dry_run)
        else:
            _install_premiere(place, uninstall=uninstall, dry_run=dry_run)


def _install_resolve(place: Place, *, for_all_users: bool, uninstall: bool, dry_run: bool) -> None:
    system = place.reach.system()
    if uninstall:
        files = uninstall_resolve(system, for_all_users=for_all_users, dry_run=dry_run)
        _list(files, after="nothing was installed there" if not files else "")
        return
    files = install_resolve(system, place.state_folder, for_all_users=for_all_users, dry_run=dry_run)
    _list(files, after="in Resolve: Workspace > Scripts > Cleanplate; no restart is needed")


def _install_premiere(place: Place, *, uninstall: bool, dry_run: bool) -> None:
    if uninstall:
        files = remove_premiere(place.state_folder, dry_run=dry_run)
        _list(files, after="take the panel itself away in the Creative Cloud app, under Manage plugins")
        return
    package = pack_premiere(place.state_folder, dry_run=dry_run)
    _list((package,), after="open this file: the Creative Cloud app installs it; then Window > UXP Plugins in Premiere")


@cli.group()
def resolve() -> None:
    """Drive DaVinci Resolve Studio from outside."""


@resolve.command()
@click.pass_obj
def status(place: Place) -> None:
    """Say what Resolve stands on."""
    with _sentences(), place.host() as host:
        shot = host.current_shot()
        use = shot.use
        click.echo(f"{product_of(host.resolve)} {version_of(host.resolve)}")
        click.echo(f"clip '{use.name}' on video track {use.track}: frames {use.source_span().start_frame} to"
                   f" {use.source_span().last_frame} of {use.media.path} at {float(use.speed):.0%}")  # fmt: skip
        if shot.part:
            click.echo(f"of it frames {shot.part.start_frame} to {shot.part.last_frame}, from in to out point")


@resolve.command()
@click.option("--click", "clicks", type=_Pixels("X,Y"), multiple=True, help="On what is to go; may be given again.")
@click.option("--not", "outside", type=_Pixels("X,Y"), multiple=True, help="On what is to stay.")
@click.option("--box", type=_Pixels("X0,Y0,X1,Y1"), help="Around what is to go.")
@click.option("--deliver", "delivery", type=click.Choice(list(_DELIVERIES)), default="plate", show_default=True)
@click.option("--effort", type=click.Choice(list(_EFFORTS)), default="balanced", show_default=True)
@click.option(
    "--takes",
    "takes_folder",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Default: Cleanplate beside the media.",
)
@click.pass_obj
def remove(
    place: Place,
    clicks: tuple[tuple[float, float], ...],
    outside: tuple[tuple[float, float], ...],
    box: tuple[float, float, float, float] | None,
    delivery: str,
    effort: str,
    takes_folder: Path | None,
) -> None:
    """Clean the clip under the playhead and put the result in its place.

    Without --click and --box a page opens on which you click; its own switches then hold.
    """
    corners = (round(box[0]), round(box[1]), round(box[2]), round(box[3])) if box else None
    meant = Clicks(clicks, outside, corners)
    wishes = Wishes(_DELIVERIES[delivery], _EFFORTS[effort], takes_folder.absolute() if takes_folder else None)
    if outside and not meant.are_given:
        raise click.UsageError("--not alone says nothing; give --click or --box as well")
    with _sentences(), place.host() as host:
        if meant.are_given:
            with Client.discover(place.state_folder, private=False) as client:
                done = clean_here(host, client, meant, wishes, watch=lambda job: _watched(client, job))
        else:
            gateway = ShotGateway.discover(place.state_folder)
            done = clean_by_page(host, gateway, open_page=place.reach.open_page, sleep=place.reach.sleep)
        click.echo(done)


@resolve.command()
@click.pass_obj
def restore(place: Place) -> None:
    """Show the original again in the clip under the playhead."""
    with _sentences(), place.host() as host:
        click.echo(host.restore())


def main() -> None:
    """Entry point."""
    sys.exit(cli())


def _watched(client: Client, job: job_pb2.Job) -> job_pb2.Job:
    """Follows a job to its end; Ctrl-C cancels it."""
    stage = ""
    try:
        for state in client.watch(job.name):
            running = next((each.stage for each in state.stages if each.frames_per_second > 0), stage)
            if running != stage:
                stage = running
                click.echo(f"{stage} ...", err=True)
            job = state
    except KeyboardInterrupt:
        client.cancel(job.name)
        raise
    if job.state == job_pb2.Job.FAILED:
        raise ClientError.from_status(job.error)
    if job.state == job_pb2.Job.CANCELLED:
        raise click.ClickException(f"{job.name} was cancelled; nothing was changed, run this again")
    return job


def _list(files: tuple[Path, ...], *, after: str) -> None:
    for file in files:
        click.echo(str(file))
    if after:
        click.echo(after, err=True)


@contextmanager
def _sentences() -> Iterator[None]:
    """The plug-in's and the server's refusals end as one line, with the exit code of their kind."""
    try:
        yield
    except (PluginError, ClientError) as error:
        click.echo(f"Error: {error.sentence}", err=True)
        is_gone = isinstance(error, ClientError) and error.code is grpc.StatusCode.UNAVAILABLE
        raise SystemExit(_NO_SERVER_EXIT if is_gone else 1) from error
    except KeyboardInterrupt:
        raise SystemExit(130) from None
