"""The weights manifest: which checkpoints there are, from where, under which licence, and whether they are here."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from cleanplate_server.errors import InputError, NotFoundError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

SCHEMA = 1
KINDS = ("segmenter", "propagator", "inpainter", "matter", "layer-solver", "text-finder", "name-finder", "flow")

_NAME = re.compile(r"[a-z0-9][a-z0-9.-]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_HASH_DIGITS = {"sha256": 64, "sha256_prefix": 8, "md5": 32, "git_blob": 40, "entries": 64}


@dataclass(frozen=True)
class WeightsPart:
    """One file of weights that come as a folder.

    Args:
        file: its name in that folder.
        sha256: that was published, empty when none was.
    """

    file: str
    sha256: str = ""


@dataclass(frozen=True)
class WeightsRow:
    """One checkpoint of the manifest.

    Args:
        name: as in ``cleanplate weights``.
        file: its name in the weights folder; of a folder there, where it has parts.
        kind: what sort of engine loads it.
        purpose: what it does, in a few words.
        licence: SPDX name.
        commercial_use: whether that licence allows it.
        page: where its authors describe it.
        url: of the file itself, of the folder for one with parts; empty when it has no address of its own.
        bytes: size, 0 when it was not published.
        sha256, sha256_prefix, md5, git_blob: hashes that were published, empty when they were not.
        entries: ``networks.checkpoints.layout`` of the state dict that it must hold, empty when not known.
        parts: the files of a folder, empty for a single file.
        model_type: what a folder's ``config.json`` must say that it is, empty when it is not looked at.
        conditions: what a licence that allows commercial use asks beyond the usual, empty for the usual ones.
    """

    name: str
    file: str
    kind: str
    purpose: str
    licence: str
    commercial_use: bool
    page: str
    url: str = ""
    bytes: int = 0
    sha256: str = ""
    sha256_prefix: str = ""
    md5: str = ""
    git_blob: str = ""
    entries: str = ""
    parts: tuple[WeightsPart, ...] = ()
    model_type: str = ""
    conditions: str = ""

    @property
    def has_hash(self) -> bool:
        """Whether anything was published that tells this file from every other."""
        return bool(self.sha256 or self.sha256_prefix or self.md5 or self.git_blob)

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of its files from the weights folder; of a single one, its name."""
        return tuple(f"{self.file}/{part.file}" for part in self.parts) or (self.file,)

    def missing_from(self, folder: Path) -> str:
        """The first of its files that does not lie in the weights folder; empty when all do, whatever they hold."""
        return next((file for file in self.files if not (folder / file).is_file()), "")

    def is_present(self, folder: Path) -> bool:
        """Whether its files lie in the weights folder; says nothing of their content."""
        return not self.missing_from(folder)


def manifest_file() -> Path:
    """The manifest inside the installed package, or of the checkout that this package runs from.

    Raises:
        NotFoundError: neither is there.
    """
    packaged = Path(__file__).with_name("manifest.toml")
    checkout = Path(__file__).parents[3] / "weights" / "manifest.toml"
    for file in (packaged, checkout):
        if file.is_file():
            return file
    raise NotFoundError(f"the weights manifest is neither at {packaged} nor at {checkout}; install Cleanplate again")


def read_manifest(file: Path) -> tuple[WeightsRow, ...]:
    """Reads and checks the manifest.

    Raises:
        InputError: a row that cannot be used; says which and why.
    """
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise _refused(file, f"it is not TOML ({error})") from error
    if table.get("schema") != SCHEMA:
        raise _refused(file, f"its schema is {table.get('schema')!r} and this version reads {SCHEMA}")
    raw_rows = table.get("weights", [])
    if not isinstance(raw_rows, list) or not all(isinstance(row, dict) for row in raw_rows):
        raise _refused(file, "'weights' is no list of tables")
    rows = tuple(_row(raw, file) for raw in raw_rows)
    for column in ("name", "file"):
        values = [str(getattr(row, column)) for row in rows]
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise _refused(file, f"the {column} '{twice[0]}' stands in it twice")
    return rows


