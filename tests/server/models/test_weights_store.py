from __future__ import annotations

import hashlib
import json
import os
import pickle
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import torch
from cleanplate_server.errors import InputError, NotFoundError, UnavailableError
from cleanplate_server.models.networks.checkpoints import layout, read_state, state_layout
from cleanplate_server.models.weights import WeightsPart, WeightsRow
from cleanplate_server.models.weights_download import download
from cleanplate_server.models.weights_store import WeightsStore, discard

CONTENT = os.urandom(300_000)
STATE = {"conv.weight": torch.ones(2, 3), "conv.bias": torch.zeros(2)}


def _row(name: str = "net", **fields: str) -> WeightsRow:
    given = fields or {"sha256": hashlib.sha256(CONTENT).hexdigest()}
    return WeightsRow(name, f"{name}.pth", "inpainter", "tests", "MIT", True, "https://example.org/net", **given)


def _layout(file: Path) -> str:
    return state_layout(read_state(file))


def _file(folder: Path, content: bytes = CONTENT, name: str = "downloaded.bin") -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def _saved(path: Path, content: object) -> Path:
    torch.save(content, path)
    return path


def test_add_of_the_right_file_copies_and_records_it(tmp_path: Path) -> None:
    row = _row()
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    record = store.add(row, _file(tmp_path))
    assert (store.path(row).read_bytes(), record.proof) == (CONTENT, "sha256")
    assert store.record(row) == record
    assert store.usable(row) == store.path(row)


@pytest.mark.parametrize("published", ["sha256", "sha256_prefix", "md5", "git_blob"])
def test_add_of_a_wrong_file_is_refused_with_what_was_expected(tmp_path: Path, published: str) -> None:
    row = _row(**{published: "0" * 40})
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    with pytest.raises(InputError, match="0000") as caught:
        store.add(row, _file(tmp_path))
    assert caught.value.reason == "WRONG_WEIGHTS"
    assert not (tmp_path / "weights").exists()


def test_add_by_gits_blob_id_takes_the_file_that_git_would_name_so(tmp_path: Path) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    row = _row(git_blob=blob)
    assert WeightsStore(tmp_path / "weights", [row], _layout).add(row, _file(tmp_path)).proof == "git_blob"


def test_add_without_published_hash_goes_by_the_entries(tmp_path: Path) -> None:
    row = _row(entries=state_layout(STATE))
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    wrapped = {"state_dict": {f"module.{name}": value for name, value in STATE.items()}, "epoch": 3}
    assert store.add(row, _saved(tmp_path / "a.pth", wrapped)).proof == "entries"
    with pytest.raises(InputError, match="tensors"):
        store.add(row, _saved(tmp_path / "b.pth", {"other": torch.ones(1)}))
    assert _layout(store.path(row)) == row.entries


def test_file_of_unknown_content_that_changes_after_first_use_is_refused(tmp_path: Path) -> None:
    row = _row(entries="")
    store = WeightsStore(tmp_path, [row], _layout)
    store.add(row, _saved(tmp_path / "first.pth", STATE))
    _saved(store.path(row), {"conv.weight": torch.zeros(2, 3), "conv.bias": torch.zeros(2)})
    with pytest.raises(InputError, match="changed since its first use"):
        store.usable(row)


def test_page_saved_as_a_checkpoint_of_unknown_hash_is_refused(tmp_path: Path) -> None:
    row = _row(entries="")
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    with pytest.raises(InputError, match="damaged or no checkpoint"):
        store.add(row, _file(tmp_path, b"<html>Sign in to go on</html>", "net.pth"))
    assert not (tmp_path / "weights").exists()


def test_file_put_there_by_hand_is_checked_at_first_use(tmp_path: Path) -> None:
    row = _row()
    store = WeightsStore(tmp_path, [row], _layout)
    store.path(row).write_bytes(CONTENT[:-1])
    assert store.record(row) is None
    with pytest.raises(InputError, match="damaged"):
        store.usable(row)
    store.path(row).write_bytes(CONTENT)
    assert store.usable(row) == store.path(row)


def test_absent_weights_say_how_to_get_them(tmp_path: Path) -> None:
    row = _row(url="https://example.org/net.pth")
    with pytest.raises(NotFoundError, match=r"net\.pth is not in .*weights pull net.*weights add net FILE"):
        WeightsStore(tmp_path, [row], _layout).usable(row)
    with pytest.raises(NotFoundError, match=r"by hand from https://example\.org/net"):
        WeightsStore(tmp_path, [_row()], _layout).usable(_row())


def test_recognise_finds_rows_by_hash_and_by_entries(tmp_path: Path) -> None:
    known, alike, twin = _row(), _row("alike", entries=state_layout(STATE)), _row("twin", entries=state_layout(STATE))
    store = WeightsStore(tmp_path / "weights", [known, alike, twin], _layout)
    assert store.recognise(_file(tmp_path)) == (known,)
    assert store.recognise(_saved(tmp_path / "some.pth", STATE)) == (alike, twin)
    assert store.recognise(_saved(tmp_path / "twin.pth", STATE)) == (twin,)
    assert store.recognise(_file(tmp_path, b"nothing", "x")) == ()


