"""A segmenter that gives way to lighter ones when a device's memory is too small for it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from cleanplate_server.errors import DeviceMemoryError
from cleanplate_server.models.protocols import RGB, EngineInfo, Nearby, PreparedImage, Segmenter

_log = logging.getLogger(__name__)


class YieldingSegmenter:
    """A `Segmenter`: the first of several that fits the device's memory; a lighter one that took over stays.

    Args:
        builders: make the engines, the wanted one first, each when its turn comes; at least one.

    Raises:
        DeviceMemoryError: the last one cannot be made either.
    """

    def __init__(self, builders: Sequence[Callable[[], Segmenter]]) -> None:
        self._builders = list(builders)
        self._told: list[str] = []
        self._lock = threading.Lock()
        self._current = self._build_next(None)

    @property
    def info(self) -> EngineInfo:
        return self._current.info

    @property
    def remarks(self) -> tuple[str, ...]:
        """What took over from what and why, a sentence each."""
        return tuple(self._told)

    def prepare(self, rgb: RGB, nearby: Nearby | None = None) -> PreparedImage:
        """Makes one frame ready with the engine whose turn it is; see `Segmenter.prepare`.

        Raises:
            DeviceMemoryError: memory is too small for it; ``give_way`` makes a lighter one take over.
        """
        return self._current.prepare(rgb, nearby)

    def give_way(self, name: str, error: DeviceMemoryError) -> bool:
        """Lets the next engine take over from the named one; frames have to be made ready again.

        Args:
            name: of the engine that failed; nothing is done when another has taken over meanwhile.
            error: how it failed.

        Returns:
            Whether another engine has its turn now.

        Raises:
            DeviceMemoryError: the last one cannot be made.
        """
        with self._lock:
            if self._current.info.name == name:
                if not self._builders:
                    return False
                self._current = self._build_next(error)
            return True

    def _build_next(self, error: DeviceMemoryError | None) -> Segmenter:
        while True:
            build = self._builders.pop(0)
            try:
                engine = build()
            except DeviceMemoryError as another:
                error = error or another
                if not self._builders:
                    raise
            else:
                if error is not None:
                    self._told.append(f"{error.happened}; {engine.info.name} finds objects instead")
                    _log.warning(self._told[-1])
                return engine
