from __future__ import annotations

import http.client
import socket
from pathlib import Path

import pytest
from cleanplate_server.service.server import Server
from gateways import Caller, facts_of


def _opened(host: Caller, clip: Path) -> tuple[Caller, str]:
    """A page that has exchanged its code for a cookie, and its session."""
    shot = host.post("/v1/shots", {"resolve": facts_of(clip)}).json
    path, _, code = shot["page"].partition("#")
    assert path == f"/pick/{shot['session'].partition('/')[2]}"
    own = Caller(host.address).with_headers(Origin=f"http://{host.address}")
    answer = own.post("/v1/session", {"code": code})
    assert answer.status == 200
    return own.with_headers(Cookie=answer.headers["set-cookie"].partition(";")[0]), f"/v1/{shot['session']}"


def _state(page: Caller, session: str) -> str:
    """Where the shot stands that waits for a session."""
    return str(page.get(session).json["session"]["shot"]["state"])


@pytest.mark.parametrize("token", [None, "wrong", "Bearer ", "Bearer wrong", "Basic eDp5"])
def test_call_without_the_token_is_refused_in_one_sentence(stranger: Caller, token: str | None) -> None:
    caller = stranger if token is None else stranger.with_headers(Authorization=token)
    answer = caller.post("/v1/ModelService/ListModels")
    assert (answer.status, answer.json["error"]["code"]) == (401, "UNAUTHENTICATED")
    assert answer.reason == ("NO_TOKEN" if token is None else "WRONG_TOKEN")
    assert "token" in answer.message


def test_token_opens_every_rpc(host: Caller) -> None:
    answer = host.post("/v1/ModelService/ListModels")
    assert answer.status == 200
    assert {model["kind"] for model in answer.json["models"]} >= {"segmenter", "inpainter"}


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1", "127.0.0.1:1", "evil.example:{port}", "", "[::1]:{port}"]
)
def test_foreign_host_name_is_refused_even_with_the_token(host: Caller, name: str) -> None:
    port = host.address.rpartition(":")[2]
    answer = host.with_headers(Host=name.format(port=port)).post("/v1/ModelService/ListModels")
    assert (answer.status, answer.reason) == (403, "WRONG_HOST")


def test_localhost_is_this_machine_too(host: Caller) -> None:
    name = host.address.replace("127.0.0.1", "LocalHost")
    assert host.with_headers(Host=name).post("/v1/ModelService/ListModels").status == 200


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "http://127.0.0.1:1", "http://localhost", "HTTP://evil.example"]
)
def test_foreign_origin_is_refused_even_with_the_token(host: Caller, origin: str) -> None:
    for path in ("/v1/ModelService/ListModels", "/v1/session", "/v1/shots"):
        answer = host.with_headers(Origin=origin).post(path)
        assert (answer.status, answer.reason) == (403, "WRONG_ORIGIN")


@pytest.mark.parametrize("origin", ["null", "file://", "uxp://com.example.panel"])
def test_panels_origin_passes_with_the_token_and_not_without(host: Caller, stranger: Caller, origin: str) -> None:
    assert host.with_headers(Origin=origin).post("/v1/ModelService/ListModels").status == 200
    assert stranger.with_headers(Origin=origin).post("/v1/ModelService/ListModels").status == 401
    assert stranger.with_headers(Origin=origin).post("/v1/session", {"code": "x"}).status == 403


def test_no_answer_allows_another_origin(host: Caller, stranger: Caller) -> None:
    for answer in (host.get("/"), stranger.get("/"), stranger.send("OPTIONS", "/v1/shots"), stranger.post("/v1/shots")):
        assert not [name for name in answer.headers if name.startswith("access-control")]


def test_page_with_its_cookie_reads_and_changes_its_shot(host: Caller, clip: Path) -> None:
    page, session = _opened(host, clip)
    assert _state(page, session) == "WAITING"
    assert page.get(session).json["session"]["page"] == ""
    assert page.post(f"{session}/give-up").json["session"]["shot"]["state"] == "CANCELLED"


