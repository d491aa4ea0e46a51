"""Resolve Studio driven from our own process: the real server and gateway, a program that is a fake."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from cleanplate_plugin.command import Reach, cli
from cleanplate_plugin.errors import HostError
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_plugin.hosts.resolve_facts import shot_from_facts
from cleanplate_server.config import FlagValue, Settings
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.service.server import Server
from click.testing import CliRunner
from gateways import Caller, no_shot
from media import Recipe, write_video
from plugin.hosts.fake_resolve import FakeItem, Program, Quirks, start_resolve


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe(size=(64, 96), count=16, rate=Fraction(24), timecode="01:00:00:00")
    return write_video(tmp_path_factory.mktemp("session") / "a.mov", recipe)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Iterator[tuple[Path, Gateway]]:
    """The state folder and the gateway."""
    state_folder = tmp_path_factory.mktemp("state")
    flags: dict[str, FlagValue] = {
        "state_folder": state_folder,
        "allowed_folders": [media.parent],
        "memory_bytes": "64GiB",
    }
    runner = RunnerPlace("quick_runner:run", Path(__file__).parent)
    with (
        Server(Settings.load(flags, environment={}), runner=runner) as started,
        Gateway(started.address, started.token, facts=FactsReaders(shot_from_facts, no_shot)) as gateway,
    ):
        file = state_folder / "server.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), "gateway": gateway.address}))
        yield state_folder, gateway


class Studio:
    """A Resolve Studio with a clip of frames 4 to 11 under the playhead, and a person before it."""

    def __init__(self, server: tuple[Path, Gateway], media: Path, quirks: Quirks | None = None) -> None:
        self.state_folder, self.gateway = server
        self.program: Program = start_resolve(quirks or Quirks())
        clip = self.program.add_media(str(media), Frames="16", Start_TC="01:00:00:00")
        self.item: FakeItem = self.program.timeline.lay(clip, 20, 8, source=4)
        self.program.timeline.playhead = self.item.start + 4
        self.program.pool.files = _AnyTake()
        self.before_look: Callable[[], None] = lambda: None
        self.prompts: list[dict[str, object]] = [{"frame": 8, "points": [{"x": 40, "y": 30, "side": "SIDE_INSIDE"}]}]

    def run(self, *arguments: str) -> tuple[int, str, str]:
        reach = Reach(
            resolve=lambda: self.program.resolve, open_page=self._click, sleep=lambda seconds: self.before_look()
        )
        ran = CliRunner().invoke(cli, ["--state-folder", str(self.state_folder), "resolve", *arguments], obj=reach)
        assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
        return ran.exit_code, ran.stdout, ran.stderr

    def caller(self) -> Caller:
        token = (self.state_folder / "token").read_text().strip()
        return Caller(self.gateway.address, {"Authorization": f"Bearer {token}"})

    def _click(self, page: str) -> None:
        found = re.search(r"pick/([\w-]+)", page)
        assert found
        shot = self.caller().get(f"/v1/sessions/{found[1]}").json["session"]["shot"]["name"]
        action, body = ("submit", {"prompts": self.prompts}) if self.prompts else ("cancel", {})
        assert self.caller().post(f"/v1/{shot}/{action}", body).status == 200


class _AnyTake(dict[str, dict[str, str | float]]):
    """Whatever a job wrote can be imported."""

    def __contains__(self, path: object) -> bool:
        return Path(str(path)).is_file()

    def __missing__(self, path: str) -> dict[str, str | float]:
        return {"Frames": "16", "Start TC": "01:00:00:00"}


@pytest.mark.parametrize("clicks", [[], ["--click", "40,30"], ["--box", "30,20,50,44", "--not", "2,2"]])
def test_remove_places_a_take(server: tuple[Path, Gateway], media: Path, clicks: list[str]) -> None:
    studio = Studio(server, media)

    code, out, err = studio.run("remove", *clicks)

    assert (code, "as a take" in out) == (0, True), err
    assert studio.item.selected == 2
    assert studio.item.source == 4
    assert studio.item.media is not None
    assert Path(str(studio.item.media.properties["File Path"])).parent == media.parent / "Cleanplate"


def test_remove_of_a_patch_lies_above(server: tuple[Path, Gateway], media: Path) -> None:
    studio = Studio(server, media)

    code, out, _ = studio.run("remove", "--click", "40,30", "--deliver", "patch")

    assert (code, "video track 2" in out) == (0, True)


def test_remove_that_was_given_up_changes_nothing(server: tuple[Path, Gateway], media: Path) -> None:
    studio = Studio(server, media)
    studio.prompts = []
    before = studio.program.timeline.state()

    code, out, err = studio.run("remove")

    assert (code, out) == (1, "")
    assert "given up" in err
    assert studio.program.timeline.state() == before


def test_remove_of_a_clip_that_was_edited_meanwhile_places_nothing(server: tuple[Path, Gateway], media: Path) -> None:
    studio = Studio(server, media)
    studio.before_look = lambda: setattr(studio.item, "source", 5)

    code, _, err = studio.run("remove")

    assert code == 1
    assert "edited after" in err
    assert studio.item.takes == []


def test_remove_with_the_program_closed_meanwhile_is_one_sentence(server: tuple[Path, Gateway], media: Path) -> None:
    studio = Studio(server, media)
    studio.before_look = lambda: setattr(studio.program.world, "closed", True)

    code, _, err = studio.run("remove")

    assert code == 1
    assert "was closed" in err


def test_remove_with_the_server_gone_meanwhile_says_so(
    server: tuple[Path, Gateway], media: Path, tmp_path: Path
) -> None:
    state_folder, _ = server
    known = json.loads((state_folder / "server.json").read_text())
    token = (state_folder / "token").read_text().strip()
    other = Gateway(known["address"], token, facts=FactsReaders(shot_from_facts, no_shot))
    (tmp_path / "token").write_text(token)
    (tmp_path / "server.json").write_text(json.dumps({**known, "gateway": other.start()}))
    studio = Studio((tmp_path, other), media)
    studio.before_look = other.stop

    code, _, err = studio.run("remove")

    assert (code, "does not answer" in err) == (3, True)
    assert studio.item.takes == []


def test_remove_without_a_server_says_how_to_start_one(
    tmp_path: Path, media: Path, server: tuple[Path, Gateway]
) -> None:
    studio = Studio((tmp_path, server[1]), media)

    code, _, err = studio.run("remove", "--click", "40,30")

    assert code == 3
    assert "`cleanplate serve`" in err


def test_remove_with_outside_alone_is_a_usage_error(server: tuple[Path, Gateway], media: Path) -> None:
    assert Studio(server, media).run("remove", "--not", "4,4")[0] == 2


def test_status_tells_the_clip(server: tuple[Path, Gateway], media: Path) -> None:
    code, out, _ = Studio(server, media).run("status")

    assert code == 0
    assert f"frames 4 to 11 of {media} at 100%" in out


def test_restore_after_remove_shows_the_original(server: tuple[Path, Gateway], media: Path) -> None:
    studio = Studio(server, media)
    studio.run("remove", "--click", "40,30")

    code, out, _ = studio.run("restore")

    assert (code, "original again" in out) == (0, True)
    assert studio.item.selected == 1


def test_status_where_resolve_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    def absent() -> Program:
        raise HostError("DaVinci Resolve does not answer; start it")

    reach = Reach(resolve=absent)  # type: ignore[arg-type]
    ran = CliRunner().invoke(cli, ["--state-folder", str(tmp_path), "resolve", "status"], obj=reach)

    assert (ran.exit_code, ran.stderr) == (1, "Error: DaVinci Resolve does not answer; start it\n")
