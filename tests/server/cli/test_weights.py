from __future__ import annotations

from pathlib import Path

import pytest
from cleanplate_server.cli.main import run


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLEANPLATE_STATE_FOLDER", str(tmp_path / "state"))
    monkeypatch.setenv("CLEANPLATE_WEIGHTS_FOLDER", str(tmp_path / "weights"))
    return tmp_path


def test_weights_pull_of_non_commercial_ones_asks_for_the_licence(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["weights", "pull", "e2fgvi"]) == 2
    told = capsys.readouterr().err
    assert "NO commercial use" in told
    assert "--accept-licence" in told
    assert not (place / "weights").exists()


def test_weights_pull_of_an_unknown_name_says_what_is_near(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "pull", "sam-vit-x"]) == 1
    assert "sam-vit-b" in capsys.readouterr().err


def test_weights_add_of_another_file_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "mine.pth").write_bytes(b"no weights")
    assert run(["weights", "add", "sam-vit-b", str(place / "mine.pth")]) == 2
    told = capsys.readouterr().err
    assert "sam-vit-b: Apache-2.0, commercial use allowed" in told
    assert "01ec64d29a2fca3f0661936605ae66f8 was published" in told


def test_weights_verify_without_any_succeeds_and_says_so(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "verify"]) == 0
    assert "none are needed" in capsys.readouterr().err


def test_weights_verify_of_a_damaged_file_fails_in_one_sentence(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (place / "weights").mkdir()
    (place / "weights" / "rvm_mobilenetv3.pth").write_bytes(b"cut")
    assert run(["weights", "verify"]) == 1
    assert "3c7c1d92033f7c38" in capsys.readouterr().err


def test_weights_list_as_json_gives_every_row_with_its_state(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "list", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 30
    assert all('"state": "absent"' in line for line in lines)


def test_weights_list_says_what_no_engine_loads(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["weights", "list"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "no engine of this version loads it" in lines["mobile-sam"]
    assert "no engine" not in lines["sam2.1-tiny"]


def test_weights_pull_of_ones_under_conditions_shows_them_and_asks(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["weights", "pull", "sam3"]) == 2
    assert "rules out some uses" in capsys.readouterr().err
    assert run(["weights", "pull", "sam3", "--accept-licence", "LicenseRef-SAM"]) == 2
    assert "download config.json and model.safetensors by hand" in capsys.readouterr().err
