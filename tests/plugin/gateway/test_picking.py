"""Sessions over HTTP, as the picker's page asks for them."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_server.config import Settings
from cleanplate_server.service.server import Server
from gateways import READERS, RUNNER, SIZE, Caller, facts_of
from sessions_made import BrightRegistry

CLICK = {"frame": "4", "points": [{"x": 40, "y": 30, "side": "SIDE_INSIDE"}]}
PNG = b"\x89PNG"


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Server]:
    """Finds whatever is bright, at once."""
    with Server(settings, registry=BrightRegistry(), runner=RUNNER) as started:
        yield started


def _visit(host: Caller, page: str) -> Caller:
    """A browser that follows a page's link."""
    own = Caller(host.address).with_headers(Origin=f"http://{host.address}")
    answer = own.post("/v1/session", {"code": page.partition("#")[2]})
    assert answer.status == 200, answer.body
    return own.with_headers(Cookie=answer.headers["set-cookie"].partition(";")[0])


def _open(host: Caller, clip: Path, **wanted: object) -> tuple[Caller, str]:
    """A page on a new session, and the session's place."""
    session = host.post("/v1/sessions", {"path": str(clip), "fresh": True, **wanted}).json
    name = session["name"]
    assert session["page"].partition("#")[0] == "/pick/" + name.partition("/")[2]
    return _visit(host, session["page"]), f"/v1/{name}"


def _until(page: Caller, place: str, fits: Any) -> dict[str, Any]:
    end = time.monotonic() + 30
    while not fits(answer := page.get(place).json):
        assert time.monotonic() < end, answer
        time.sleep(0.02)
    found: dict[str, Any] = answer
    return found


def _followed(page: Caller, place: str) -> dict[str, Any]:
    """After a click, with every frame followed."""
    assert page.post(f"{place}/prompt", {"prompt": CLICK}).status == 200
    assert page.post(f"{place}/propagate").status == 200
    return _until(page, place, lambda answer: answer["session"]["run"]["state"] == "DONE")


def _picture(body: bytes) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)


