"""The newest of a row of values, handed from the thread that makes it to those that wait."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Latest(Generic[Value]):
    """A place for one value. A slow reader misses values in between, never the last one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._value: Value | None = None
        self._version = 0
        self._closed = False

    def put(self, value: Value) -> None:
        """Takes the place of what was there."""
        with self._changed:
            self._value = value
            self._version += 1
            self._changed.notify_all()

    def close(self) -> None:
        """Says that nothing will follow."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def wait(self, seen: int, seconds: float) -> tuple[int, Value | None, bool]:
        """Waits for a value that is newer than the one seen.

        Args:
            seen: version of the last value, 0 for none.
            seconds: how long at most.

        Returns:
            The version, the value (None when there is no newer one), and whether it is the last.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._version > seen or self._closed, seconds)
            value = self._value if self._version > seen else None
            return self._version, value, self._closed
