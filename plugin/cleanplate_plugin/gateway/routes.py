"""Which request does what, and who may make it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TypeVar

import grpc
from cleanplate.v1 import shot_pb2

from cleanplate_plugin.client import Client
from cleanplate_plugin.gateway.access import Access, unauthenticated
from cleanplate_plugin.gateway.events import job_events, shot_events
from cleanplate_plugin.gateway.exchange import (
    Answer,
    Caller,
    Event,
    EventStream,
    Reply,
    Request,
    answer_unless_known,
)
from cleanplate_plugin.gateway.pages import Pages
from cleanplate_plugin.gateway.picker_routes import ENCODINGS, PickerRoutes, page_of, picture_query
from cleanplate_plugin.gateway.picking import Picking
from cleanplate_plugin.gateway.refusals import RefusedError
from cleanplate_plugin.gateway.rpcs import Rpcs
from cleanplate_plugin.gateway.wire import read_message
from cleanplate_plugin.gateway.workshop import Workshop

OfShot = TypeVar("OfShot", shot_pb2.SubmitShotRequest, shot_pb2.ReportShotRequest, shot_pb2.CheckShotRequest)
Action = Callable[[Request, "re.Match[str]"], Reply]

_ID = r"(?P<id>[A-Za-z0-9_-]{1,64})"
_SESSION = re.compile(r"\{\s*\"code\"\s*:\s*\"([A-Za-z0-9_-]{1,128})\"\s*\}")


@dataclass(frozen=True)
class Route:
    """One line of the table.

    Args:
        least: who must call at least; ``page`` lets hosts pass too, ``nobody`` everyone.
    """

    method: str
    pattern: re.Pattern[str]
    least: Caller
    action: Action


class Router:
    """Finds and checks what a request asks for, and does it.

    Args:
        client: of the server.
        workshop: for shots.
        access: says who calls.
        heartbeat_seconds: of event streams.
    """

    def __init__(self, client: Client, workshop: Workshop, access: Access, heartbeat_seconds: float) -> None:
        self._client = client
        self._workshop = workshop
        self._access = access
        self._heartbeat_seconds = heartbeat_seconds
        self._rpcs = Rpcs(client)
        self._pages = Pages()
        shot = rf"/v1/shots/{_ID}"
        lines: tuple[tuple[str, str, Caller, Action], ...] = (
            ("GET", r"/", "nobody", lambda request, found: self._page("index.html", request)),
            ("GET", rf"/pick/{_ID}", "nobody", lambda request, found: self._page("pick.html", request)),
            (
                "GET",
                r"/page/(?P<name>[a-z0-9.-]{1,48})",
                "nobody",
                lambda request, found: self._page(found["name"], request),
            ),
            ("POST", r"/v1/session", "nobody", self._open_session),
            ("POST", r"/v1/shots", "host", self._announce),
            ("GET", shot, "host", self._shot_after(workshop.get)),
            ("GET", rf"{shot}/watch", "host", self._watch_shot),
            ("POST", rf"{shot}/open", "host", self._shot_after(workshop.open)),
            ("POST", rf"{shot}/submit", "host", self._submit),
            ("POST", rf"{shot}/stop", "host", self._shot_after(workshop.stop)),
            ("POST", rf"{shot}/cancel", "host", self._shot_after(workshop.cancel)),
            ("POST", rf"{shot}/report", "host", self._report),
            ("POST", rf"{shot}/check", "host", self._check),
            ("GET", rf"/v1/frames/{_ID}/(?P<frame>\d{{1,9}})", "host", self._frame),
            ("GET", r"/v1/JobService/WatchJob", "host", self._watch_job),
            ("POST", r"/v1/(?P<service>[A-Za-z]{1,64})/(?P<method>[A-Za-z]{1,64})", "host", self._rpc),
        )
        picker = PickerRoutes(Picking(client, workshop), access, heartbeat_seconds).lines()
        self._routes = [
            Route(method, re.compile(pattern), least, act) for method, pattern, least, act in (*picker, *lines)
        ]

    def answer(self, request: Request, read_body: Callable[[], bytes]) -> Reply:
        """Answers a request whose body is read when it is known to be wanted.

        Raises:
            RefusedError, ClientError, PluginError: it is refused, here or behind.
        """
        self._access.check_place(request)
        route, found = self._find(request)
        request = replace(request, caller=self._access.caller(request))
        if route.least != "nobody" and request.caller == "nobody":
            raise unauthenticated()
        if request.caller != "host":
            self._check_page(request, route)
        return route.action(replace(request, body=read_body()), found)

    def _shot_after(self, act: Callable[[str], shot_pb2.Shot]) -> Action:
        """An action that does something with a shot and answers with it."""
        return lambda request, found: Answer.of(act(_shot(found)))

    def _check_page(self, request: Request, route: Route) -> None:
        if route.least == "host":
            raise RefusedError(
                f"a page may not call {request.path}; that is for editing programs, which know the token",
                grpc.StatusCode.PERMISSION_DENIED,
                reason="NOT_FOR_PAGES",
            )
        if route.least == "page" or request.method != "GET":
            self._access.check_own_page(request)

    def _find(self, request: Request) -> tuple[Route, re.Match[str]]:
        methods = set()
        for route in self._routes:
            found = route.pattern.fullmatch(request.path)
            if found and route.method == request.method:
                return route, found
            if found:
                methods.add(route.method)
        if methods:
            raise RefusedError(
                f"{request.path} does not take {request.method}; send {' or '.join(sorted(methods))}",
                grpc.StatusCode.UNIMPLEMENTED,
                reason="WRONG_METHOD",
                status=HTTPStatus.METHOD_NOT_ALLOWED,
            )
        raise RefusedError(
            f"there is nothing at {request.path!r}; see the gateway's page in the documents",
            grpc.StatusCode.NOT_FOUND,
            reason="NO_SUCH_PLACE",
        )

    def _page(self, name: str, request: Request) -> Answer:
        answer = self._pages.find(name)
        if answer is None:
            raise RefusedError(f"there is no file {name!r}", grpc.StatusCode.NOT_FOUND, reason="NO_SUCH_PLACE")
        return answer_unless_known(request, answer)

    def _open_session(self, request: Request, found: re.Match[str]) -> Answer:
        code = _SESSION.fullmatch(request.body.decode("ascii", "replace").strip())
        if code is None:
            raise RefusedError(
                'the body is not {"code": "..."}; open the page again from where you got it: your editing program, or'
                " `cleanplate pick`",
                grpc.StatusCode.INVALID_ARGUMENT,
                reason="INVALID_BODY",
            )
        return Answer(b"{}", headers={"Set-Cookie": self._access.open_session(code[1], request)})

    def _announce(self, request: Request, found: re.Match[str]) -> Answer:
        shot = self._workshop.announce(read_message(request.body, shot_pb2.AnnounceShotRequest))
        shot.page = page_of(shot.session, self._access)
        return Answer.of(shot)

    def _submit(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._workshop.submit(_of_shot(request, found, shot_pb2.SubmitShotRequest)))

    def _report(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._workshop.report(_of_shot(request, found, shot_pb2.ReportShotRequest)))

    def _check(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._workshop.check(_of_shot(request, found, shot_pb2.CheckShotRequest)))

    def _watch_shot(self, request: Request, found: re.Match[str]) -> Reply:
        states = self._workshop.watch(_shot(found), self._heartbeat_seconds)
        return _unless_ended(request, EventStream(shot_events(states)))

    def _watch_job(self, request: Request, found: re.Match[str]) -> Reply:
        events = job_events(self._client, request.query.get("name", ""), self._heartbeat_seconds)
        return _unless_ended(request, EventStream(events))

    def _rpc(self, request: Request, found: re.Match[str]) -> Answer:
        return self._rpcs.call(found["service"], found["method"], request.body)

    def _frame(self, request: Request, found: re.Match[str]) -> Answer:
        name, max_height = picture_query(request)
        tag = f'"{found["id"]}-{found["frame"]}-{max_height}-{name}"'
        headers = {"ETag": tag, "Cache-Control": "private, max-age=3600"}
        known = answer_unless_known(request, Answer(content_type=f"image/{name}", headers=headers))
        if known.status is HTTPStatus.NOT_MODIFIED:
            return known
        frame = self._client.frame(
            f"clips/{found['id']}", int(found["frame"]), max_height=max_height, encoding=ENCODINGS[name]
        )
        return replace(known, body=frame.picture)


def _shot(found: re.Match[str]) -> str:
    return f"shots/{found['id']}"


def _of_shot(request: Request, found: re.Match[str], kind: type[OfShot]) -> OfShot:
    """A request about the shot that the path names, which its body need not name again."""
    message = read_message(request.body, kind)
    name = _shot(found)
    if message.name not in ("", name):
        raise RefusedError(
            f"the path is of {name} and the body of {message.name!r}; name one shot",
            grpc.StatusCode.INVALID_ARGUMENT,
            reason="INVALID_BODY",
        )
    message.name = name
    return message


def _unless_ended(request: Request, stream: EventStream) -> Reply:
    """Tells a browser that has had the last event to connect no more."""
    if request.headers.get("last-event-id") == Event.LAST_ID:
        return Answer(status=HTTPStatus.NO_CONTENT)
    return stream