def _row(raw: Mapping[str, object], file: Path) -> WeightsRow:
    label = f"row {raw.get('name', '(without a name)')!r}"
    unknown = sorted(raw.keys() - {field.name for field in fields(WeightsRow)})
    if unknown:
        raise _refused(file, f"{label} has the unknown entry '{unknown[0]}'")
    row = WeightsRow(
        name=_text(raw, "name", label, file),
        file=_text(raw, "file", label, file),
        kind=_text(raw, "kind", label, file),
        purpose=_text(raw, "purpose", label, file),
        licence=_text(raw, "licence", label, file),
        commercial_use=_truth(raw, "commercial_use", label, file),
        page=_text(raw, "page", label, file),
        url=_text(raw, "url", label, file, required=False),
        bytes=_size(raw, label, file),
        parts=_parts(raw, label, file),
        model_type=_text(raw, "model_type", label, file, required=False),
        conditions=_text(raw, "conditions", label, file, required=False),
        **{name: _text(raw, name, label, file, required=False) for name in _HASH_DIGITS},
    )
    problem = _problem(row)
    if problem:
        raise _refused(file, f"{label}: {problem}")
    return row


def _problem(row: WeightsRow) -> str:
    """What is wrong with a row whose types are right; empty when nothing is."""
    if not _NAME.fullmatch(row.name):
        return "its name may hold small letters, digits, dots and dashes alone"
    if not _FILE.fullmatch(row.file):
        return f"its file '{row.file}' is no plain file name"
    if row.kind not in KINDS:
        return f"its kind '{row.kind}' is none of {', '.join(KINDS)}"
    for address in filter(None, (row.page, row.url)):
        if not address.startswith("https://"):
            return f"'{address}' is no https address"
    if row.parts and (row.has_hash or row.entries):
        return "it has parts, whose hashes belong to the parts"
    if row.model_type and "config.json" not in (part.file for part in row.parts):
        return "it has a model_type and no part config.json"
    for part in row.parts:
        if not _FILE.fullmatch(part.file):
            return f"its part '{part.file}' is no plain file name"
    hashes = [(name, str(getattr(row, name))) for name in _HASH_DIGITS]
    for name, value in (*hashes, *(("sha256", part.sha256) for part in row.parts)):
        if value and not re.fullmatch(rf"[0-9a-f]{{{_HASH_DIGITS[name]}}}", value):
            return f"its {name} '{value}' is not {_HASH_DIGITS[name]} hex digits"
    return ""


def _parts(raw: Mapping[str, object], label: str, file: Path) -> tuple[WeightsPart, ...]:
    tables = raw.get("parts", [])
    if not isinstance(tables, list) or not all(isinstance(part, dict) for part in tables):
        raise _refused(file, f"{label} needs a list of tables for 'parts'")
    for part in tables:
        unknown = sorted(part.keys() - {"file", "sha256"})
        if unknown:
            raise _refused(file, f"{label} has a part with the unknown entry '{unknown[0]}'")
    return tuple(
        WeightsPart(_text(part, "file", label, file), _text(part, "sha256", label, file, required=False))
        for part in tables
    )


def _text(raw: Mapping[str, object], name: str, label: str, file: Path, *, required: bool = True) -> str:
    value = raw.get(name, "")
    if not isinstance(value, str) or (required and not value):
        raise _refused(file, f"{label} needs text for '{name}', not {value!r}")
    return value


def _truth(raw: Mapping[str, object], name: str, label: str, file: Path) -> bool:
    value = raw.get(name)
    if not isinstance(value, bool):
        raise _refused(file, f"{label} needs true or false for '{name}', not {value!r}")
    return value


def _size(raw: Mapping[str, object], label: str, file: Path) -> int:
    value = raw.get("bytes", 0)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _refused(file, f"{label} needs a count for 'bytes', not {value!r}")
    return value


def _refused(file: Path, why: str) -> InputError:
    return InputError(
        f"the weights manifest {file} cannot be used: {why}; correct it or install again", reason="BAD_MANIFEST"
    )
