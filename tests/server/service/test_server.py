from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import grpc
import numpy as np
import pytest
from cleanplate.v1 import (
    job_pb2,
    job_pb2_grpc,
    media_pb2,
    media_pb2_grpc,
    model_pb2,
    model_pb2_grpc,
    prompt_pb2,
    prompt_pb2_grpc,
)
from cleanplate_server.config import Settings
from cleanplate_server.errors import ServerBusyError, StateError
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.models.registry import EngineStatus, Registry
from cleanplate_server.service.server import Server
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

RUNNER = RunnerPlace("fake_runners:run", Path(__file__).parent.parent / "jobs")
SIZE = (48, 64)
Metadata = tuple[tuple[str, str], ...]


@dataclass
class Caller:
    """Stubs on one channel, with the metadata that each call is made with."""

    channel: grpc.Channel
    metadata: Metadata

    def open_clip(self, path: Path) -> media_pb2.Clip:
        stub = media_pb2_grpc.MediaServiceStub(self.channel)
        return stub.OpenClip(media_pb2.OpenClipRequest(path=str(path)), metadata=self.metadata).clip

    def segment(self, clip: str, prompt: prompt_pb2.Prompt) -> prompt_pb2.SegmentResponse:
        stub = prompt_pb2_grpc.SegmentServiceStub(self.channel)
        return stub.Segment(prompt_pb2.SegmentRequest(clip=clip, prompt=prompt), metadata=self.metadata)

    @property
    def jobs(self) -> job_pb2_grpc.JobServiceStub:
        return job_pb2_grpc.JobServiceStub(self.channel)

    def submit(self, spec: job_pb2.JobSpec, request_id: str = "") -> job_pb2.Job:
        request = job_pb2.SubmitJobRequest(spec=spec, request_id=request_id)
        return self.jobs.SubmitJob(request, metadata=self.metadata).job

    def watch(self, name: str) -> Iterator[job_pb2.Job]:
        for answer in self.jobs.WatchJob(job_pb2.WatchJobRequest(name=name), metadata=self.metadata):
            yield answer.job

    def cancel(self, name: str) -> job_pb2.Job:
        return self.jobs.CancelJob(job_pb2.CancelJobRequest(name=name), metadata=self.metadata).job


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Six frames of a bright square that walks over a dark ground."""
    folder = tmp_path / "media" / "shot"
    folder.mkdir(parents=True)
    for frame in range(6):
        picture = np.full((*SIZE, 3), 40, np.uint8)
        picture[16:32, 10 + frame : 30 + frame] = (40, 60, 220)
        cv2.imwrite(str(folder / f"shot.{frame:04d}.png"), picture)
    (tmp_path / "media" / "plan.json").write_text(json.dumps({"window_count": 3}))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    flags = {"state_folder": tmp_path / "state", "allowed_folders": [tmp_path / "media"], "memory_bytes": "64GiB"}
    return Settings.load(flags, environment={})


@pytest.fixture
def server(settings: Settings) -> Iterator[Server]:
    with Server(settings, runner=RUNNER) as started:
        yield started


@pytest.fixture
def caller(server: Server) -> Iterator[Caller]:
    with grpc.insecure_channel(server.address) as channel:
        yield Caller(channel, (("authorization", f"Bearer {server.token}"),))


def _click(frame: int = 0, x: float = 15, y: float = 20) -> prompt_pb2.Prompt:
    return prompt_pb2.Prompt(frame=frame, points=[prompt_pb2.Point(x=x, y=y, side=prompt_pb2.Point.SIDE_INSIDE)])


def _spec(clip: Path, output: str = "out.mkv", *prompts: prompt_pb2.Prompt) -> job_pb2.JobSpec:
    spec = job_pb2.JobSpec(path=str(clip))
    spec.remove.prompts.extend(prompts or [_click()])
    spec.output.path = str(clip.parent / output)
    return spec


def _refusal(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, error_details_pb2.ErrorInfo]:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    assert isinstance(raised.value, grpc.Call)
    status = rpc_status.from_call(raised.value)
    assert status is not None
    info = error_details_pb2.ErrorInfo()
    assert len(status.details) == 1
    assert status.details[0].Unpack(info)
    assert info.domain == "cleanplate"
    return raised.value.code(), status.message, info


def test_token_and_address_lie_in_the_state_folder_while_it_runs(settings: Settings) -> None:
    with Server(settings, runner=RUNNER) as server:
        known = json.loads((settings.state_folder / "server.json").read_text())
        token = settings.state_folder / "token"
        assert (known["address"], known["pid"]) == (server.address, os.getpid())
        assert token.read_text() == server.token
        assert token.stat().st_mode & 0o777 == 0o600
    assert not token.exists()
    assert not (settings.state_folder / "server.json").exists()


def test_second_server_is_refused_and_leaves_the_first_alone(server: Server, settings: Settings) -> None:
    second = Server(settings, runner=RUNNER)
    with pytest.raises(ServerBusyError, match=f"process {os.getpid()}"):
        second.start()
    second.stop()
    assert (settings.state_folder / "token").read_text() == server.token


def test_taken_port_is_refused_and_frees_the_state_folder(server: Server, tmp_path: Path) -> None:
    port = int(server.address.rpartition(":")[2])
    flags = {"state_folder": tmp_path / "other", "allowed_folders": [tmp_path]}
    with pytest.raises(StateError, match=f"port {port}"):
        Server(Settings.load({**flags, "port": port}, environment={}), runner=RUNNER).start()
    with Server(Settings.load(flags, environment={}), runner=RUNNER) as other:
        assert other.address != server.address


@pytest.mark.parametrize("metadata", [(), (("authorization", "Bearer wrong"),), (("authorization", "wrong"),)])
def test_call_without_the_token_is_refused(server: Server, clip: Path, metadata: Metadata) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stranger = Caller(channel, metadata)
        code, message, info = _refusal(lambda: stranger.open_clip(clip))
        assert (code, info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "WRONG_TOKEN")
        assert "token" in message
        assert _refusal(lambda: list(stranger.watch("jobs/x")))[0] is grpc.StatusCode.PERMISSION_DENIED


def test_health_answers_for_every_service(server: Server) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", *(f"cleanplate.v1.{kind}Service" for kind in ("Media", "Segment", "Job", "Model"))):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_reflection_lists_every_service(server: Server) -> None:
    with grpc.insecure_channel(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        answer = next(iter(stub.ServerReflectionInfo(iter([request]))))
        names = {service.name for service in answer.list_services_response.service}
        assert {"cleanplate.v1.MediaService", "cleanplate.v1.JobService", "grpc.health.v1.Health"} <= names


def test_open_clip_twice_gives_the_same_clip(caller: Caller, clip: Path) -> None:
    first = caller.open_clip(clip)
    assert (first.height, first.width, first.frame_count) == (*SIZE, 6)
    assert caller.open_clip(clip / ".." / "shot").name == first.name


def test_segment_answers_a_click_with_a_mask_on_it(caller: Caller, clip: Path) -> None:
    answer = caller.segment(caller.open_clip(clip).name, _click(frame=2, x=20, y=24))
    best = answer.candidates[0]
    mask = cv2.imdecode(np.frombuffer(best.mask.png, np.uint8), cv2.IMREAD_UNCHANGED)
    assert mask is not None
    assert mask.shape == SIZE
    assert mask[24, 20] == 255
    assert best.box.x0 <= 20 <= best.box.x1
    assert answer.engine


def test_segment_outside_the_picture_is_refused(caller: Caller, clip: Path) -> None:
    name = caller.open_clip(clip).name
    code, message, info = _refusal(lambda: caller.segment(name, _click(x=64)))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_PROMPT")
    assert "64x48" in message


def test_segment_on_a_closed_clip_is_refused(caller: Caller, clip: Path) -> None:
    name = caller.open_clip(clip).name
    stub = media_pb2_grpc.MediaServiceStub(caller.channel)
    stub.CloseClip(media_pb2.CloseClipRequest(name=name), metadata=caller.metadata)
    code, message, _ = _refusal(lambda: caller.segment(name, _click()))
    assert code is grpc.StatusCode.NOT_FOUND
    assert "open its media again" in message


def test_open_clip_that_is_not_there_is_not_found(caller: Caller, clip: Path) -> None:
    assert _refusal(lambda: caller.open_clip(clip.parent / "no.mov"))[0] is grpc.StatusCode.NOT_FOUND


def test_open_clip_that_is_no_media_is_refused(caller: Caller, clip: Path) -> None:
    (clip.parent / "text.mov").write_text("no media at all")
    code = _refusal(lambda: caller.open_clip(clip.parent / "text.mov"))[0]
    assert code is grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize("kind", ["plain", "dots", "link"])
def test_path_outside_the_allowed_folders_is_refused(caller: Caller, clip: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "secret"
    outside.mkdir()
    (clip.parent / "link").symlink_to(outside)
    path = {"plain": outside, "dots": clip / ".." / ".." / "secret", "link": clip.parent / "link"}[kind]
    code, message, info = _refusal(lambda: caller.open_clip(path / "a.mov"))
    assert (code, info.reason) == (grpc.StatusCode.PERMISSION_DENIED, "OUTSIDE_ALLOWED_FOLDERS")
    assert "allowed_folders" in message
    assert info.metadata["folder"] == str(outside)


def test_relative_path_is_refused(caller: Caller) -> None:
    code, message, _ = _refusal(lambda: caller.open_clip(Path("shot.mov")))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert "absolute" in message


def test_submitted_job_runs_and_may_be_watched_twice(caller: Caller, clip: Path) -> None:
    job = caller.submit(_spec(clip))
    assert job.memory_estimate_bytes > 0
    assert job.spec.effort == job_pb2.EFFORT_BALANCED
    ended = list(caller.watch(job.name))[-1]
    assert (ended.state, ended.take.path) == (job_pb2.Job.SUCCEEDED, str(clip.parent / "out.mkv"))
    assert list(ended.notes) == ["background was never seen"]
    assert ended.create_time.ToNanoseconds() <= ended.start_time.ToNanoseconds() <= ended.end_time.ToNanoseconds()
    assert list(caller.watch(job.name)) == [ended]


def test_submit_repeated_gives_the_first_job_even_when_it_is_done(caller: Caller, clip: Path) -> None:
    job = caller.submit(_spec(clip), "once")
    list(caller.watch(job.name))
    (clip.parent / "out.mkv").write_bytes(b"in place")
    assert caller.submit(_spec(clip), "once").name == job.name
    code, _, info = _refusal(lambda: caller.submit(_spec(clip, "other.mkv"), "once"))
    assert (code, info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED")


def test_inline_mask_and_mask_file_are_kept_in_the_stored_spec(caller: Caller, clip: Path) -> None:
    picture = np.zeros(SIZE, np.uint8)
    picture[16:32, 10:30] = 255
    cv2.imwrite(str(clip.parent / "mask.png"), picture)
    png = (clip.parent / "mask.png").read_bytes()
    inline = prompt_pb2.Prompt(mask=prompt_pb2.Mask(png=png))
    named = prompt_pb2.Prompt(frame=3, mask=prompt_pb2.Mask(path=str(clip.parent / "mask.png")))
    job = caller.submit(_spec(clip, "out.mkv", inline, named))
    (clip.parent / "mask.png").unlink()
    for prompt in job.spec.remove.prompts:
        stored = cv2.imdecode(np.frombuffer(prompt.mask.png, np.uint8), cv2.IMREAD_UNCHANGED)
        assert np.array_equal(stored, picture)


def test_cancel_acts_within_a_second_and_twice_is_no_error(caller: Caller, clip: Path) -> None:
    (clip.parent / "plan.json").write_text(json.dumps({"window_count": 1, "silent_seconds": 60}))
    job = caller.submit(_spec(clip))
    next(state for state in caller.watch(job.name) if state.stages)
    start = time.monotonic()
    assert caller.cancel(job.name).state == job_pb2.Job.CANCELLED
    assert time.monotonic() - start < 1.0
    assert caller.cancel(job.name).state == job_pb2.Job.CANCELLED
    assert sorted(path.name for path in clip.parent.iterdir()) == ["plan.json", "shot"]


def test_failed_job_carries_its_error(caller: Caller, clip: Path) -> None:
    (clip.parent / "plan.json").write_text(json.dumps({"fault": "media"}))
    ended = list(caller.watch(caller.submit(_spec(clip)).name))[-1]
    assert (ended.state, ended.error.message) == (job_pb2.Job.FAILED, "clip.mov ends early")


def test_list_gives_pages_newest_first(caller: Caller, clip: Path) -> None:
    names = [caller.submit(_spec(clip, f"{number}.mkv")).name for number in range(3)]
    first = caller.jobs.ListJobs(job_pb2.ListJobsRequest(page_size=2), metadata=caller.metadata)
    request = job_pb2.ListJobsRequest(page_size=2, page_token=first.next_page_token)
    second = caller.jobs.ListJobs(request, metadata=caller.metadata)
    assert [job.name for job in (*first.jobs, *second.jobs)] == names[::-1]
    assert second.next_page_token == ""


def test_models_are_listed_by_kind(server: Server, caller: Caller) -> None:
    stub = model_pb2_grpc.ModelServiceStub(caller.channel)
    models = stub.ListModels(model_pb2.ListModelsRequest(), metadata=caller.metadata).models
    assert {model.kind for model in models} == {"segmenter", "propagator", "inpainter", "matter", "name-finder"}


def _bad_specs(clip: Path) -> dict[str, tuple[job_pb2.JobSpec, grpc.StatusCode, str]]:
    """By name: a request, the code that refuses it, and a word of the sentence."""
    invalid, precondition = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.FAILED_PRECONDITION
    small = cv2.imencode(".png", np.full((8, 8), 255, np.uint8))[1].tobytes()
    empty = cv2.imencode(".png", np.zeros(SIZE, np.uint8))[1].tobytes()
    cases = {name: _spec(clip) for name in ("range", "zero", "handles", "grow", "engine", "kind", "codec", "operation")}
    cases["range"].range.frame_count = 7
    cases["zero"].range.frame_count = 0
    cases["handles"].range.handle_frame_count = -1
    cases["grow"].remove.grow_px = -2
    cases["engine"].engines.add(kind="inpainter", name="magic")
    cases["kind"].engines.add(kind="painter", name="magic")
    cases["codec"].output.codec = "vhs"
    cases["operation"].ClearField("operation")
    outside = _spec(clip, "out.mkv", _click(frame=3))
    outside.range.frame_count, outside.range.handle_frame_count = 2, 1
    fill = _spec(clip)
    fill.fill.masks_path = str(clip.parent / "none")
    no_side = _spec(clip, "out.mkv", prompt_pb2.Prompt(points=[prompt_pb2.Point(x=1, y=1)]))
    (clip.parent / "there.mkv").write_bytes(b"x")
    return {
        "range": (cases["range"], invalid, "frames 0 to 5"),
        "zero": (cases["zero"], invalid, "holds 0 frames"),
        "handles": (cases["handles"], invalid, "handles of -1"),
        "grow": (cases["grow"], invalid, "grow_px = -2"),
        "engine": (cases["engine"], grpc.StatusCode.NOT_FOUND, "magic"),
        "kind": (cases["kind"], invalid, "painter"),
        "codec": (cases["codec"], precondition, "vhs"),
        "operation": (cases["operation"], invalid, "remove, track, fill, matte"),
        "click": (_spec(clip, "out.mkv", _click(x=-1)), invalid, "outside the picture"),
        "nan": (_spec(clip, "out.mkv", _click(x=float("nan"))), invalid, "outside the picture"),
        "frame": (outside, invalid, "outside the range"),
        "side": (no_side, invalid, "SIDE_INSIDE"),
        "small mask": (_spec(clip, "o.mkv", prompt_pb2.Prompt(mask=prompt_pb2.Mask(png=small))), invalid, "8x8"),
        "empty mask": (_spec(clip, "o.mkv", prompt_pb2.Prompt(mask=prompt_pb2.Mask(png=empty))), invalid, "empty"),
        "bad mask": (_spec(clip, "o.mkv", prompt_pb2.Prompt(mask=prompt_pb2.Mask(png=b"?"))), invalid, "picture"),
        "no masks": (fill, grpc.StatusCode.NOT_FOUND, "none"),
        "exists": (_spec(clip, "there.mkv"), precondition, "exists"),
        "output": (_spec(clip, "../out.mkv"), grpc.StatusCode.PERMISSION_DENIED, "allowed_folders"),
        "no spec": (job_pb2.JobSpec(), invalid, "absolute path"),
    }


def test_bad_jobs_are_refused_in_one_sentence_and_nothing_is_stored(caller: Caller, clip: Path) -> None:
    for name, (spec, wanted, word) in _bad_specs(clip).items():
        code, message, _ = _refusal(lambda spec=spec: caller.submit(spec))  # type: ignore[misc]
        assert (name, code) == (name, wanted)
        assert word in message, name
        assert "\n" not in message, name
    assert not caller.jobs.ListJobs(job_pb2.ListJobsRequest(), metadata=caller.metadata).jobs


def test_job_beyond_the_memory_is_refused(settings: Settings, clip: Path, tmp_path: Path) -> None:
    flags = {"state_folder": settings.state_folder, "allowed_folders": [tmp_path], "memory_bytes": "1MiB"}
    with (
        Server(Settings.load(flags, environment={}), runner=RUNNER) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        caller = Caller(channel, (("authorization", f"Bearer {server.token}"),))
        assert _refusal(lambda: caller.submit(_spec(clip)))[2].reason == "NOT_ENOUGH_MEMORY"


class _FaultyRegistry(Registry):
    def engines(self) -> list[EngineStatus]:
        raise ZeroDivisionError("a secret of the program")


def test_fault_of_the_server_is_internal_and_tells_no_more_than_its_kind(settings: Settings) -> None:
    with (
        Server(settings, runner=RUNNER, registry=_FaultyRegistry()) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        stub = model_pb2_grpc.ModelServiceStub(channel)
        metadata = (("authorization", f"Bearer {server.token}"),)
        code, message, info = _refusal(lambda: stub.ListModels(model_pb2.ListModelsRequest(), metadata=metadata))
        assert (code, info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
        assert "ZeroDivisionError" in message
        assert "secret" not in message


@pytest.mark.parametrize("private", [True, False])
def test_resume_checks_the_folders_again_unless_the_server_is_private(
    settings: Settings, clip: Path, tmp_path: Path, private: bool
) -> None:
    (clip.parent / "plan.json").write_text(json.dumps({"window_count": 1, "silent_seconds": 60}))
    with Server(settings, runner=RUNNER) as server, grpc.insecure_channel(server.address) as channel:
        caller = Caller(channel, (("authorization", f"Bearer {server.token}"),))
        name = caller.cancel(caller.submit(_spec(clip)).name).name
    (clip.parent / "plan.json").write_text(json.dumps({"window_count": 1}))
    flags = {"state_folder": settings.state_folder, "allowed_folders": [tmp_path / "elsewhere"]}
    elsewhere = Settings.load(flags, environment={})
    with (
        Server(elsewhere, runner=RUNNER, private=private) as server,
        grpc.insecure_channel(server.address) as channel,
    ):
        caller = Caller(channel, (("authorization", f"Bearer {server.token}"),))
        request = job_pb2.ResumeJobRequest(name=name)
        if private:
            caller.jobs.ResumeJob(request, metadata=caller.metadata)
            assert list(caller.watch(name))[-1].state == job_pb2.Job.SUCCEEDED
        else:
            refusal = _refusal(lambda: caller.jobs.ResumeJob(request, metadata=caller.metadata))
            assert refusal[2].reason == "OUTSIDE_ALLOWED_FOLDERS"


_SERVE = """
import sys
from pathlib import Path
from cleanplate_server.config import Settings
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.service.server import Server
server = Server(Settings.from_json(sys.argv[1]), runner=RunnerPlace("fake_runners:run", Path(sys.argv[2])))
server.start()
server.wait()
"""


def test_killed_server_resumes_where_it_was_with_the_same_bytes(settings: Settings, clip: Path, tmp_path: Path) -> None:
    media = clip.parent
    (media / "plan.json").write_text(json.dumps({"window_count": 15, "window_seconds": 0.05}))
    arguments = [sys.executable, "-c", _SERVE, settings.to_json(), str(RUNNER.search_folder)]
    with subprocess.Popen(arguments) as process:
        address = settings.state_folder / "server.json"
        _wait_for(address.exists)
        token = (settings.state_folder / "token").read_text()
        with grpc.insecure_channel(json.loads(address.read_text())["address"]) as channel:
            caller = Caller(channel, (("authorization", f"Bearer {token}"),))
            name = caller.submit(_spec(clip)).name
            _wait_for(lambda: (media / "plan.done").exists() and len((media / "plan.done").read_text().split()) > 3)
            process.send_signal(signal.SIGKILL)
    done_before = len((media / "plan.done").read_text().split())
    assert done_before < 15
    with Server(settings, runner=RUNNER) as server, grpc.insecure_channel(server.address) as channel:
        caller = Caller(channel, (("authorization", f"Bearer {server.token}"),))
        assert list(caller.watch(name))[-1].state == job_pb2.Job.SUCCEEDED
    assert (media / "out.mkv").read_bytes() == b"".join(f"{number:05d}".encode() * 1000 for number in range(15))
    assert len((media / "plan.done").read_text().split()) <= 16  # the window that was begun may be done twice
    assert sorted(path.name for path in media.iterdir()) == ["out.mkv", "plan.done", "plan.json", "shot"]


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)
