from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cleanplate.v1 import job_pb2, media_pb2, model_pb2, prompt_pb2
from cleanplate_plugin.client import ServerAddress
from cleanplate_plugin.gateway.server import Gateway, PortsTakenError
from cleanplate_server.cli.serving import gateway_to
from cleanplate_server.config import FlagValue, Settings
from cleanplate_server.errors import StateError
from cleanplate_server.service.server import Server
from gateways import READERS, SIZE, Caller


def _open(host: Caller, clip: Path) -> dict[str, Any]:
    opened: dict[str, Any] = host.post("/v1/MediaService/OpenClip", {"path": str(clip)}).json["clip"]
    return opened


def _spec(clip: Path) -> dict[str, Any]:
    point = {"x": 40, "y": 30, "side": "SIDE_INSIDE"}
    output = {"path": str(clip.with_name("out.mov"))}
    return {"path": str(clip), "remove": {"prompts": [{"frame": 4, "points": [point]}]}, "output": output}


def test_every_unary_rpc_of_the_proto_has_its_place(host: Caller) -> None:
    for file in (media_pb2, prompt_pb2, job_pb2, model_pb2):
        for service in file.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                answer = host.post(f"/v1/{service.name}/{method.name}")
                assert (answer.status == 404 and answer.reason == "UNKNOWN_METHOD") == method.server_streaming


def test_message_goes_by_the_protos_names_and_shows_defaults(host: Caller, clip: Path) -> None:
    opened = _open(host, clip)
    assert (opened["frame_count"], opened["frame_rate"], opened["start_timecode"]) == (
        "10", {"numerator": "25", "denominator": "1"}, "",
    )  # fmt: skip
    assert host.post("/v1/JobService/ListJobs", {"page_size": 1}).json["next_page_token"] == ""


@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("/v1/JobService/EatJob", 404, "UNKNOWN_METHOD"),
        ("/v1/CatService/GetJob", 404, "UNKNOWN_METHOD"),
        ("/v1/JobService/WatchJob", 405, "WRONG_METHOD"),
        ("/v1/JobService", 404, "NO_SUCH_PLACE"),
        ("/v2/JobService/GetJob", 404, "NO_SUCH_PLACE"),
    ],
)
def test_unknown_method_is_refused(host: Caller, path: str, status: int, reason: str) -> None:
    answer = host.post(path)
    if path.endswith("WatchJob"):
        assert answer.status == 404
        assert "GET /v1/JobService/WatchJob" in answer.message
        return
    assert (answer.status, answer.reason) == (status, reason)


@pytest.mark.parametrize(
    "body",
    [
        b'{"nmae": "jobs/1"}',
        b'{"name": 3}',
        b"[]",
        b"null",
        b"{",
        b"\xff",
        b'{"name": "a", "name": "b"}',
        b"{" * 100_000,
    ],
)
def test_body_that_is_no_such_message_is_refused_in_one_sentence(host: Caller, body: bytes) -> None:
    answer = host.send("POST", "/v1/JobService/GetJob", body)
    assert (answer.status, answer.reason) == (400, "INVALID_BODY")
    assert "\n" not in answer.message
    assert len(answer.message) < 500


def test_unknown_field_is_named(host: Caller) -> None:
    assert '"nmae"' in host.post("/v1/JobService/GetJob", {"nmae": "jobs/1"}).message


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("JobService/GetJob", {"name": "jobs/none"}, 404, "NO_SUCH_JOB"),
        ("JobService/GetJob", {"name": "none"}, 400, "INVALID_INPUT"),
        ("MediaService/OpenClip", {"path": "shot.mov"}, 400, "INVALID_PATH"),
        ("MediaService/OpenClip", {"path": "/etc/hostname"}, 403, "OUTSIDE_ALLOWED_FOLDERS"),
        ("MediaService/GetFrame", {"clip": "clips/none"}, 404, "CLIP_NOT_OPEN"),
    ],
)
def test_servers_refusal_keeps_its_sentence(
    host: Caller, path: str, body: dict[str, object], status: int, reason: str
) -> None:
    answer = host.post(f"/v1/{path}", body)
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.message


def test_target_that_exists_is_a_conflict(host: Caller, clip: Path) -> None:
    clip.with_name("out.mov").touch()
    answer = host.post("/v1/JobService/SubmitJob", {"spec": _spec(clip)})
    assert (answer.status, answer.json["error"]["code"]) == (409, "FAILED_PRECONDITION")
    assert "exists" in answer.message


