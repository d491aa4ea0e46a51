"""Which engine follows the objects of a job, and which takes over when a device's memory is too small for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.protocols import EngineInfo, Propagator, ShrinkingPropagator
from cleanplate_server.pipeline.job import Job
from cleanplate_server.stages.windows import write_bytes

T = TypeVar("T")

_LAST = "embedded"
"""The engine that needs no device."""
_WINDOW = "engines"
"""The ledger's name for the record of what took over."""


class Lineup:
    """The engine that is asked for, and after it the same at smaller sizes, then the embedded one.

    What took over is told to the user.

    Args:
        build: gives the engine of a name.
        wanted: the name that is asked for; empty is the preferred one.
        size: (height, width) of the frames.
        note: takes in a sentence on each that took over.
        told: sentences on those that took over before the work was stopped, whose turn is over.
        keep: takes in all such sentences, before the next engine has its turn.
    """

    def __init__(
        self, build: Callable[[str], Propagator], wanted: str, *, size: tuple[int, int], note: Callable[[str], None],
        told: Sequence[str] = (), keep: Callable[[Sequence[str]], None] | None = None,
    ) -> None:  # fmt: skip
        self._build = build
        self._size = size
        self._note = note
        self._keep = keep
        self._told: list[str] = []
        self._infos: list[EngineInfo] = []
        try:
            self._take(build(wanted))
        except DeviceMemoryError as error:
            self._take(build(_LAST))
            note(f"{error.happened}; {_LAST} follows the objects instead")
        for sentence in told:
            following = self._next()
            if following is not None:
                self._take(following)
            self._tell(sentence)

    @property
    def current(self) -> Propagator:
        """The engine whose turn it is."""
        return self._current

    @property
    def infos(self) -> tuple[EngineInfo, ...]:
        """The engines that had their turn, in order."""
        return tuple(self._infos)

    def run(self, work: Callable[[Propagator], T]) -> T:
        """Does work with the engine whose turn it is; when its memory is too small, again with the next one.

        Raises:
            DeviceMemoryError: of the last one.
        """
        while True:
            try:
                return work(self._current)
            except DeviceMemoryError as error:
                following = self._next()
                if following is None:
                    raise
                self._hand_over(following, error)

    def _next(self) -> Propagator | None:
        current = self._current
        smaller = current.smaller(self._size) if isinstance(current, ShrinkingPropagator) else None
        if smaller is not None:
            return smaller
        last = self._build(_LAST)
        return last if last.info != current.info else None

    def _hand_over(self, following: Propagator, error: DeviceMemoryError) -> None:
        if isinstance(following, ShrinkingPropagator) and following.info == self._current.info:
            height, width = following.working_size(self._size)
            self._tell(f"{error.happened}; it goes on seeing frames at {width} x {height}")
        else:
            self._tell(f"{error.happened}; {following.info.name} follows the objects instead")
        if self._keep is not None:
            self._keep(self._told)
        self._take(following)

    def _take(self, engine: Propagator) -> None:
        self._current = engine
        if engine.info not in self._infos:
            self._infos.append(engine.info)

    def _tell(self, sentence: str) -> None:
        self._told.append(sentence)
        self._note(sentence)


def job_lineup(job: Job, size: tuple[int, int]) -> Lineup:
    """The engines of a job; what took over is kept, so that a job that was stopped goes on with it.

    Args:
        job: what is asked for.
        size: (height, width) of its frames.
    """
    folder = job.ledger.folder / "propagate"

    def keep(told: Sequence[str]) -> None:
        # what one engine knew after a window means nothing to another: unfinished walks begin anew
        for state in folder.rglob("*.state"):
            state.unlink()
        file = folder / f"{_WINDOW}.json"
        write_bytes(file, json.dumps(told).encode())
        job.ledger.finish("propagate", _WINDOW, file)

    kept = job.ledger.finished("propagate", _WINDOW)
    return Lineup(
        lambda name: job.engines.propagator(name, job.spec.effort), job.spec.engines.get("propagator", ""), size=size,
        note=job.note, told=json.loads(kept.read_bytes()) if kept else (), keep=keep,
    )  # fmt: skip
