"""The fake of Resolve's API is no freer than the published types: it is checked as their subclass."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def test_fake_resolve_fits_the_published_types(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    fakes = [str(Path(__file__).with_name(name)) for name in ("fake_resolve.py", "fake_resolve_clips.py")]
    path = os.pathsep.join(str(ROOT / part) for part in ("plugin", "proto", "tests"))
    command = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--follow-imports=silent"]

    ran = subprocess.run(
        [*command, "--cache-dir", str(tmp_path), *fakes],
        cwd=ROOT, env={**os.environ, "MYPYPATH": path}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert ran.stdout.startswith("Success"), ran.stdout + ran.stderr


def test_fake_resolve_with_another_signature_does_not_fit(tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "from fusionscript import TimelineItem\n\n\nclass Wrong(TimelineItem):\n"
        "    def SelectTakeByIndex(self, name: str) -> bool:\n        return bool(name)\n"
    )

    ran = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path), str(wrong)],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert "[override]" in ran.stdout, ran.stdout + ran.stderr
