from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cleanplate_plugin.gateway.server import Gateway
from cleanplate_server.config import FlagValue, Settings
from cleanplate_server.service.server import Server
from cleanplate_server.stages.decode import Decoder, probe
from gateways import READERS, RUNNER, Caller, facts_of

CLICK = {"frame": 4, "points": [{"x": 40, "y": 30, "side": "SIDE_INSIDE"}]}
ENDED = ("READY", "PLACED", "FAILED", "CANCELLED")


def _announce(host: Caller, clip: Path, **changes: object) -> dict[str, Any]:
    answer = host.post("/v1/shots", {"resolve": facts_of(clip, **changes), "handle_frame_count": 1})
    assert answer.status == 200, answer.body
    shot: dict[str, Any] = answer.json
    return shot


def _until(host: Caller, name: str, *states: str) -> dict[str, Any]:
    end = time.monotonic() + 30
    while True:
        shot: dict[str, Any] = host.get(f"/v1/{name}").json
        if shot["state"] in states:
            return shot
        assert time.monotonic() < end, shot
        time.sleep(0.02)


@contextmanager
def _held(clip: Path) -> Iterator[Path]:
    """The job waits as long as this lasts."""
    hold = clip.parent / "hold"
    hold.touch()
    try:
        yield hold
    finally:
        hold.unlink(missing_ok=True)


def test_announced_shot_waits_with_its_range_and_its_clip_open(host: Caller, clip: Path) -> None:
    shot = _announce(host, clip)
    assert (shot["state"], shot["host"], shot["clip_name"]) == ("WAITING", "resolve", "walker")
    assert shot["range"] == {"start_frame": "2", "frame_count": "6", "handle_frame_count": 1}
    assert (shot["prompt_frame"], shot["clip"]["height"], shot["clip"]["path"]) == ("4", 64, str(clip))
    picture = host.get(f"/v1/frames/{shot['clip']['name'].partition('/')[2]}/{shot['prompt_frame']}")
    assert picture.headers["content-type"] == "image/jpeg"


def test_playhead_outside_the_meant_part_prompts_on_its_nearest_frame(host: Caller, clip: Path) -> None:
    shot = _announce(host, clip, mark_in=4, mark_out=5)
    assert (shot["range"]["start_frame"], shot["range"]["frame_count"], shot["prompt_frame"]) == ("6", "2", "6")


def test_clip_that_cannot_be_cleaned_is_refused_with_its_sentence(host: Caller, clip: Path) -> None:
    answer = host.post("/v1/shots", {"resolve": facts_of(clip, type="Title")})
    assert (answer.status, answer.reason) == (409, "UNSUPPORTED_CLIP")
    assert answer.message == "clip 'walker' is a title; put the playhead on a clip with a file"


@pytest.mark.parametrize(
    ("changes", "status", "word"),
    [
        ({"duration": 9}, 409, "of a file that has 10"),
        ({"path": "none.mov"}, 409, "offline"),
        ({"path": "/dev/null"}, 403, ""),
    ],
)
def test_announcement_that_does_not_fit_the_file_is_refused(
    host: Caller, clip: Path, changes: dict[str, object], status: int, word: str
) -> None:
    media = clip.parent / str(changes.pop("path", clip.name))
    answer = host.post("/v1/shots", {"resolve": facts_of(media, **changes)})
    assert (answer.status, word in answer.message, "\n" in answer.message) == (status, True, False)


@pytest.mark.parametrize("body", [{}, {"handle_frame_count": -1}, {"handle_frame_count": 10001}, {"facts": {}}])
def test_announcement_without_sense_is_refused(host: Caller, body: dict[str, object]) -> None:
    assert host.post("/v1/shots", body).status == 400


