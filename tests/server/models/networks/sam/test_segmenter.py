from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from cleanplate_server.errors import DeviceMemoryError, InputError, MaskError, PromptError
from cleanplate_server.models.networks.sam.folders import load_images
from cleanplate_server.models.networks.sam.images import LibraryNetwork
from cleanplate_server.models.networks.sam.library import Images, Look
from cleanplate_server.models.networks.sam.original import OriginalNetwork, load_original
from cleanplate_server.models.networks.sam.segmenter import SamSegmenter
from cleanplate_server.models.networks.sam.views import Answer, Evidence, Logits, ViewingNetwork
from cleanplate_server.models.protocols import Box, EngineInfo, Mask, Point, Prompt, Stroke
from sam_networks import build_original, build_sam, write_folder
from segment_anything import SamPredictor

INFO = EngineInfo("sam-tiny")


@pytest.fixture(scope="module", params=["sam", "sam2.1", "sam3"])
def network(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ViewingNetwork:
    """Each generation's published parts at a size that answers in milliseconds, with weights of no meaning."""
    if request.param == "sam":
        return build_original()
    folder = write_folder(request.param, tmp_path_factory.mktemp("weights"))
    return LibraryNetwork(load_images(request.param, folder, device="cpu"))


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).random((60, 90, 3), dtype=np.float32)


def test_one_click_gives_three_candidates_best_first(network: ViewingNetwork, picture: np.ndarray) -> None:
    found = SamSegmenter(network, INFO).prepare(picture).segment(Prompt(0, points=(Point(40, 30),)))
    assert 1 <= len(found) <= 3
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert all(c.mask.shape == (60, 90) and c.mask.dtype == np.bool_ for c in found)


def test_same_prompt_gives_the_same_answer_and_never_writes_to_the_picture(
    network: ViewingNetwork, picture: np.ndarray
) -> None:
    picture.setflags(write=False)
    prompt = Prompt(0, points=(Point(40, 30), Point(2, 2, inside=False)), box=Box(20, 10, 70, 50))
    first, second = (SamSegmenter(network, INFO).prepare(picture).segment(prompt) for _ in range(2))
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first, second, strict=True))


def test_previous_mask_and_stroke_change_the_answer(network: ViewingNetwork, picture: np.ndarray) -> None:
    prepared = SamSegmenter(network, INFO).prepare(picture)
    previous = np.zeros((60, 90), np.bool_)
    previous[10:40, 20:60] = True
    alone = prepared.segment(Prompt(0, points=(Point(40, 30),)))
    with_mask = prepared.segment(Prompt(0, points=(Point(40, 30),)), previous)
    stroked = prepared.segment(Prompt(0, strokes=(Stroke(((5, 5), (80, 50)), 3.0),)))
    assert not np.array_equal(alone[0].mask, with_mask[0].mask)
    assert not np.array_equal(alone[0].mask, stroked[0].mask)


CLICKS, SIDES = np.array([[60.0, 40.0], [20.0, 10.0]]), np.array([1, 0])
LOGITS = np.random.default_rng(1).normal(size=(32, 32)).astype(np.float32)


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(CLICKS[:1], SIDES[:1]),
        Evidence(CLICKS, SIDES),
        Evidence(CLICKS[:0], SIDES[:0], box=np.array([30.0, 20, 90, 70])),
        Evidence(CLICKS, SIDES, box=np.array([30.0, 20, 90, 70]), logits=LOGITS),
    ],
)
def test_first_generation_answers_as_its_package_does(evidence: Evidence) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (90, 150, 3), dtype=np.uint8)
    sam = build_sam()
    predictor = SamPredictor(sam)
    predictor.set_image(picture)
    expected = []
    for several in (False, True) if evidence.is_clear else (True,):
        masks, scores, logits = predictor.predict(
            point_coords=evidence.places if len(evidence.places) else None,
            point_labels=evidence.sides if len(evidence.places) else None,
            box=evidence.box,
            mask_input=None if evidence.logits is None else evidence.logits[None],
            multimask_output=several,
        )
        expected += [(masks[i], scores[i], logits[i]) for i in np.argsort(-scores)]
    found = OriginalNetwork(sam).look(picture).answer(evidence)
    for answer, (mask, score, small) in zip(found, expected, strict=True):
        assert (answer.mask != mask).mean() < 1e-3
        assert answer.score == pytest.approx(np.clip(score, 0, 1))
        assert np.allclose(answer.logits, small, atol=1e-5)


def test_mask_alone_is_the_answer(network: ViewingNetwork, picture: np.ndarray) -> None:
    mask = np.zeros((60, 90), np.bool_)
    mask[3, 4] = True
    (only,) = SamSegmenter(network, INFO).prepare(picture).segment(Prompt(0, mask=mask))
    assert np.array_equal(only.mask, mask)


def test_large_picture_is_answered_at_its_own_size(network: ViewingNetwork) -> None:
    picture = np.random.default_rng(2).random((200, 300, 3), dtype=np.float32)
    found = SamSegmenter(network, INFO).prepare(picture).segment(Prompt(0, box=Box(100, 80, 130, 110)))
    assert found[0].mask.shape == (200, 300)


@pytest.mark.parametrize(
    ("prompt", "previous", "error"),
    [
        (Prompt(0, points=(Point(3, 3, inside=False),)), None, PromptError),
        (Prompt(0, points=(Point(300, 3),)), None, PromptError),
        (Prompt(0, points=(Point(3, 3),)), np.zeros((5, 5), np.bool_), MaskError),
    ],
)
def test_unusable_prompt_is_refused(
    network: ViewingNetwork, picture: np.ndarray, prompt: Prompt, previous: np.ndarray | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        SamSegmenter(network, INFO).prepare(picture).segment(prompt, previous)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"some.weight": torch.zeros(2)}, tmp_path / "sam.pth")
    with pytest.raises(InputError, match="does not hold the weights of sam-vit-b"):
        load_original("sam-vit-b", tmp_path / "sam.pth", device="cpu")


