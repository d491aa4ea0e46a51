"""Resolve's menu script in a real LuaJIT, against the real server and gateway, in a program that is a fake."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_plugin.hosts.resolve_facts import shot_from_facts
from cleanplate_plugin.install import menu_scripts, source_folder
from cleanplate_server.config import FlagValue, Settings
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.service.server import Server
from gateways import Caller, no_shot
from hypothesis import given, settings
from hypothesis import strategies as st
from media import X264, Recipe, write_video

LUAJIT = shutil.which("luajit")
DRIVER = Path(__file__).parent / "lua" / "driver.lua"
START = 86400
CLICK = {"frame": 8, "points": [{"x": 40, "y": 30, "side": "SIDE_INSIDE"}]}

pytestmark = pytest.mark.skipif(LUAJIT is None, reason="needs luajit, the language of Resolve's menu scripts")


def _frame(number: int) -> av.VideoFrame:
    rows, columns = np.indices((64, 96))
    gray = (60 + (rows * 7 + columns * 3) % 24).astype(np.uint8)
    gray[20:44, 10 + 4 * number : 30 + 4 * number] = 220
    return av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p")


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen frames at 24 a second, from 01:00:00:00: a bright square walks over a dark wall."""
    recipe = Recipe(
        size=(64, 96), count=16, rate=Fraction(24), options=X264, frames=[_frame(number) for number in range(16)],
        timecode="01:00:00:00",
    )  # fmt: skip
    return write_video(tmp_path_factory.mktemp("menu") / "wände.mov", recipe)


@pytest.fixture(scope="module")
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stâte")


@pytest.fixture(scope="module")
def gateway(state_folder: Path, media: Path) -> Iterator[Gateway]:
    flags: dict[str, FlagValue] = {
        "state_folder": state_folder,
        "allowed_folders": [media.parent],
        "memory_bytes": "64GiB",
    }
    runner = RunnerPlace("quick_runner:run", Path(__file__).parent)
    with (
        Server(Settings.load(flags, environment={}), runner=runner) as server,
        Gateway(server.address, server.token, facts=FactsReaders(shot_from_facts, no_shot)) as started,
    ):
        file = state_folder / "server.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "gateway": started.address}))
        yield started


@dataclass
class Session:
    """One run of a menu item.

    Args:
        scenario: of fake_resolve.lua.
        prompts: what the person clicks; None cancels the shot.
        act: what happens instead.
    """

    folder: Path
    state_folder: Path
    gateway: Gateway | None
    scenario: dict[str, Any]
    prompts: dict[str, Any] | None = field(default_factory=lambda: dict(CLICK))
    delivery: str = "DELIVERY_PLATE"
    shot: str = ""
    act: Callable[[], None] | None = None

    def run(self, name: str = "Remove Object.lua") -> tuple[str, dict[str, Any]]:
        """What was said, and the timeline afterwards."""
        script, scenario, page = self.folder / "script.lua", self.folder / "scenario.json", self.folder / "page.txt"
        script.write_text(menu_scripts(source_folder("resolve"), self.state_folder)[name])
        scenario.write_text(json.dumps(self.scenario))
        page.unlink(missing_ok=True)
        done = threading.Event()
        person = threading.Thread(target=self._act, args=(page, done))
        person.start()
        try:
            command = [str(LUAJIT), str(DRIVER), str(script), str(scenario), str(page), str(source_folder("resolve"))]
            ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        finally:
            done.set()
            person.join()
        assert ran.stderr == ""
        said, _, state = ran.stdout.rpartition("STATE ")
        return said, json.loads(state)

    def _act(self, page: Path, done: threading.Event) -> None:
        """The person: waits for the page, then clicks or gives up."""
        while not done.is_set():
            found = re.search(r"pick/([\w-]+)", page.read_text()) if page.is_file() else None
            if found and self.gateway:
                session = self.caller().get(f"/v1/sessions/{found[1]}").json["session"]
                self.shot = session["shot"]["name"].partition("/")[2]
                (self.act or self._click)()
                return
            time.sleep(0.02)

    def _click(self) -> None:
        path = f"/v1/shots/{self.shot}"
        if self.prompts is None:
            self.caller().post(f"{path}/cancel")
        else:
            body = {"prompts": [self.prompts], "delivery": self.delivery, "effort": "EFFORT_FAST"}
            answer = self.caller().post(f"{path}/submit", body)
            assert answer.status == 200, answer.body

    def caller(self) -> Caller:
        assert self.gateway is not None
        token = (self.state_folder / "token").read_text().strip()
        return Caller(self.gateway.address, {"Authorization": f"Bearer {token}"})

    def announced(self) -> dict[str, Any]:
        answer: dict[str, Any] = self.caller().get(f"/v1/shots/{self.shot}").json
        return answer


