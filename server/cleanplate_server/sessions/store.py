"""One session as a file of SQLite: what was said, which masks came of it, which jobs were made of them."""

from __future__ import annotations

import json
import logging
import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cleanplate_server.errors import NotFoundError, StateError
from cleanplate_server.sessions.spans import Direction, KeyMark

_VERSION = 1
_SCHEMA = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE objects (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, color TEXT NOT NULL, hidden INTEGER NOT NULL, deleted INTEGER NOT NULL
);
CREATE TABLE said (
    object INTEGER NOT NULL, frame INTEGER NOT NULL, message BLOB NOT NULL, PRIMARY KEY (object, frame)
);
CREATE TABLE candidates (
    object INTEGER NOT NULL, frame INTEGER NOT NULL, number INTEGER NOT NULL, score REAL NOT NULL, mask BLOB NOT NULL,
    PRIMARY KEY (object, frame, number)
);
CREATE TABLE keys (
    number INTEGER PRIMARY KEY, object INTEGER NOT NULL, frame INTEGER NOT NULL, digest TEXT NOT NULL,
    mask BLOB NOT NULL, UNIQUE (object, frame)
);
CREATE TABLE walked (
    number INTEGER PRIMARY KEY, object INTEGER NOT NULL, frame INTEGER NOT NULL, direction TEXT NOT NULL,
    basis TEXT NOT NULL, confidence REAL NOT NULL, alpha BLOB NOT NULL, UNIQUE (object, frame, direction, basis)
);
CREATE TABLE walks (name TEXT PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE shadows (frame INTEGER PRIMARY KEY, mask BLOB NOT NULL);
CREATE TABLE takes (
    number INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL UNIQUE, preview INTEGER NOT NULL,
    start INTEGER NOT NULL, count INTEGER NOT NULL, settings BLOB NOT NULL, path TEXT NOT NULL,
    unseen_path TEXT NOT NULL
);
"""

_WALK_STATES = 4
"""A network's may take 100 MB."""
_COUNTS = ("freelist", "page")
_WORTHWHILE = 4
"""The file is written anew when more than a fourth of it is free."""
_log = logging.getLogger(__name__)
_THERE = "object NOT IN (SELECT id FROM objects WHERE deleted)"


@dataclass(frozen=True)
class ObjectRow:
    """One thing that is to go; a deleted one is kept, so that it can come back."""

    object_id: int
    name: str
    color: str
    hidden: bool
    deleted: bool = False


@dataclass(frozen=True)
class WalkedRow:
    """That an object was followed to a frame; its probability stays in the store.

    Args:
        number: grows with every one that is kept.
        basis: of the span, when it was followed.
        confidence: 0 to 1.
    """

    number: int
    object_id: int
    frame: int
    direction: Direction
    basis: str
    confidence: float


@dataclass(frozen=True)
class TakeRow:
    """A job of the session.

    Args:
        frames: that it holds.
        settings: serialised ``TakeSettings``.
        path: media, or a preview's folder.
        unseen_path: folder of maps.
    """

    job_id: str
    preview: bool
    frames: range
    settings: bytes
    path: Path
    unseen_path: Path


class SessionStore:
    """Rows of one session. Safe to use from several threads.

    Args:
        file: made if it is not there.

    Raises:
        StateError: it cannot be read, or is of a newer version.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._closed = False
        self._connection = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._make_tables()
        except sqlite3.Error as error:
            self._connection.close()
            raise self._failure(error) from error
        except StateError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._closed = True
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that is done within stands or falls together; nested ones join the outer one."""
        with self._lock:
            self._check_open()
            if self._connection.in_transaction:
                yield self._connection
                return
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield self._connection
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise self._failure(error) from error
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def fact(self, name: str) -> str:
        """A fact's value; empty when it was never set."""
        row = self._one("SELECT value FROM facts WHERE name = ?", (name,))
        return str(row[0]) if row else ""

    def set_facts(self, **facts: str) -> None:
        """Keeps facts by their names."""
        with self.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?)", list(facts.items()))

    def frames_fact(self, name: str) -> list[int] | None:
        """Frame numbers; None when they were never set."""
        text = self.fact(name)
        return [int(frame) for frame in json.loads(text)] if text else None

    def objects(self) -> list[ObjectRow]:
        """All objects, by number, deleted ones too."""
        rows = self._all("SELECT id, name, color, hidden, deleted FROM objects ORDER BY id")
        return [ObjectRow(number, name, color, bool(hidden), bool(gone)) for number, name, color, hidden, gone in rows]

    def put_object(self, row: ObjectRow) -> None:
        """Adds or changes an object."""
        with self.transaction() as connection:
            values = (row.object_id, row.name, row.color, int(row.hidden), int(row.deleted))
            connection.execute("INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?)", values)

    def forget_object(self, object_id: int) -> None:
        """Forgets what was said of an object; followed masks stay, should it be said again."""
        with self.transaction() as connection:
            for table in ("said", "candidates", "keys"):
                connection.execute(f"DELETE FROM {table} WHERE object = ?", (object_id,))  # noqa: S608  (names are ours)

    def said(self) -> list[tuple[int, int, bytes]]:
        """Object, frame and serialised ``PromptedFrame`` of all that was said of objects that are there, by frame."""
        rows = self._all(f"SELECT object, frame, message FROM said WHERE {_THERE} ORDER BY object, frame")  # noqa: S608
        return [(object_id, frame, message) for object_id, frame, message in rows]

    def put_said(
        self, object_id: int, frame: int, message: bytes, candidates: Sequence[tuple[float, bytes]]
    ) -> None:  # fmt: skip
        """Keeps what was said and the answers to it, in place of those before."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO said VALUES (?, ?, ?)", (object_id, frame, message))
            connection.execute("DELETE FROM candidates WHERE object = ? AND frame = ?", (object_id, frame))
            rows = [(object_id, frame, number, score, mask) for number, (score, mask) in enumerate(candidates)]
            connection.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?, ?)", rows)

    def change_said(self, object_id: int, frame: int, message: bytes) -> None:
        """Keeps another message beside the same answers."""
        with self.transaction() as connection:
            connection.execute(
                "UPDATE said SET message = ? WHERE object = ? AND frame = ?", (message, object_id, frame)
            )

    def clear_said(self, object_id: int, frame: int) -> None:
        """Forgets what was said, its answers and its key."""
        with self.transaction() as connection:
            for table in ("said", "candidates", "keys"):
                connection.execute(
                    f"DELETE FROM {table} WHERE object = ? AND frame = ?",  # noqa: S608  (names are ours)
                    (object_id, frame),
                )

    def candidate(self, object_id: int, frame: int, number: int) -> tuple[float, bytes] | None:
        """Score and packed mask of an answer."""
        row = self._one(
            "SELECT score, mask FROM candidates WHERE object = ? AND frame = ? AND number = ?",
            (object_id, frame, number),
        )
        return (float(row[0]), bytes(row[1])) if row else None

    def put_key(self, object_id: int, frame: int, digest: str, mask: bytes) -> None:
        """Keeps a key, packed; the same mask again keeps its number."""
        with self.transaction() as connection:
            known = self._one("SELECT digest FROM keys WHERE object = ? AND frame = ?", (object_id, frame))
            if known is None or known[0] != digest:
                connection.execute(
                    "INSERT OR REPLACE INTO keys (number, object, frame, digest, mask) VALUES (?, ?, ?, ?, ?)",
                    (self._next_number(), object_id, frame, digest, mask),
                )

    def drop_key(self, object_id: int, frame: int) -> None:
        """Forgets a key; what was said stays."""
        with self.transaction() as connection:
            connection.execute("DELETE FROM keys WHERE object = ? AND frame = ?", (object_id, frame))

    def key_marks(self) -> list[KeyMark]:
        """All keys of objects that are there, without their masks."""
        rows = self._all(f"SELECT object, frame, digest, number FROM keys WHERE {_THERE} ORDER BY object, frame")  # noqa: S608
        return [KeyMark(object_id, frame, digest, number) for object_id, frame, digest, number in rows]

    def key_mask(self, object_id: int, frame: int) -> bytes | None:
        """A key's packed mask."""
        row = self._one("SELECT mask FROM keys WHERE object = ? AND frame = ?", (object_id, frame))
        return bytes(row[0]) if row else None

    def walked(self) -> list[WalkedRow]:
        """All that was ever followed, oldest first."""
        rows = self._all("SELECT number, object, frame, direction, basis, confidence FROM walked ORDER BY number")
        return [WalkedRow(*row) for row in rows]

    def put_walked(self, row: WalkedRow, alpha: bytes) -> WalkedRow:
        """Keeps a followed mask's packed probability; gives its row with its number."""
        with self.transaction() as connection:
            number = self._next_number()
            connection.execute(
                "INSERT OR REPLACE INTO walked (number, object, frame, direction, basis, confidence, alpha)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, row.object_id, row.frame, row.direction, row.basis, row.confidence, alpha),
            )
        return WalkedRow(number, row.object_id, row.frame, row.direction, row.basis, row.confidence)

    def drop_walked(self, numbers: Sequence[int]) -> None:
        """Forgets followed masks by their numbers."""
        with self.transaction() as connection:
            connection.executemany("DELETE FROM walked WHERE number = ?", [(number,) for number in numbers])

    def alpha(self, number: int) -> bytes | None:
        """The packed probability of a followed mask; None where it was forgotten."""
        row = self._one("SELECT alpha FROM walked WHERE number = ?", (number,))
        return bytes(row[0]) if row else None

    def walk_state(self, name: str) -> bytes | None:
        """What a tracker knew when its walk was stopped."""
        row = self._one("SELECT state FROM walks WHERE name = ?", (name,))
        return bytes(row[0]) if row else None

    def set_walk_state(self, name: str, state: bytes | None) -> None:
        """Keeps what a tracker knows, or forgets it; of many that were stopped the last few are kept."""
        with self.transaction() as connection:
            if state is None:
                connection.execute("DELETE FROM walks WHERE name = ?", (name,))
                return
            connection.execute("INSERT OR REPLACE INTO walks VALUES (?, ?)", (name, state))
            connection.execute(
                "DELETE FROM walks WHERE rowid NOT IN (SELECT rowid FROM walks ORDER BY rowid DESC LIMIT ?)",
                (_WALK_STATES,),
            )

    def shadow(self, frame: int) -> bytes | None:
        """The packed mask of the shadows on a frame."""
        row = self._one("SELECT mask FROM shadows WHERE frame = ?", (frame,))
        return bytes(row[0]) if row else None

    def put_shadow(self, frame: int, mask: bytes) -> None:
        """Keeps the shadows on a frame."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO shadows VALUES (?, ?)", (frame, mask))

    def takes(self) -> list[TakeRow]:
        """The session's jobs, newest first."""
        rows = self._all(
            "SELECT job, preview, start, count, settings, path, unseen_path FROM takes ORDER BY number DESC"
        )
        return [
            TakeRow(job, bool(preview), range(start, start + count), settings, Path(path), Path(unseen))
            for job, preview, start, count, settings, path, unseen in rows
        ]

    def add_take(self, row: TakeRow) -> None:
        """Keeps a job; the same one twice is kept once."""
        with self.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO takes (job, preview, start, count, settings, path, unseen_path)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    row.job_id, int(row.preview), row.frames.start, len(row.frames), row.settings, str(row.path),
                    str(row.unseen_path),
                ),
            )  # fmt: skip

    def shrink(self) -> None:
        """Gives the disk back what was forgotten, where that is much."""
        with self._lock:
            self._check_open()
            try:
                free, pages = (self._connection.execute(f"PRAGMA {name}_count").fetchone()[0] for name in _COUNTS)
                if free * _WORTHWHILE > pages:
                    self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.Error as error:
                _log.warning("the session's file %s stays as large as it is: %s", self._file, error)

    def _next_number(self) -> int:
        """One that no mask has had."""
        number = int(self.fact("last_number") or 0) + 1
        self.set_facts(last_number=str(number))
        return number

    def _all(self, query: str, values: Sequence[object] = ()) -> list[tuple]:  # type: ignore[type-arg]  # columns differ
        with self._lock:
            self._check_open()
            try:
                return self._connection.execute(query, tuple(values)).fetchall()
            except sqlite3.Error as error:
                raise self._failure(error) from error

    def _one(self, query: str, values: Sequence[object]) -> tuple | None:  # type: ignore[type-arg]  # columns differ
        found = self._all(query, values)
        return found[0] if found else None

    def _check_open(self) -> None:
        if self._closed:
            raise NotFoundError("the session was closed or deleted; open the media again", reason="NO_SESSION")

    def _make_tables(self) -> None:
        with self.transaction() as connection:
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if version > _VERSION:
                raise StateError(
                    f"{self._file} was written by a newer Cleanplate (sessions {version}, this one reads {_VERSION});"
                    " update Cleanplate or open the media anew"
                )
            if version == 0:
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {_VERSION}")

    def _failure(self, error: sqlite3.Error) -> StateError:
        return StateError(
            f"the session's file {self._file} cannot be used ({error}); free disk space and check its permissions",
            reason="SESSION_STORE_FAILED",
            metadata={"file": str(self._file)},
        )
