"""A name finder that goes on on the CPU when a device's memory is too small for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.protocols import RGB, EngineInfo, NameAnswer, NameFinder

_log = logging.getLogger(__name__)
_CPU = "cpu"


class YieldingFinder:
    """A `NameFinder` on a device as long as it fits there, then on the CPU; its answers say so.

    Args:
        build: makes it on a device.
        device: to begin with.

    Raises:
        DeviceMemoryError: the CPU's memory is too small, too.
    """

    def __init__(self, build: Callable[[str], NameFinder], device: str) -> None:
        self._build = build
        self._device = device
        self._told = ""
        self._lock = threading.Lock()
        try:
            self._current = build(device)
        except DeviceMemoryError as error:
            self._current = self._move(error)

    @property
    def info(self) -> EngineInfo:
        return self._current.info

    def find(self, rgb: RGB, words: str) -> NameAnswer:
        """Finds everything on a frame that words may mean; see `NameFinder`."""
        with self._lock:
            try:
                answer = self._current.find(rgb, words)
            except DeviceMemoryError as error:
                self._current = self._move(error)
                answer = self._current.find(rgb, words)
        said = "; ".join(sentence for sentence in (self._told, answer.remark) if sentence)
        return replace(answer, remark=said)

    def _move(self, error: DeviceMemoryError) -> NameFinder:
        if self._device == _CPU:
            raise error
        self._device = _CPU
        self._told = f"{error.happened}; names are looked for on the CPU instead"
        _log.warning(self._told)
        return self._build(_CPU)
