"""Name finders on small networks with weights of no meaning, made so that they find something."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import torch
from cleanplate_server.models.networks.mask_rcnn import CATEGORIES, MaskRcnnFinder
from cleanplate_server.models.protocols import EngineInfo, NameFinder
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "dog", "red", "car", "the", "##s", "a", "person"]


def mask_rcnn_finder() -> NameFinder:
    """Takes whatever its proposals hold for a dog or a car."""
    return MaskRcnnFinder(mask_rcnn_network(), EngineInfo("maskrcnn"))


@cache
def mask_rcnn_network() -> MaskRCNN:
    torch.manual_seed(4)
    backbone = resnet_fpn_backbone(backbone_name="resnet18", weights=None, trainable_layers=5)
    network = MaskRCNN(
        backbone, num_classes=len(CATEGORIES), min_size=96, max_size=128, box_score_thresh=0.3,
        rpn_post_nms_top_n_test=40, box_detections_per_img=20,
    ).eval()  # fmt: skip
    with torch.no_grad():
        bias = network.roi_heads.box_predictor.cls_score.bias
        bias.fill_(-8.0)
        bias[CATEGORIES.index("dog")], bias[CATEGORIES.index("car")] = 6.0, 5.0
        network.roi_heads.mask_predictor.mask_fcn_logits.bias.fill_(3.0)
    return network


def grounding_finder() -> NameFinder:
    """The published network's parts at a size that answers in milliseconds; skips without ``transformers``."""
    pytest.importorskip("transformers")
    from cleanplate_server.models.networks.grounding_dino import GroundingDinoFinder, load_grounding_dino

    with TemporaryDirectory() as folder:
        write_grounding_folder(Path(folder))
        return GroundingDinoFinder(load_grounding_dino(Path(folder), device="cpu"), EngineInfo("grounding-dino"))


def write_grounding_folder(folder: Path) -> None:
    """Checkpoint, settings and words, as they are published."""
    from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(5)
    config = GroundingDinoConfig(
        backbone_config={
            "model_type": "swin", "embed_dim": 16, "depths": [1, 1, 1, 1], "num_heads": [1, 1, 2, 2],
            "window_size": 4, "out_features": ["stage2", "stage3", "stage4"], "image_size": 64,
        },
        text_config={
            "model_type": "bert", "vocab_size": len(WORDS), "hidden_size": 32, "num_hidden_layers": 1,
            "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64,
        },
        d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=12, max_text_len=32,
    )  # fmt: skip
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