def test_page_clicks_and_gets_the_mask_that_the_server_keeps(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    answer = page.post(f"{place}/prompt", {"prompt": CLICK}).json
    mask = _picture(base64.b64decode(answer["candidates"][0]["mask"]["png"]))
    assert mask.shape == SIZE
    assert mask[30, 40] == 255
    track = page.get(place).json["tracks"][0]
    frame = track["frames"][0]
    assert (frame["frame"], frame["state"], answer["prompted"]["problem"]) == ("4", "KEY", "")
    kept = page.get(f"{place}/masks/1/4?revision={frame['revision']}")
    assert np.array_equal(_picture(kept.body), mask)
    assert "immutable" in kept.headers["cache-control"]
    assert "no-store" in page.get(f"{place}/masks/1/4?revision=99").headers["cache-control"]
    assert np.array_equal(_picture(page.get(f"{place}/masks/0/4").body), mask)


def test_page_follows_and_sees_it_in_the_events(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    page.post(f"{place}/prompt", {"prompt": CLICK})
    page.post(f"{place}/propagate", {"direction": "BOTH"})
    kinds, frames = set(), set()
    for kind, data in page.events(f"{place}/watch"):
        kinds.add(kind)
        if kind == "track":
            frames |= {int(frame["frame"]) for frame in data["frames"] if frame["state"] != "NONE"}
        if kind == "session" and data["run"]["state"] == "FAILED":
            pytest.fail(data["run"]["message"])
        if len(frames) == 10 and "session" in kinds:
            break
    assert frames == set(range(10))


def test_two_pages_see_each_others_changes(host: Caller, clip: Path) -> None:
    first, place = _open(host, clip)
    again = host.post("/v1/sessions", {"path": str(clip)}).json
    assert f"/v1/{again['name']}" == place
    second = _visit(host, again["page"])
    events = second.events(f"{place}/watch")
    assert next(events)[0] == "session"
    first.post(f"{place}/object", {"object": {"name": "walker"}})
    assert any(kind == "session" and data["objects"] for kind, data in events)
    events.close()


def test_pictures_are_told_apart_by_size_and_kind_and_not_sent_twice(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    small = page.get(f"{place}/frames/3?max_height=32")
    assert (small.status, small.headers["content-type"], _picture(small.body).shape[0]) == (200, "image/jpeg", 32)
    exact = page.get(f"{place}/frames/3?encoding=png")
    assert (exact.headers["content-type"], _picture(exact.body).shape[:2]) == ("image/png", SIZE)
    assert page.with_headers(If_None_Match=exact.headers["etag"]).get(f"{place}/frames/3?encoding=png").status == 304


def test_matte_follows_the_sliders(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    page.post(f"{place}/prompt", {"prompt": CLICK})
    areas = [
        int((_picture(page.get(f"{place}/matte/4?grow_px={grow}&feather_px=0&with_shadow=0").body) > 0).sum())
        for grow in (0, 3, 6)
    ]
    assert areas == sorted(set(areas))
    page.post(f"{place}/settings", {"settings": {"grow_px": 6, "feather_px": 0}})
    assert int((_picture(page.get(f"{place}/matte/4").body) > 0).sum()) == areas[-1]


def test_refused_click_is_one_sentence_and_is_kept(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    wrong = {"frame": "4", "points": [{"x": 4000, "y": 30, "side": "SIDE_INSIDE"}]}
    answer = page.post(f"{place}/prompt", {"prompt": wrong})
    assert (answer.status, answer.reason, "\n" in answer.message) == (400, "INVALID_PROMPT", False)
    [kept] = page.get(place).json["session"]["objects"][0]["prompts"]
    assert (kept["problem"], kept["prompt"]["points"][0]["x"]) == (answer.message, 4000)


@pytest.mark.parametrize(
    ("verb", "body", "status", "reason"),
    [
        ("propagate", {}, 409, "NO_KEY"),
        ("preview", {"start_frame": "1", "frame_count": 2}, 409, "NO_MASK"),
        ("submit", {}, 400, "NO_PATH"),
        ("submit", {"path": "relative.mov"}, 409, "NO_KEY"),
        ("give-up", {}, 409, "NO_SHOT"),
        ("prompt", {"session": "sessions/other"}, 400, "INVALID_BODY"),
        ("prompt", {"nonsense": 1}, 400, "INVALID_BODY"),
        ("choose", {"object_id": 1, "frame": "4", "chosen": 3}, 400, "INVALID_INPUT"),
        ("cancel-take", {"job": "jobs/none"}, 404, "NO_SUCH_JOB"),
        ("nothing", {}, 404, "NO_SUCH_PLACE"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    host: Caller, clip: Path, verb: str, body: dict[str, object], status: int, reason: str
) -> None:
    page, place = _open(host, clip)
    answer = page.post(f"{place}/{verb}", body)
    assert (answer.status, answer.reason, "\n" in answer.message) == (status, reason, False)


@pytest.mark.parametrize(
    ("path", "status"),
    [("masks/1/4", 404), ("unseen/4", 404), ("frames/99", 400), ("frames/4?encoding=gif", 400),
     ("matte/4?grow_px=x", 400), ("takes/0123abc/frames/4", 404)],
)  # fmt: skip
def test_picture_that_is_not_there_is_refused(host: Caller, clip: Path, path: str, status: int) -> None:
    page, place = _open(host, clip)
    assert page.get(f"{place}/{path}").status == status


def test_page_opens_its_own_session_and_no_other(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    _, other = _open(host, clip)
    for path in (other, f"{other}/frames/1", f"{other}/masks/0/1", f"{other}/watch", f"{other}/matte/1"):
        answer = page.get(path)
        assert (answer.status, answer.reason) == (403, "NOT_THIS_PAGES")
    assert page.post(f"{other}/prompt", {"prompt": CLICK}).status == 403
    assert page.post("/v1/sessions", {"path": str(clip)}).reason == "NOT_FOR_PAGES"
    for method in ("OpenSession", "ListSessions", "GetSession", "SubmitTake"):
        assert page.post(f"/v1/SessionService/{method}", {"session": other[4:]}).reason == "NOT_FOR_PAGES"
    assert page.get(place).status == 200


def test_browser_that_visits_two_links_keeps_both(host: Caller, clip: Path) -> None:
    first, place = _open(host, clip)
    session = host.post("/v1/sessions", {"path": str(clip), "fresh": True}).json
    answer = first.post("/v1/session", {"code": session["page"].partition("#")[2]})
    both = first.with_headers(Cookie=answer.headers["set-cookie"].partition(";")[0])
    assert [both.get(each).status for each in (place, f"/v1/{session['name']}")] == [200, 200]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
        {"Sec_Fetch_Site": "same-site"},
    ],
)
def test_session_is_shown_to_no_page_of_others(host: Caller, clip: Path, headers: dict[str, str]) -> None:
    page, place = _open(host, clip)
    foreign = page.with_headers(**headers)
    assert foreign.get(place).status == 403
    assert foreign.get(f"{place}/frames/1").status == 403
    assert foreign.post(f"{place}/prompt", {"prompt": CLICK}).status == 403
    assert page.get(place).json["session"]["objects"] == []


def test_session_is_shown_to_nobody_without_a_cookie_and_to_no_forged_one(
    host: Caller, stranger: Caller, clip: Path
) -> None:
    page, place = _open(host, clip)
    assert stranger.get(place).status == 401
    name, _, value = page.headers["Cookie"].partition("=")
    payload, _, mac = value.partition(".")
    ends, *_ = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    forged = base64.urlsafe_b64encode(json.dumps([ends + 999999, place[4:]]).encode()).decode().rstrip("=")
    for cookie in (f"{forged}.{mac}", f"{payload}.", f"{payload}.{'0' * 64}", "é.x", "."):
        assert page.with_headers(Cookie=f"{name}={cookie}").get(place).status == 401


def test_no_path_of_the_machine_is_in_any_address(host: Caller, clip: Path) -> None:
    session = host.post("/v1/sessions", {"path": str(clip)}).json
    assert clip.name not in session["page"]
    assert str(clip.parent) not in session["page"]
    page = _visit(host, session["page"])
    assert page.get(f"/v1/sessions/{clip}").status == 404
    assert page.get(f"/v1/{session['name']}/frames/..%2f..%2fetc").status == 404


def test_take_is_saved_where_the_page_says_and_history_tells_its_settings(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    page.post(f"{place}/settings", {"settings": {"effort": "EFFORT_FAST", "grow_px": 5}})
    session = _followed(page, place)["session"]
    answer = page.post(f"{place}/submit", {"path": session["suggested_path"]})
    assert (answer.status, "spec" in answer.json["job"]) == (200, False)
    done = _until(page, place, lambda answer: answer["session"]["takes"][0]["state"] in ("SUCCEEDED", "FAILED"))
    take = done["session"]["takes"][0]
    assert (take["state"], take["settings"]["grow_px"], take["settings"]["effort"]) == ("SUCCEEDED", 5, "EFFORT_FAST")
    assert Path(session["suggested_path"]).read_bytes() == b"clean"
    assert done["session"]["suggested_path"] != session["suggested_path"]


def test_job_is_found_again_in_the_events_cancelled_and_resumed(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    session = _followed(page, place)["session"]
    hold = clip.parent / "hold"
    hold.touch()
    job = page.post(f"{place}/submit", {"path": session["suggested_path"]}).json["job"]["name"]
    for kind, data in page.events(f"{place}/watch"):
        if kind == "job" and data["name"] == job and data["stages"]:
            assert data["stages"][0]["stage"] == "inpaint"
            break
    stopped = page.post(f"{place}/cancel-take", {"job": job}).json["job"]
    assert stopped["state"] == "CANCELLED"
    hold.unlink()
    assert page.post(f"{place}/resume-take", {"job": job}).status == 200
    _until(page, place, lambda answer: answer["session"]["takes"][0]["state"] == "SUCCEEDED")


def test_failed_job_says_why_and_every_prompt_is_kept(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    before = _followed(page, place)
    (clip.parent / "fault").touch()
    page.post(f"{place}/submit", {"path": before["session"]["suggested_path"]})
    after = _until(page, place, lambda answer: answer["session"]["takes"][0]["state"] == "FAILED")
    assert "ends early" in after["session"]["takes"][0]["message"]
    assert after["session"]["objects"] == before["session"]["objects"]


def test_closing_says_that_the_person_is_done_and_opening_again_takes_it_back(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    assert page.post(f"{place}/close").json["session"]["closed"] is True
    assert page.get(place).json["session"]["closed"] is True
    assert host.post("/v1/sessions", {"path": str(clip)}).json["closed"] is False


def test_announced_shot_is_a_session_too_and_its_take_is_placed(host: Caller, clip: Path) -> None:
    shot = host.post("/v1/shots", {"resolve": facts_of(clip), "handle_frame_count": 1}).json
    page, place = _visit(host, shot["page"]), f"/v1/{shot['session']}"
    session = page.get(place).json["session"]
    assert (session["title"], session["prompt_frame"], session["shot"]["state"]) == ("walker", "4", "WAITING")
    assert (session["range"]["start_frame"], session["range"]["handle_frame_count"]) == ("2", 1)
    _followed(page, place)
    events = page.events(f"{place}/watch")
    next(events)
    answer = page.post(f"{place}/submit", {})
    assert (answer.status, answer.json["job"]["state"] in ("PENDING", "RUNNING", "SUCCEEDED")) == (200, True)
    states = []
    for kind, data in events:
        if kind == "session" and "shot" in data:
            states.append(data["shot"]["state"])
            if states[-1] == "READY":
                break
    events.close()
    ready = host.get(f"/v1/{shot['name']}").json
    assert ready["placement"]["path"] == str(clip.parent / "Cleanplate" / "walker_cp001.mov")
    assert ready["job"]["spec"]["remove"]["followed"][0]["object_id"] == 1
    assert page.get(place).json["session"]["takes"][0]["file_name"] == "walker_cp001.mov"
    host.post(f"/v1/{shot['name']}/report", {"state": "PLACED", "message": "placed on V1"})
    assert page.get(place).json["session"]["shot"]["message"] == "placed on V1"


def test_range_of_a_shot_that_a_host_waits_for_stays(host: Caller, clip: Path) -> None:
    shot = host.post("/v1/shots", {"resolve": facts_of(clip)}).json
    page, place = _visit(host, shot["page"]), f"/v1/{shot['session']}"
    refused = page.post(f"{place}/range", {"range": {"start_frame": "3", "frame_count": "2"}})
    assert (refused.status, refused.reason) == (409, "HOST_WAITS")
    page.post(f"{place}/give-up")
    changed = page.post(f"{place}/range", {"range": {"start_frame": "3", "frame_count": "2"}})
    assert changed.json["session"]["range"]["start_frame"] == "3"


def test_page_may_ask_which_engines_there_are(host: Caller, clip: Path) -> None:
    page, place = _open(host, clip)
    models = page.get(f"{place}/engines").json["models"]
    assert {"kind", "name", "licence", "commercial_use", "available", "unavailable_reason"} <= models[0].keys()


def test_given_up_shot_is_told_to_the_host(host: Caller, clip: Path) -> None:
    shot = host.post("/v1/shots", {"resolve": facts_of(clip)}).json
    page = _visit(host, shot["page"])
    assert page.post(f"/v1/{shot['session']}/give-up").json["session"]["shot"]["state"] == "CANCELLED"
    assert host.get(f"/v1/{shot['name']}").json["state"] == "CANCELLED"


@pytest.fixture
def own_settings(tmp_path: Path, media_folder: Path) -> Settings:
    flags = {"state_folder": tmp_path / "own-state", "allowed_folders": [media_folder], "memory_bytes": "64GiB"}
    return Settings.load(flags, environment={})


@pytest.fixture
def restarts(own_settings: Settings) -> Iterator[Any]:
    """Starts a server with its gateway on the port of the one before."""
    running: list[Any] = []

    def start() -> Caller:
        ports = (int(running[-1][1].address.rpartition(":")[2]),) if running else (0,)
        if running:
            stop()
        server = Server(own_settings, registry=BrightRegistry(), runner=RUNNER)
        server.start()
        gateway = Gateway(
            server.address, server.token, facts=READERS, ports=ports, heartbeat_seconds=0.2, key=b"k" * 32
        )
        gateway.start()
        running.append((server, gateway))
        return Caller(gateway.address, {"Authorization": f"Bearer {server.token}"})

    def stop() -> None:
        server, gateway = running[-1]
        gateway.stop()
        server.stop()

    yield start
    stop()


def test_page_goes_on_after_the_server_was_started_again(restarts: Any, clip: Path) -> None:
    page, place = _open(restarts(), clip)
    before = _followed(page, place)
    events = page.events(f"{place}/watch")
    next(events)
    restarts()
    list(events)  # the stream ends
    after = page.get(place)
    assert after.status == 200
    assert after.json["tracks"] == before["tracks"]
    assert after.json["session"]["objects"] == before["session"]["objects"]
    assert page.post(f"{place}/prompt", {"prompt": {**CLICK, "frame": "7"}}).status == 200
