"""The weights folder: which files are there, what they are, and whether they are what they claim to be."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from cleanplate_server.errors import AccessError, InputError, NotFoundError
from cleanplate_server.models.weights import WeightsRow

Layout = Callable[[Path], str]
"""Reads a checkpoint safely and gives the fingerprint of its entries; raises InputError for what is none."""

RECORDS_FILE = "records.json"
_BLOCK_BYTES = 1 << 20
_TORCH_SUFFIXES = (".pth", ".pt", ".tar")
_SAFETENSORS_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Record:
    """What is known of a file in the weights folder.

    Args:
        sha256: of its content.
        bytes: its size.
        changed_ns: its modification time when it was hashed; another one means that it must be hashed again.
        proof: what it was compared with: ``sha256``, ``sha256_prefix``, ``md5``, ``git_blob``, ``entries``, or
            ``first use`` where nothing was published.
    """

    sha256: str
    bytes: int
    changed_ns: int
    proof: str


class WeightsStore:
    """Files of the manifest in one folder.

    Args:
        folder: need not exist.
        rows: of the manifest.
        layout: for files of which no hash was published.
    """

    def __init__(self, folder: Path, rows: Sequence[WeightsRow], layout: Layout) -> None:
        self._folder = folder
        self._rows = rows
        self._layout = layout

    @property
    def folder(self) -> Path:
        return self._folder

    def row(self, name: str) -> WeightsRow:
        """The row of a name.

        Raises:
            NotFoundError: the manifest has none.
        """
        for row in self._rows:
            if row.name == name:
                return row
        near = [row.name for row in self._rows if name.split("-")[0] in row.name]
        raise NotFoundError(
            f"the manifest has no weights named '{name}'; {'near it are ' + ', '.join(near) if near else 'see'}"
            f"{';' if near else ''} `cleanplate weights list`",
            reason="NO_SUCH_WEIGHTS",
        )

    def path(self, row: WeightsRow) -> Path:
        """Where a row's file lies, or would."""
        return self._folder / row.file

    def size_bytes(self, row: WeightsRow) -> int:
        """Bytes of a row's files that are there."""
        return _measure(row, self.path(row))[0]

    def record(self, row: WeightsRow) -> Record | None:
        """What is known of a row's file; None when it is not there, or not as it was when it was hashed."""
        known = self._records().get(row.file)
        if known is None or not row.is_present(self._folder):
            return None
        return known if (known.bytes, known.changed_ns) == _measure(row, self.path(row)) else None

    def usable(self, row: WeightsRow) -> Path:
        """The path of a row's file, checked if it was not yet.

        Raises:
            NotFoundError: it is not there.
            InputError: it is not what the manifest says.
        """
        if self.record(row) is None:
            self.verify(row)
        return self.path(row)

    def verify(self, row: WeightsRow) -> Record:
        """Hashes a row's file and compares it with what was published, or with what was recorded at first use.

        Raises:
            NotFoundError: it is not there.
            InputError: it differs; what was expected is said.
        """
        path = self.path(row)
        missing = row.missing_from(self._folder)
        if missing:
            raise NotFoundError(
                f"{missing} is not in {self._folder}; {how_to_get(row)}",
                reason="WEIGHTS_ABSENT",
                metadata={"weights": row.name, "file": missing},
            )
        before = self._records().get(row.file)
        record = self._prove(row, path)
        if before and before.proof in ("first use", "entries") and before.sha256 != record.sha256:
            raise InputError(
                f"{path} has changed since its first use (sha256 {record.sha256}, was {before.sha256}); put the first"
                f" file back, or take the new one with `cleanplate weights add {row.name} {path}`",
                reason="WEIGHTS_CHANGED",
            )
        self._keep(row, record)
        return record

    def add(self, row: WeightsRow, file: Path, *, move: bool = False) -> Record:
        """Takes a file, or a folder for a row with parts, after it was found to be the row's.

        Args:
            move: take it away from where it was, for downloads.

        Raises:
            NotFoundError: no such file or folder.
            InputError: it is not the row's; the weights folder is unchanged.
            AccessError: the weights folder cannot be written.
        """
        if not (file.is_dir() if row.parts else file.is_file()):
            wanted = "folder" if row.parts else "file"
            files = f", with {' and '.join(part.file for part in row.parts)} in it" if row.parts else ""
            raise NotFoundError(f"there is no {wanted} {file}; give the path of the downloaded checkpoint{files}")
        record = self._prove(row, file)
        target = self.path(row)
        if file.resolve() != target.resolve():
            self._bring(row, file, move=move)
        size, changed_ns = _measure(row, target)
        record = Record(record.sha256, size, changed_ns, record.proof)
        self._keep(row, record)
        return record

    def recognise(self, file: Path) -> tuple[WeightsRow, ...]:
        """Rows that a file may be, by hash first, else by its entries; several share one layout. A folder is none."""
        if not file.is_file():
            return ()
        hashes = _hashes(file)
        by_hash = tuple(row for row in self._rows if row.has_hash and not _mismatch(row, hashes))
        if by_hash:
            return by_hash
        try:
            layout = self._layout(file)
        except InputError:
            return ()
        rows = tuple(row for row in self._rows if not row.has_hash and row.entries == layout)
        named = tuple(row for row in rows if row.file == file.name)
        return named or rows

    def _prove(self, row: WeightsRow, file: Path) -> Record:
        if row.parts:
            return _prove_folder(row, file)
        hashes = _hashes(file)
        found = file.stat()
        mismatch = _mismatch(row, hashes)
        if mismatch:
            name, expected, got = mismatch
            raise InputError(
                f"{file} is not {row.name}: its {name} is {got} and {expected} was published; it is damaged or"
                f" another file, get it anew from {row.page}",
                reason="WRONG_WEIGHTS",
                metadata={"weights": row.name, "expected": expected, "found": got},
            )
        proof = next((name for name in ("sha256", "sha256_prefix", "md5", "git_blob") if getattr(row, name)), "")
        if not proof and row.entries:
            if self._layout(file) != row.entries:
                raise InputError(
                    f"{file} is not {row.name}: the tensors in it are not those of that network; get the file anew"
                    f" from {row.page}",
                    reason="WRONG_WEIGHTS",
                    metadata={"weights": row.name},
                )
            proof = "entries"
        elif not proof and file.suffix in _TORCH_SUFFIXES:
            self._layout(file)  # what cannot be read at all is not recorded as if it were weights
        return Record(hashes["sha256"], found.st_size, found.st_mtime_ns, proof or "first use")

    def _bring(self, row: WeightsRow, file: Path, *, move: bool) -> None:
        target = self.path(row)
        part = target.with_name(f".{target.name}.part-{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if row.parts:
                _copy_parts(row, file, part, move=move)
                if target.is_dir():
                    shutil.rmtree(target)
                part.replace(target)
            elif move:
                file.replace(target)
            else:
                shutil.copyfile(file, part)
                part.replace(target)
        except PermissionError as error:
            raise AccessError(
                f"the weights folder {self._folder} cannot be written; set weights_folder to one that can"
            ) from error
        finally:
            discard(part)

    def _records(self) -> dict[str, Record]:
        try:
            raw = json.loads((self._folder / RECORDS_FILE).read_text(encoding="utf-8"))
            return {name: Record(**fields) for name, fields in raw.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, TypeError, AttributeError) as error:
            raise InputError(
                f"{self._folder / RECORDS_FILE} cannot be read ({error}); delete it, and every file is hashed anew",
                reason="BAD_RECORDS",
            ) from error

    def _keep(self, row: WeightsRow, record: Record) -> None:
        records = {name: asdict(known) for name, known in self._records().items()} | {row.file: asdict(record)}
        part = self._folder / f".{RECORDS_FILE}.{os.getpid()}"
        part.write_text(json.dumps(records, indent=1, sort_keys=True), encoding="utf-8")
        part.replace(self._folder / RECORDS_FILE)


def how_to_get(row: WeightsRow) -> str:
    """How a person comes by a row's files."""
    wanted = "FOLDER" if row.parts else "FILE"
    add = f"`cleanplate weights add {row.name} {wanted}`"
    if row.url:
        return f"`cleanplate weights pull {row.name}` gets it, or {add} takes one that you have"
    return f"download it by hand from {row.page} and take it in with {add}"


def discard(place: Path) -> None:
    """Removes a file or a folder of a download; does nothing when it is not there."""
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _copy_parts(row: WeightsRow, source: Path, target: Path, *, move: bool) -> None:
    target.mkdir()
    for part in row.parts:
        if move:
            (source / part.file).replace(target / part.file)
        else:
            shutil.copyfile(source / part.file, target / part.file)
    if move:
        shutil.rmtree(source)


def _measure(row: WeightsRow, place: Path) -> tuple[int, int]:
    """Bytes in all, and when the newest file was changed."""
    found = [(place / part.file).stat() for part in row.parts] or [place.stat()]
    return sum(each.st_size for each in found), max(each.st_mtime_ns for each in found)


def _prove_folder(row: WeightsRow, folder: Path) -> Record:
    """Checks the parts of a folder; its sha256 is of the list of its parts' sha256."""
    lines = []
    for part in row.parts:
        file = folder / part.file
        if not file.is_file():
            raise _refused(row, folder, f"it has no {part.file}", part.file, "")
        found = _hashes(file)["sha256"]
        if part.sha256 and found != part.sha256:
            raise _refused(
                row, folder, f"the sha256 of {part.file} is {found} and {part.sha256} was published", part.sha256, found
            )
        if file.suffix == _SAFETENSORS_SUFFIX and not part.sha256:
            _refuse_cut_tensors(row, file)
        lines.append(f"{found}  {part.file}")
    if row.model_type:
        _refuse_other_type(row, folder)
    size, changed_ns = _measure(row, folder)
    proof = "sha256" if all(part.sha256 for part in row.parts) else "first use"
    return Record(hashlib.sha256("\n".join(lines).encode()).hexdigest(), size, changed_ns, proof)


def _refuse_cut_tensors(row: WeightsRow, file: Path) -> None:
    """Checks that a safetensors file is whole: eight bytes of the header's length, the header, the data it names."""
    size = file.stat().st_size
    with file.open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        raw = opened.read(length) if length <= size else b""
    try:
        header: object = json.loads(raw)
        entries = (
            [entry for name, entry in header.items() if name != "__metadata__"] if isinstance(header, dict) else []
        )
        whole = 8 + length + max(int(entry["data_offsets"][1]) for entry in entries)
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise _refused(row, file.parent, f"its {file.name} is no safetensors file", _SAFETENSORS_SUFFIX, "") from error
    if whole != size:
        why = f"its {file.name} has {size} bytes and {whole} were expected, it was cut"
        raise _refused(row, file.parent, why, str(whole), str(size))


def _refuse_other_type(row: WeightsRow, folder: Path) -> None:
    try:
        config: object = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise _refused(row, folder, f"its config.json cannot be read ({error})", row.model_type, "") from error
    found = str(config.get("model_type", "")) if isinstance(config, dict) else ""
    if found != row.model_type:
        raise _refused(
            row, folder, f"its config.json says '{found}' and '{row.model_type}' was expected", row.model_type, found
        )


def _refused(row: WeightsRow, place: Path, why: str, expected: str, found: str) -> InputError:
    return InputError(
        f"{place} is not {row.name}: {why}; get it anew from {row.page}",
        reason="WRONG_WEIGHTS",
        metadata={"weights": row.name, "expected": expected, "found": found},
    )


def _mismatch(row: WeightsRow, hashes: dict[str, str]) -> tuple[str, str, str] | None:
    """The first published hash that a file does not have: its name, what was expected, what was found."""
    for name in ("sha256", "md5", "git_blob"):
        expected = str(getattr(row, name))
        if expected and hashes[name] != expected:
            return name, expected, hashes[name]
    if row.sha256_prefix and not hashes["sha256"].startswith(row.sha256_prefix):
        return "sha256", f"{row.sha256_prefix}...", hashes["sha256"]
    return None


def _hashes(file: Path) -> dict[str, str]:
    """sha256, md5 and git's blob id of a file, in one reading."""
    sums = {"sha256": hashlib.sha256(), "md5": hashlib.md5(usedforsecurity=False)}
    sums["git_blob"] = hashlib.sha1(b"blob %d\0" % file.stat().st_size, usedforsecurity=False)
    for block in _blocks(file):
        for made in sums.values():
            made.update(block)
    return {name: made.hexdigest() for name, made in sums.items()}


def _blocks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while block := opened.read(_BLOCK_BYTES):
            yield block
