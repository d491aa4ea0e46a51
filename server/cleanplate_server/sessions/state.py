"""What a session is: objects, keys, settings, masks; kept in its store, told to whoever watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from cleanplate.v1 import picker_pb2

from cleanplate_server.clip import ClipRange
from cleanplate_server.errors import InputError, RangeError
from cleanplate_server.models.protocols import Key
from cleanplate_server.models.registry import EngineStatus
from cleanplate_server.pipeline.remove import default_feather_px, default_grow_px
from cleanplate_server.sessions.blobs import unpack_mask
from cleanplate_server.sessions.store import ObjectRow, SessionStore
from cleanplate_server.sessions.tracks import Tracks
from cleanplate_server.stages.cuts import cut_shots

_COLORS = ("#e6550d", "#3182bd", "#31a354", "#a63db8", "#d6b000", "#00a0a0", "#e04a8b", "#7a6a4f")
OBJECT_LIMIT = 64


class SessionState:
    """What is known in a session. Safe to use from several threads.

    Args:
        clip: media and range.
        store: keeps it.
        engines: lists the engines that there are.

    Attributes:
        changed: notified after each change.
        lock: held while several things change together.
        cuts_wanted: somebody waits until cuts are known.
    """

    def __init__(self, clip: ClipRange, *, store: SessionStore, engines: Callable[[], list[EngineStatus]]) -> None:
        self.clip = clip
        self.store = store
        self.tracks = Tracks(store)
        self.changed = threading.Condition()
        self.lock = threading.RLock()
        self.cuts_wanted = threading.Event()
        self._engines = engines
        self._last_use = 0.0
        self._revision = int(store.fact("revision") or 0)
        self.settle()

    @property
    def revision(self) -> int:
        """Grows with every change. It is read while ``changed`` is held, so it waits for no other lock."""
        return self._revision

    @property
    def settings(self) -> picker_pb2.TakeSettings:
        """How masks become a take."""
        return picker_pb2.TakeSettings.FromString(bytes.fromhex(self.store.fact("settings")))

    @property
    def cuts(self) -> list[int] | None:
        """First frame of each shot but the first; None until they were looked for."""
        return self.store.frames_fact("cuts")

    @property
    def shots(self) -> list[range]:
        """The range, divided at its cuts as far as they are known."""
        return cut_shots(self.clip.frames, self.cuts or ())

    @property
    def grow_px(self) -> int:
        """By how much masks are grown."""
        settings = self.settings
        return settings.grow_px if settings.HasField("grow_px") else default_grow_px(self.clip.media.size[0])

    @property
    def feather_px(self) -> int:
        """How wide the soft edge is."""
        settings = self.settings
        return settings.feather_px if settings.HasField("feather_px") else default_feather_px(self.grow_px)

    def objects(self) -> list[ObjectRow]:
        """All objects that are there, by number."""
        return [row for row in self.store.objects() if not row.deleted]

    def visible(self) -> list[int]:
        """Numbers of the objects that are not hidden."""
        return [row.object_id for row in self.objects() if not row.hidden]

    def engine(self, kind: str) -> str:
        """Name of the engine that is chosen for a kind, or that the registry would take; empty without one."""
        chosen = next((choice.name for choice in self.settings.engines if choice.kind == kind), "")
        known = (status for status in self._engines() if status.kind == kind and status.available)
        return chosen or next((status.info.name for status in known), "")

    def put_object(self, wanted: ObjectRow) -> int:
        """Adds an object (number 0), changes one, or brings a deleted one back; gives its number.

        Raises:
            InputError: no such object, too many, a colour that is none.
        """
        with self.lock:
            known = {row.object_id: row for row in self.store.objects()}
            number = wanted.object_id or max(known, default=0) + 1
            if wanted.object_id and wanted.object_id not in known:
                raise InputError(f"there is no object {wanted.object_id}; leave its number out to add one")
            if number not in known and len(self.objects()) >= OBJECT_LIMIT:
                raise InputError(f"there are {OBJECT_LIMIT} objects already; delete one first")
            old = known.get(number) or new_object(number)
            row = ObjectRow(number, wanted.name.strip() or old.name, wanted.color or old.color, wanted.hidden)
            self.store.put_object(row)
            self.settle()
            self.change()
            return number

    def delete_object(self, object_id: int) -> None:
        """Deletes an object, until it is put again; does nothing when it is not there."""
        with self.lock:
            known = next((row for row in self.objects() if row.object_id == object_id), None)
            if known is None:
                return
            self.store.put_object(replace(known, deleted=True))
            self.settle()
            self.change()

    def set_settings(self, settings: picker_pb2.TakeSettings) -> None:
        """Keeps how masks become a take."""
        with self.lock:
            self.store.set_facts(settings=settings.SerializeToString().hex())
            self.settle()
            self.change()

    def set_clip(self, clip: ClipRange) -> None:
        """Works on other frames of the same media."""
        with self.lock:
            self.clip = clip
            self.settle()
            self.change()

    def set_closed(self, *, closed: bool) -> None:
        """Says whether the person is done."""
        with self.lock:
            if (self.store.fact("closed") == "1") != closed:
                self.store.set_facts(closed="1" if closed else "")
                self.change()

    def note_change(self) -> None:
        """Something that is kept elsewhere has changed, such as a take."""
        with self.lock:
            self.change()

    def keys(self) -> list[Key]:
        """All keys of the range with their masks."""
        marks = [mark for mark in self.store.key_marks() if mark.frame in self.clip.frames]
        packed = [(mark, self.store.key_mask(mark.object_id, mark.frame)) for mark in marks]
        return [Key(mark.frame, mark.object_id, unpack_mask(mask)) for mark, mask in packed if mask is not None]

    def take_cuts(self, cuts: Sequence[int], searched: range) -> None:
        """Takes in where a range of frames cuts."""
        with self.lock:
            self.store.set_facts(cuts=str(sorted(cuts)), searched=str([searched.start, searched.stop]))
            self.settle()
            self.change()

    def is_idle(self, seconds: float) -> bool:
        """Whether nobody has waited for an answer in the last seconds."""
        return time.monotonic() - self._last_use > seconds

    def check_frame(self, frame: int) -> None:
        """Refuses a frame that is not worked on.

        Raises:
            RangeError.
        """
        frames = self.clip.frames
        if frame not in frames:
            raise RangeError(
                f"frame {frame} is outside the range, frames {frames.start} to {frames.stop - 1} with handles;"
                " choose one of these"
            )

    def touch(self) -> None:
        """Notes that somebody waits for an answer now."""
        self._last_use = time.monotonic()

    def settle(self) -> None:
        """Judges every mask anew, after keys, cuts or engines have changed."""
        object_ids = [row.object_id for row in self.objects()]
        keys = [key for key in self.store.key_marks() if key.frame in self.clip.frames]
        self.tracks.settle(object_ids, keys, self.shots, self.engine("propagator"))

    def change(self) -> None:
        """Notes that something has changed, and tells it."""
        self._revision += 1
        self.store.set_facts(revision=str(self._revision), update_ns=str(time.time_ns()))
        self.tell()

    def tell(self) -> None:
        """Wakes whoever watches."""
        with self.changed:
            self.changed.notify_all()


def new_object(number: int) -> ObjectRow:
    """An object that nobody has named yet."""
    return ObjectRow(number, f"Object {number}", _COLORS[(number - 1) % len(_COLORS)], hidden=False)