def test_shot_from_announcement_to_placement(host: Caller, clip: Path) -> None:
    shot = _announce(host, clip, mark_in=1, mark_out=4)
    name = shot["name"]
    submitted = host.post(f"/v1/{name}/submit", {"prompts": [CLICK], "effort": "EFFORT_FAST", "grow_px": 3})
    assert (submitted.status, submitted.json["state"]) == (200, "WORKING")
    ready = _until(host, name, *ENDED)
    assert ready["state"] == "READY"
    placement = ready["placement"]
    take = clip.parent / "Cleanplate" / "walker_cp001.mov"
    assert take.read_bytes() == b"clean"
    assert {key: placement[key] for key in ("path", "start_frame", "frame_count", "record_offset", "whole_clip")} == {
        "path": str(take), "start_frame": "1", "frame_count": "4", "record_offset": "1", "whole_clip": False,
    }  # fmt: skip
    assert (placement["record_frame_count"], placement["delivery"]) == ("4", "DELIVERY_PLATE")
    assert placement["marker_data"] == "cleanplate:" + ready["job"]["name"].removeprefix("jobs/")
    assert "inpainter fake (Apache-2.0)" in placement["marker_note"]
    assert ready["job"]["spec"]["remove"]["grow_px"] == 3
    assert host.post(f"/v1/{name}/check", {"resolve": facts_of(clip)}).json["placement"] == placement
    placed = host.post(f"/v1/{name}/report", {"state": "PLACED", "message": "placed on V2\n of edit"}).json
    assert (placed["state"], placed["message"]) == ("PLACED", "placed on V2 of edit")
    assert host.post(f"/v1/{name}/report", {"state": "PLACED"}).json["message"] == "placed on V2 of edit"
    assert host.post(f"/v1/{name}/cancel").json["state"] == "PLACED"