@dataclass
class BrightNetwork:
    """Finds what is bright around the first click, as coarsely as a square of 128 pixels shows it.

    Args:
        looks: sizes of the pictures that it looked at.
        asked: what each view was asked.
    """

    input_px: int = 128
    looks: list[tuple[int, int]] = field(default_factory=list)
    asked: list[Evidence] = field(default_factory=list)

    def look(self, picture: np.ndarray) -> BrightView:
        height, width = picture.shape[:2]
        self.looks.append((height, width))
        shrink = min(1.0, self.input_px / max(height, width))
        small = cv2.resize(picture, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        coarse = cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST)
        return BrightView(self, coarse[..., 0] > 100)


@dataclass
class BrightView:
    owner: BrightNetwork
    bright: Mask
    byte_count: int = 1000

    def answer(self, evidence: Evidence) -> list[Answer]:
        self.owner.asked.append(evidence)
        _, labels = cv2.connectedComponents(self.bright.astype(np.uint8))
        x, y = evidence.places[0].round().astype(int)
        mask = (labels == labels[y, x]) & self.bright
        return [Answer(mask, 0.9, self.shrink(mask))]

    def shrink(self, mask: Mask) -> Logits:
        return np.float32(cv2.resize(mask.astype(np.float32), (16, 16)) * 2 - 1)


def two_discs() -> tuple[np.ndarray, Mask]:
    """A wide picture with two small bright discs, and the first one's mask."""
    y, x = np.mgrid[0:540, 0:960]
    first, second = ((x - cx) ** 2 + (y - cy) ** 2 <= 20**2 for cx, cy in ((700, 400), (100, 100)))
    return np.repeat((first | second)[..., None], 3, 2).astype(np.float32), first


def test_small_object_in_a_large_picture_is_cut_out_at_full_resolution() -> None:
    picture, disc = two_discs()
    found = SamSegmenter(BrightNetwork(), INFO).prepare(picture).segment(Prompt(0, points=(Point(700, 400),)))
    assert (found[0].mask & disc).sum() / (found[0].mask | disc).sum() > 0.95


def test_frame_and_crop_are_looked_at_once_however_many_clicks_there_are() -> None:
    network = BrightNetwork()
    prepared = SamSegmenter(network, INFO).prepare(two_discs()[0])
    before = prepared.byte_count
    for place in ((700, 400), (100, 100), (701, 402), (102, 99)):
        prepared.segment(Prompt(0, points=(Point(*place),)))
    assert network.looks[0] == (540, 960)
    assert len(network.looks) == 3
    assert prepared.byte_count == before + 2 * 1000


def test_earlier_answer_goes_back_to_the_network_as_its_own_logits() -> None:
    network = BrightNetwork(input_px=1024)
    prepared = SamSegmenter(network, INFO).prepare(two_discs()[0])
    (answer,) = prepared.segment(Prompt(0, points=(Point(700, 400),)))
    prepared.segment(Prompt(0, points=(Point(700, 400), Point(5, 5, inside=False)), mask=answer.mask))
    again = network.asked[-1].logits
    assert again is not None
    assert again.shape == (16, 16)


def test_crowded_gpu_is_told_with_what_runs_instead() -> None:
    class FullNetwork(BrightNetwork):
        def look(self, picture: np.ndarray) -> BrightView:
            raise torch.OutOfMemoryError

    with pytest.raises(DeviceMemoryError, match=r"sam-tiny ran out .*segmenter=embedded"):
        SamSegmenter(FullNetwork(), INFO).prepare(two_discs()[0])


@dataclass
class Pointing:
    """Answers like the library's networks: above 0 around the click, in a square of 32 pixels for 128."""

    iou_scores: torch.Tensor = field(default_factory=lambda: torch.ones(1, 1, 1))
    pred_masks: torch.Tensor = field(default_factory=lambda: torch.zeros(1, 1, 1, 32, 32))
    given: dict[str, torch.Tensor | None] = field(default_factory=dict)

    def get_image_embeddings(self, pixel_values: torch.Tensor) -> list[torch.Tensor]:
        assert pixel_values.shape == (1, 3, 128, 128)
        return [torch.zeros(1, 4, 32, 32)]

    def __call__(self, *, input_points: torch.Tensor | None, **given: torch.Tensor | None) -> Pointing:
        assert input_points is not None
        x, y = (input_points[0, 0, 0] / 4).long().tolist()
        self.given = given
        self.pred_masks = torch.full((1, 1, 1, 32, 32), -1.0)
        self.pred_masks[..., y - 1 : y + 2, x - 1 : x + 2] = 1
        return self


def test_library_gets_clicks_and_boxes_in_its_square_and_masks_come_back_in_the_picture() -> None:
    network = Pointing()
    images = Images(network, Look(128, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)), torch.device("cpu"))
    prepared = SamSegmenter(LibraryNetwork(images), INFO).prepare(np.zeros((64, 120, 3), np.float32))
    found = prepared.segment(Prompt(0, points=(Point(90, 16),), box=Box(30, 8, 60, 48)))
    rows, columns = np.nonzero(found[0].mask)
    assert abs(columns.mean() - 90) < 2.5
    assert abs(rows.mean() - 16) < 1.5
    assert network.given["input_boxes"].tolist() == [[[32, 16, 64, 96]]]
