from __future__ import annotations

import pytest
from cleanplate_server.errors import StateError
from cleanplate_server.jobs.states import JobState, check_move


def test_move_pending_to_running_is_legal() -> None:
    check_move("a", JobState.PENDING, JobState.RUNNING)


@pytest.mark.parametrize("after", [JobState.PENDING, JobState.RUNNING, JobState.CANCELLED])
def test_move_from_succeeded_is_refused(after: JobState) -> None:
    with pytest.raises(StateError, match=r"job a is SUCCEEDED .*submit it again"):
        check_move("a", JobState.SUCCEEDED, after)


def test_move_pending_to_succeeded_is_refused() -> None:
    with pytest.raises(StateError, match="cancel it first"):
        check_move("a", JobState.PENDING, JobState.SUCCEEDED)
