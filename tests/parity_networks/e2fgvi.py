"""E2FGVI's case."""

from __future__ import annotations

from collections.abc import Iterator

from cleanplate_server.models.networks.e2fgvi import build_e2fgvi

from parity_networks._e2fgvi_window import compare_window
from parity_networks.case import CaseFolder, Compared


def compare_all(case: CaseFolder) -> Iterator[Compared]:
    """Compares every array of E2FGVI's case."""
    yield from compare_window(case, build_e2fgvi())
