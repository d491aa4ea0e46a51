"""Shots that hosts have announced: prompted by a person, cleaned by a job, placed by the host.

::

    WAITING ──submit──▶ WORKING ──job done──▶ READY ──report──▶ PLACED
       ▲                   │ ▲                  │
       └── submit refused ─┤ └── submit ─┐      │
                           └──▶ FAILED ──┴──◀───┘        and from all but PLACED: ──cancel──▶ CANCELLED
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import grpc
from cleanplate.v1 import job_pb2, media_pb2, shot_pb2

from cleanplate_plugin.gateway.latest import Latest
from cleanplate_plugin.gateway.refusals import RefusedError
from cleanplate_plugin.timeline import Span, Use

Shot = shot_pb2.Shot
State: TypeAlias = "shot_pb2.Shot.State.ValueType"

_SHOT_LIMIT = 64
WORKING_LIMIT = 8
"""Each holds a thread, and a stream of the server's."""
_MESSAGE_LIMIT = 1000

ENDED: tuple[State, ...] = (Shot.PLACED, Shot.CANCELLED)
_MAY_SUBMIT: tuple[State, ...] = (Shot.WAITING, Shot.FAILED)
_IN_HAND: tuple[State, ...] = (Shot.WORKING, Shot.READY)


@dataclass
class Announced:
    """A shot and what the gateway alone needs of it.

    Args:
        shot: as it stands; changed by its book alone.
        use: the clip, settled.
        part: record frames from its start; None is all.
        fingerprint: of the announcement.
        attempt: counts submissions; what an older one still says is not heard.
        latest: for those who watch.
    """

    shot: Shot
    use: Use
    part: Span | None
    fingerprint: str
    attempt: int = 0
    latest: Latest[Shot] = field(default_factory=Latest)

    def copy(self) -> Shot:
        shot = Shot()
        shot.CopyFrom(self.shot)
        return shot