def test_whole_clip_is_said_to_be_whole(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    host.post(f"/v1/{name}/submit", {"prompts": [CLICK], "delivery": "DELIVERY_PATCH"})
    placement = _until(host, name, *ENDED)["placement"]
    assert (placement["whole_clip"], placement["record_offset"], placement["delivery"]) == (True, "0", "DELIVERY_PATCH")


def test_clip_edited_meanwhile_is_stale(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    host.post(f"/v1/{name}/submit", {"prompts": [CLICK]})
    _until(host, name, "READY")
    answer = host.post(f"/v1/{name}/check", {"resolve": facts_of(clip, start=101)})
    assert (answer.status, answer.reason) == (409, "STALE_CLIP")
    assert "nothing was placed" in answer.message


def test_refused_prompts_leave_the_shot_waiting_and_no_folder(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    for prompts, word in (([], "click"), ([{**CLICK, "frame": 40}], "frame 40"), ([{"frame": 4}], "inside")):
        answer = host.post(f"/v1/{name}/submit", {"prompts": prompts})
        assert answer.status == 400
        assert word in answer.message or "add a click" in answer.message
        assert host.get(f"/v1/{name}").json["state"] == "WAITING"
    assert not (clip.parent / "Cleanplate").exists()


def test_failed_job_says_why_and_may_be_submitted_again(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    (clip.parent / "fault").touch()
    host.post(f"/v1/{name}/submit", {"prompts": [CLICK]})
    failed = _until(host, name, *ENDED)
    assert (failed["state"], failed["message"]) == ("FAILED", "walker.mov ends early; copy it again")
    (clip.parent / "fault").unlink()
    host.post(f"/v1/{name}/submit", {"prompts": [CLICK]})
    assert _until(host, name, "READY")["message"] == ""


def test_stopped_job_keeps_the_shot(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    with _held(clip):
        job = host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).json["job"]["name"]
        host.post(f"/v1/{name}/stop")
        assert "prompts are kept" in _until(host, name, *ENDED)["message"]
    assert host.post("/v1/JobService/GetJob", {"name": job}).json["job"]["state"] == "CANCELLED"
    assert host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).status == 200
    assert _until(host, name, *ENDED)["state"] == "READY"


@pytest.mark.parametrize("verb", ["cancel", "report"])
def test_cancelled_shot_stops_its_job_and_stays_cancelled(host: Caller, clip: Path, verb: str) -> None:
    name = _announce(host, clip)["name"]
    with _held(clip):
        job = host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).json["job"]["name"]
        assert host.post(f"/v1/{name}/{verb}", {"state": "CANCELLED"}).json["state"] == "CANCELLED"
    assert list(host.events(f"/v1/JobService/WatchJob?name={job}"))[-1][1]["state"] == "CANCELLED"
    assert host.post(f"/v1/{name}/cancel").json["state"] == "CANCELLED"
    for again in ("submit", "check"):
        answer = host.post(f"/v1/{name}/{again}", {"prompts": [CLICK]} if again == "submit" else {})
        assert (answer.status, answer.reason) == (409, "WRONG_STATE")


def test_moment_that_is_not_the_right_one_is_refused(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    assert host.post(f"/v1/{name}/report", {"state": "PLACED"}).reason == "WRONG_STATE"
    assert host.post(f"/v1/{name}/report", {"state": "READY"}).status == 400
    assert host.post(f"/v1/{name}/report", {"state": 99}).status == 400
    with _held(clip):
        host.post(f"/v1/{name}/submit", {"prompts": [CLICK]})
        assert host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).reason == "WRONG_STATE"


def test_host_that_says_nothing_of_its_failure_is_given_a_sentence(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    assert "did not say why" in host.post(f"/v1/{name}/report", {"state": "FAILED"}).json["message"]


def test_body_about_another_shot_is_refused(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    assert host.post(f"/v1/{name}/report", {"name": "shots/other", "state": "CANCELLED"}).status == 400
    assert host.post(f"/v1/{name}/report", {"name": name, "state": "CANCELLED"}).status == 200
    assert host.get("/v1/shots/other").reason == "NO_SHOT"


def test_two_shots_of_one_file_at_once_make_two_takes(host: Caller, clip: Path) -> None:
    names = [_announce(host, clip)["name"] for _ in range(2)]
    with _held(clip):
        for name in names:
            assert host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).status == 200
    paths = {_until(host, name, *ENDED)["placement"]["path"] for name in names}
    assert {Path(path).name for path in paths} == {"walker_cp001.mov", "walker_cp002.mov"}


def test_work_beyond_the_limit_is_refused_until_some_is_done(host: Caller, clip: Path) -> None:
    names = [_announce(host, clip)["name"] for _ in range(9)]
    with _held(clip):
        answers = [host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}) for name in names]
        assert [answer.status for answer in answers] == [200] * 8 + [429]
        for name in names:
            host.post(f"/v1/{name}/cancel")


def test_shots_that_nobody_came_back_to_are_forgotten(host: Caller, clip: Path) -> None:
    first = _announce(host, clip)["name"]
    for _ in range(64):
        last = _announce(host, clip)["name"]
    assert host.get(f"/v1/{first}").status == 404
    assert host.get(f"/v1/{last}").status == 200


def test_watch_shows_every_state_to_the_end_and_then_says_so(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    events = host.events(f"/v1/{name}/watch")
    assert next(events)[1]["state"] == "WAITING"
    host.post(f"/v1/{name}/submit", {"prompts": [CLICK]})
    states = []
    for kind, shot in events:
        assert kind == "shot"
        states.append(shot["state"])
        if shot["state"] == "READY":
            host.post(f"/v1/{name}/report", {"state": "PLACED", "message": "there"})
    assert [state for state, before in zip(states, ["", *states], strict=False) if state != before][-2:] == [
        "READY", "PLACED",
    ]  # fmt: skip
    assert host.with_headers(Last_Event_ID="end").get(f"/v1/{name}/watch").status == 204
    assert [shot["state"] for _, shot in host.events(f"/v1/{name}/watch")] == ["PLACED"]


def test_watch_that_was_cut_may_be_opened_again(host: Caller, clip: Path) -> None:
    name = _announce(host, clip)["name"]
    with _held(clip):
        host.post(f"/v1/{name}/submit", {"prompts": [CLICK]})
        cut = host.events(f"/v1/{name}/watch")
        assert next(cut)[1]["state"] == "WORKING"
        cut.close()
    assert next(shot for _, shot in host.events(f"/v1/{name}/watch") if shot["state"] == "READY")


def _page(gateway: Gateway, server: Server) -> Caller:
    return Caller(gateway.address, {"Authorization": f"Bearer {server.token}"})


def test_server_gone_in_the_midst_fails_the_shot_with_a_sentence(clip: Path, tmp_path: Path) -> None:
    flags: dict[str, FlagValue] = {
        "state_folder": tmp_path / "state",
        "allowed_folders": [clip.parent],
        "memory_bytes": "64GiB",
    }
    server = Server(Settings.load(flags, environment={}), runner=RUNNER)
    with server, Gateway(server.address, server.token, facts=READERS, heartbeat_seconds=0.1) as gateway, _held(clip):
        host = _page(gateway, server)
        name = _announce(host, clip)["name"]
        job = host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).json["job"]["name"]
        events = host.events(f"/v1/JobService/WatchJob?name={job}")
        assert next(events)[0] == "job"
        server.stop(grace_seconds=0)
        failed = _until(host, name, *ENDED)
        assert failed["state"] == "FAILED"
        assert failed["message"]
        assert "\n" not in failed["message"]
        assert list(events)[-1][0] == "failure"
        answer = host.post("/v1/ModelService/ListModels")
        assert (answer.status, answer.reason) == (503, "UNAVAILABLE")
        assert "cleanplate serve" in answer.message


def test_gateway_that_stops_ends_what_is_watched_at_once(server: Server, clip: Path) -> None:
    with Gateway(server.address, server.token, facts=READERS, heartbeat_seconds=60) as gateway, _held(clip):
        host = _page(gateway, server)
        name = _announce(host, clip)["name"]
        job = host.post(f"/v1/{name}/submit", {"prompts": [CLICK]}).json["job"]["name"]
        watches = [host.events(f"/v1/{name}/watch"), host.events(f"/v1/JobService/WatchJob?name={job}")]
        for watch in watches:
            next(watch)
        start = time.monotonic()
        gateway.stop()
        assert time.monotonic() - start < 5
        for watch in watches:
            list(watch)
    host = Caller(gateway.address, host.headers)
    with pytest.raises(ConnectionRefusedError):
        host.get("/")


def test_media_that_the_server_has_closed_is_opened_again(host: Caller, clip: Path) -> None:
    shot = _announce(host, clip)
    host.post("/v1/MediaService/CloseClip", {"name": shot["clip"]["name"]})
    frame = f"/v1/frames/{shot['clip']['name'].partition('/')[2]}/4"
    assert (host.get(frame).status, host.get(frame).reason) == (404, "CLIP_NOT_OPEN")
    opened = host.post(f"/v1/{shot['name']}/open").json["clip"]["name"]
    assert host.get(f"/v1/frames/{opened.partition('/')[2]}/4").status == 200


def test_shot_of_real_work_is_clean_where_it_is_placed(clip: Path, tmp_path: Path) -> None:
    flags: dict[str, FlagValue] = {"state_folder": tmp_path / "state", "allowed_folders": [clip.parent]}
    with (
        Server(Settings.load(flags, environment={})) as server,
        Gateway(server.address, server.token, facts=READERS) as gateway,
    ):
        host = _page(gateway, server)
        shot = _announce(host, clip)
        answer = host.post("/v1/SegmentService/Segment", {"clip": shot["clip"]["name"], "prompt": CLICK}).json
        png = base64.b64decode(answer["candidates"][0]["mask"]["png"])
        mask = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert mask is not None
        assert mask[30, 40] == 255
        assert mask[5, 5] == 0
        body = {"prompts": [CLICK], "effort": "EFFORT_FAST"}
        assert host.post(f"/v1/{shot['name']}/submit", body).json["state"] == "WORKING"
        ready = _until(host, shot["name"], *ENDED)
        assert ready["state"] == "READY", ready["message"]
    placement = ready["placement"]
    assert (placement["start_frame"], placement["frame_count"], placement["whole_clip"]) == ("1", "6", True)
    before, after = probe(clip), probe(Path(placement["path"]))
    assert after.frame_count == 8
    with Decoder(before) as source, Decoder(after) as clean:
        for offset in range(6):
            dirty = source.plate(2 + offset).planes[0]
            shown = clean.plate(int(placement["start_frame"]) + offset).planes[0]
            scale = (1 << after.format.bit_depth) / (1 << before.format.bit_depth)
            assert dirty[32, 20 + 5 * (2 + offset)] > 180
            assert shown[32, 20 + 5 * (2 + offset)] / scale < 120