def test_job_watched_to_its_end_has_the_end_last(host: Caller, clip: Path) -> None:
    job = host.post("/v1/JobService/SubmitJob", {"spec": _spec(clip)}).json["job"]["name"]
    events = list(host.events(f"/v1/JobService/WatchJob?name={job}"))
    assert {kind for kind, _ in events} == {"job"}
    assert events[-1][1]["state"] == "SUCCEEDED"
    assert [job["state"] for _, job in host.events(f"/v1/JobService/WatchJob?name={job}")] == ["SUCCEEDED"]
    assert host.with_headers(Last_Event_ID="end").get(f"/v1/JobService/WatchJob?name={job}").status == 204


def test_watch_of_no_job_is_not_found(host: Caller) -> None:
    answer = host.get("/v1/JobService/WatchJob?name=jobs/none")
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json; charset=utf-8")


def test_watches_that_were_cut_give_their_place_back(host: Caller, clip: Path) -> None:
    hold = clip.parent / "hold"
    hold.touch()
    job = host.post("/v1/JobService/SubmitJob", {"spec": _spec(clip)}).json["job"]["name"]
    for _ in range(2):  # 80 in all are more than the server's threads, and than the gateway's connections
        watches = [host.events(f"/v1/JobService/WatchJob?name={job}") for _ in range(40)]
        for watch in watches:
            next(watch)
        for watch in watches:
            watch.close()
        time.sleep(1)
    hold.unlink()
    assert list(host.events(f"/v1/JobService/WatchJob?name={job}"))[-1][1]["state"] == "SUCCEEDED"


def test_frame_as_png_is_what_the_rpc_gives(host: Caller, clip: Path) -> None:
    name = _open(host, clip)["name"]
    answer = host.get(f"/v1/frames/{name.partition('/')[2]}/3?encoding=png")
    assert answer.headers["content-type"] == "image/png"
    body = {"clip": name, "frame": 3, "encoding": "ENCODING_PNG"}
    same = host.post("/v1/MediaService/GetFrame", body).json
    assert (base64.b64decode(same["picture"]), same["height"], same["width"]) == (answer.body, *SIZE)


def test_frame_is_scaled_kept_and_not_sent_twice(host: Caller, clip: Path) -> None:
    path = f"/v1/frames/{_open(host, clip)['name'].partition('/')[2]}/3?max_height=32"
    answer = host.get(path)
    picture = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (32, 48, 3)
    assert answer.headers["cache-control"].startswith("private")
    again = host.with_headers(If_None_Match=answer.headers["etag"]).get(path)
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    ("rest", "status"),
    [
        ("99", 400),
        ("3?max_height=-1", 400),
        ("3?max_height=x", 400),
        ("3?encoding=gif", 400),
        ("-1", 404),
        ("9" * 10, 404),
    ],
)
def test_frame_that_cannot_be_is_refused(host: Caller, clip: Path, rest: str, status: int) -> None:
    answer = host.get(f"/v1/frames/{_open(host, clip)['name'].partition('/')[2]}/{rest}")
    assert answer.status == status
    assert "\n" not in answer.message


def test_first_free_port_is_taken_and_none_is_an_error(server: Server, gateway: Gateway) -> None:
    taken = int(gateway.address.rpartition(":")[2])
    with Gateway(server.address, server.token, facts=READERS, ports=(taken, 0)) as second:
        assert second.address != gateway.address
    with pytest.raises(PortsTakenError, match=f"ports {taken} of"):
        Gateway(server.address, server.token, facts=READERS, ports=(taken,)).start()


def test_serve_tells_the_gateways_address_in_the_state_folder(clip: Path, tmp_path: Path) -> None:
    flags: dict[str, FlagValue] = {"state_folder": tmp_path / "state", "allowed_folders": [clip.parent]}
    settings = Settings.load({**flags, "gateway_port": "0"}, environment={})
    off = Settings.load({**flags, "gateway_port": "off"}, environment={})
    with Server(settings) as server:
        with gateway_to(server, off) as address:
            assert address == ""
        with gateway_to(server, settings) as address:
            assert json.loads((settings.state_folder / "server.json").read_text())["gateway"] == address
            found = ServerAddress.read(settings.state_folder)
            assert (found.gateway, found.token) == (address, server.token)
            assert Caller(address).get("/").status == 200
            taken = Settings.load({**flags, "gateway_port": address.partition(":")[2]}, environment={})
            with pytest.raises(StateError, match="--gateway-port"), gateway_to(server, taken):
                pass
        assert "gateway" not in json.loads((settings.state_folder / "server.json").read_text())
        assert ServerAddress.read(settings.state_folder).gateway == ""
