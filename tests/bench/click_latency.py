"""Milliseconds from a click to its mask, as the picker's page waits for them: over HTTP, the frame made ready before.

python tests/bench/click_latency.py [--size 1080] [--clicks 20]
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import cv2
import numpy as np
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_plugin.hosts import premiere_facts, resolve_facts
from cleanplate_server.config import Settings
from cleanplate_server.service.server import Server

_FRAMES = 24
_RATE = Fraction(25)


def _write_shot(path: Path, rows: int) -> tuple[int, int]:
    """A striped ellipse drifts over a mottled wall, with grain; gives (height, width)."""
    size = rows, rows * 16 // 9 // 2 * 2
    random = np.random.default_rng(1)
    mottled = (random.random((27, 48, 3)) * 120 + 40).astype(np.uint8)
    wall = cv2.resize(mottled, size[::-1], interpolation=cv2.INTER_CUBIC)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE, options={"crf": "16", "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = *size, "yuv420p"
        for number in range(_FRAMES):
            picture = cv2.add(wall, (random.random((*size, 1)) * 10).astype(np.uint8).repeat(3, axis=2))
            middle = (size[1] // 3 + number * size[1] // 150, size[0] // 2)
            cv2.ellipse(picture, middle, (size[1] // 12, size[0] // 4), 15, 0, 360, (180, 90, 60), -1)
            cv2.ellipse(picture, middle, (size[1] // 30, size[0] // 5), 15, 0, 360, (70, 60, 150), -1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "rgb24")))
        container.mux(stream.encode(None))
    return size


class Page:
    """A page with its cookie, on one connection, as browsers keep it.

    Args:
        address: of the gateway.
        link: with its code.
    """

    def __init__(self, address: str, link: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=120)
        self._headers = {"Origin": f"http://{address}", "Content-Type": "application/json"}
        self._connection.request("POST", "/v1/session", json.dumps({"code": link.partition("#")[2]}), self._headers)
        answer = self._connection.getresponse()
        answer.read()
        self._headers["Cookie"] = answer.headers["Set-Cookie"].partition(";")[0]

    def post(self, path: str, body: object) -> dict[str, object]:
        """Asks, and reads the answer to its end."""
        return self._send("POST", path, json.dumps(body))

    def get(self, path: str) -> dict[str, dict[str, object]]:
        """Looks."""
        return cast("dict[str, dict[str, object]]", self._send("GET", path, None))

    def _send(self, method: str, path: str, body: str | None) -> dict[str, object]:
        self._connection.request(method, path, body, self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        found: dict[str, object] = json.loads(text)
        return found


@contextmanager
def _opened(folder: Path, media: Path) -> Iterator[tuple[Page, str]]:
    settings = Settings.load({"state_folder": folder / "state", "allowed_folders": [folder]}, environment={})
    facts = FactsReaders(resolve_facts.shot_from_facts, premiere_facts.shot_from_facts)
    with Server(settings) as server, Gateway(server.address, server.token, facts=facts) as gateway:
        host = http.client.HTTPConnection(gateway.address, timeout=120)
        host.request(
            "POST", "/v1/sessions", json.dumps({"path": str(media)}), {"Authorization": f"Bearer {server.token}"}
        )
        session = json.loads(host.getresponse().read())
        yield Page(gateway.address, session["page"]), f"/v1/{session['name']}"


def _clicks(size: tuple[int, int], frame: int, count: int) -> Iterator[list[dict[str, object]]]:
    """One click, then two, then three; again at other places on the thing."""
    random = np.random.default_rng(2)
    middle = np.array([size[1] // 3 + frame * size[1] // 150, size[0] // 2])
    points: list[dict[str, object]] = []
    for number in range(count):
        if number % 3 == 0:
            points = []
        x, y = middle + (random.random(2) - 0.5) * [size[1] / 12, size[0] / 3]
        points = [*points, {"x": float(x), "y": float(y), "side": "SIDE_INSIDE"}]
        yield points


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def main() -> int:
    """Measures and prints one line for the first look at a frame and one for the clicks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1080, help="rows of the picture")
    parser.add_argument("--clicks", type=int, default=21)
    options = parser.parse_args()
    frame = 9
    with tempfile.TemporaryDirectory() as folder:
        media = Path(folder) / "shot.mov"
        size = _write_shot(media, options.size)
        with _opened(Path(folder), media) as (page, place):
            while not page.get(place)["session"]["cuts_known"]:  # their search is no part of a click
                time.sleep(0.1)
            began = time.perf_counter()
            page.post(f"{place}/prepare", {"frame": str(frame)})
            _say(f"prepare  {1000 * (time.perf_counter() - began):6.0f} ms   {size[1]}x{size[0]}")
            seconds, work_began = [], time.process_time()
            for points in _clicks(size, frame, options.clicks):
                began = time.perf_counter()
                answer = page.post(f"{place}/prompt", {"prompt": {"frame": str(frame), "points": points}})
                candidates = answer["candidates"]
                assert isinstance(candidates, list)
                png = base64.b64decode(candidates[0]["mask"]["png"])
                mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
                seconds.append(time.perf_counter() - began)
                assert mask.shape == size
            work = 1000 * (time.process_time() - work_began) / options.clicks
    ordered = sorted(1000 * each for each in seconds)
    middle, late = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.95)]
    _say(
        f"click    {middle:6.0f} ms median, {late:.0f} ms at 95 %, {ordered[-1]:.0f} ms at most; {work:.0f} ms of"
        f" processor time each, {len(ordered)} clicks"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