def _folder_row(**fields: str) -> WeightsRow:
    model = hashlib.sha256(CONTENT).hexdigest()
    parts = (WeightsPart("config.json"), WeightsPart("model.safetensors", sha256=fields.pop("sha256", model)))
    given = {"model_type": "sam2_video"} | fields
    return WeightsRow(
        "net", "net-folder", "segmenter", "tests", "MIT", True, "https://example.org/net", parts=parts, **given
    )


def _safetensors(data_byte_count: int = 12) -> bytes:
    header = json.dumps({"__metadata__": {}, "a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(data_byte_count)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (_safetensors(5), r"\d+ bytes and \d+ were expected, it was cut"),
        (b"<html>Sign in</html>", "no safetensors file"),
        (b"", "no safetensors file"),
    ],
)
def test_tensors_of_unknown_hash_that_are_cut_or_none_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    row = _folder_row(sha256="")
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    with pytest.raises(InputError, match=words):
        store.add(row, _downloaded_folder(tmp_path / "net", content=content))
    assert store.add(row, _downloaded_folder(tmp_path / "whole", content=_safetensors())).proof == "first use"


def _downloaded_folder(place: Path, model_type: str = "sam2_video", content: bytes = CONTENT) -> Path:
    place.mkdir()
    (place / "config.json").write_text(json.dumps({"model_type": model_type}))
    (place / "model.safetensors").write_bytes(content)
    (place / "README.md").write_text("not a part")
    return place


def test_add_of_a_folder_copies_its_parts_and_records_them(tmp_path: Path) -> None:
    row = _folder_row()
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    record = store.add(row, _downloaded_folder(tmp_path / "net"))
    assert sorted(file.name for file in store.path(row).iterdir()) == ["config.json", "model.safetensors"]
    assert store.record(row) == record == store.verify(row)
    assert record.proof == "first use"
    assert store.usable(row) == tmp_path / "weights" / "net-folder"
    assert store.add(row, _downloaded_folder(tmp_path / "again")).sha256 == record.sha256


@pytest.mark.parametrize(
    ("model_type", "content", "words"),
    [
        ("bert", CONTENT, "its config.json says 'bert' and 'sam2_video' was expected"),
        (
            "sam2_video",
            b"other",
            "the sha256 of model.safetensors is d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a5",
        ),
    ],
)
def test_add_of_a_wrong_folder_is_refused_with_what_was_expected(
    tmp_path: Path, model_type: str, content: bytes, words: str
) -> None:
    store = WeightsStore(tmp_path / "weights", [_folder_row()], _layout)
    with pytest.raises(InputError, match="net is not net") as caught:
        store.add(_folder_row(), _downloaded_folder(tmp_path / "net", model_type, content))
    assert words in str(caught.value)
    assert not (tmp_path / "weights").exists()


def test_folder_without_one_of_its_parts_is_refused_by_that_name(tmp_path: Path) -> None:
    folder = _downloaded_folder(tmp_path / "net-folder")
    (folder / "model.safetensors").unlink()
    store = WeightsStore(tmp_path, [_folder_row()], _layout)
    with pytest.raises(NotFoundError, match=r"net-folder/model\.safetensors is not in"):
        store.usable(_folder_row())
    with pytest.raises(InputError, match=r"it has no model\.safetensors"):
        store.add(_folder_row(), folder)
    with pytest.raises(NotFoundError, match=r"no folder .*with config\.json and model\.safetensors in it"):
        store.add(_folder_row(), folder / "config.json")


def test_folder_of_which_a_part_changes_after_first_use_is_refused(tmp_path: Path) -> None:
    row = _folder_row(sha256="")
    store = WeightsStore(tmp_path / "weights", [row], _layout)
    store.add(row, _downloaded_folder(tmp_path / "net", content=_safetensors()))
    other = _safetensors().replace(bytes(12), bytes(11) + b"\1")
    (store.path(row) / "model.safetensors").write_bytes(other)
    with pytest.raises(InputError, match="changed since its first use"):
        store.usable(row)


class _Evil:
    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return os.mkdir, ("evil-was-run",)


@pytest.mark.parametrize("legacy", [False, True])
def test_checkpoint_with_code_in_it_is_refused_and_never_run(
    tmp_path: Path, legacy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": STATE, "x": _Evil()}, "bad.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(InputError, match=r"not loaded: .*mkdir"):
        read_state(Path("bad.pth"))
    assert not Path("evil-was-run").exists()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", pickle.dumps({"a": 1}), b"\x80\x02}q\x00."])
