"""What comes in over HTTP and what goes out, apart from any socket."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Literal, TypeAlias

import grpc
from google.protobuf.message import Message

from cleanplate_plugin.gateway.refusals import Problem, RefusedError
from cleanplate_plugin.gateway.wire import write_message

Caller = Literal["nobody", "page", "host"]
"""Who calls: nobody known, a page with its cookie, whoever knows the token."""

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Request:
    """One request.

    Args:
        method: ``GET`` or ``POST``.
        path: as it was sent, without the query; never decoded, as no path of ours needs it.
        query: the first value of each name.
        headers: by names in lower case.
        body: empty for ``GET``.
        caller: who it comes from.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    caller: Caller = "nobody"

    def number(self, name: str, *, default: int = 0) -> int:
        """A whole number of the query.

        Raises:
            RefusedError: it is something else.
        """
        text = self.query.get(name, str(default))
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
            raise RefusedError(
                f"{name} = {text!r} is not a whole number; give one below 1000000000",
                grpc.StatusCode.INVALID_ARGUMENT,
                reason="INVALID_QUERY",
            )
        return int(text)


@dataclass(frozen=True)
class Answer:
    """A whole answer.

    Args:
        headers: besides those of every answer.
    """

    body: bytes = b""
    content_type: str = JSON
    status: HTTPStatus = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, message: Message) -> Answer:
        """A message as JSON."""
        return cls(write_message(message))

    @classmethod
    def of_problem(cls, problem: Problem) -> Answer:
        """An error as JSON."""
        return cls(problem.to_json(), status=problem.status)


@dataclass(frozen=True)
class Event:
    """One event of a stream.

    Args:
        kind: ``session``, ``track``, ``job``, ``shot`` or ``failure``.
        data: one line of JSON.
        last: nothing will follow it; a browser that connects again with it is told to stop.
    """

    kind: str
    data: bytes
    last: bool = False

    LAST_ID = "end"

    def encode(self) -> bytes:
        """As ``text/event-stream`` has it."""
        mark = f"id: {self.LAST_ID}\n".encode() if self.last else b""
        return b"event: " + self.kind.encode() + b"\n" + mark + b"data: " + self.data + b"\n\n"


@dataclass(frozen=True)
class EventStream:
    """An answer that goes on.

    Args:
        events: None is a heartbeat, which shows whether the other side is still there. Closed when that side leaves.
    """

    events: Generator[Event | None, None, None]


Reply: TypeAlias = "Answer | EventStream"


def answer_unless_known(request: Request, answer: Answer) -> Answer:
    """Nothing but the headers when the other side has this already."""
    if request.headers.get("if-none-match") != answer.headers["ETag"]:
        return answer
    return replace(answer, body=b"", status=HTTPStatus.NOT_MODIFIED)
