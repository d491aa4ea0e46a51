"""The lines of the gateway's table that pages of the picker use."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from http import HTTPStatus

import grpc
from cleanplate.v1 import media_pb2, picker_pb2

from cleanplate_plugin.gateway.access import Access
from cleanplate_plugin.gateway.exchange import Answer, Caller, EventStream, Reply, Request, answer_unless_known
from cleanplate_plugin.gateway.picking import VERBS, Picking
from cleanplate_plugin.gateway.refusals import RefusedError
from cleanplate_plugin.gateway.wire import read_message

Action = Callable[[Request, "re.Match[str]"], Reply]
Line = tuple[str, str, Caller, Action]

ENCODINGS = {"jpeg": media_pb2.GetFrameRequest.ENCODING_JPEG, "png": media_pb2.GetFrameRequest.ENCODING_PNG}
_ID = r"(?P<id>[A-Za-z0-9_-]{1,64})"
_FRAME = r"(?P<frame>\d{1,9})"
_KEPT = "private, max-age=3600"
_NEVER_CHANGES = "private, max-age=604800, immutable"


class PickerRoutes:
    """Answers what pages ask of sessions.

    Args:
        picking: does it.
        access: says who may see which session.
        heartbeat_seconds: of event streams.
    """

    def __init__(self, picking: Picking, access: Access, heartbeat_seconds: float) -> None:
        self._picking = picking
        self._access = access
        self._heartbeat_seconds = heartbeat_seconds

    def lines(self) -> list[Line]:
        """Method, pattern, least caller and action of each."""
        session = rf"/v1/sessions/{_ID}"
        verbs = "|".join(VERBS)
        return [
            ("POST", r"/v1/sessions", "host", self._open),
            ("GET", session, "page", self._own(self._get)),
            ("GET", rf"{session}/watch", "page", self._own(self._watch)),
            ("GET", rf"{session}/frames/{_FRAME}", "page", self._own(self._frame)),
            ("GET", rf"{session}/masks/(?P<object>\d{{1,4}})/{_FRAME}", "page", self._own(self._mask)),
            ("GET", rf"{session}/matte/{_FRAME}", "page", self._own(self._matte)),
            ("GET", rf"{session}/unseen/{_FRAME}", "page", self._own(self._unseen)),
            ("GET", rf"{session}/takes/(?P<job>[0-9a-f]{{1,64}})/frames/{_FRAME}", "page", self._own(self._take_frame)),
            (
                "GET",
                rf"{session}/engines",
                "page",
                self._own(self._engines),
            ),
            ("POST", rf"{session}/submit", "page", self._own(self._submit)),
            ("POST", rf"{session}/give-up", "page", self._own(self._give_up)),
            ("POST", rf"{session}/(?P<verb>{verbs})", "page", self._own(self._do)),
        ]

    def _own(self, action: Action) -> Action:
        """An action for pages that were given a link for the session."""

        def answer(request: Request, found: re.Match[str]) -> Reply:
            self._access.check_scope(request, _session(found))
            return action(request, found)

        return answer

    def _open(self, request: Request, found: re.Match[str]) -> Answer:
        session = self._picking.open(read_message(request.body, picker_pb2.OpenSessionRequest))
        session.page = page_of(session.name, self._access)
        return Answer.of(session)

    def _get(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._picking.get(_session(found)))

    def _watch(self, request: Request, found: re.Match[str]) -> EventStream:
        return EventStream(self._picking.watch(_session(found), self._heartbeat_seconds))

    def _do(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._picking.do(_session(found), found["verb"], request.body))

    def _engines(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._picking.engines())

    def _submit(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._picking.submit(_session(found), request.body))

    def _give_up(self, request: Request, found: re.Match[str]) -> Answer:
        return Answer.of(self._picking.give_up(_session(found)))

    def _frame(self, request: Request, found: re.Match[str]) -> Answer:
        encoding, max_height = picture_query(request)
        known = _picture(request, f"{found['id']}-{found['frame']}-{max_height}-{encoding}", encoding)
        if known.status is HTTPStatus.NOT_MODIFIED:
            return known
        asked = picker_pb2.GetSessionFrameRequest(
            session=_session(found), frame=int(found["frame"]), max_height=max_height, encoding=ENCODINGS[encoding]
        )
        answer = self._picking.ask("GetSessionFrame", asked, picker_pb2.GetSessionFrameResponse)
        return replace(known, body=answer.picture.picture)

    def _take_frame(self, request: Request, found: re.Match[str]) -> Answer:
        encoding, max_height = picture_query(request)
        known = _picture(request, f"{found['job']}-{found['frame']}-{max_height}-{encoding}", encoding)
        if known.status is HTTPStatus.NOT_MODIFIED:
            return known
        asked = picker_pb2.GetTakeFrameRequest(
            session=_session(found), job=f"jobs/{found['job']}", frame=int(found["frame"]), max_height=max_height,
            encoding=ENCODINGS[encoding],
        )  # fmt: skip
        answer = self._picking.ask("GetTakeFrame", asked, picker_pb2.GetTakeFrameResponse)
        return replace(known, body=answer.picture.picture)

    def _mask(self, request: Request, found: re.Match[str]) -> Answer:
        asked = picker_pb2.GetMaskRequest(
            session=_session(found), object_id=int(found["object"]), frame=int(found["frame"])
        )
        answer = self._picking.ask("GetMask", asked, picker_pb2.GetMaskResponse)
        as_asked = answer.revision and request.query.get("revision") == str(answer.revision)
        headers = {"Cache-Control": _NEVER_CHANGES} if as_asked else {}
        return Answer(answer.png, "image/png", headers=headers)

    def _matte(self, request: Request, found: re.Match[str]) -> Answer:
        asked = picker_pb2.GetMatteRequest(session=_session(found), frame=int(found["frame"]))
        if "grow_px" in request.query:
            asked.grow_px = request.number("grow_px")
        if "feather_px" in request.query:
            asked.feather_px = request.number("feather_px")
        if "with_shadow" in request.query:
            asked.with_shadow = bool(request.number("with_shadow"))
        return Answer(self._picking.ask("GetMatte", asked, picker_pb2.GetMatteResponse).png, "image/png")

    def _unseen(self, request: Request, found: re.Match[str]) -> Answer:
        asked = picker_pb2.GetUnseenRequest(session=_session(found), frame=int(found["frame"]))
        return Answer(self._picking.ask("GetUnseen", asked, picker_pb2.GetUnseenResponse).png, "image/png")


def page_of(session: str, access: Access) -> str:
    """Where a person prompts: a path on the gateway, with a code that is good for one visit.

    Args:
        session: ``sessions/ID``.
        access: gives the code.
    """
    return f"/pick/{session.partition('/')[2]}#{access.new_code(session)}"


def picture_query(request: Request) -> tuple[str, int]:
    """Encoding and largest height of a picture that is asked for.

    Raises:
        RefusedError: an encoding that is not known, a height that is no number.
    """
    name = request.query.get("encoding", "jpeg")
    if name not in ENCODINGS:
        raise RefusedError(
            f"encoding {name!r} is not known; give jpeg or png",
            grpc.StatusCode.INVALID_ARGUMENT,
            reason="INVALID_QUERY",
        )
    return name, request.number("max_height")


def _picture(request: Request, tag: str, encoding: str) -> Answer:
    """A picture's answer without the picture, or the word that the other side has it already."""
    headers = {"ETag": f'"{tag}"', "Cache-Control": _KEPT}
    return answer_unless_known(request, Answer(content_type=f"image/{encoding}", headers=headers))


def _session(found: re.Match[str]) -> str:
    return f"sessions/{found['id']}"
