from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cleanplate_server.errors import InputError, NotFoundError, StateError
from cleanplate_server.jobs.records import JobRequest, StageRow, WindowRow
from cleanplate_server.jobs.states import JobState
from cleanplate_server.jobs.store import JobStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    opened = JobStore(tmp_path)
    yield opened
    opened.close()


def test_submit_same_request_twice_gives_first_job(store: JobStore) -> None:
    first = store.submit(JobRequest(b"spec", "r1", "aa"))
    assert store.submit(JobRequest(b"spec", "r1", "aa")) == first
    assert len(store.page(10)) == 1


def test_submit_reused_request_id_is_refused(store: JobStore) -> None:
    store.submit(JobRequest(b"spec", "r1", "aa"))
    with pytest.raises(InputError, match=r"r1.*already used"):
        store.submit(JobRequest(b"other", "r1", "bb"))


def test_submit_without_request_id_makes_new_jobs(store: JobStore) -> None:
    assert store.submit(JobRequest(b"spec")).job_id != store.submit(JobRequest(b"spec")).job_id


def test_get_unknown_job_says_how_to_list(store: JobStore) -> None:
    with pytest.raises(NotFoundError, match=r"'nope'.*jobs list"):
        store.get("nope")


def test_page_gives_newest_first_and_goes_on(store: JobStore) -> None:
    ids = [store.submit(JobRequest(b"spec")).job_id for _ in range(3)]
    first = store.page(2)
    assert [record.job_id for record in first] == [ids[2], ids[1]]
    assert [record.job_id for record in store.page(2, before=first[-1].number)] == [ids[0]]


def test_claim_next_takes_the_oldest_of_those_named(store: JobStore) -> None:
    ids = [store.submit(JobRequest(b"spec")).job_id for _ in range(3)]
    assert store.claim_next({ids[1], ids[2]}) == ids[1]
    assert store.state(ids[1]) is JobState.RUNNING
    assert store.claim_next({ids[1]}) is None


def test_request_cancel_of_each_state_acts_as_it_can(store: JobStore) -> None:
    pending, running = (store.submit(JobRequest(b"spec")).job_id for _ in range(2))
    assert store.request_cancel(pending).state is JobState.CANCELLED
    assert store.request_cancel(pending).state is JobState.CANCELLED
    store.move(running, JobState.RUNNING)
    assert store.request_cancel(running).state is JobState.RUNNING
    assert store.cancel_requested(running)


def test_resumed_job_is_no_longer_asked_to_stop(store: JobStore) -> None:
    job = store.submit(JobRequest(b"spec")).job_id
    store.move(job, JobState.RUNNING)
    store.request_cancel(job)
    store.move(job, JobState.CANCELLED)
    resumed = store.move(job, JobState.PENDING)
    assert (resumed.cancel_requested, resumed.end_ns) == (False, 0)


def test_newer_gives_a_job_only_when_it_changed(store: JobStore) -> None:
    record = store.submit(JobRequest(b"spec"))
    assert store.newer(record.job_id, record.version) is None
    store.set_progress(record.job_id, [StageRow("decode", 1, 9, 2.5), StageRow("encode", 0, 9, 0.0)])
    store.set_progress(record.job_id, [StageRow("decode", 3, 9, 2.5)])
    store.add_note(record.job_id, "a note")
    changed = store.newer(record.job_id, record.version)
    assert changed is not None
    assert changed.stages == (StageRow("decode", 3, 9, 2.5), StageRow("encode", 0, 9, 0.0))
    assert changed.notes == ("a note",)


def test_two_connections_see_each_other(store: JobStore, tmp_path: Path) -> None:
    other = JobStore(tmp_path)
    job = other.submit(JobRequest(b"spec")).job_id
    store.set_window(job, "inpaint", "0", WindowRow("0.npz", "ff"))
    assert other.window(job, "inpaint", "0") == WindowRow("0.npz", "ff")
    other.close()


def test_open_store_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "jobs.sqlite")
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StateError, match="newer Cleanplate"):
        JobStore(tmp_path)


def test_store_of_an_earlier_version_is_read_and_goes_on(store: JobStore, tmp_path: Path) -> None:
    old = store.submit(JobRequest(b"spec"))
    store.close()
    connection = sqlite3.connect(tmp_path / "jobs.sqlite")
    connection.execute("ALTER TABLE jobs DROP COLUMN device_memory_estimate_bytes")
    connection.execute("PRAGMA user_version = 1")
    connection.close()
    again = JobStore(tmp_path)
    assert again.get(old.job_id) == old
    new = again.submit(JobRequest(b"spec", memory_estimate_bytes=5, device_memory_estimate_bytes=7))
    assert (new.memory_estimate_bytes, new.device_memory_estimate_bytes) == (5, 7)
    again.close()


def test_open_store_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "jobs.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(StateError, match="cannot be used"):
        JobStore(tmp_path)


def test_failed_transaction_leaves_nothing(store: JobStore) -> None:
    job = store.submit(JobRequest(b"spec"))
    with pytest.raises(StateError):
        store.move(job.job_id, JobState.SUCCEEDED)
    assert store.get(job.job_id) == job