def scenario_of(media: Path, **changes: Any) -> dict[str, Any]:
    """``before | clip | after``: the clip shows frames 4 to 11, the playhead stands on its fifth."""
    other = {"File Path": "/media/b.mov", "Clip Name": "b.mov", "FPS": 24, "Frames": "240", "Start TC": "00:00:00:00"}
    own = {
        "File Path": str(media), "Clip Name": media.name, "FPS": 24, "Frames": "16", "Start": "0",
        "Start TC": "01:00:00:00", "timecode_frame": START, "Input Color Space": "ARRI LogC3", "Type": "Video",
    }  # fmt: skip
    told: dict[str, Any] = {
        "rate": 24, "start_frame": START, "playhead": START + 24, "quirks": {"take_trims": True},
        "clean": {"FPS": 24, "Input Color Space": "Rec.709", "timecode_frame": START},
        "clips": [
            {"name": "before", "at": 0, "duration": 20, "properties": other},
            {"name": "wände", "at": 20, "duration": 8, "source": 4, "properties": own},
            {"name": "after", "at": 28, "duration": 20, "properties": other},
        ],
    }  # fmt: skip
    return {**told, **changes}


def clip_of(state: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = state["items"][1]
    return found


QUIRKS = [
    {"take_trims": trims, "take_end_included": take, "source_start_low": low, "times_relative": relative}
    for trims, take, low, relative in itertools.product((True, False), repeat=4)
]


@pytest.mark.parametrize("quirks", QUIRKS[::5])
def test_menu_from_click_to_take(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, quirks: dict[str, bool]
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, quirks=quirks))

    said, state = session.run()

    clip, shot = clip_of(state), session.announced()
    assert "as a take" in said
    assert (clip["start"], clip["duration"], clip["selected"], clip["takes"]) == (20, 8, 2, 2)
    assert clip["path"] == shot["placement"]["path"]
    # Twelve spare frames were asked for, of which the file has four before the clip.
    assert clip["source"] == 4 == int(shot["placement"]["start_frame"])
    assert clip["space"] == "ARRI LogC3"
    assert (state["folders"], state["current"]) == ("Cleanplate", "Master")
    assert state["markers"]["20"]["mark"].startswith("cleanplate:")
    assert (shot["state"], shot["message"] in said) == ("PLACED", True)
    assert not {"FinalizeTake", "ReplaceClip"} & set(state["calls"].split())


@pytest.mark.parametrize("included", [False, True])
def test_menu_of_a_part_lays_it_above(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, included: bool
) -> None:
    quirks = {"append_end_included": included, "needs_edit_page": True}
    told = scenario_of(media, quirks=quirks, marks={"in": 22, "out": 25}, page="color")
    session = Session(tmp_path, state_folder, gateway, told)

    said, state = session.run()

    laid = state["items"][-1]
    assert "video track 2" in said
    assert (laid["track"], laid["track_name"], laid["start"], laid["duration"]) == (2, "Cleanplate", 22, 4)
    assert laid["source"] == 6
    assert [item["source"] for item in state["items"][:3]] == [0, 4, 0]


@pytest.mark.parametrize("included", [False, True])
@pytest.mark.parametrize(("speed", "source"), [(0.5, 4), (-1, 11)])
def test_menu_of_a_retimed_clip_keeps_its_frames(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, included: bool, speed: float, source: int
) -> None:
    told = scenario_of(media, quirks={"newer": True, "take_trims": True, "take_end_included": included})
    told["clips"][1] |= {"speed": speed, "source": source}

    said, state = Session(tmp_path, state_folder, gateway, told).run()

    clip = clip_of(state)
    assert "as a take" in said
    # The take begins with the file's first frame, so that its frames have the same numbers.
    assert (clip["start"], clip["duration"], clip["source"]) == (20, 8, source)
    assert clip["path"] != str(media)


