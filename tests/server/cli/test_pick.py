"""``cleanplate pick``: the page's address, the server behind it, and its end."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import opentimelineio as otio
import pytest
from cleanplate_server.cli.main import run
from cleanplate_server.cli.serving import gateway_key
from sessions_made import write_walker


@pytest.fixture
def walker(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    return write_walker(folder / "wände.mkv")


@contextmanager
def _picking(tmp_path: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The command at work, and what it has printed."""
    environment = {**os.environ, "CLEANPLATE_GATEWAY_PORT": "0", "CLEANPLATE_CONFIG": str(tmp_path / "none.toml")}
    (tmp_path / "none.toml").touch()
    command = [sys.executable, "-c", "from cleanplate_server.cli.main import main; main()"]
    command += ["--state-folder", str(tmp_path / "state"), "pick", *arguments, "--no-open", "--json"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert started.stdout is not None
        line = started.stdout.readline()
        assert line, started.communicate(timeout=20)[1]
        yield started, json.loads(line)
    finally:
        started.kill()
        started.communicate(timeout=20)


def _visit(url: str) -> tuple[http.client.HTTPConnection, dict[str, str]]:
    """A browser that opens the address."""
    address, code = url.split("/")[2], url.partition("#")[2]
    connection = http.client.HTTPConnection(address, timeout=20)
    headers = {"Origin": f"http://{address}"}
    connection.request("POST", "/v1/session", json.dumps({"code": code}), headers)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 200
    return connection, {**headers, "Cookie": answer.headers["Set-Cookie"].partition(";")[0]}


def _ask(url: str, session: str, verb: str) -> dict[str, object]:
    connection, headers = _visit(url)
    connection.request("POST" if verb else "GET", f"/v1/{session}{verb}", "{}" if verb else None, headers)
    answer = connection.getresponse()
    found: dict[str, object] = json.loads(answer.read())
    connection.close()
    assert answer.status == 200
    return found


def test_pick_prints_an_address_without_paths_and_ends_when_the_page_is_closed(tmp_path: Path, walker: Path) -> None:
    with _picking(tmp_path, str(walker), "--in", "3", "--out", "9", "--handles", "2") as (started, printed):
        url = printed["url"]
        assert url.startswith("http://127.0.0.1:")
        assert "?" not in url
        assert walker.stem not in url
        assert "media" not in url
        closed = _ask(url, printed["session"], "/close")["session"]
        assert closed["range"] == {"start_frame": "3", "frame_count": "7", "handle_frame_count": 2}  # type: ignore[index]
        assert started.wait(timeout=20) == 0


def test_pick_ends_on_a_signal_and_finds_the_session_again(tmp_path: Path, walker: Path) -> None:
    names = []
    for _ in range(2):
        with _picking(tmp_path, str(walker)) as (started, printed):
            names.append(printed["session"])
            started.send_signal(signal.SIGTERM)
            assert started.wait(timeout=20) == 0
    assert names[0] == names[1]


def test_pick_opens_a_clip_of_a_timeline_by_its_name(tmp_path: Path, walker: Path) -> None:
    media = otio.schema.ExternalReference(
        walker.as_uri(), otio.opentime.TimeRange(otio.opentime.RationalTime(0, 25), otio.opentime.RationalTime(16, 25))
    )
    shown = otio.opentime.TimeRange(otio.opentime.RationalTime(4, 25), otio.opentime.RationalTime(6, 25))
    timeline = otio.schema.Timeline("edit", tracks=[])
    timeline.tracks.append(otio.schema.Track("V1", [otio.schema.Clip("the walk", media, shown)], kind="Video"))
    edit = tmp_path / "media" / "edit.otio"
    otio.adapters.write_to_file(timeline, str(edit))
    with _picking(tmp_path, str(edit), "--clip", "the walk") as (_, printed):
        session = _ask(printed["url"], printed["session"], "")["session"]
        assert session["title"] == "the walk"  # type: ignore[index]
        assert session["range"] == {"start_frame": "4", "frame_count": "6", "handle_frame_count": 0}  # type: ignore[index]


@pytest.mark.parametrize(
    ("arguments", "word"), [(["none.mov"], "none.mov"), (["wände.mkv", "--in", "99"], "frames 0 to 15")]
)
def test_pick_of_what_cannot_be_opened_is_one_sentence(
    tmp_path: Path, walker: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    arguments: list[str], word: str,
) -> None:  # fmt: skip
    monkeypatch.setenv("CLEANPLATE_GATEWAY_PORT", "0")
    media = str(walker.with_name(arguments[0]))
    code = run(["--state-folder", str(tmp_path / "state"), "pick", media, *arguments[1:], "--no-open"])
    said = capsys.readouterr().err.strip()
    assert code in (1, 2)
    assert word in said
    assert "\n" not in said


def test_gateway_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    key = gateway_key(tmp_path)
    assert (len(key), gateway_key(tmp_path)) == (32, key)
    assert (tmp_path / "gateway.key").stat().st_mode & 0o777 == 0o600
