from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_server.config import Settings
from cleanplate_server.service.server import Server
from gateways import RATE, READERS, RUNNER, SIZE, Caller
from media import X264, Recipe, write_video


@pytest.fixture(scope="session")
def walker(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of ten frames: a bright square walks over a dark wall."""
    frames = [_frame(number) for number in range(10)]
    recipe = Recipe(size=SIZE, count=10, rate=RATE, options=X264, frames=frames)
    return write_video(tmp_path_factory.mktemp("walker") / "walker.mov", recipe).read_bytes()


def _frame(number: int) -> av.VideoFrame:
    rows, columns = np.indices(SIZE)
    gray = (60 + (rows * 7 + columns * 3) % 24).astype(np.uint8)
    gray[20:44, 10 + 5 * number : 30 + 5 * number] = 220
    return av.VideoFrame.from_ndarray(gray, "gray").reformat(format="yuv420p")


@pytest.fixture(scope="module")
def media_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that the server may use."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture
def clip(media_folder: Path, tmp_path: Path, walker: bytes) -> Path:
    """A folder and a video of the test's own."""
    path = media_folder / tmp_path.name / "walker.mov"
    path.parent.mkdir()
    path.write_bytes(walker)
    return path


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, media_folder: Path) -> Settings:
    flags = {"state_folder": tmp_path_factory.mktemp("state"), "allowed_folders": [media_folder]}
    return Settings.load({**flags, "memory_bytes": "64GiB"}, environment={})


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Server]:
    with Server(settings, runner=RUNNER) as started:
        yield started


@pytest.fixture(scope="module")
def gateway(server: Server) -> Iterator[Gateway]:
    with Gateway(server.address, server.token, facts=READERS, heartbeat_seconds=0.2) as started:
        yield started


@pytest.fixture
def stranger(gateway: Gateway) -> Caller:
    """Somebody on this machine who knows nothing."""
    return Caller(gateway.address)


@pytest.fixture
def host(gateway: Gateway, server: Server) -> Caller:
    """An editing program's script, which has read the token."""
    return Caller(gateway.address, {"Authorization": f"Bearer {server.token}"})