class ShotBook:
    """All shots of one run of the gateway, and which state may follow which. Safe to use from several threads."""

    def __init__(self) -> None:
        self._shots: OrderedDict[str, Announced] = OrderedDict()
        self._lock = threading.Lock()

    def add(self, announced: Announced) -> Shot:
        """Takes in a shot that WAITS, under a name of its own.

        Raises:
            RefusedError: too many shots are being worked on.
        """
        with self._lock:
            self._make_room()
            announced.shot.name = f"shots/{secrets.token_hex(6)}"
            announced.shot.state = Shot.WAITING
            self._shots[announced.shot.name] = announced
            return self._publish(announced)

    def find(self, name: str) -> Announced:
        """A shot by its name.

        Raises:
            RefusedError: NOT_FOUND.
        """
        with self._lock:
            found = self._shots.get(name)
        if found is None:
            raise RefusedError(
                f"there is no shot {name!r}; announce it again from the editing program",
                grpc.StatusCode.NOT_FOUND,
                reason="NO_SHOT",
            )
        return found

    def of_session(self, session: str) -> Shot | None:
        """The shot that was last announced for a session; None without one."""
        with self._lock:
            found = [each for each in self._shots.values() if each.shot.session == session]
            return found[-1].copy() if found else None

    def get(self, name: str) -> Shot:
        """A shot as it stands."""
        announced = self.find(name)
        with self._lock:
            return announced.copy()

    def open_clip(self, announced: Announced, clip: media_pb2.Clip) -> Shot:
        """Notes under which name the server has the media open."""
        with self._lock:
            announced.shot.clip.CopyFrom(clip)
            return self._publish(announced)

    def begin(self, announced: Announced) -> int:
        """WORKING, as one more attempt, which is given back.

        Raises:
            RefusedError: it is not the moment, or too many shots are being worked on.
        """
        with self._lock:
            self._require(announced, _MAY_SUBMIT, "be submitted")
            if sum(each.shot.state == Shot.WORKING for each in self._shots.values()) >= WORKING_LIMIT:
                raise _too_many(WORKING_LIMIT)
            announced.attempt += 1
            announced.shot.ClearField("job")
            self._move(announced, Shot.WORKING, "")
            return announced.attempt

    def take_back(self, announced: Announced, attempt: int) -> None:
        """WAITING again, because the server has refused the job."""
        with self._lock:
            if _is_current(announced, attempt):
                self._move(announced, Shot.WAITING, "")

    def show_job(self, announced: Announced, attempt: int, job: job_pb2.Job) -> bool:
        """Notes how far the job is.

        Returns:
            False when nobody wants this attempt any more.
        """
        with self._lock:
            if not _is_current(announced, attempt):
                return False
            announced.shot.job.CopyFrom(job)
            self._publish(announced)
            return True

    def ready(self, announced: Announced, attempt: int, placement: shot_pb2.Placement) -> None:
        """The clean media is there."""
        with self._lock:
            if _is_current(announced, attempt):
                announced.shot.placement.CopyFrom(placement)
                self._move(announced, Shot.READY, "")

    def fail(self, announced: Announced, attempt: int, sentence: str) -> None:
        """The job has failed; prompts may be given again."""
        with self._lock:
            if _is_current(announced, attempt):
                self._move(announced, Shot.FAILED, sentence)

    def report(self, announced: Announced, state: State, message: str) -> tuple[Shot, str]:
        """What the host, or the person, has done about it.

        Args:
            state: PLACED, FAILED or CANCELLED. Saying the same twice is no error.

        Returns:
            The shot, and the name of the job that is no longer wanted, if one is at work.

        Raises:
            RefusedError: another state, or not the moment.
        """
        allowed: dict[State, tuple[State, ...]] = {
            Shot.PLACED: (Shot.READY,),
            Shot.FAILED: (Shot.WAITING, *_IN_HAND),
            Shot.CANCELLED: (Shot.WAITING, Shot.FAILED, *_IN_HAND),
        }
        if state not in allowed:
            raise RefusedError(
                f"a shot cannot be reported as {_name(state)}; give PLACED, FAILED or CANCELLED",
                grpc.StatusCode.INVALID_ARGUMENT,
                reason="INVALID_STATE",
            )
        with self._lock:
            before = announced.shot.state
            if before == state:
                return announced.copy(), ""
            self._require(announced, allowed[state], f"be reported as {_name(state)}")
            unwanted = announced.shot.job.name if before == Shot.WORKING else ""
            return self._move(announced, state, _one_line(message)), unwanted

    def check_open(self, announced: Announced) -> None:
        """Refuses a shot that nobody waits for any more.

        Raises:
            RefusedError: FAILED_PRECONDITION.
        """
        with self._lock:
            self._require(announced, (Shot.WAITING, *_IN_HAND), "be placed")

    def watch(self, announced: Announced, heartbeat_seconds: float) -> Iterator[Shot | None]:
        """The shot each time that it changes, until it is PLACED or CANCELLED; None is a heartbeat."""
        seen, last = 0, False
        while not last:
            seen, shot, last = announced.latest.wait(seen, heartbeat_seconds)
            yield shot

    def close(self) -> None:
        """Ends every watch."""
        with self._lock:
            for announced in self._shots.values():
                announced.latest.close()

    def _move(self, announced: Announced, state: State, message: str) -> Shot:
        announced.shot.state = state
        announced.shot.message = message
        if state != Shot.READY and state != Shot.PLACED:
            announced.shot.ClearField("placement")
        return self._publish(announced)

    def _publish(self, announced: Announced) -> Shot:
        announced.latest.put(announced.copy())
        if announced.shot.state in ENDED:
            announced.latest.close()
        return announced.copy()

    def _make_room(self) -> None:
        while len(self._shots) >= _SHOT_LIMIT:
            idle = next((name for name, each in self._shots.items() if each.shot.state not in _IN_HAND), None)
            if idle is None:
                raise _too_many(_SHOT_LIMIT)
            self._shots.pop(idle).latest.close()

    def _require(self, announced: Announced, states: tuple[State, ...], what: str) -> None:
        state = announced.shot.state
        if state not in states:
            raise RefusedError(
                f"the shot of clip '{announced.shot.clip_name}' is {_name(state)} and cannot {what};"
                f" that needs {' or '.join(map(_name, states))}",
                grpc.StatusCode.FAILED_PRECONDITION,
                reason="WRONG_STATE",
            )


def _is_current(announced: Announced, attempt: int) -> bool:
    return announced.attempt == attempt and announced.shot.state == Shot.WORKING


def _name(state: State) -> str:
    return Shot.State.Name(state) if state in Shot.State.values() else str(state)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:_MESSAGE_LIMIT]


def _too_many(limit: int) -> RefusedError:
    return RefusedError(
        f"{limit} shots are being worked on already; wait until one is done, or cancel one",
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        reason="TOO_MANY_SHOTS",
    )
