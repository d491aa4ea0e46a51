#!/usr/bin/env python3
"""Compares one of our networks (or scorers) with the published one's outputs, array by array.

    parity.py NAME CASE_DIR

CASE_DIR holds ``case.json``, ``case.npz`` and the lists of entries, as tests/data/parity/NAME does. Prints one line for
each array: ok or MISS, name, largest error, tolerance. Exits 1 on any miss, 2 when it cannot compare.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from parity_networks.case import CaseFolder, Compared

_NO_NETWORKS = {"case", "recipe"}
"""Modules beside the networks'; such ones may also begin with an underscore."""


def network_names() -> list[str]:
    """The names that can be compared."""
    folder = Path(__file__).parent / "parity_networks"
    return sorted(file.stem for file in folder.glob("[a-z]*.py") if file.stem not in _NO_NETWORKS)


def compare_folder(name: str, path: Path) -> Iterator[Compared]:
    """Compares all of one folder's arrays; one that nothing was compared with is a miss."""
    case = CaseFolder.read(name, path)
    compare_all: Callable[[CaseFolder], Iterator[Compared]] = importlib.import_module(
        f"parity_networks.{name}"
    ).compare_all
    seen = set()
    for result in compare_all(case):
        seen.add(result.name)
        yield result
    for missing in sorted(case.arrays.keys() - seen):
        yield Compared(missing, float("inf"), "was not computed", passed=False)


def line_of(result: Compared) -> str:
    """One line for people and for grep."""
    return f"{'ok  ' if result.passed else 'MISS'} {result.name:40} {result.error:10.3g}  tolerance {result.tolerance}"


def main() -> int:
    """Compares one folder and says how it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=network_names())
    parser.add_argument("case_dir", type=Path)
    options = parser.parse_args()
    missing = [f for f in ("case.json", "case.npz") if not (options.case_dir / f).is_file()]
    if missing:
        parser.error(f"{options.case_dir} holds no {missing[0]}; give a folder of parity cases")
    # threads split sums, and more of them are no faster at these sizes
    torch.set_num_threads(1)
    missed = 0
    for result in compare_folder(options.name, options.case_dir):
        print(line_of(result), flush=True)  # noqa: T201
        missed += not result.passed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
