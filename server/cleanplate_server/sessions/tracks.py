"""Which masks there are for each object and frame, what each is worth, and what changed since somebody looked."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from cleanplate_server.models.protocols import Mask
from cleanplate_server.sessions.blobs import unpack, unpack_mask
from cleanplate_server.sessions.spans import FrameState, KeyMark, Span, cut_spans
from cleanplate_server.sessions.store import SessionStore, WalkedRow
from cleanplate_server.stages.propagate import join_directions


@dataclass(frozen=True)
class Shown:
    """The mask of one object on one frame, without its pixels.

    Args:
        state: what it is worth.
        confidence: 0 to 1.
        revision: other pixels have another one.
        key: where a person confirmed it.
        forward, backward: from where it was followed.
        ends: frames of the keys that it was followed from, for the join.
    """

    state: FrameState
    confidence: float = 0.0
    revision: int = 0
    key: KeyMark | None = None
    forward: WalkedRow | None = None
    backward: WalkedRow | None = None
    ends: tuple[int, int] = (0, 0)


_NOTHING = Shown(FrameState.NONE)
_KEPT_BASES = 4
"""Masks of a frame that are kept for undo while a person works, one for each way in which its keys stood."""


class Tracks:
    """All masks of a session. Safe to use from several threads.

    The store is never asked while the masks are locked: whoever changes both holds the store first.

    Args:
        store: holds the pixels.
    """

    def __init__(self, store: SessionStore) -> None:
        self._store = store
        self._lock = threading.RLock()
        self._walked: defaultdict[tuple[int, int], list[WalkedRow]] = defaultdict(list)
        for row in store.walked():
            self._walked[row.object_id, row.frame].append(row)
        self._shown: dict[int, dict[int, Shown]] = {}
        self._spans: dict[int, list[Span]] = {}
        self._judged: dict[int, dict[tuple[range, str], Span]] = {}
        self._engine = ""
        self._shots: Sequence[range] = ()
        self._version = 0
        self._versions: dict[tuple[int, int], int] = {}

    @property
    def version(self) -> int:
        """Grows when any mask changes."""
        return self._version

    def settle(self, object_ids: Iterable[int], keys: Sequence[KeyMark], shots: Sequence[range], engine: str) -> None:
        """Judges every mask by the keys that there are now.

        Args:
            object_ids: all objects.
            keys: of all objects.
            shots: nothing is followed across their ends.
            engine: name of the propagator that would follow.
        """
        with self._lock:
            self._engine, self._shots = engine, shots
            wanted = set(object_ids)
            for gone in set(self._shown) - wanted:
                del self._shown[gone], self._spans[gone], self._judged[gone]
            for object_id in wanted:
                own = [key for key in keys if key.object_id == object_id]
                self._spans[object_id] = [span for shot in shots for span in cut_spans(own, shot)]
                self._settle_object(object_id, own)

    def _settle_object(self, object_id: int, keys: Sequence[KeyMark]) -> None:
        """Judges the spans anew whose keys, or engine, are others than before; a range may be an hour long."""
        judged = {(span.frames, span.basis(self._engine)): span for span in self._spans[object_id]}
        before = self._judged.get(object_id, {})
        shown = self._shown.setdefault(object_id, {})
        fresh: dict[int, Shown] = {
            frame: _NOTHING for frames, basis in before if (frames, basis) not in judged for frame in frames
        }
        fresh |= {frame: _NOTHING for frame, old in shown.items() if old.key is not None}
        for (frames, basis), span in judged.items():
            if (frames, basis) not in before:
                fresh |= {frame: self._judge(span, basis, frame) for frame in frames}
        fresh |= {key.frame: Shown(FrameState.KEY, 1.0, 2 * key.number + 1, key=key) for key in keys}
        self._judged[object_id] = judged
        changed = [frame for frame, now in fresh.items() if shown.get(frame, _NOTHING) != now]
        for frame in changed:
            if fresh[frame] == _NOTHING:
                del shown[frame]
            else:
                shown[frame] = fresh[frame]
        self._note(object_id, changed)

    def _judge(self, span: Span, basis: str, frame: int) -> Shown:
        rows = self._walked.get((span.object_id, frame), [])
        own = {row.direction: row for row in rows if row.basis == basis}
        state = FrameState.FOLLOWED if len(own) == len(span.directions) else FrameState.HALF
        if not own:
            if not rows:
                return _NOTHING
            state = FrameState.STALE
            own = {row.direction: row for row in rows if row.basis == rows[-1].basis}
        found = [row for row in (own.get("forward"), own.get("backward")) if row]
        ends = (span.before.frame if span.before else frame, span.after.frame if span.after else frame)
        return Shown(
            state,
            min(row.confidence for row in found),
            2 * max(row.number for row in found),
            None,
            own.get("forward"),
            own.get("backward"),
            ends,
        )

    def add(self, row: WalkedRow) -> None:
        """Takes in a mask that was just followed."""
        with self._lock:
            rows = self._walked[row.object_id, row.frame]
            rows[:] = [old for old in rows if (old.direction, old.basis) != (row.direction, row.basis)] + [row]
            span = next((each for each in self._spans.get(row.object_id, ()) if row.frame in each.frames), None)
            if span is not None:
                self._shown[row.object_id][row.frame] = self._judge(span, span.basis(self._engine), row.frame)
                self._note(row.object_id, [row.frame])
            newest = list(dict.fromkeys(old.basis for old in reversed(rows)))[:_KEPT_BASES]
            gone = self._take_out([old for old in rows if old.basis not in newest])
        if gone:
            self._store.drop_walked(gone)

    def prune(self) -> None:
        """Lets go of every mask that only undo could bring back.

        On frames that are not worked on now the last masks stay, for they may be again.
        """
        with self._lock:
            rows = [row for rows in self._walked.values() for row in rows]
            last = {place: rows[-1].basis for place, rows in self._walked.items() if rows}
            worked = {frame for shot in self._shots for frame in shot}
            gone = self._take_out([
                row for row in rows
                if row.object_id not in self._shown
                or (row.frame in worked or row.basis != last[row.object_id, row.frame])
            ])  # fmt: skip
        if gone:
            self._store.drop_walked(gone)

    def _take_out(self, rows: Sequence[WalkedRow]) -> list[int]:
        """Forgets masks, but none that is shown; gives their numbers."""
        gone = [row for row in rows if not self._shows(row)]
        for row in gone:
            self._walked[row.object_id, row.frame].remove(row)
        return [row.number for row in gone]

    def _shows(self, row: WalkedRow) -> bool:
        shown = self._shown.get(row.object_id, {}).get(row.frame, _NOTHING)
        return row in (shown.forward, shown.backward)

    def _note(self, object_id: int, frames: Sequence[int]) -> None:
        if frames:
            self._version += 1
            self._versions.update(((object_id, frame), self._version) for frame in frames)

    def changes(self, since: int) -> tuple[int, dict[int, dict[int, Shown]]]:
        """Masks that have changed after a version, by object and frame, and the version now."""
        with self._lock:
            changed: defaultdict[int, dict[int, Shown]] = defaultdict(dict)
            if since < self._version:
                for (object_id, frame), version in self._versions.items():
                    if version > since and object_id in self._shown:
                        changed[object_id][frame] = self._shown[object_id].get(frame, _NOTHING)
            return self._version, dict(changed)

    def all(self) -> tuple[int, dict[int, dict[int, Shown]]]:
        """Every mask by object and frame, and the version now."""
        with self._lock:
            return self._version, {object_id: dict(frames) for object_id, frames in self._shown.items()}

    def shown(self, object_id: int, frame: int) -> Shown:
        """What there is for an object on a frame."""
        with self._lock:
            return self._shown.get(object_id, {}).get(frame, _NOTHING)

    def spans(self, object_id: int) -> list[Span]:
        """The spans of an object by its keys now."""
        with self._lock:
            return list(self._spans.get(object_id, ()))

    def is_walked(self, span: Span, basis: str, frame: int, direction: str) -> bool:
        """Whether a frame was followed from one side by the keys now."""
        with self._lock:
            rows = self._walked.get((span.object_id, frame), ())
            return any(row.basis == basis and row.direction == direction for row in rows)

    def mask(self, object_id: int, frame: int) -> Mask | None:
        """bool [H, W]; None where there is none."""
        while True:
            shown = self.shown(object_id, frame)
            if shown.key is not None:
                packed = self._store.key_mask(object_id, frame)
                return unpack_mask(packed) if packed else None
            rows = (shown.forward, shown.backward)
            if not any(rows):
                return None
            blobs = [self._store.alpha(row.number) if row else None for row in rows]
            if [row is None for row in rows] == [blob is None for blob in blobs]:
                break  # else something else is shown by now, and this was let go
        forward, backward = (
            (end, unpack(blob)) if blob else None for end, blob in zip(shown.ends, blobs, strict=True)
        )  # fmt: skip
        return join_directions(frame, forward, backward)

    def union(self, object_ids: Iterable[int], frame: int, size: tuple[int, int]) -> Mask:
        """bool [H, W] of several objects; all False where none has a mask."""
        joined = np.zeros(size, np.bool_)
        for object_id in object_ids:
            mask = self.mask(object_id, frame)
            if mask is not None:
                joined |= mask
        return joined


def confidence_of(alpha: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> float:
    """How little an engine wavers on a frame: the overlap of its probability with the mask that it gives.

    Args:
        alpha: uint8 [H, W], 255 is certain.

    Returns:
        0 to 1; without a mask, how sure it is that there is none.
    """
    mask = alpha >= 128
    inside = float(alpha[mask].sum(dtype=np.int64))
    if not mask.any():
        return 1.0 - float(alpha.max()) / 255
    outside = float(alpha[~mask].sum(dtype=np.int64))
    return inside / (255.0 * float(np.count_nonzero(mask)) + outside)
