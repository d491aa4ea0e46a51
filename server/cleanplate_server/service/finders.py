"""Name finders of a server, each made once."""

from __future__ import annotations

import threading

from cleanplate_server.models.protocols import NameFinder
from cleanplate_server.models.registry import Registry


class NameFinders:
    """Name finders by name; a network takes seconds to load. Safe to use from several threads."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made: dict[str, NameFinder] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> NameFinder:
        """The named finder, or the preferred one.

        Raises:
            NotFoundError, EngineError: it is not known, or cannot run.
        """
        with self._lock:
            if name not in self._made:
                self._made[name] = self._registry.name_finder(name)
            return self._made[name]
