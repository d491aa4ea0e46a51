from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cleanplate.v1 import job_pb2
from cleanplate_server.config import Settings
from cleanplate_server.errors import ServerBusyError, StateError
from cleanplate_server.jobs.manager import JobManager
from cleanplate_server.jobs.process import RunnerPlace
from cleanplate_server.jobs.records import JobRecord, JobRequest
from cleanplate_server.jobs.states import JobState
from google.rpc import code_pb2, error_details_pb2, status_pb2

RUNNER = RunnerPlace("fake_runners:run", Path(__file__).parent)
Submit = Callable[..., JobRecord]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load({"state_folder": tmp_path / "state", "allowed_folders": [tmp_path]}, environment={})


@pytest.fixture
def manager(settings: Settings) -> Iterator[JobManager]:
    made = JobManager(settings, runner=RUNNER)
    made.start()
    yield made
    made.stop()


def _request(folder: Path, name: str, **plan: object) -> JobRequest:
    (folder / f"{name}.json").write_text(json.dumps({"window_count": 3, **plan}))
    spec = job_pb2.JobSpec(path=str(folder / f"{name}.json"))
    spec.fill.masks_path = str(folder)
    spec.output.path = str(folder / f"{name}.out")
    return JobRequest(spec.SerializeToString())


@pytest.fixture
def submit(manager: JobManager, tmp_path: Path) -> Submit:
    return lambda name="a", **plan: manager.submit(_request(tmp_path, name, **plan))


def _end(manager: JobManager, job_id: str) -> JobRecord:
    return list(manager.watch(job_id))[-1]


def _wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def _windows_done(folder: Path, name: str = "a") -> list[str]:
    file = folder / f"{name}.done"
    return file.read_text().split() if file.exists() else []


def test_job_runs_to_success_and_frees_its_folder(
    manager: JobManager, submit: Submit, settings: Settings, tmp_path: Path
) -> None:
    job = submit()
    seen = list(manager.watch(job.job_id))
    take = job_pb2.Take.FromString(seen[-1].take)
    assert seen[-1].state is JobState.SUCCEEDED
    assert seen[-1].notes == ("background was never seen",)
    assert (seen[-1].stages[0].stage, seen[-1].stages[0].done_frame_count) == ("inpaint", 3)
    assert (take.path, take.engines[0].name) == (str(tmp_path / "a.out"), "fake")
    _wait_for(lambda: not (settings.state_folder / "jobs" / job.job_id).exists())


def test_watch_opened_twice_gives_both_the_end(manager: JobManager, submit: Submit) -> None:
    job = submit(window_seconds=0.05)
    assert next(iter(manager.watch(job.job_id))).job_id == job.job_id
    assert _end(manager, job.job_id).state is JobState.SUCCEEDED
    assert _end(manager, job.job_id).state is JobState.SUCCEEDED


def test_watch_nobody_wants_ends(manager: JobManager, submit: Submit) -> None:
    job = submit(silent_seconds=30)
    assert list(manager.watch(job.job_id, wanted=lambda: False)) == []


def test_failure_keeps_reason_and_values(manager: JobManager, submit: Submit, tmp_path: Path) -> None:
    error = status_pb2.Status.FromString(_end(manager, submit(fault="media").job_id).error)
    info = error_details_pb2.ErrorInfo()
    assert error.details[0].Unpack(info)
    assert (error.code, error.message) == (code_pb2.FAILED_PRECONDITION, "clip.mov ends early")
    assert (info.reason, info.domain, info.metadata["last_frame"]) == ("TRUNCATED", "cleanplate", "41")
    assert not (tmp_path / ".a.out.partial").exists()


def test_disk_full_gives_a_sentence(manager: JobManager, submit: Submit) -> None:
    error = status_pb2.Status.FromString(_end(manager, submit(fault="disk").job_id).error)
    assert error.message == "the disk is full at '/full/take.mov'; free some space and try again"


def test_fault_of_the_program_is_internal_and_the_next_job_runs(manager: JobManager, submit: Submit) -> None:
    failed, after = submit("a", fault="bug"), submit("b")
    error = status_pb2.Status.FromString(_end(manager, failed.job_id).error)
    assert error.code == code_pb2.INTERNAL
    assert "ZeroDivisionError" in error.message
    assert _end(manager, after.job_id).state is JobState.SUCCEEDED


def test_worker_that_dies_fails_its_job_and_the_next_job_runs(
    manager: JobManager, submit: Submit, tmp_path: Path
) -> None:
    dying, after = submit("a", fault="die"), submit("b")
    ended = _end(manager, dying.job_id)
    assert ended.state is JobState.FAILED
    assert "SIGKILL" in status_pb2.Status.FromString(ended.error).message
    assert _end(manager, after.job_id).state is JobState.SUCCEEDED


def test_cancel_of_a_ticking_job_acts_within_a_second(manager: JobManager, submit: Submit, tmp_path: Path) -> None:
    job = submit(window_count=1000, window_seconds=0.02)
    _wait_for(lambda: len(_windows_done(tmp_path)) > 2)
    start = time.monotonic()
    assert manager.cancel(job.job_id).state is JobState.CANCELLED
    assert time.monotonic() - start < 1.0
    assert not (tmp_path / ".a.out.partial").exists()
    assert not (tmp_path / "a.out").exists()