def test_cookie_cannot_be_read_by_scripts_nor_sent_by_other_sites(host: Caller, clip: Path) -> None:
    code = host.post("/v1/shots", {"resolve": facts_of(clip)}).json["page"].partition("#")[2]
    cookie = Caller(host.address, {"Origin": f"http://{host.address}"}).post("/v1/session", {"code": code})
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.headers["set-cookie"].split("; "))


def test_code_is_good_for_one_visit(host: Caller, clip: Path) -> None:
    code = host.post("/v1/shots", {"resolve": facts_of(clip)}).json["page"].partition("#")[2]
    own = Caller(host.address, {"Origin": f"http://{host.address}"})
    assert own.post("/v1/session", {"code": code}).status == 200
    again = own.post("/v1/session", {"code": code})
    assert (again.status, again.reason) == (401, "WRONG_CODE")
    assert "set-cookie" not in again.headers


def test_code_from_another_origin_or_none_is_refused_and_stays_good(host: Caller, clip: Path) -> None:
    code = host.post("/v1/shots", {"resolve": facts_of(clip)}).json["page"].partition("#")[2]
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "null"}):
        assert Caller(host.address, headers).post("/v1/session", {"code": code}).status == 403
    own = Caller(host.address, {"Origin": f"http://{host.address}"})
    assert own.post("/v1/session", {"code": code}).status == 200


@pytest.mark.parametrize("headers", [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""}])
def test_cookie_with_another_origin_changes_nothing(host: Caller, clip: Path, headers: dict[str, str]) -> None:
    page, session = _opened(host, clip)
    answer = page.with_headers(**headers).post(f"{session}/give-up")
    assert (answer.status, answer.reason) == (403, "WRONG_ORIGIN")
    assert _state(page, session) == "WAITING"


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_cookie_that_another_page_makes_the_browser_send_shows_nothing(host: Caller, clip: Path, site: str) -> None:
    page, shot = _opened(host, clip)
    del page.headers["Origin"]
    assert page.get(shot).status == 200
    assert page.with_headers(Sec_Fetch_Site=site).get(shot).status == 403


@pytest.mark.parametrize(
    "path",
    [
        "/v1/shots",
        "/v1/shots/x/submit",
        "/v1/shots/x/report",
        "/v1/shots/x/check",
        "/v1/MediaService/OpenClip",
        "/v1/SegmentService/Segment",
        "/v1/JobService/SubmitJob",
    ],
)
def test_page_may_not_do_what_only_programs_do(host: Caller, clip: Path, path: str) -> None:
    page, _ = _opened(host, clip)
    answer = page.post(path)
    assert (answer.status, answer.reason) == (403, "NOT_FOR_PAGES")


@pytest.mark.parametrize("cookie", ["", "x", "cleanplate_{port}=", "cleanplate_{port}=guess", "a\x01=b; ;;="])
def test_cookie_that_nobody_gave_is_nobodys(host: Caller, clip: Path, cookie: str) -> None:
    page, shot = _opened(host, clip)
    port = host.address.rpartition(":")[2]
    assert page.with_headers(Cookie=cookie.format(port=port)).get(shot).status == 401


@pytest.mark.parametrize(
    "path",
    ["/page/../server.py", "/page/..%2fserver.py", "/page//etc/passwd", "/page/%2e%2e/server.py", "/../../etc/passwd",
     "/pick/../server.py", "/page/pick.html%00.js", "/page/", "/page/none.js", "/v1/frames/../x/1", "//page/.."],
)  # fmt: skip
def test_path_beside_the_table_is_not_found(host: Caller, path: str) -> None:
    answer = host.get(path)
    assert (answer.status, answer.reason) == (404, "NO_SUCH_PLACE")


def test_page_loads_nothing_from_elsewhere_and_may_not_be_framed(stranger: Caller) -> None:
    for path in (
        "/",
        "/pick/any",
        "/page/main.js",
        "/page/pick.css",
        "/page/icon.svg",
    ):
        answer = stranger.get(path)
        assert answer.status == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert b"style=" not in answer.body
        assert b"onclick" not in answer.body
        assert b"https://" not in answer.body


