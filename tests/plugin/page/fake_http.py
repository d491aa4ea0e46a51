"""How the fake gateway is called."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from plugin.page.fake_shot import Json

if TYPE_CHECKING:
    from plugin.page.fake_gateway import FakeGateway

CODE = "once"


class RefusedError(Exception):
    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


def handler_of(fake: FakeGateway) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            self._serve(self._get)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
            self._serve(lambda path, query: self._post(path, body))

        def _serve(self, answer: Callable[[str, dict[str, str]], None]) -> None:
            path, _, query = self.path.partition("?")
            if fake.is_down:
                time.sleep(fake.down_seconds)
                self.close_connection = True
                return
            try:
                answer(path, dict(parse_qsl(query)))
            except RefusedError as error:
                told = {"code": "", "reason": error.reason, "message": error.message}
                self._send(json.dumps({"error": told}).encode(), status=error.status)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def _get(self, path: str, query: dict[str, str]) -> None:
            parts = path.strip("/").split("/")
            if parts[0] in ("pick", "page"):
                page = fake.pages.find(parts[1] if parts[0] == "page" else "pick.html")
                assert page is not None, path
                self._send(page.body, page.content_type, headers=dict(page.headers))
                return
            self._check()
            if parts[3:] == ["watch"]:
                self._watch()
            elif parts[3:] == ["engines"]:
                self._send(json.dumps(fake.engines()).encode())
            elif len(parts) == 3:
                self._send(json.dumps({"session": fake.session, "tracks": fake.all_tracks()}).encode())
            else:
                self._send(fake.picture(parts[3:], query), "image/png")

        def _post(self, path: str, body: Json) -> None:
            if path == "/v1/session":
                if body["code"] != CODE:
                    raise RefusedError(401, "WRONG_CODE", "this page's link was used already")
                fake.is_locked = False
                self._send(b"{}")
                return
            self._check()
            verb = path.rpartition("/")[2]
            fake.asked.append((verb, body))
            time.sleep(fake.answer_seconds)
            self._send(json.dumps(fake.verbs[verb](body)).encode())

        def _check(self) -> None:
            if fake.is_locked:
                raise RefusedError(401, "NO_TOKEN", "the call has no token")

        def _watch(self) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.end_headers()
            for event in fake.events():
                text = ": heartbeat\n\n" if event is None else f"event: {event[0]}\ndata: {json.dumps(event[1])}\n\n"
                self.wfile.write(text.encode())

        def _send(
            self, body: bytes, content_type: str = "application/json", *, status: int = 200, headers: Json | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Type": content_type, "Content-Length": len(body), **(headers or {})}.items():
                self.send_header(name, str(value))
            self.end_headers()
            self.wfile.write(body)

    return Handler
