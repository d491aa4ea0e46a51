from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from cleanplate_server.errors import EngineError, InputError, PromptError
from cleanplate_server.models.protocols import EngineInfo
from cleanplate_server.models.registry import EnginePlace, Registry

pytest.importorskip("transformers", reason="the open vocabulary needs cleanplate[names]")

from cleanplate_server.models.networks.grounding_dino import (
    GroundingDinoFinder,
    GroundingParts,
    load_grounding_dino,
)
from name_networks import WORDS, write_grounding_folder
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

INFO = EngineInfo("grounding-dino")


class Told(nn.Module):
    """Gives the boxes and logits that it was told, and keeps what it was given."""

    def __init__(self, boxes: Sequence[tuple[float, float, float, float]], logits: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.here = nn.Parameter(torch.zeros(1))
        self.answer = SimpleNamespace(pred_boxes=torch.tensor([boxes]), logits=torch.tensor([logits]))
        self.given: dict[str, Tensor] = {}

    def forward(self, **given: Tensor) -> SimpleNamespace:
        self.given = given
        return self.answer


@dataclass
class Letters:
    """A tokenizer that keeps the text."""

    text: str = ""

    def encode(self, text: str) -> SimpleNamespace:
        self.text = text
        return SimpleNamespace(ids=[ord(letter) for letter in text])


def finder(network: Told) -> tuple[GroundingDinoFinder, Letters]:
    letters = Letters()
    return GroundingDinoFinder(GroundingParts(network, letters), INFO), letters


def test_boxes_are_in_pixels_of_the_frame_and_scores_those_of_the_surest_word() -> None:
    minus = float("-inf")
    known, _ = finder(Told([(0.5, 0.5, 0.2, 0.4), (0.1, 0.1, 0.4, 0.4)], [(-1.0, 2.0, minus), (0.0, -5.0, minus)]))
    hits = known.find(np.zeros((100, 200, 3), np.float32), "old lamp").hits
    boxes = [(hit.box.x0, hit.box.y0, hit.box.x1, hit.box.y1) for hit in hits]
    assert boxes == [(80, 30, 120, 70), (0, 0, 60, 30)]
    assert [hit.score for hit in hits] == pytest.approx([0.8808, 0.5], abs=1e-4)
    assert {hit.label for hit in hits} == {"old lamp"}
    assert all(hit.mask is None for hit in hits)


def test_unsure_boxes_are_left_out_and_one_thing_seen_twice_is_one_hit() -> None:
    boxes = [(0.5, 0.5, 0.2, 0.4), (0.5, 0.5, 0.21, 0.41), (0.2, 0.2, 0.1, 0.1)]
    known, _ = finder(Told(boxes, [(1.0,), (2.0,), (-1.0,)]))
    (hit,) = known.find(np.zeros((100, 200, 3), np.float32), "lamp").hits
    assert hit.score == pytest.approx(0.8808, abs=1e-4)


@pytest.mark.parametrize(
    ("words", "text"), [("The Old Lamp", "the old lamp."), ("红色汽车", "red car."), ("水果", "banana. apple. orange.")]
)
def test_words_reach_the_network_in_its_own_form(words: str, text: str) -> None:
    known, letters = finder(Told([(0.5, 0.5, 0.2, 0.4)], [(1.0,)]))
    (hit,) = known.find(np.zeros((100, 200, 3), np.float32), words).hits
    assert letters.text == text
    assert hit.label == words


@pytest.mark.parametrize(
    ("size", "scaled"), [((1080, 1920), (750, 1333)), ((480, 640), (800, 1067)), ((64, 64), (800, 800))]
)
def test_frame_is_scaled_and_levelled_as_the_network_was_trained(
    size: tuple[int, int], scaled: tuple[int, int]
) -> None:
    network = Told([(0.5, 0.5, 0.2, 0.4)], [(1.0,)])
    finder(network)[0].find(np.full((*size, 3), (0.485, 1.5, 0.406), np.float32), "lamp")
    pixels, inside = network.given["pixel_values"], network.given["pixel_mask"]
    assert pixels.shape == (1, 3, *scaled)
    assert inside.shape == (1, *scaled)
    assert bool(inside.all())
    assert pixels[0, :, 5, 5].tolist() == pytest.approx([0.0, (1 - 0.456) / 0.224, 0.0], abs=1e-3)


@pytest.mark.parametrize("words", ["собака", "", "戴帽子的人"])
def test_words_that_it_cannot_read_are_refused_before_it_runs(words: str) -> None:
    network = Told([(0.5, 0.5, 0.2, 0.4)], [(1.0,)])
    with pytest.raises(PromptError):
        finder(network)[0].find(np.zeros((64, 64, 3), np.float32), words)
    assert network.given == {}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("published")
    write_grounding_folder(folder)
    return folder


@pytest.fixture
def folder(published: Path, tmp_path: Path) -> Path:
    """A copy of the published folder, to be spoiled."""
    return Path(shutil.copytree(published, tmp_path / "copy"))


def test_network_is_built_from_its_files_with_every_entry(published: Path) -> None:
    parts = load_grounding_dino(published, device="cpu")
    words = ("[CLS]", "the", "dog", "##s", ".", "[SEP]")
    assert parts.tokenizer.encode("The dogs.").ids == [WORDS.index(word) for word in words]
    first = GroundingDinoFinder(parts, INFO).find(np.full((60, 90, 3), 0.5, np.float32), "red car")
    again = GroundingDinoFinder(load_grounding_dino(published, device="cpu"), INFO)
    second = again.find(np.full((60, 90, 3), 0.5, np.float32), "red car")
    assert [(hit.box, hit.score) for hit in first.hits] == [(hit.box, hit.score) for hit in second.hits]


@pytest.mark.parametrize("change", ["missing", "strange", "shape"])
def test_checkpoint_with_other_entries_is_refused(folder: Path, change: str) -> None:
    state = load_file(folder / "model.safetensors")
    name = sorted(state)[0]
    if change == "missing":
        del state[name]
    else:
        state["strange.weight" if change == "strange" else name] = torch.zeros(3, 5)
    save_file(state, folder / "model.safetensors")
    with pytest.raises(InputError, match="does not hold the weights of Grounding DINO"):
        load_grounding_dino(folder, device="cpu")


def test_pickle_in_the_checkpoints_place_is_refused_and_never_run(folder: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[Path]]:
            return (Path.touch, (folder / "sprung",))

    torch.save({"weight": Trap()}, folder / "model.safetensors")
    with pytest.raises(InputError, match="damaged or no safetensors file"):
        load_grounding_dino(folder, device="cpu")
    assert not (folder / "sprung").exists()


@pytest.mark.parametrize("text", ["", "{", "[1]", json.dumps({"d_model": "wide"})])
def test_settings_that_are_none_are_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(InputError, match="holds no settings of Grounding DINO"):
        load_grounding_dino(folder, device="cpu")


@pytest.mark.parametrize("change", [{"backbone": "somebody/else"}, {"backbone_config": {"model_type": "resnet"}}])
def test_settings_that_ask_for_parts_from_elsewhere_are_refused(folder: Path, change: dict[str, object]) -> None:
    settings = json.loads((folder / "config.json").read_text()) | change
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(InputError, match="not for the parts of Grounding DINO"):
        load_grounding_dino(folder, device="cpu")


def test_words_without_the_marks_of_the_network_are_refused(folder: Path) -> None:
    (folder / "vocab.txt").write_bytes(b"dog\ncat\xff\n")
    with pytest.raises(InputError, match="is no list of words"):
        load_grounding_dino(folder, device="cpu")


def test_registry_names_a_file_that_is_missing_and_loads_the_folder_when_it_is_whole(
    published: Path, tmp_path: Path
) -> None:
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    folder = Path(shutil.copytree(published, tmp_path / "grounding-dino-tiny"))
    (folder / "vocab.txt").rename(tmp_path / "away")
    with pytest.raises(EngineError, match=r"vocab.txt is not here.*weights pull grounding-dino"):
        registry.name_finder("grounding-dino")
    (tmp_path / "away").rename(folder / "vocab.txt")
    assert registry.name_finder().info.name == "grounding-dino"
    registry.check_words("anything at all")
    with pytest.raises(PromptError, match="Cyrillic"):
        registry.check_words("собака")