def test_cancel_of_a_job_that_never_ticks_acts_within_a_second(
    manager: JobManager, submit: Submit, tmp_path: Path
) -> None:
    job = submit(silent_seconds=60)
    _wait_for(lambda: bool(manager.get(job.job_id).stages))
    start = time.monotonic()
    assert manager.cancel(job.job_id).state is JobState.CANCELLED
    assert time.monotonic() - start < 1.0
    assert not (tmp_path / ".a.out.partial").exists()
    assert manager.cancel(job.job_id).state is JobState.CANCELLED
    assert _end(manager, submit("b").job_id).state is JobState.SUCCEEDED


def test_cancel_of_a_waiting_job_acts_at_once(manager: JobManager, submit: Submit) -> None:
    submit("a", silent_seconds=60)
    waiting = submit("b")
    assert manager.cancel(waiting.job_id).state is JobState.CANCELLED


def test_resume_does_only_what_is_not_finished(manager: JobManager, submit: Submit, tmp_path: Path) -> None:
    job = submit(window_count=12, window_seconds=0.05)
    _wait_for(lambda: len(_windows_done(tmp_path)) > 2)
    manager.cancel(job.job_id)
    manager.resume(job.job_id)
    assert _end(manager, job.job_id).state is JobState.SUCCEEDED
    assert sorted(set(_windows_done(tmp_path))) == [f"{number:05d}" for number in range(12)]
    assert len(_windows_done(tmp_path)) <= 13  # the one that was begun may be done twice


def test_resume_of_a_succeeded_job_is_refused(manager: JobManager, submit: Submit) -> None:
    job = submit()
    _end(manager, job.job_id)
    with pytest.raises(StateError, match="submit it again"):
        manager.resume(job.job_id)


def test_killed_worker_then_resume_gives_the_same_bytes(manager: JobManager, submit: Submit, tmp_path: Path) -> None:
    whole = submit("whole", window_count=12)
    job = submit("a", window_count=12, window_seconds=0.05)
    _end(manager, whole.job_id)
    _wait_for(lambda: len(_windows_done(tmp_path)) > 2)
    os.kill(int((tmp_path / "state" / "worker.lock").read_text()), signal.SIGKILL)
    assert _end(manager, job.job_id).state is JobState.FAILED
    assert not (tmp_path / ".a.out.partial").exists()
    manager.resume(job.job_id)
    assert _end(manager, job.job_id).state is JobState.SUCCEEDED
    assert (tmp_path / "a.out").read_bytes() == (tmp_path / "whole.out").read_bytes()
    assert len(_windows_done(tmp_path)) <= 13


def test_stopped_manager_leaves_its_job_to_the_next(settings: Settings, tmp_path: Path) -> None:
    first = JobManager(settings, runner=RUNNER)
    first.start()
    job = first.submit(_request(tmp_path, "a", window_count=12, window_seconds=0.05))
    _wait_for(lambda: len(_windows_done(tmp_path)) > 2)
    first.stop()
    assert not (tmp_path / ".a.out.partial").exists()
    second = JobManager(settings, runner=RUNNER)
    second.start()
    assert _end(second, job.job_id).state is JobState.SUCCEEDED
    second.stop()
    assert len(_windows_done(tmp_path)) <= 13


def test_manager_without_autostart_runs_only_what_is_resumed(settings: Settings, tmp_path: Path) -> None:
    first = JobManager(settings, runner=RUNNER)
    first.start()
    jobs = [first.submit(_request(tmp_path, name, silent_seconds=0.5)).job_id for name in ("a", "b")]
    first.stop()
    private = JobManager(settings, runner=RUNNER, autostart=False)
    private.start()
    private.resume(jobs[1])
    assert _end(private, jobs[1]).state is JobState.SUCCEEDED
    assert private.get(jobs[0]).state is JobState.PENDING
    private.stop()


def test_second_manager_on_the_folder_is_refused(manager: JobManager, settings: Settings) -> None:
    with pytest.raises(ServerBusyError, match=rf"process {os.getpid()}\) holds .*state"):
        JobManager(settings, runner=RUNNER).start()


def test_start_removes_folders_of_unknown_jobs(settings: Settings) -> None:
    left = settings.state_folder / "jobs" / "left"
    left.mkdir(parents=True)
    manager = JobManager(settings, runner=RUNNER)
    manager.start()
    manager.stop()
    assert not left.exists()


def test_worker_ends_when_its_server_is_gone(settings: Settings) -> None:
    settings.state_folder.mkdir()
    command = [sys.executable, "-m", "cleanplate_server.jobs.worker", "--runner", "fake_runners:run"]
    search = ["--search-folder", str(RUNNER.search_folder)]
    with subprocess.Popen([*command, *search], stdin=subprocess.PIPE) as worker:
        assert worker.stdin is not None
        worker.stdin.write(f"{settings.to_json()}\n".encode())
        worker.stdin.flush()
        _wait_for(lambda: (settings.state_folder / "jobs.sqlite").exists())
        worker.stdin.close()
        assert worker.wait(5) == 3
