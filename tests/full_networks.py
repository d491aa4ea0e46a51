"""Files of published networks that find and follow objects, in their full size, with values drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import torch
from cleanplate_server.models.networks.mask_rcnn import build_mask_rcnn
from cleanplate_server.models.networks.osvos import Osvos
from cleanplate_server.models.networks.propagators import PROPAGATOR_NAMES, build_association
from segment_anything import sam_model_registry

_HIERA = {
    "tiny": {"hidden_size": 96, "num_attention_heads": 1, "blocks_per_stage": [1, 2, 7, 2],
             "window_size_per_stage": [8, 4, 14, 7], "global_attention_blocks": [5, 7, 9]},
    "small": {"hidden_size": 96, "num_attention_heads": 1, "blocks_per_stage": [1, 2, 11, 2],
              "window_size_per_stage": [8, 4, 14, 7], "global_attention_blocks": [7, 10, 13]},
    "base-plus": {"hidden_size": 112, "num_attention_heads": 2, "blocks_per_stage": [2, 3, 16, 3],
                  "window_size_per_stage": [8, 4, 14, 7], "global_attention_blocks": [12, 16, 20],
                  "window_positional_embedding_background_size": [14, 14]},
    "large": {"hidden_size": 144, "num_attention_heads": 2, "blocks_per_stage": [2, 6, 36, 4],
              "window_size_per_stage": [8, 4, 16, 8], "global_attention_blocks": [23, 33, 43]},
}  # fmt: skip
"""The published sizes of SAM 2.1's encoder, as the library names them."""


def save_full(name: str, folder: Path) -> Path:
    """Writes an engine's file or folder below a folder and gives it.

    Args:
        name: one of ``FULL_NAMES``.
        folder: an empty one.
    """
    torch.manual_seed(0)
    return _SAVERS[name](folder)


def _save(build: Callable[[], torch.nn.Module], folder: Path) -> Path:
    torch.save(build().state_dict(), folder / "weights.pth")
    return folder / "weights.pth"


def _save_sam2(size: str, folder: Path) -> Path:
    import transformers

    hiera = dict(_HIERA[size])
    width, heads = hiera["hidden_size"], hiera["num_attention_heads"]
    widths = [width << stage for stage in range(4)]
    backbone = transformers.Sam2HieraDetConfig(
        embed_dim_per_stage=widths, num_attention_heads_per_stage=[heads << stage for stage in range(4)], **hiera
    )
    vision = transformers.Sam2VisionConfig(backbone_config=backbone, backbone_channel_list=widths[::-1])
    network = transformers.Sam2VideoModel(transformers.Sam2VideoConfig(vision_config=vision))
    return _save_folder(network, folder)


def _save_sam3(folder: Path) -> Path:
    import transformers

    return _save_folder(transformers.Sam3VideoModel(transformers.Sam3VideoConfig()), folder)


def _save_grounding(folder: Path) -> Path:
    import transformers

    config = transformers.GroundingDinoConfig()
    _save_folder(transformers.GroundingDinoForObjectDetection(config), folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", ".", "dog"]
    spare = (f"[unused{number}]" for number in range(config.text_config.vocab_size - len(words)))
    (folder / "vocab.txt").write_text("\n".join([*words, *spare]) + "\n", encoding="utf-8")
    return folder


def _save_folder(network: torch.nn.Module, folder: Path) -> Path:
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("pred_obj_score_head.proj_out.bias"):
                weight.fill_(20)  # objects stay in view
    network.save_pretrained(folder)  # type: ignore[operator]
    return folder


_SAVERS: Mapping[str, Callable[[Path], Path]] = {
    **{f"sam-vit-{size}": partial(_save, sam_model_registry[f"vit_{size}"]) for size in "blh"},
    **{f"sam2.1-{size}": partial(_save_sam2, size) for size in _HIERA},
    "sam3": _save_sam3,
    **{name: partial(_save, partial(build_association, name)) for name in PROPAGATOR_NAMES},
    "osvos": partial(_save, Osvos),
    **{name: partial(_save, partial(build_mask_rcnn, name)) for name in ("maskrcnn", "maskrcnn-v2")},
    "grounding-dino": _save_grounding,
}
FULL_NAMES = tuple(_SAVERS)