def test_menu_of_a_retimed_clip_is_never_laid_above(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    told = scenario_of(media, quirks={"newer": True}, refuse_after={"AddTake": 0})
    told["clips"][1] |= {"speed": 0.5}
    told["clean"]["Frames"] = "16"

    said, state = Session(tmp_path, state_folder, gateway, told).run()

    assert "is in the new timeline" in said
    assert (state["tracks"], state["made"][1]["source"]) == (1, 4)


def test_menu_where_takes_fail_lays_the_clip_above(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, refuse_after={"SelectTakeByIndex": 0}))

    said, state = session.run()

    assert "could not be undone" not in said
    assert "video track 2" in said
    assert (clip_of(state)["path"], clip_of(state)["source"]) == (str(media), 4)


@pytest.mark.parametrize("imports_pool_clips", [False, True])
def test_menu_where_takes_and_tracks_fail_builds_a_new_timeline(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, imports_pool_clips: bool
) -> None:
    quirks = {"imports_pool_clips": imports_pool_clips}
    told = scenario_of(media, quirks=quirks, refuse_after={"AddTake": 0, "AddTrack": 0})
    told["clean"]["Frames"] = "16"
    session = Session(tmp_path, state_folder, gateway, told)

    said, state = session.run()

    clean = session.announced()["placement"]["path"]
    assert "new timeline 'Cut 1 Cleanplate 1'" in said
    assert [(item["path"], item["start"], item["duration"], item["source"]) for item in state["made"]] == [
        ("/media/b.mov", 0, 20, 0), (clean, 20, 8, 4), ("/media/b.mov", 28, 20, 0),
    ]  # fmt: skip
    assert state["opened"] == "Cut 1"
    assert (clip_of(state)["path"], clip_of(state)["takes"]) == (str(media), 0)
    assert not list(Path(clean).parent.glob("*.otio"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"playhead": START + 100}, "stands on no clip"),
        ({"locked": True}, "video track 1 with clip 'wände' is locked"),
        ({"no_project": True}, "open a project"),
        ({"no_timeline": True}, "open a timeline"),
        ({"page": "media"}, "open the Edit page"),
        ({"playhead": START + 2}, "/media/b.mov is not there"),
    ],
)
def test_menu_on_what_cannot_be_cleaned_says_one_sentence(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, changes: dict[str, Any], words: str
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, **changes))

    said, state = session.run()

    assert words in said
    assert said.count("\n") == 1
    assert state["markers"] == {}
    assert clip_of(state)["path"] == str(media)
    assert state["folders"] == ""


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        ("slip", "edited after"),
        ("move", "edited after"),
        ("delete", "not on the current timeline"),
        ("close", "was closed"),
    ],
)
def test_menu_on_an_edited_timeline_places_nothing(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, edit: str, words: str
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, edit=edit, edit_at_wait=1))

    said, state = session.run()

    assert words in said
    assert state["folders"] == ""
    assert all(item["takes"] == 0 for item in state["items"])
    assert session.announced()["state"] == "FAILED"
    assert words in session.announced()["message"]


def test_menu_with_the_playhead_moved_meanwhile_places_into_its_clip(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, edit="playhead", edit_at_wait=1))

    _, state = session.run()

    assert clip_of(state)["selected"] == 2


def test_menu_in_a_read_only_project_changes_nothing(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, read_only=True))

    said, state = session.run()

    assert "nothing was changed" in said
    assert "read-only" in said
    assert (state["tracks"], state["folders"], clip_of(state)["takes"]) == (1, "", 0)


def test_menu_of_a_shot_that_is_given_up_changes_nothing(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media), prompts=None)

    said, state = session.run()

    assert "given up" in said
    assert clip_of(state)["takes"] == 0


def test_menu_of_free_resolve_opens_no_dialog(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    session = Session(tmp_path, state_folder, gateway, scenario_of(media, quirks={"free": True, "take_trims": True}))

    said, state = session.run()

    assert "as a take" in said
    assert state["modal"] is False


def test_menu_without_a_server_says_how_to_start_one(tmp_path: Path, media: Path) -> None:
    session = Session(tmp_path, tmp_path / "nobody", None, scenario_of(media))

    said, _ = session.run()

    assert f"no Cleanplate server is running with the state folder {tmp_path / 'nobody'}" in said
    assert "`cleanplate serve`" in said


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:1", "does not answer"),
        ("192.0.2.1:80", "which is not on this machine"),
        ("127.0.0.1:80; rm", "which is not on this machine"),
        (None, "no gateway"),
    ],
)
def test_menu_with_a_gateway_that_cannot_be_asked_says_so(
    tmp_path: Path, media: Path, address: str | None, words: str
) -> None:
    (tmp_path / "server.json").write_text(json.dumps({"address": "127.0.0.1:2", "gateway": address}))
    (tmp_path / "token").write_text("secret")
    session = Session(tmp_path, tmp_path, None, scenario_of(media))

    said, _ = session.run()

    assert words in said
    assert said.count("\n") == 1


