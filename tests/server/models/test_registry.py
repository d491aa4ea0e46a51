from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import EngineError, InputError
from cleanplate_server.models.protocols import Key, Point, Prompt
from cleanplate_server.models.registry import EnginePlace, Registry
from cleanplate_server.models.weights import manifest_file, read_manifest
from fakes import ArrayFrames
from sam_networks import write_folder


def test_registry_without_the_file_says_which_and_what_runs_instead(tmp_path: Path) -> None:
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    with pytest.raises(EngineError, match=r"sam_vit_b_01ec64\.pth is not here.*'embedded' would run instead"):
        registry.segmenter("sam-vit-b")
    assert registry.segmenter().info.name == "embedded"


def test_registry_with_a_damaged_file_refuses_it_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"cut short")
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    with pytest.raises(InputError, match="01ec64d29a2fca3f0661936605ae66f8"):
        registry.segmenter("sam-vit-b")


def test_registry_asked_for_a_gpu_that_is_not_there_says_so(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    (tmp_path / "sam_vit_b_01ec64.pth").write_bytes(b"")
    with pytest.raises(EngineError, match="no cuda:3 on this machine"):
        Registry(EnginePlace(tmp_path, "cuda:3")).check("segmenter", "sam-vit-b")


def test_registry_without_a_folders_part_names_it_with_the_way_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "sam2.1-hiera-tiny").mkdir()
    (tmp_path / "sam2.1-hiera-tiny" / "config.json").write_text("{}")
    with pytest.raises(EngineError, match=r"hiera-tiny/model\.safetensors is not here; .*weights pull sam2\.1-tiny"):
        Registry(EnginePlace(tmp_path, "cpu")).segmenter("sam2.1-tiny")


def test_registry_sends_to_the_page_for_weights_that_cannot_be_pulled(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"by hand from https://huggingface\.co/facebook/sam3 .*weights add sam3 FOL"):
        Registry(EnginePlace(tmp_path, "cpu")).propagator("sam3")


def test_registry_without_the_library_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("config.json", "model.safetensors"):
        (tmp_path / "sam3").mkdir(exist_ok=True)
        (tmp_path / "sam3" / part).touch()
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(EngineError, match=r"pip install 'cleanplate\[sam2\]'` does it; 'embedded' would run instead"):
        Registry(EnginePlace(tmp_path, "cpu")).segmenter("sam3")


def test_registry_builds_both_engines_of_weights_that_segment_and_follow(tmp_path: Path) -> None:
    write_folder("sam2.1-tiny", tmp_path / "sam2.1-hiera-tiny")
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    frames = ArrayFrames(np.random.default_rng(1).random((2, 40, 60, 3), dtype=np.float32))
    prepared = registry.segmenter("sam2.1-tiny").prepare(frames.rgb(0))
    found = prepared.segment(Prompt(0, points=(Point(30, 20),)))
    mask = np.zeros((40, 60), np.bool_)
    mask[10:30, 10:30] = True
    tracker = registry.propagator("sam2.1-tiny").follow(frames, [Key(0, 1, mask)], [Key(0, 1, mask)])
    assert found[0].mask.shape == tracker.step(1)[0].shape == (40, 60)


def test_weights_of_every_engine_are_in_the_manifest() -> None:
    listed = {row.name for row in read_manifest(manifest_file())}
    assert {"sam-vit-h", "sam2.1-large", "sam3"} <= Registry().weights <= listed
    assert "mobile-sam" not in Registry().weights
