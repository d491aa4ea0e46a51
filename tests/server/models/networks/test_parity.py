"""Our networks give what the published ones gave, for all cases in tests/data/parity."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import parity
import pytest
from parity_networks.case import OWN_CASES, compare

RUNNER = Path(parity.__file__)


@pytest.mark.parametrize("name", sorted(folder.name for folder in OWN_CASES.iterdir()))
def test_network_with_its_cases_is_within_tolerance(name: str) -> None:
    missed = [parity.line_of(r) for r in parity.compare_folder(name, OWN_CASES / name) if not r.passed]
    assert not missed, "\n".join(missed)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(RUNNER), *arguments], capture_output=True, text=True, check=False)


def test_runner_with_a_good_folder_prints_a_line_for_each_array_and_exits_0() -> None:
    done = run("davis_metrics", str(OWN_CASES / "davis_metrics"))
    assert done.returncode == 0, done.stdout + done.stderr
    with np.load(OWN_CASES / "davis_metrics" / "case.npz") as arrays:
        assert [line.split()[1] for line in done.stdout.splitlines()] == list(arrays)


def test_runner_with_one_changed_value_says_miss_and_exits_1(tmp_path: Path) -> None:
    folder = shutil.copytree(OWN_CASES / "davis_metrics", tmp_path / "case")
    with np.load(folder / "case.npz") as file:
        arrays = dict(file)
    arrays["pair_480p/F"][0] += 1e-6
    np.savez(folder / "case.npz", **arrays)
    done = run("davis_metrics", str(folder))
    assert done.returncode == 1
    assert [line.split()[1] for line in done.stdout.splitlines() if line.startswith("MISS")] == ["pair_480p/F"]


def test_runner_with_an_array_that_nobody_computes_exits_1(tmp_path: Path) -> None:
    folder = shutil.copytree(OWN_CASES / "davis_metrics", tmp_path / "case")
    with np.load(folder / "case.npz") as file:
        arrays = {**file, "pair_480p/unknown": np.zeros(3)}
    np.savez(folder / "case.npz", **arrays)
    done = run("davis_metrics", str(folder))
    assert done.returncode == 1
    assert "MISS pair_480p/unknown" in done.stdout


def test_runner_with_an_empty_folder_says_what_is_missing_and_exits_2(tmp_path: Path) -> None:
    done = run("davis_metrics", str(tmp_path))
    assert done.returncode == 2
    assert "holds no case.json" in done.stderr


def test_comparison_with_nan_or_another_shape_fails() -> None:
    ones = np.ones(3)
    assert compare("same", ones, ones).passed
    assert not compare("nan", np.array([1.0, np.nan, 1.0]), ones, atol=10.0).passed
    assert not compare("shape", np.ones((3, 1)), ones, atol=10.0).passed
