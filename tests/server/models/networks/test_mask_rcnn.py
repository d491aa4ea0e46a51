from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import EngineError, InputError, PromptError
from cleanplate_server.models.naming.coco import ENTRIES
from cleanplate_server.models.networks.mask_rcnn import CATEGORIES, MaskRcnnFinder, build_mask_rcnn, load_mask_rcnn
from cleanplate_server.models.protocols import RGB, EngineInfo
from cleanplate_server.models.registry import EnginePlace, Registry
from name_networks import mask_rcnn_finder
from torch import Tensor, nn

INFO = EngineInfo("maskrcnn")
RED, BLUE = (0.8, 0.1, 0.1), (0.1, 0.1, 0.9)


class Told(nn.Module):
    """Says what it was told to see, as torchvision's network says it, in pixels of what it is given.

    Args:
        seen: name, score, and (x0, y0, x1, y1) of each, as shares of the picture.
    """

    def __init__(self, *seen: tuple[str, float, tuple[float, float, float, float]]) -> None:
        super().__init__()
        self.transform = type("Transform", (), {"max_size": 200})()
        self.device_of = nn.Parameter(torch.zeros(1))
        self.seen = seen
        self.given: list[tuple[int, ...]] = []

    def forward(self, pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        height, width = pictures[0].shape[1:]
        self.given.append((height, width))
        boxes = torch.tensor([box for _, _, box in self.seen]).reshape(-1, 4) * torch.tensor([width, height] * 2)
        masks = torch.zeros(len(self.seen), 1, height, width)
        for mask, box in zip(masks, boxes.round().int().tolist(), strict=True):
            mask[0, box[1] : box[3], box[0] : box[2]] = 0.9
        labels = torch.tensor([CATEGORIES.index(name) for name, _, _ in self.seen], dtype=torch.int64)
        return [
            {"boxes": boxes, "labels": labels, "scores": torch.tensor([s for _, s, _ in self.seen]), "masks": masks}
        ]


def finder(*seen: tuple[str, float, tuple[float, float, float, float]]) -> MaskRcnnFinder:
    return MaskRcnnFinder(Told(*seen), INFO)


def two_cars(size: tuple[int, int] = (100, 200)) -> RGB:
    """Grey, a red thing in the left half and a blue one in the right half."""
    picture = np.full((*size, 3), 0.5, np.float32)
    picture[:, : size[1] // 2] = RED
    picture[:, size[1] // 2 :] = BLUE
    return picture


LEFT, RIGHT = (0.1, 0.2, 0.4, 0.8), (0.6, 0.2, 0.9, 0.8)


def test_every_name_of_the_list_is_an_output_of_the_network() -> None:
    named = [name for name in CATEGORIES if name not in ("__background__", "N/A")]
    assert named == [entry.name for entry in ENTRIES]


def test_only_what_is_named_is_given_best_first_in_the_language_of_the_words() -> None:
    known = finder(("dog", 0.6, LEFT), ("car", 0.9, RIGHT), ("dog", 0.8, RIGHT), ("dog", 0.2, LEFT))
    assert [(hit.label, round(hit.score, 2)) for hit in known.find(two_cars(), "dogs").hits] == [
        ("dog", 0.8),
        ("dog", 0.6),
    ]
    assert [hit.label for hit in known.find(two_cars(), "汽车").hits] == ["汽车"]
    assert known.find(two_cars(), "cat").hits == ()


def test_thing_that_two_names_of_a_group_mean_is_one_hit() -> None:
    known = finder(("car", 0.6, LEFT), ("truck", 0.8, (0.11, 0.2, 0.4, 0.8)), ("bus", 0.7, RIGHT))
    assert [hit.label for hit in known.find(two_cars(), "vehicles").hits] == ["truck", "bus"]


@pytest.mark.parametrize("size", [(100, 200), (1080, 1920), (150, 70)])
def test_box_and_mask_are_in_pixels_of_the_frame(size: tuple[int, int]) -> None:
    known = finder(("car", 0.9, LEFT))
    (hit,) = known.find(two_cars(size), "car").hits
    edges = np.array([hit.box.x0, hit.box.y0, hit.box.x1, hit.box.y1])
    wanted = np.array(LEFT) * np.array([size[1], size[0]] * 2)
    assert np.abs(edges - wanted).max() <= max(1.0, max(size) / 200)
    assert hit.mask is not None
    assert hit.mask.shape == size
    assert hit.mask[hit.box.slices].mean() > 0.9
    assert hit.mask.sum() == pytest.approx(np.prod(wanted[2:] - wanted[:2]), rel=0.05)


def test_large_frame_is_given_to_the_network_no_larger_than_it_looks_at_it() -> None:
    network = Told(("car", 0.9, LEFT))
    MaskRcnnFinder(network, INFO).find(two_cars((1080, 1920)), "car")
    assert network.given == [(112, 200)]


def test_colour_takes_what_has_it_and_says_how_many_have_not() -> None:
    known = finder(("car", 0.95, RIGHT), ("car", 0.7, LEFT))
    answer = known.find(two_cars(), "red car")
    assert [(hit.box.x0, round(hit.score, 2)) for hit in answer.hits] == [(20, 0.7)]
    assert answer.remark == "1 more of it is not red and is left out"
    assert [hit.box.x0 for hit in known.find(two_cars(), "蓝色的车").hits] == [120]
    assert [hit.box.x0 for hit in known.find(two_cars(), "red and blue cars").hits] == [120, 20]


def test_thing_that_is_partly_of_the_colour_comes_after_one_that_wholly_is() -> None:
    picture = two_cars()
    picture[:, 24:] = 0.5
    picture[:, 140:146] = RED
    partly, wholly, hardly = (
        ("car", 0.9, RIGHT),
        ("car", 0.6, (0.0, 0.2, 0.1, 0.8)),
        ("car", 0.95, (0.2, 0.0, 0.5, 0.1)),
    )
    answer = finder(partly, wholly, hardly).find(picture, "red car")
    assert [hit.box.x0 for hit in answer.hits] == [0, 120]
    assert answer.hits[1].score == pytest.approx(0.9 * 0.1 / 0.3, rel=0.05)


def test_words_that_are_not_heeded_are_remarked() -> None:
    assert "no word for 'parked'" in finder(("car", 0.9, LEFT)).find(two_cars(), "parked car").remark


def test_unknown_name_is_refused_before_the_network_runs() -> None:
    network = Told(("car", 0.9, LEFT))
    with pytest.raises(PromptError, match="near it are"):
        MaskRcnnFinder(network, INFO).find(two_cars(), "caar")
    assert network.given == []


def test_torchvisions_network_finds_on_a_frame_larger_than_it_looks_at() -> None:
    picture = np.random.default_rng(2).random((150, 260, 3), dtype=np.float32)
    answer = mask_rcnn_finder().find(picture, "dog")
    assert answer.hits
    assert all(hit.label == "dog" and hit.box.x1 <= 260 and hit.box.y1 <= 150 for hit in answer.hits)
    assert all(hit.mask is None or hit.mask.shape == (150, 260) for hit in answer.hits)


@pytest.mark.parametrize(("name", "count"), [("maskrcnn", 44401393), ("maskrcnn-v2", 46359409)])
def test_checkpoint_is_loaded_strictly(tmp_path: Path, name: str, count: int) -> None:
    """torchvision's own pages give the count of learned numbers of each version."""
    network = build_mask_rcnn(name)
    assert sum(value.numel() for value in network.parameters()) == count
    state = network.state_dict()
    torch.save(state, tmp_path / "weights.pth")
    loaded = load_mask_rcnn(name, tmp_path / "weights.pth", device="cpu")
    assert not loaded.training
    assert all(torch.equal(value, state[entry]) for entry, value in loaded.state_dict().items())


def test_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"some.weight": torch.zeros(2)}, tmp_path / "weights.pth")
    with pytest.raises(InputError, match="does not hold the weights of maskrcnn"):
        load_mask_rcnn("maskrcnn", tmp_path / "weights.pth", device="cpu")


def test_registry_without_weights_says_how_to_get_them_and_what_to_do_instead(tmp_path: Path) -> None:
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    with pytest.raises(EngineError, match=r"maskrcnn_resnet50_fpn_v2.*weights pull maskrcnn-v2.*--click F@X,Y"):
        registry.name_finder()
    with pytest.raises(EngineError, match="cannot run here"):
        registry.check_words("dog", "maskrcnn")


def test_registry_refuses_a_damaged_file_by_its_hash(tmp_path: Path) -> None:
    (tmp_path / "maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth").write_bytes(b"cut short")
    registry = Registry(EnginePlace(tmp_path, "cpu"))
    registry.check_words("dog")
    with pytest.raises(PromptError, match="near it are dog"):
        registry.check_words("dgo")
    with pytest.raises(InputError, match="bf2d0c1e"):
        registry.name_finder()
