from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cleanplate_server.errors import EngineError, InputError
from cleanplate_server.models.networks.sam.folders import load_images, load_tracks
from sam_networks import write_folder


def edit(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    config = json.loads((folder / "config.json").read_text())
    change(config)
    (folder / "config.json").write_text(json.dumps(config))


def add_entry(folder: Path, entry: str) -> None:
    """Puts one more tensor into a safetensors file: eight bytes of the header's length, the header, the data."""
    content = (folder / "model.safetensors").read_bytes()
    length = int.from_bytes(content[:8], "little")
    header, data = json.loads(content[8 : 8 + length]), content[8 + length :]
    header[entry] = {"dtype": "F32", "shape": [1], "data_offsets": [len(data), len(data) + 4]}
    written = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(written).to_bytes(8, "little") + written + data + bytes(4))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder("sam2.1-tiny", tmp_path_factory.mktemp("weights"))


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "folder")


@pytest.mark.parametrize(("name", "side_px"), [("sam2.1-tiny", 64), ("sam3", 56)])
def test_folder_of_either_generation_gives_networks_for_pictures_and_for_shots(
    tmp_path: Path, name: str, side_px: int
) -> None:
    folder = write_folder(name, tmp_path)
    assert load_images(name, folder, device="cpu").look.side_px == side_px
    tracks = load_tracks(name, folder, device="cpu")
    assert (tracks.memory_frames, tracks.pointer_frames) == (6, 15)


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"cut"), "header"),
        (lambda folder: (folder / "model.safetensors").unlink(), r"no file named model\.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{"), "config.json cannot be read"),
        (lambda folder: edit(folder, lambda c: c.update(model_type="bert")), "says 'bert', and 'sam2_video' is needed"),
        (lambda folder: edit(folder, lambda c: c.update(num_maskmem="six")), "num_maskmem"),
        (
            lambda folder: edit(folder, lambda c: c.update(memory_attention_num_layers=2)),
            "26 of its entries are missing",
        ),
        (lambda folder: edit(folder, lambda c: c.update(memory_fuser_intermediate_dim=8)), "ignore_mismatched_sizes"),
    ],
)
def test_folder_that_does_not_hold_the_network_is_refused_with_the_reason(
    folder: Path, spoil: Callable[[Path], object], why: str
) -> None:
    spoil(folder)
    with pytest.raises(InputError, match=f"does not hold sam2.1-tiny: .*{why}.*weights pull sam2.1-tiny"):
        load_tracks("sam2.1-tiny", folder, device="cpu")


def test_entries_of_no_use_do_no_harm_and_are_told(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    add_entry(folder, "mask_decoder.more")
    load_tracks("sam2.1-tiny", folder, device="cpu")
    assert "1 entries that sam2.1-tiny has no use for" in caplog.text


def test_pickles_in_the_folder_are_never_read(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"no file named model\.safetensors"):
        load_images("sam2.1-tiny", folder, device="cpu")


def test_library_that_is_not_installed_is_named_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EngineError, match=r"sam2\.1-tiny needs transformers .*cleanplate\[sam2\]"):
        load_images("sam2.1-tiny", tmp_path, device="cpu")
