"""Whoever calls a gateway, over real HTTP; and hosts' answers that are easy to read."""

from __future__ import annotations

import http.client
import json
from collections.abc import Generator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from cleanplate.v1 import premiere_pb2, resolve_pb2
from cleanplate_plugin.errors import UnsupportedClipError
from cleanplate_plugin.gateway.facts import FactsReaders
from cleanplate_plugin.hosts.protocol import HostShot
from cleanplate_plugin.timeline import SourceMedia, Span, Use
from cleanplate_server.jobs.process import RunnerPlace

RATE = Fraction(25)
SIZE = (64, 96)
RUNNER = RunnerPlace("patient_runner:run", Path(__file__).parent / "plugin" / "gateway")


@dataclass
class Reply:
    """An answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def reason(self) -> str:
        return str(self.json["error"]["reason"])

    @property
    def message(self) -> str:
        return str(self.json["error"]["message"])


@dataclass
class Caller:
    """Somebody with some headers."""

    address: str
    headers: dict[str, str] = field(default_factory=dict)

    def with_headers(self, **headers: str) -> Caller:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return Caller(self.address, {**self.headers, **given})

    def get(self, path: str) -> Reply:
        return self.send("GET", path)

    def post(self, path: str, body: object = None) -> Reply:
        return self.send("POST", path, json.dumps({} if body is None else body).encode())

    def send(self, method: str, path: str, body: bytes | None = None) -> Reply:
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, path, body, self.headers)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, headers, answer.read())
        finally:
            connection.close()

    def events(self, path: str) -> Generator[tuple[str, Any], None, None]:
        """Events as they come; heartbeats are left out."""
        connection = http.client.HTTPConnection(self.address, timeout=20)
        try:
            connection.request("GET", path, headers=self.headers)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
            kind = ""
            while line := answer.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                kind = value if name == "event" else kind
                if name == "data":
                    yield kind, json.loads(value)
        finally:
            connection.close()


def facts_of(media: Path, **changes: object) -> dict[str, object]:
    """A host's answers about a clip: all of the file's frames 2 to 7, the playhead on its third."""
    item: dict[str, object] = {"id": "V1-1", "name": "walker", "start": 100, "duration": 6, "source_start_frame": 2}
    plain = {**item, **{name: value for name, value in changes.items() if name in ("start", "duration", "type")}}
    plain["media_properties"] = {"File Path": str(media)}
    timeline = {name: changes[name] for name in ("mark_in", "mark_out") if name in changes}
    return {"item": plain, "timeline": timeline}


def shot_from_facts(facts: resolve_pb2.ResolveFacts) -> HostShot:
    """Reads ``facts_of``; a fake of what stands in ``hosts``."""
    item = facts.item
    if item.type == "Title":
        raise UnsupportedClipError(f"clip '{item.name}' is a title; put the playhead on a clip with a file")
    media = SourceMedia(Path(item.media_properties["File Path"]), RATE, 0, None)
    use = Use(item.name, item.id, 1, item.start, item.duration, RATE, media, Fraction(item.source_start_frame))
    part = None
    if facts.timeline.HasField("mark_in"):
        part = Span(facts.timeline.mark_in, facts.timeline.mark_out - facts.timeline.mark_in + 1)
    return HostShot("resolve", use, part, 2, f"{item.id} {item.start} {item.duration}")


def no_shot(facts: premiere_pb2.PremiereFacts) -> HostShot:
    """Meets a fault, as programs do."""
    raise ZeroDivisionError("a secret of the program")


READERS = FactsReaders(shot_from_facts, no_shot)
