"""Downloads that go on where they were cut, and end with the whole file or none."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests

from cleanplate_server.errors import AccessError, InputError, OutputError, UnavailableError
from cleanplate_server.models.weights import WeightsRow

Progress = Callable[[int, int], None]
"""Takes the bytes that are here and the bytes in all, 0 when the address does not say."""

_TRIES = 5
_TIMEOUT_SECONDS = (10, 60)
_BLOCK_BYTES = 1 << 14
"""What a cut may lose: a block that came in part is not kept."""
_FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True)
class _Part:
    """The beginning of a file from an earlier try.

    Args:
        file: the bytes.
        stamp: beside it: the address and the version (ETag or date) that they are of.
    """

    file: Path
    stamp: Path

    @classmethod
    def at(cls, file: Path) -> _Part:
        return cls(file, file.with_name(f"{file.name}.json"))

    @property
    def is_whole(self) -> bool:
        """Whether an earlier run brought it to its end: the stamp stays until then."""
        return self.file.is_file() and not self.stamp.exists()

    def start(self, url: str) -> tuple[int, str]:
        """How many bytes are good to go on from, and their version."""
        try:
            known = json.loads(self.stamp.read_text(encoding="utf-8"))
            if known["url"] == url and known["version"]:
                return self.file.stat().st_size, str(known["version"])
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0, ""
        return 0, ""

    def begin(self, url: str, version: str) -> None:
        self.stamp.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")

    def forget(self) -> None:
        self.file.unlink(missing_ok=True)
        self.stamp.unlink(missing_ok=True)


def download(row: WeightsRow, folder: Path, progress: Progress, *, pause_seconds: float = _FIRST_PAUSE_SECONDS) -> Path:
    """Fetches a row's files beside their place in the weights folder; the caller proves them and takes them in.

    A cut connection is taken up again where it broke, in this run or in a later one, as long as the address still has
    the same version of the file.

    Args:
        row: of the manifest.
        folder: weights folder; made when absent.
        progress: called after each block.
        pause_seconds: before the second try; doubled for each further one.

    Returns:
        The whole file, or the folder for a row with parts, under a name of its own.

    Raises:
        InputError: the row has no address, or the address gives a page and no file.
        UnavailableError: it cannot be reached; what came so far is kept.
        OutputError, AccessError: the disk is full, or the folder cannot be written.
    """
    if not row.url:
        raise InputError(f"{row.name} has no address of its own; {_by_hand(row)}", reason="NO_ADDRESS")
    place = folder / f".{row.file}.part"
    try:
        (place if row.parts else folder).mkdir(parents=True, exist_ok=True)
    except PermissionError as error:
        raise AccessError(f"the weights folder {folder} cannot be made; set weights_folder to another") from error
    if not row.parts:
        _fetch_whole(row, row.url, _Part.at(place), progress, pause_seconds)
        return place
    before = 0
    for part in row.parts:
        file = _Part.at(place / part.file)
        if not file.is_whole:
            done = partial(_count_on, progress, before)
            _fetch_whole(row, f"{row.url}/{part.file}", file, done, pause_seconds)
        before += file.file.stat().st_size
    return place


def _count_on(progress: Progress, before: int, done: int, total: int) -> None:
    progress(before + done, before + total if total else 0)


def _fetch_whole(row: WeightsRow, url: str, part: _Part, progress: Progress, pause_seconds: float) -> None:
    reason = ""
    for number in range(_TRIES):
        if number:
            time.sleep(pause_seconds * 2 ** (number - 1))
        try:
            if _fetch(row, url, part, progress):
                part.stamp.unlink(missing_ok=True)
                return
            reason = "the connection was cut"
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            reason = type(error).__name__
    here = part.file.stat().st_size if part.file.is_file() else 0
    raise UnavailableError(
        f"{url} could not be read to its end after {_TRIES} tries ({reason}); {here} bytes are kept, run the same"
        " command again to go on",
        reason="DOWNLOAD_CUT",
    )


def _fetch(row: WeightsRow, url: str, part: _Part, progress: Progress) -> bool:
    """Reads on from where the part ends; whether the file is whole now."""
    start, version = part.start(url)
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": version}
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT_SECONDS) as answer:
        if answer.status_code == requests.codes.requested_range_not_satisfiable:
            part.forget()  # longer than the file: it is of something else
            return False
        _refuse_page(row, url, answer)
        if answer.status_code != requests.codes.partial_content:
            part.forget()
            start = 0
            part.begin(url, answer.headers.get("ETag") or answer.headers.get("Last-Modified", ""))
        total = start + int(answer.headers.get("Content-Length", 0)) if "Content-Length" in answer.headers else 0
        _refuse_full_disk(row, part.file.parent, total - start)
        return _append(answer, part.file, (start, total), progress)


def _append(answer: requests.Response, file: Path, place: tuple[int, int], progress: Progress) -> bool:
    done, total = place
    with file.open("r+b" if done else "wb") as written:
        written.seek(done)
        for block in answer.iter_content(_BLOCK_BYTES):
            written.write(block)
            done += len(block)
            progress(done, total)
        written.truncate()
    return done == total if total else True


def _refuse_page(row: WeightsRow, url: str, answer: requests.Response) -> None:
    if answer.status_code >= requests.codes.bad_request:
        raise InputError(
            f"{url} answered {answer.status_code} {answer.reason}; {_by_hand(row)}", reason="DOWNLOAD_REFUSED"
        )
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        raise InputError(f"{url} gave a page instead of a file; {_by_hand(row)}", reason="DOWNLOAD_REFUSED")


def _by_hand(row: WeightsRow) -> str:
    if not row.parts:
        return (
            f"download {row.file} by hand from {row.page} and take it in with `cleanplate weights add {row.name} FILE`"
        )
    files = " and ".join(part.file for part in row.parts)
    return (
        f"download {files} by hand from {row.page} into a folder and take it in with"
        f" `cleanplate weights add {row.name} FOLDER`"
    )


def _refuse_full_disk(row: WeightsRow, folder: Path, wanted_bytes: int) -> None:
    free = shutil.disk_usage(folder).free
    if wanted_bytes > free:
        raise OutputError(
            f"{row.file} needs {wanted_bytes} bytes more and {folder} has {free} free; make room or set weights_folder"
        )
