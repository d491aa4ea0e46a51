"""The command ``cleanplate``: argv to a client call or ``serve``, and what went wrong to an exit code."""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import grpc
from cleanplate_plugin.client import ClientError
from cleanplate_plugin.errors import PluginError

from cleanplate_server.cli.demonstration import demo
from cleanplate_server.cli.doctor import doctor
from cleanplate_server.cli.finding import find
from cleanplate_server.cli.jobs import jobs
from cleanplate_server.cli.listings import models
from cleanplate_server.cli.operations import media_commands
from cleanplate_server.cli.pick import pick
from cleanplate_server.cli.serving import serve
from cleanplate_server.cli.sessions import Place
from cleanplate_server.cli.timeline import timeline
from cleanplate_server.cli.weights import weights
from cleanplate_server.errors import CleanplateError, InputError, ServerBusyError, UnavailableError

EXIT_FAILED, EXIT_USAGE, EXIT_NO_SERVER, EXIT_INTERRUPTED = 1, 2, 3, 130

_CODES = {grpc.StatusCode.INVALID_ARGUMENT: EXIT_USAGE, grpc.StatusCode.UNAVAILABLE: EXIT_NO_SERVER}


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cleanplate", prog_name="cleanplate")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="Settings, TOML.")
@click.option("--state-folder", type=click.Path(path_type=Path), metavar="DIR", help="Jobs, token, address.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, state_folder: Path | None) -> None:
    """Click on a thing in a clip and it is gone: same frames, same colour, same timecode."""
    ctx.obj = Place(config, state_folder)


for command in (demo, *media_commands(), pick, find, timeline, jobs, models, weights, serve, doctor):
    cli.add_command(command)


def run(arguments: Sequence[str]) -> int:
    """Runs a command line.

    Returns:
        0 done, 1 failed, 2 usage, 3 no server, 130 interrupted.
    """
    try:
        code = cli.main(list(arguments), prog_name="cleanplate", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return EXIT_INTERRUPTED
    except ClientError as error:
        return _fail(error.sentence, _CODES.get(error.code, EXIT_FAILED))
    except InputError as error:
        return _fail(str(error), EXIT_USAGE)
    except (UnavailableError, ServerBusyError) as error:
        return _fail(str(error), EXIT_NO_SERVER)
    except (CleanplateError, PluginError) as error:
        return _fail(str(error), EXIT_FAILED)
    return code if isinstance(code, int) else 0


def _fail(sentence: str, code: int) -> int:
    click.echo(f"cleanplate: {sentence}", err=True)
    return code


def main() -> None:
    """Entry point."""
    logging.basicConfig(stream=sys.stderr, format="%(levelname).1s %(name)s: %(message)s")
    sys.exit(run(sys.argv[1:]))
