from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cleanplate_server.errors import JobCancelledError
from cleanplate_server.jobs.ledger import StoreLedger
from cleanplate_server.jobs.records import JobRequest
from cleanplate_server.jobs.states import JobState
from cleanplate_server.jobs.store import JobStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    opened = JobStore(tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def job_id(store: JobStore) -> str:
    job = store.submit(JobRequest(b"spec")).job_id
    store.move(job, JobState.RUNNING)
    return job


@pytest.fixture
def ledger(store: JobStore, job_id: str, tmp_path: Path) -> StoreLedger:
    folder = tmp_path / "job"
    folder.mkdir()
    return StoreLedger(store, job_id, folder=folder)


def _finish(ledger: StoreLedger) -> Path:
    file = ledger.folder / "inpaint" / "0.bin"
    file.parent.mkdir()
    file.write_bytes(b"window")
    ledger.finish("inpaint", "0", file)
    return file


def test_finished_window_is_given_back(ledger: StoreLedger) -> None:
    file = _finish(ledger)
    assert ledger.finished("inpaint", "0") == file
    assert ledger.finished("inpaint", "1") is None
    assert ledger.finished("matte", "0") is None


def test_finished_window_with_changed_bytes_must_be_done_again(ledger: StoreLedger) -> None:
    _finish(ledger).write_bytes(b"wind0w")
    assert ledger.finished("inpaint", "0") is None


def test_finished_window_whose_file_is_gone_must_be_done_again(ledger: StoreLedger) -> None:
    _finish(ledger).unlink()
    assert ledger.finished("inpaint", "0") is None


def test_progress_of_many_frames_is_written_seldom_but_ends_exact(
    store: JobStore, ledger: StoreLedger, job_id: str
) -> None:
    before = store.get(job_id).version
    for done in range(1, 501):
        ledger.progress("decode", done, 500)
    record = store.get(job_id)
    assert record.stages[0].done_frame_count == 500
    assert record.version - before < 50


def test_progress_of_a_new_stage_keeps_the_last_count_of_the_one_before(
    store: JobStore, ledger: StoreLedger, job_id: str
) -> None:
    for done in (1, 2, 3):
        ledger.progress("decode", done, 10)
    ledger.progress("encode", 1, 10)
    assert [row.done_frame_count for row in store.get(job_id).stages] == [3, 1]


def test_progress_after_cancel_raises(store: JobStore, ledger: StoreLedger, job_id: str) -> None:
    store.request_cancel(job_id)
    with pytest.raises(JobCancelledError):
        ledger.progress("decode", 1, 10)


def test_note_twice_is_kept_once(store: JobStore, ledger: StoreLedger, job_id: str) -> None:
    ledger.note("one")
    ledger.note("one")
    assert store.get(job_id).notes == ("one",)
