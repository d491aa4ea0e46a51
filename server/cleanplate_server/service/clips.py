"""Clips that are open for prompts: a few of them, the least used closed first."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from cleanplate_server.clip import Media
from cleanplate_server.errors import NotFoundError
from cleanplate_server.models.protocols import Segmenter
from cleanplate_server.models.registry import Registry
from cleanplate_server.stages.decode import probe
from cleanplate_server.stages.segment import ClipSession

_OPEN_LIMIT = 8


@dataclass
class _Open:
    """A clip and how many calls use it now; one that was dropped in use is closed by its last user."""

    name: str
    source: tuple[str, int, Fraction | None, int]
    session: ClipSession
    user_count: int = 0
    dropped: bool = False


class Segmenters:
    """Segmenters by name, each made once, because a network takes seconds to load."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._made: dict[str, Segmenter] = {}
        self._lock = threading.Lock()

    def __call__(self, name: str) -> Segmenter:
        """The named segmenter, or the preferred one.

        Raises:
            NotFoundError, EngineError: it is not known, or cannot run.
        """
        with self._lock:
            if name not in self._made:
                self._made[name] = self._registry.segmenter(name)
            return self._made[name]


class OpenClips:
    """The open clips of a server. Safe to use from several threads.

    Args:
        segmenters: for their prompts.
    """

    def __init__(self, segmenters: Segmenters) -> None:
        self._segmenters = segmenters
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._lock = threading.Lock()
        self._opening = threading.Lock()

    def open(self, path: Path, *, stream_index: int, sequence_rate: Fraction | None = None) -> tuple[str, Media]:
        """Opens a clip; media that is open, and has not changed since, gives the same clip.

        Args:
            path, stream_index, sequence_rate: as for ``stages.decode.probe``.

        Returns:
            Its name, ``clips/ID``, and what is known of it.

        Raises:
            NotFoundError, AccessError, InputError, MediaError: see ``stages.decode.probe``.
        """
        with self._opening:
            source = (str(path), stream_index, sequence_rate, _changed_ns(path))
            with self._lock:
                known = next((clip for clip in self._open.values() if clip.source == source), None)
                if known:
                    self._open.move_to_end(known.name)
                    return known.name, known.session.media
            media = probe(path, stream_index=stream_index, sequence_rate=sequence_rate)
            session = ClipSession(media, self._segmenters)
            clip = _Open(f"clips/{secrets.token_hex(6)}", source, session)
            with self._lock:
                self._open[clip.name] = clip
                idle = list(self._open)[:-_OPEN_LIMIT]
        for name in idle:
            self.close(name)
        return clip.name, session.media

    @contextmanager
    def use(self, name: str) -> Iterator[ClipSession]:
        """The session of an open clip, which stays open as long as it is used.

        Raises:
            NotFoundError: no clip of this name is open.
        """
        with self._lock:
            clip = self._open.get(name)
            if clip is None:
                raise NotFoundError(
                    f"no clip '{name}' is open; open its media again",
                    reason="CLIP_NOT_OPEN",
                    metadata={"clip": name},
                )
            self._open.move_to_end(name)
            clip.user_count += 1
        try:
            yield clip.session
        finally:
            with self._lock:
                clip.user_count -= 1
                last = clip.dropped and clip.user_count == 0
            if last:
                clip.session.close()

    @contextmanager
    def opened(self, path: Path, stream_index: int, sequence_rate: Fraction | None) -> Iterator[ClipSession]:
        """The session of media, opened if it is not open.

        Raises:
            NotFoundError, AccessError, InputError, MediaError: see ``stages.decode.probe``.
        """
        name, _ = self.open(path, stream_index=stream_index, sequence_rate=sequence_rate)
        with self.use(name) as session:
            yield session

    def close(self, name: str) -> None:
        """Forgets a clip; does nothing when it is not open."""
        with self._lock:
            clip = self._open.pop(name, None)
            if clip is None:
                return
            clip.dropped = True
            in_use = clip.user_count > 0
        if not in_use:
            clip.session.close()

    def close_all(self) -> None:
        """Forgets every clip."""
        for name in list(self._open):
            self.close(name)


def _changed_ns(path: Path) -> int:
    """When the media was last written; for a pattern, its folder. 0 when it is not there, which ``probe`` explains."""
    known = path if path.exists() else path.parent
    return known.stat().st_mtime_ns if known.exists() else 0
