"""Grounding DINO as a name finder: any English words, boxes alone.

Liu et al., "Grounding DINO: Marrying DINO with Grounded Pre-Training for Open-Set Object Detection", ECCV 2024. The
network is that of ``transformers``, built from its settings file; nothing is downloaded and no code of a model is run.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import torch
from huggingface_hub.errors import StrictDataclassError
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file
from tokenizers.implementations import BertWordPieceTokenizer
from torch import Tensor
from torchvision.ops import box_convert, nms  # type: ignore[import-untyped]
from transformers import GroundingDinoConfig, GroundingDinoForObjectDetection
from transformers.utils import logging as transformers_logging

from cleanplate_server.errors import DeviceMemoryError, InputError
from cleanplate_server.models.naming.words import to_english
from cleanplate_server.models.protocols import RGB, Box, EngineInfo, NameAnswer, NameHit

_LEAST_SCORE = 0.35
"""What its authors keep."""
_SAME_OVERLAP = 0.7
"""Two boxes that share more than this are one thing seen twice."""
_SHORT_SIDE, _LONG_SIDE = 800, 1333
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_CONSTANT = "position_ids"
"""A constant that files of older versions hold."""
_MARKS = ("[CLS]", "[SEP]", "[UNK]", ".")
"""What a list of words must have for this network."""


class _Config(Protocol):
    disable_custom_kernels: bool


class _Answer(Protocol):
    logits: Tensor
    pred_boxes: Tensor


class _Network(Protocol):
    """What is used of ``GroundingDinoForObjectDetection``."""

    def __call__(
        self, *, pixel_values: Tensor, pixel_mask: Tensor, input_ids: Tensor, attention_mask: Tensor,
        token_type_ids: Tensor,
    ) -> _Answer: ...  # fmt: skip

    def parameters(self) -> Iterator[Tensor]: ...

    def eval(self) -> _Network: ...

    def to(self, device: str) -> _Network: ...


class _Encoded(Protocol):
    ids: list[int]


class _Tokenizer(Protocol):
    def encode(self, text: str) -> _Encoded: ...


@dataclass(frozen=True)
class GroundingParts:
    """The network with what turns words into its numbers.

    Args:
        network: in evaluation mode, on its device.
        tokenizer: of its text encoder.
    """

    network: _Network
    tokenizer: _Tokenizer


def load_grounding_dino(folder: Path, *, device: str) -> GroundingParts:
    """Builds the network from its published folder.

    Args:
        folder: with ``config.json``, ``model.safetensors`` and ``vocab.txt``, proved beforehand.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        InputError: a file that cannot be read, or whose entries are not the network's.
        DeviceMemoryError: it does not fit the device's memory.
    """
    network = _built(_read_config(folder / "config.json"), folder / "model.safetensors")
    tokenizer = _read_words(folder / "vocab.txt")
    try:
        return GroundingParts(network.eval().to(device), tokenizer)
    except torch.OutOfMemoryError as error:
        raise _too_small(device) from error


class GroundingDinoFinder:
    """Name finder that takes English words as they are, and Chinese ones that the list of names can put into English.

    Args:
        parts: network and tokenizer.
        info: name, licence, weights.
    """

    def __init__(self, parts: GroundingParts, info: EngineInfo) -> None:
        self._parts = parts
        self._info = info
        self._lock = threading.Lock()

    @property
    def info(self) -> EngineInfo:
        return self._info

    def find(self, rgb: RGB, words: str) -> NameAnswer:
        """Finds everything on a frame that words may mean; see ``NameFinder``."""
        phrases = to_english(words)
        text = " ".join(f"{phrase.rstrip('.')}." for phrase in phrases)
        boxes, scores = self._detect(rgb, text)
        kept = scores >= _LEAST_SCORE
        boxes, scores = boxes[kept], scores[kept]
        order = nms(boxes, scores, _SAME_OVERLAP)  # sorted by score
        hits = (NameHit(_box(boxes[i].tolist(), rgb), float(scores[i]), words.strip()) for i in order.tolist())
        return NameAnswer(tuple(hits))

    def _detect(self, rgb: RGB, text: str) -> tuple[Tensor, Tensor]:
        """Boxes float32 [N, 4] x0, y0, x1, y1 as shares of the picture, and scores [N]."""
        network = self._parts.network
        device = next(network.parameters()).device
        ids = torch.tensor([self._parts.tokenizer.encode(text).ids], device=device)
        picture = torch.from_numpy(_prepared(rgb))[None].to(device)
        try:
            with self._lock, torch.inference_mode():
                answer = network(
                    pixel_values=picture, input_ids=ids, attention_mask=torch.ones_like(ids),
                    token_type_ids=torch.zeros_like(ids),
                    pixel_mask=torch.ones(picture.shape[0], *picture.shape[2:], dtype=torch.long, device=device),
                )  # fmt: skip
        except torch.OutOfMemoryError as error:
            raise _too_small(str(device)) from error
        scores = answer.logits[0].float().sigmoid().amax(dim=-1).cpu()
        boxes = box_convert(answer.pred_boxes[0].float().cpu(), "cxcywh", "xyxy").clamp(0, 1)
        return boxes, scores


def _prepared(rgb: RGB) -> NDArray[np.float32]:
    """The picture as the network takes it: float32 [3, h, w], its shorter side 800 unless the longer exceeds 1333."""
    height, width = rgb.shape[:2]
    scale = min(_SHORT_SIDE / min(height, width), _LONG_SIDE / max(height, width))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scaled = cv2.resize(np.clip(rgb, 0, 1), size, interpolation=method)
    levelled = (scaled - np.array(_MEAN, np.float32)) / np.array(_DEVIATION, np.float32)
    return np.ascontiguousarray(levelled.transpose(2, 0, 1), np.float32)


def _box(shares: list[float], rgb: RGB) -> Box:
    """A box in shares of the picture as whole pixels, one at least."""
    height, width = rgb.shape[:2]
    left, top = min(round(shares[0] * width), width - 1), min(round(shares[1] * height), height - 1)
    return Box(left, top, max(left + 1, round(shares[2] * width)), max(top + 1, round(shares[3] * height)))


def _read_config(settings: Path) -> _Config:
    try:
        raw = json.loads(settings.read_text(encoding="utf-8"))
        parts = raw["backbone_config"]["model_type"], raw["text_config"].get("model_type", "bert")
        elsewhere = str(raw.get("backbone") or "")  # would be fetched
        config: _Config = GroundingDinoConfig.from_dict(raw)
    except (ValueError, TypeError, KeyError, AttributeError, StrictDataclassError) as error:
        raise _refused(settings, "holds no settings of Grounding DINO") from error
    if elsewhere or parts != ("swin", "bert"):
        raise _refused(settings, f"asks for {elsewhere or ' and '.join(parts)}, not for the parts of Grounding DINO")
    config.disable_custom_kernels = True  # they would be fetched
    return config


def _built(config: _Config, checkpoint: Path) -> _Network:
    """The network with its entries, which are named as its authors' files name them; none may be missing or left."""
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    network: _Network
    report: dict[str, set[str]]
    try:
        network, report = GroundingDinoForObjectDetection.from_pretrained(
            None, config=config, state_dict=load_file(checkpoint), local_files_only=True, output_loading_info=True
        )
    except (SafetensorError, OSError) as error:
        raise _refused(checkpoint, "is damaged or no safetensors file") from error
    except RuntimeError as error:
        raise _refused(checkpoint, "does not hold the weights of Grounding DINO (shapes differ)") from error
    strange = [name for name in report["unexpected_keys"] if not name.endswith(_CONSTANT)]
    wrong = [*sorted(report["missing_keys"]), *sorted(strange)]
    if wrong:
        raise _refused(checkpoint, f"does not hold the weights of Grounding DINO (its entry {wrong[0]})")
    return network


def _read_words(file: Path) -> _Tokenizer:
    words = file.read_bytes().decode("utf-8", errors="replace").splitlines()
    numbers = {word: number for number, word in enumerate(words)}
    if not all(mark in numbers for mark in _MARKS):
        raise _refused(file, f"is no list of words (it lacks one of {' '.join(_MARKS)})")
    tokenizer: _Tokenizer = BertWordPieceTokenizer(numbers, lowercase=True)
    return tokenizer


def _refused(file: Path, why: str) -> InputError:
    return InputError(
        f"{file} {why}; get it anew with `cleanplate weights pull`",
        reason="WRONG_WEIGHTS",
        metadata={"path": str(file)},
    )


def _too_small(device: str) -> DeviceMemoryError:
    return DeviceMemoryError(
        f"the memory of {device} is too small for Grounding DINO; set device to cpu, or end what else uses that memory"
    )
