"""The command ``cleanplate-plugin``: installs what runs inside an editing program, and drives Resolve Studio."""

from __future__ import annotations

import sys

import click


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="cleanplate", prog_name="cleanplate-plugin")
def cli() -> None:
    """Cleanplate inside editing programs."""


def main() -> None:
    """Entry point."""
    sys.exit(cli())
