from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cleanplate_server.config import Settings
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.service.server import Server
from sessions_made import BrightRegistry, Picker, write_walker

RUNNER = RunnerPlace("bright_runner:run", Path(__file__).parents[2])


@pytest.fixture
def walker(tmp_path: Path) -> Path:
    """A clip of sixteen frames in a folder of its own."""
    folder = tmp_path / "media"
    folder.mkdir()
    return write_walker(folder / "walker.mkv")


@pytest.fixture
def picker_settings(tmp_path: Path) -> Settings:
    flags = {"state_folder": tmp_path / "state", "allowed_folders": [tmp_path / "media"], "memory_bytes": "64GiB"}
    return Settings.load(flags, environment={})


@pytest.fixture
def registry() -> BrightRegistry:
    return BrightRegistry()


@pytest.fixture
def picking(picker_settings: Settings, registry: BrightRegistry, walker: Path) -> Iterator[Server]:
    with Server(picker_settings, registry=registry, runner=RUNNER) as server:
        yield server


@pytest.fixture
def picker(picking: Server, walker: Path) -> Picker:
    """Somebody with a session on the clip."""
    person = Picker.at(picking)
    person.open(walker)
    return person
