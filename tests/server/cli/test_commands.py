"""The command line as a person meets it: arguments in, an exit code, sentences and files out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from cleanplate_plugin.client import Client
from cleanplate_server.cli.main import run
from cleanplate_server.config import Settings
from cleanplate_server.service.server import Server
from cleanplate_server.stages.decode import probe

SIZE = (72, 96)


def _clip(folder: Path, count: int = 6, size: tuple[int, int] = SIZE) -> Path:
    """A red disc that moves over a wall, as numbered PNGs."""
    folder.mkdir()
    wall = np.random.default_rng(1).integers(90, 150, (*size, 3), dtype=np.uint8)
    wall = cv2.GaussianBlur(wall, (5, 5), 0)
    for number in range(count):
        picture = wall.copy()
        cv2.circle(picture, (20 + 8 * (number % 8), 36), 9, (30, 30, 230), -1)
        cv2.imwrite(str(folder / f"shot.{number:04d}.png"), picture)
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return _clip(tmp_path / "clip")


def _run(tmp_path: Path, *arguments: str | Path) -> int:
    return run(["--state-folder", str(tmp_path / "state"), *map(str, arguments)])


def _files(folder: Path) -> set[str]:
    return {entry.name for entry in folder.iterdir()}


def test_remove_with_a_click_writes_media_and_prints_its_path(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "clean.mkv"
    assert _run(tmp_path, "remove", clip, "--click", "0@20,36", "-o", out, "--effort", "fast") == 0
    output = capfd.readouterr()
    assert output.out.strip() == str(out)
    for words in ("segmenter", "Apache-2.0", "memory", "masks are grown by", "filling"):
        assert words in output.err
    assert probe(out).frame_count == 6


def test_track_with_json_prints_the_job_by_proto_names(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    masks = tmp_path / "masks"
    code = _run(tmp_path, "track", clip, "--click", "2@36,36", "--in", "1", "--out", "3", "-o", masks, "--json")
    output = capfd.readouterr()
    jobs = [json.loads(line) for line in output.out.splitlines()]
    assert (code, output.err, jobs[-1]["state"]) == (0, "", "SUCCEEDED")
    assert jobs[-1]["take"]["frame_count"] == "3"
    assert jobs[-1]["spec"]["range"] == {"start_frame": "1", "frame_count": "3", "handle_frame_count": 0}
    assert len(list(masks.glob("*.png"))) == 3


def test_quiet_prints_the_path_alone(tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "masks"
    assert _run(tmp_path, "track", clip, "--box", "0@8,24,32,48", "--out", "1", "-o", out, "-q") == 0
    assert capfd.readouterr() == (f"{out}\n", "")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--click", "0@20,36", "-o", "-"], 2, "cannot be written to standard output"),
        (["-o", "out.mkv"], 2, "needs to know what is meant"),
        (["--click", "0@20", "-o", "out.mkv"], 2, "F@X,Y"),
        (["--click", "0@500,36", "-o", "out.mkv"], 2, "outside the picture"),
        (["--click", "5@20,36", "--out", "3", "-o", "out.mkv"], 2, "outside the range"),
        (["--click", "0@20,36", "--in", "4", "--out", "2", "-o", "out.mkv"], 2, "before the in point"),
        (["--click", "0@20,36", "--out", "600", "-o", "out.mkv"], 2, "frames 0 to 5"),
        (["--click", "0@20,36", "--in", "01:00:00:00", "-o", "out.mkv"], 2, "has no timecode"),
        (["--click", "0@20,36", "--engine", "wizard=x", "-o", "out.mkv"], 2, "KIND=NAME"),
        (["--click", "0@20,36", "--engine", "inpainter=x", "-o", "out.mkv"], 1, "no inpainter named 'x'"),
        (["--click", "0@20,36", "-o", "nowhere/out.mkv"], 1, "nowhere"),
        (["--mask", "0@none.png", "-o", "out.mkv"], 1, "none.png"),
    ],
)
def test_bad_request_ends_with_one_sentence_and_leaves_nothing(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], code: int, words: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert _run(tmp_path, "remove", clip, *arguments) == code
    output = capfd.readouterr()
    assert words in output.err
    assert "Traceback" not in output.err
    assert (output.out, _files(tmp_path) - {"state"}) == ("", {"clip"})


def test_missing_media_fails_by_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "remove", tmp_path / "no.mov", "--click", "0@1,1", "-o", tmp_path / "out.mov") == 1
    assert "no.mov" in capfd.readouterr().err


def test_existing_target_is_kept_without_overwrite(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.mkv"
    out.write_bytes(b"precious")
    assert _run(tmp_path, "remove", clip, "--click", "0@20,36", "-o", out) == 1
    assert "exists" in capfd.readouterr().err
    assert out.read_bytes() == b"precious"


def test_commands_use_the_server_that_runs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    settings = Settings.load({"state_folder": tmp_path / "state", "allowed_folders": [tmp_path]})
    with Server(settings) as server:
        assert _run(tmp_path, "doctor") == 0
        assert f"runs at {server.address}" in capfd.readouterr().out
        assert _run(tmp_path, "models", "--json") == 0
    kinds = [json.loads(line)["kind"] for line in capfd.readouterr().out.splitlines()]
    assert set(kinds) == {"segmenter", "propagator", "inpainter", "matter", "name-finder"}


def test_path_outside_the_running_servers_folders_is_refused(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    settings = Settings.load({"state_folder": tmp_path / "state", "allowed_folders": [tmp_path / "other"]})
    with Server(settings):
        assert _run(tmp_path, "remove", clip, "--click", "0@20,36", "-o", tmp_path / "out.mkv") == 1
    assert "outside the folders that this server may use" in capfd.readouterr().err


def test_work_beside_another_commands_private_server_ends_with_3(
    tmp_path: Path, clip: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.load({"state_folder": tmp_path / "state", "allowed_folders": [tmp_path]})
    with Server(settings, private=True):
        assert _run(tmp_path, "remove", clip, "--click", "0@20,36", "-o", tmp_path / "out.mkv") == 3
    assert "holds the state folder" in capfd.readouterr().err


def test_unknown_job_fails_by_name(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "jobs", "show", "nothing") == 1
    assert "nothing" in capfd.readouterr().err


def test_weights_list_says_licence_and_presence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert _run(tmp_path, "weights", "list", "--json") == 0
    rows = {row["name"]: row for row in map(json.loads, capfd.readouterr().out.splitlines())}
    assert rows["propainter"]["commercial_use"] is False
    assert rows["sttn"]["state"] == "absent"


def test_doctor_with_an_unusable_state_folder_fails_and_says_what_to_do(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    assert _run(tmp_path, "doctor") == 1
    line = next(line for line in capfd.readouterr().out.splitlines() if "state folder" in line)
    assert line.startswith("FAIL")
    assert "--state-folder" in line


def test_interrupt_cancels_the_job_and_exits_130(tmp_path: Path) -> None:
    clip = _clip(tmp_path / "clip", count=120, size=(360, 640))
    state, out = tmp_path / "state", tmp_path / "out.mkv"
    command = "from cleanplate_server.cli.main import main; main()"
    arguments = ["remove", str(clip), "--click", "0@20,36", "-o", str(out), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, "--state-folder", str(state), *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True, env=dict(os.environ),
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while '"RUNNING"' not in process.stdout.readline():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130
    assert "cleanplate jobs resume" in errors
    assert "Traceback" not in errors, errors
    assert _files(tmp_path) == {"clip", "state"}
    settings = Settings.load({"state_folder": state, "allowed_folders": [tmp_path]})
    with Server(settings, private=True) as server, Client(server.address, server.token) as client:
        assert [job.state for job in client.jobs()] == [5]


def test_serve_tells_its_address_and_ends_cleanly_at_sigterm(tmp_path: Path) -> None:
    command = "from cleanplate_server.cli.main import main; main()"
    arguments = ["--state-folder", str(tmp_path / "state"), "serve", "--allow", str(tmp_path), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())["address"]
        with Client.discover(tmp_path / "state") as client:
            assert client.address == address
        process.terminate()
        _, errors = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (process.returncode, "Traceback" in errors) == (0, False)
    assert "server.json" not in _files(tmp_path / "state")