def test_damaged_checkpoint_is_refused_in_a_sentence(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(InputError, match="get the file anew"):
        read_state(_file(tmp_path, content))


def test_training_log_beside_the_weights_does_no_harm(tmp_path: Path) -> None:
    content = {"state_dict": STATE, "optimizer": {"lr": np.float64(0.1), "steps": np.int64(3)}}
    assert state_layout(read_state(_saved(tmp_path / "a.pth", content))) == state_layout(STATE)


def test_layout_leaves_out_counters_of_batch_norm() -> None:
    entries = [("bn.weight", "float32", (4,))]
    assert layout(entries) == layout([*entries, ("bn.num_batches_tracked", "int64", ())])
    assert layout(entries) != layout([("bn.weight", "float32", (5,))])


class _Address:
    """A file server that cuts its answers short as often as it is told, and knows ranges."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.cuts: list[int] = []
        self.asked: list[str] = []
        self.kind = "application/octet-stream"
        self.status = 0
        address = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address.answer(self)

            def log_message(self, format: str, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/net.pth"

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        version = f'"{hashlib.md5(self.content).hexdigest()}"'
        asked = request.headers.get("Range", "") if request.headers.get("If-Range", version) == version else ""
        self.asked.append(asked)
        start = int(asked.removeprefix("bytes=").removesuffix("-") or 0)
        request.send_response(self.status or (206 if start else 200))
        request.send_header("Content-Type", self.kind)
        request.send_header("ETag", version)
        request.send_header("Content-Length", str(len(self.content) - start))
        request.end_headers()
        request.wfile.write(self.content[start : self.cuts.pop(0) if self.cuts else None])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def address() -> Iterator[_Address]:
    made = _Address()
    yield made
    made.close()


def _fetch(address: _Address, folder: Path) -> Path:
    return download(_row(url=address.url, sha256=""), folder, lambda done, total: None, pause_seconds=0)


def test_download_cut_twice_goes_on_where_it_broke(tmp_path: Path, address: _Address) -> None:
    address.cuts = [100_000, 250_000]
    seen: list[tuple[int, int]] = []
    row = _row(url=address.url, sha256="")
    file = download(row, tmp_path, lambda done, total: seen.append((done, total)), pause_seconds=0)
    assert file.read_bytes() == CONTENT
    first, second, third = (int(asked[6:-1] or 0) for asked in address.asked)
    assert first == 0
    assert 100_000 - second < 1 << 14
    assert 250_000 - third < 1 << 14
    assert seen[-1] == (len(CONTENT), len(CONTENT))


def test_download_given_up_is_kept_and_taken_up_by_the_next_run(tmp_path: Path, address: _Address) -> None:
    address.cuts = [50_000] * 5
    with pytest.raises(UnavailableError, match=r"\d{5} bytes are kept"):
        _fetch(address, tmp_path)
    address.asked.clear()
    assert _fetch(address, tmp_path).read_bytes() == CONTENT
    assert len(address.asked) == 1
    assert address.asked[0].startswith("bytes=")


def test_download_of_a_folder_cut_in_its_second_part_goes_on_there(tmp_path: Path, address: _Address) -> None:
    row = _folder_row(url=address.url.rpartition("/")[0])
    address.cuts = [len(CONTENT), 100_000, *[0] * 4]
    with pytest.raises(UnavailableError, match="model"):
        download(row, tmp_path, lambda done, total: None, pause_seconds=0)
    address.asked.clear()
    seen: list[tuple[int, int]] = []
    folder = download(row, tmp_path, lambda done, total: seen.append((done, total)), pause_seconds=0)
    assert [file.read_bytes() for file in sorted(folder.iterdir())] == [CONTENT, CONTENT]
    assert len(address.asked) == 1
    assert address.asked[0].startswith("bytes=")
    assert seen[-1] == (2 * len(CONTENT), 2 * len(CONTENT))


def test_download_of_a_folder_that_is_wrong_leaves_nothing_in_the_weights_folder(
    tmp_path: Path, address: _Address
) -> None:
    row = _folder_row(url=address.url.rpartition("/")[0])
    store = WeightsStore(tmp_path, [row], _layout)
    file = download(row, tmp_path, lambda done, total: None, pause_seconds=0)
    with pytest.raises(InputError, match=r"config\.json cannot be read"):
        store.add(row, file, move=True)
    discard(file)
    assert list(tmp_path.iterdir()) == []


def test_download_of_a_file_that_changed_meanwhile_starts_anew(tmp_path: Path, address: _Address) -> None:
    address.cuts = [50_000] * 5
    with pytest.raises(UnavailableError):
        _fetch(address, tmp_path)
    address.content = os.urandom(20_000)
    assert _fetch(address, tmp_path).read_bytes() == address.content


def test_download_that_gives_a_page_is_refused_with_the_way_by_hand(tmp_path: Path, address: _Address) -> None:
    address.kind = "text/html; charset=utf-8"
    with pytest.raises(InputError, match=r"by hand from https://example\.org/net"):
        _fetch(address, tmp_path)


@pytest.mark.parametrize("status", [401, 403, 404])
def test_download_that_is_refused_says_so_with_the_way_by_hand(tmp_path: Path, address: _Address, status: int) -> None:
    address.status = status
    with pytest.raises(InputError, match=rf"answered {status} .*by hand from https://example\.org/net"):
        _fetch(address, tmp_path)
    assert len(address.asked) == 1


def test_download_without_address_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="weights add net FILE"):
        download(_row(entries=""), tmp_path, lambda done, total: None)
