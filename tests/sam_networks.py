"""Networks of the Segment Anything family, too small to mean anything, with seeded weights."""

from __future__ import annotations

import tempfile
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from cleanplate_server.models.networks.sam.folders import load_images, load_tracks
from cleanplate_server.models.networks.sam.images import LibraryNetwork
from cleanplate_server.models.networks.sam.original import OriginalNetwork
from cleanplate_server.models.networks.sam.propagator import SamPropagator
from cleanplate_server.models.networks.sam.segmenter import SamSegmenter
from cleanplate_server.models.protocols import EngineInfo
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer

LIBRARY_NAMES = ("sam2.1", "sam3") if find_spec("transformers") else ()
"""Those of the optional library, when it is here."""
_WIDTH = 128
_MEMORY = {
    "memory_attention_hidden_size": _WIDTH,
    "memory_attention_num_layers": 1,
    "memory_attention_feed_forward_hidden_size": 16,
    "memory_encoder_hidden_size": _WIDTH,
    "memory_encoder_output_channels": 64,
    "mask_downsampler_embed_dim": _WIDTH,
    "memory_fuser_embed_dim": _WIDTH,
    "memory_fuser_intermediate_dim": 16,
}
_DECODER = {"hidden_size": _WIDTH, "mlp_dim": 16, "num_attention_heads": 2, "iou_head_hidden_dim": 16}
_LEVELS = [[16, 16], [8, 8], [4, 4]]


def build_original() -> OriginalNetwork:
    """The first generation, as the engine has it."""
    return OriginalNetwork(build_sam())


def build_sam() -> Sam:
    """The first generation, sees 128 pixels."""
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


@cache
def seeded_segmenter(name: str) -> SamSegmenter:
    """Engine of a generation: ``sam``, ``sam2.1`` or ``sam3``."""
    if name == "sam":
        return SamSegmenter(build_original(), EngineInfo(name))
    with tempfile.TemporaryDirectory() as folder:
        images = load_images(name, write_folder(name, Path(folder)), device="cpu")
    return SamSegmenter(LibraryNetwork(images), EngineInfo(name))


@cache
def seeded_propagator(name: str) -> SamPropagator:
    """Engine of a generation: ``sam2.1`` or ``sam3``."""
    with tempfile.TemporaryDirectory() as folder:
        return SamPropagator(load_tracks(name, write_folder(name, Path(folder)), device="cpu"), EngineInfo(name))


def write_folder(name: str, folder: Path) -> Path:
    """A folder as ``sam2.1-tiny`` or ``sam3`` come in, the network sees 64 or 56 pixels; skips without the library."""
    transformers = pytest.importorskip("transformers", reason="transformers is not installed: cleanplate[sam2]")
    transformers.utils.logging.disable_progress_bar()
    torch.manual_seed(5)
    network = _sam3(transformers) if name.startswith("sam3") else _sam2(transformers)
    make_lively(network, torch.Generator().manual_seed(11))
    network.eval().save_pretrained(folder)
    return folder


def make_lively(network: torch.nn.Module, random: torch.Generator) -> None:
    """Weights of usual size, so that what goes in shows in what comes out, and objects that are always in view."""
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if weight.dim() > 1:
                weight.normal_(0, weight[0].numel() ** -0.5, generator=random)
            if name.endswith("pred_obj_score_head.proj_out.bias"):
                weight.fill_(20)


def _sam2(transformers):  # noqa: ANN001, ANN202 - the library has no types
    side = 64
    backbone = transformers.Sam2HieraDetConfig(
        hidden_size=8, num_attention_heads=1, image_size=[side, side], blocks_per_stage=[1, 1, 2, 1],
        embed_dim_per_stage=[8, 16, 32, 64], num_attention_heads_per_stage=[1, 1, 2, 2],
        window_size_per_stage=[8, 4, 4, 4], global_attention_blocks=[3],
        window_positional_embedding_background_size=[2, 2],
    )  # fmt: skip
    vision = transformers.Sam2VisionConfig(
        backbone_config=backbone, backbone_channel_list=[64, 32, 16, 8], backbone_feature_sizes=_LEVELS,
        fpn_hidden_size=_WIDTH,
    )  # fmt: skip
    prompts = {"hidden_size": _WIDTH, "image_size": side, "mask_input_channels": 4}
    return transformers.Sam2VideoModel(
        transformers.Sam2VideoConfig(
            vision_config=vision, prompt_encoder_config=prompts, mask_decoder_config=_DECODER, image_size=side,
            memory_attention_rope_feat_sizes=[4, 4], **_MEMORY,
        )
    )  # fmt: skip


def _sam3(transformers):  # noqa: ANN001, ANN202
    """Detector and tracker in one, as published; only the tracker is used."""
    side = 56
    backbone = transformers.Sam3ViTConfig(
        hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2, image_size=side,
        patch_size=14, window_size=2, global_attn_indexes=[1], pretrain_image_size=28,
    )  # fmt: skip
    vision = transformers.Sam3VisionConfig(
        backbone_config=backbone, fpn_hidden_size=_WIDTH, backbone_feature_sizes=_LEVELS
    )
    tracker = transformers.Sam3TrackerVideoConfig(
        vision_config=vision, mask_decoder_config=_DECODER, image_size=side,
        prompt_encoder_config={"hidden_size": _WIDTH, "image_size": side, "mask_input_channels": 4}, **_MEMORY,
    )  # fmt: skip
    layers = {"hidden_size": _WIDTH, "num_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    detector = transformers.Sam3Config(
        vision_config=vision, geometry_encoder_config=layers, detr_encoder_config=layers,
        detr_decoder_config=layers | {"num_queries": 4},
        mask_decoder_config={"hidden_size": _WIDTH, "num_attention_heads": 2},
        text_config={
            "model_type": "clip_text_model", "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
            "num_attention_heads": 2, "vocab_size": 100, "projection_dim": 16,
        },
    )  # fmt: skip
    return transformers.Sam3VideoModel(transformers.Sam3VideoConfig(tracker_config=tracker, detector_config=detector))
