from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from cleanplate_server.errors import EngineError, InputError, MaskError, PromptError
from cleanplate_server.models.networks.sam import SamSegmenter, load_sam
from cleanplate_server.models.protocols import Box, EngineInfo, Point, Prompt, Stroke
from cleanplate_server.models.registry import EnginePlace, Registry
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

INFO = EngineInfo("sam-tiny")


@pytest.fixture(scope="module")
def network() -> Sam:
    """The published network's parts at a size that answers in milliseconds, with weights of no meaning."""
    torch.manual_seed(3)
    side = 128
    encoder = ImageEncoderViT(
        img_size=side, embed_dim=32, depth=2, num_heads=2, out_chans=32, use_rel_pos=True, window_size=4,
        global_attn_indexes=(1,), norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
    )  # fmt: skip
    prompts = PromptEncoder(
        embed_dim=32, image_embedding_size=(side // 16, side // 16), input_image_size=(side, side), mask_in_chans=8
    )
    decoder = MaskDecoder(
        transformer_dim=32, transformer=TwoWayTransformer(depth=1, embedding_dim=32, mlp_dim=32, num_heads=2),
        num_multimask_outputs=3, iou_head_depth=2, iou_head_hidden_dim=16,
    )  # fmt: skip
    made = Sam(encoder, prompts, decoder).eval()
    with torch.no_grad():
        made.mask_decoder.iou_prediction_head.layers[-1].bias.fill_(0.5)
    return made


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(1).random((60, 90, 3), dtype=np.float32)


def test_one_click_gives_three_candidates_best_first(network: Sam, picture: np.ndarray) -> None:
    found = SamSegmenter(network, INFO).prepare(picture).segment(Prompt(0, points=(Point(40, 30),)))
    assert 1 <= len(found) <= 3
    assert [c.score for c in found] == sorted((c.score for c in found), reverse=True)
    assert all(c.mask.shape == (60, 90) and c.mask.dtype == np.bool_ for c in found)


def test_same_prompt_gives_the_same_answer_and_never_writes_to_the_picture(network: Sam, picture: np.ndarray) -> None:
    picture.setflags(write=False)
    prompt = Prompt(0, points=(Point(40, 30), Point(2, 2, inside=False)), box=Box(20, 10, 70, 50))
    first, second = (SamSegmenter(network, INFO).prepare(picture).segment(prompt) for _ in range(2))
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(first, second, strict=True))


def test_previous_mask_and_stroke_change_the_answer(network: Sam, picture: np.ndarray) -> None:
    prepared = SamSegmenter(network, INFO).prepare(picture)
    previous = np.zeros((60, 90), np.bool_)
    previous[10:40, 20:60] = True
    alone = prepared.segment(Prompt(0, points=(Point(40, 30),)))
    with_mask = prepared.segment(Prompt(0, points=(Point(40, 30),)), previous)
    stroked = prepared.segment(Prompt(0, strokes=(Stroke(((5, 5), (80, 50)), 3.0),)))
    assert not np.array_equal(alone[0].mask, with_mask[0].mask)
    assert not np.array_equal(alone[0].mask, stroked[0].mask)


def test_mask_alone_is_the_answer(network: Sam, picture: np.ndarray) -> None:
    mask = np.zeros((60, 90), np.bool_)
    mask[3, 4] = True
    (only,) = SamSegmenter(network, INFO).prepare(picture).segment(Prompt(0, mask=mask))
    assert np.array_equal(only.mask, mask)


def test_large_picture_is_answered_at_its_own_size(network: Sam) -> None:
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
    network: Sam, picture: np.ndarray, prompt: Prompt, previous: np.ndarray | None, error: type[Exception]
) -> None:
    with pytest.raises(error):
        SamSegmenter(network, INFO).prepare(picture).segment(prompt, previous)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"some.weight": torch.zeros(2)}, tmp_path / "sam.pth")
    with pytest.raises(InputError, match="does not hold the weights of sam-vit-b"):
        load_sam("sam-vit-b", tmp_path / "sam.pth", device="cpu")


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
