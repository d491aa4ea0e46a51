"""Who does the windows: here, one after the other; a studio's farm fits behind the same Protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from cleanplate_server.models.protocols import Tick


class WindowWork(Protocol):
    """Work on any window of a shot, made of plain values and files, so that it can be sent elsewhere."""

    def __call__(self, window: range, tick: Tick) -> Path:
        """Does one window and returns its finished file; ticks for each frame done."""


class WindowExecutor(Protocol):
    """Runs windows and gives back their files in the order of the windows."""

    def run(self, work: WindowWork, windows: Iterable[range], tick: Tick) -> Iterator[tuple[range, Path]]:
        """Yields each window with its file as soon as it and all before it are done."""


class LocalExecutor:
    """Runs windows in this process."""

    def run(self, work: WindowWork, windows: Iterable[range], tick: Tick) -> Iterator[tuple[range, Path]]:
        for window in windows:
            yield window, work(window, tick)
