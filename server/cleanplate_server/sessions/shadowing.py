"""Finds the shadows that a session's objects cast, by the finder that jobs use."""

from __future__ import annotations

import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from cleanplate_server.clip import Media
from cleanplate_server.models.embedded.survey import walk
from cleanplate_server.models.protocols import Box, Mask
from cleanplate_server.sessions.blobs import pack_mask
from cleanplate_server.sessions.runs import Stopper
from cleanplate_server.sessions.store import SessionStore
from cleanplate_server.sessions.tracks import Tracks
from cleanplate_server.stages.decode import Decoder
from cleanplate_server.stages.plates import MaskedShot, PlateCache
from cleanplate_server.stages.shadow import ShadowFinder
from cleanplate_server.stages.windows import bounding_box

_CACHE_BYTES = 192 << 20
_HELD = 32


class _Union:
    """All visible objects in one mask (``stages.plates.MaskSource``)."""

    def __init__(self, tracks: Tracks, object_ids: Sequence[int], size: tuple[int, int]) -> None:
        self._tracks, self._object_ids, self._size = tracks, object_ids, size
        self._held: OrderedDict[int, Mask] = OrderedDict()

    def mask(self, frame: int) -> Mask:
        if frame not in self._held:
            self._held[frame] = self._tracks.union(self._object_ids, frame, self._size)
            while len(self._held) > _HELD:
                self._held.popitem(last=False)
        return self._held[frame]

    def box(self, frame: int) -> Box | None:
        return bounding_box(self.mask(frame))


def find_shadows(
    media: Media, shots: Sequence[range], object_ids: Sequence[int], tracks: Tracks, store: SessionStore,
    stopper: Stopper,
) -> None:  # fmt: skip
    """Finds the shadow on every frame that has a mask, and keeps it.

    Raises:
        JobCancelledError: it was stopped.
        MediaError: a frame cannot be decoded.
    """
    union = _Union(tracks, object_ids, media.size)
    worked = [shot for shot in shots if any(tracks.shown(o, frame).revision for o in object_ids for frame in shot)]
    total, done = 2 * sum(map(len, worked)), 0

    def tick(frame: int) -> None:
        nonlocal done
        stopper.check()
        done += 1
        stopper.progress(done, total)

    with Decoder(media) as decoder, tempfile.TemporaryDirectory(prefix="cleanplate-survey-") as folder:
        plates = PlateCache(decoder, _CACHE_BYTES)
        for shot in worked:
            own = Path(folder) / str(shot.start)
            own.mkdir()
            frames = MaskedShot(plates, media, shot, union)
            finder = ShadowFinder(frames, walk(frames, own, tick))
            for frame in shot:
                store.put_shadow(frame, pack_mask(finder.shadow(frame)))
                tick(frame)