def test_page_that_is_known_is_not_sent_again(stranger: Caller) -> None:
    tag = stranger.get("/page/main.js").headers["etag"]
    again = stranger.with_headers(If_None_Match=tag).get("/page/main.js")
    assert (again.status, again.body) == (304, b"")


def test_nothing_tells_the_token_or_a_traceback(host: Caller, server: Server, clip: Path) -> None:
    fault = host.post("/v1/shots", {"premiere": {"version": "26"}})
    assert (fault.status, fault.reason) == (500, "INTERNAL")
    assert "ZeroDivisionError" in fault.message
    assert "secret" not in fault.message
    assert "\n" not in fault.message
    for answer in (fault, host.get("/"), host.get("/nothing"), host.post("/v1/shots", {"resolve": facts_of(clip)})):
        assert server.token.encode() not in answer.body
        assert b"Traceback" not in answer.body


def _raw(address: str, request: bytes) -> bytes:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    return answer


_POST = "POST /v1/shots HTTP/1.1"


@pytest.mark.parametrize(
    ("first", "headers", "status"),
    [
        (_POST, [], 411),
        (_POST, ["Transfer-Encoding: chunked"], 411),
        (_POST, ["Content-Length: -1"], 400),
        (_POST, ["Content-Length: 2", "Content-Length: 3"], 400),
        (_POST, ["Content-Length: 67108865"], 413),
        (_POST, ["Content-Length: 0", "Host: evil.example"], 403),
        ("DELETE /v1/shots HTTP/1.1", [], 501),
        ("GET /v1/shots HTTP/1.1", [], 405),
        ("GET /" + "a" * 70000 + " HTTP/1.1", [], 414),
        ("GET / HTTP/1.1", ["X: y"] * 200, 431),
        ("what is this", [], 400),
        ("GET /?" + "a=1&" * 40 + " HTTP/1.1", [], 400),
    ],
)
def test_request_that_is_no_good_http_is_refused(host: Caller, first: str, headers: list[str], status: int) -> None:
    usual = [f"Host: {host.address}", f"Authorization: {host.headers['Authorization']}", "Connection: close"]
    answer = _raw(host.address, "\r\n".join([first, *usual, *headers, "", ""]).encode())
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b'"message"' in answer
    assert b"Traceback" not in answer


def test_request_for_no_host_is_refused(host: Caller) -> None:
    assert _raw(host.address, b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_body_beyond_the_limit_is_refused_while_it_is_sent(host: Caller) -> None:
    connection = http.client.HTTPConnection(host.address, timeout=20)
    connection.putrequest("POST", "/v1/shots")
    connection.putheader("Authorization", host.headers["Authorization"])
    connection.putheader("Content-Length", str(65 << 20))
    connection.endheaders()
    connection.send(b"x" * (1 << 20))
    answer = connection.getresponse()
    assert answer.status == 413
    assert b"67108864 are the most" in answer.read()
    connection.close()


def test_connection_is_kept_for_the_next_request(host: Caller) -> None:
    connection = http.client.HTTPConnection(host.address, timeout=20)
    for _ in range(3):
        connection.request("POST", "/v1/ModelService/ListModels", b"{}", host.headers)
        answer = connection.getresponse()
        assert (answer.status, answer.will_close) == (200, False)
        answer.read()
    connection.close()


def test_connections_beyond_the_limit_are_turned_away_and_others_go_on(host: Caller) -> None:
    name, _, port = host.address.partition(":")
    open_ones = [socket.create_connection((name, int(port)), timeout=10) for _ in range(48)]
    try:
        for connection in open_ones:  # so that each has been taken in
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host.address}\r\n\r\n".encode())
            assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")
        with pytest.raises((http.client.BadStatusLine, ConnectionError)):
            host.get("/")
    finally:
        for connection in open_ones:
            connection.close()