def test_menu_restore_without_a_take_of_ours_is_refused(tmp_path: Path, state_folder: Path, media: Path) -> None:
    said, state = Session(tmp_path, state_folder, None, scenario_of(media)).run("Show Original.lua")

    assert "shows no take of Cleanplate" in said
    assert clip_of(state)["path"] == str(media)


@pytest.mark.parametrize("delivery", ["DELIVERY_PLATE", "DELIVERY_PATCH"])
def test_menu_restore_after_remove_shows_the_original(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path, delivery: str
) -> None:
    restore = tmp_path / "restore.lua"
    restore.write_text(menu_scripts(source_folder("resolve"), state_folder)["Show Original.lua"])
    told = scenario_of(media, next_script=str(restore))

    said, state = Session(tmp_path, state_folder, gateway, told, delivery=delivery).run()

    assert ("original again" if delivery == "DELIVERY_PLATE" else "taken off the track above") in said
    assert (clip_of(state)["path"], clip_of(state)["source"]) == (str(media), 4)
    assert len(state["items"]) == 3


def test_menu_with_the_server_gone_meanwhile_is_one_sentence(
    tmp_path: Path, state_folder: Path, gateway: Gateway, media: Path
) -> None:
    known = json.loads((state_folder / "server.json").read_text())
    token = (state_folder / "token").read_text().strip()
    other = Gateway(known["address"], token, facts=FactsReaders(shot_from_facts, no_shot))
    (tmp_path / "token").write_text(token)
    (tmp_path / "server.json").write_text(json.dumps({**known, "gateway": other.start()}))
    session = Session(tmp_path, tmp_path, other, scenario_of(media))
    session.act = lambda: other.stop()

    said, state = session.run()

    assert "the Cleanplate server does not answer; start it with `cleanplate serve`" in said
    assert clip_of(state)["takes"] == 0


def _probe(*arguments: str, text: str = "") -> str:
    command = [str(LUAJIT), str(DRIVER.with_name("probe.lua")), str(source_folder("resolve")), *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=20, check=True).stdout


_TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
_VALUES = st.recursive(
    st.booleans() | st.integers(-(2**52), 2**52) | st.floats(allow_nan=False, allow_infinity=False) | _TEXTS,
    lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(_TEXTS, inner, min_size=1, max_size=4),
    max_leaves=12,
)


@settings(max_examples=20, deadline=None)
@given(st.lists(_VALUES, min_size=1, max_size=20), st.booleans())
def test_lua_json_there_and_back_is_the_same(values: list[Any], ascii_only: bool) -> None:
    lines = [json.dumps(value, ensure_ascii=ascii_only) for value in values]
    # Python splits lines at more signs than Lua does.
    read = _probe("json", text="\n".join(lines)).rstrip("\n").split("\n")

    assert [json.loads(line) for line in read] == values


@pytest.mark.parametrize("text", ["{", '{"a" 1}', "[1,]", '"\\q"', '"open', "nul", "1 2", "-", "[" * 1000, "\\"])
def test_lua_json_that_is_none_is_refused(text: str) -> None:
    assert _probe("json", text=text).startswith("refused: ")


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "200 abc"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "200 abc"),
        (b"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n", "404 "),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", "nothing"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "nothing"),
        (b"HTTP/1.1 200 OK\r\n\r\nabc", "nothing"),
        (b"SSH-2.0-OpenSSH\r\n", "nothing"),
        (b"", "nothing"),
    ],
)
def test_lua_http_reads_whole_answers_alone(answer: bytes, seen: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = threading.Thread(target=_answer_once, args=(listening, answer))
        server.start()
        told = _probe("get", str(listening.getsockname()[1]))
        server.join()

    assert told == f"{seen}\n"


def test_lua_http_of_a_silent_server_ends_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        assert _probe("get", str(listening.getsockname()[1])) == "nothing\n"


def _answer_once(listening: socket.socket, answer: bytes) -> None:
    connection, _ = listening.accept()
    with connection:
        connection.recv(65536)
        for byte in range(0, len(answer), 7):
            connection.sendall(answer[byte : byte + 7])
