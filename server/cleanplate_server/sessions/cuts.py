"""Looks for cuts in a session's range, and steps aside while somebody waits for an answer."""

from __future__ import annotations

import logging
import threading

from cleanplate_server.errors import CleanplateError
from cleanplate_server.sessions.session import PickSession
from cleanplate_server.stages.cuts import find_cuts
from cleanplate_server.stages.decode import Decoder

_log = logging.getLogger(__name__)
_ASIDE_SECONDS = 0.4
_PAUSE_SECONDS = 0.05


class CutSearch:
    """Searches in a thread, once for each session.

    Args:
        session: is told what was found.
    """

    def __init__(self, session: PickSession) -> None:
        self._session = session
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="session-cuts", daemon=True)

    def start(self) -> None:
        """Begins, if it was not done before."""
        if self._session.state.cuts is None:
            self._thread.start()

    def close(self) -> None:
        """Ends the search and waits for it."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _steps_aside(self) -> bool:
        state = self._session.state
        busy = not state.is_idle(_ASIDE_SECONDS)
        return busy and not (self._stop.is_set() or state.cuts_wanted.is_set())

    def _run(self) -> None:
        session, frames, cuts = self._session, self._session.state.clip.frames, []
        try:
            with Decoder(session.state.clip.media) as decoder:
                for frame, is_cut in find_cuts(decoder.plates(frames), session.state.clip.media):
                    cuts += [frame] if is_cut else []
                    while self._steps_aside():
                        self._stop.wait(_PAUSE_SECONDS)
                    if self._stop.is_set():
                        return
            session.state.take_cuts(cuts, frames)
        except CleanplateError as error:
            # The range cannot be decoded to its end: what is known stands, and whoever follows meets the same sentence.
            _log.warning("no cuts are looked for in session %s: %s", session.session_id, error)
            session.state.take_cuts(cuts, frames)
