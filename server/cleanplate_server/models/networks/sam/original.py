"""Segment Anything, the first: the ``segment-anything`` package's networks ViT-B, ViT-L and ViT-H.

Kirillov et al., "Segment Anything", ICCV 2023.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from segment_anything import SamPredictor, sam_model_registry
from segment_anything.modeling import Sam
from torch import Tensor

from cleanplate_server.errors import DeviceMemoryError, InputError
from cleanplate_server.models.networks.checkpoints import read_state
from cleanplate_server.models.networks.sam.views import Answer, Evidence, Logits, enlarge
from cleanplate_server.models.networks.uploads import half_precision
from cleanplate_server.models.protocols import Mask

_KINDS = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}
"""The package's names for the published sizes, by the manifest's."""
_SURE_LOGIT = 8.0
"""How sure a mask that the network did not make itself is taken to be."""


def load_original(name: str, checkpoint: Path, *, device: str) -> OriginalNetwork:
    """Builds a published size of the network with its weights.

    Args:
        name: ``sam-vit-b``, ``sam-vit-l`` or ``sam-vit-h``.
        checkpoint: proved beforehand.
        device: ``cpu`` or ``cuda:N``.

    Raises:
        InputError: the file's entries are not the network's.
        DeviceMemoryError: it does not fit the device's memory.
    """
    network: Sam = sam_model_registry[_KINDS[name]]()
    try:
        network.load_state_dict(read_state(checkpoint), strict=True)
    except RuntimeError as error:
        raise InputError(
            f"{checkpoint} does not hold the weights of {name}; `cleanplate weights verify {name}` says more",
            reason="WRONG_WEIGHTS",
        ) from error
    try:
        return OriginalNetwork(network.eval().to(device))
    except torch.OutOfMemoryError as error:
        raise DeviceMemoryError(
            f"{name} does not fit the memory of {device};"
            " choose a smaller one with --engine segmenter=sam-vit-b, or --engine segmenter=embedded",
        ) from error


class OriginalNetwork:
    """The package's network, a `ViewingNetwork`.

    Args:
        network: in evaluation mode, on its device.
        halves: whether the encoder works in half precision; None where that is fast, on a GPU.
    """

    def __init__(self, network: Sam, *, halves: bool | None = None) -> None:
        self._network = network
        self._halves = network.device.type == "cuda" if halves is None else halves

    @property
    def input_px(self) -> int:
        return int(self._network.image_encoder.img_size)

    def look(self, picture: NDArray[np.uint8]) -> OriginalView:
        """Looks at a picture once: uint8 [H, W, 3] RGB."""
        predictor = SamPredictor(self._network)
        with torch.inference_mode(), half_precision(self._network.device, halves=self._halves):
            predictor.set_image(picture)
        predictor.features = predictor.features.float()
        return OriginalView(predictor, picture.shape[:2])


class OriginalView:
    """A picture with its embedding, a `View`.

    Args:
        predictor: has looked at the picture.
        size: (height, width) of the picture.
    """

    def __init__(self, predictor: SamPredictor, size: tuple[int, int]) -> None:
        self._predictor = predictor
        self._network: Sam = predictor.model
        self._size = size

    @property
    def byte_count(self) -> int:
        return int(self._predictor.features.nbytes)

    @torch.inference_mode()
    def answer(self, evidence: Evidence) -> list[Answer]:
        """Answers, the best first; see `View.answer`.

        The decoder makes all four at once: the first is for what is meant by much evidence, the rest for one click.
        """
        prompts = self._network.prompt_encoder
        sparse, dense = prompts(self._clicks(evidence), self._box(evidence), self._mask(evidence))
        masks, scores = self._network.mask_decoder.predict_masks(
            image_embeddings=self._predictor.features,
            image_pe=prompts.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
        )
        logits, values = masks[0].float().cpu().numpy(), scores[0].float().clamp(0, 1).cpu().numpy()
        several = [1 + int(i) for i in np.argsort(-values[1:], kind="stable")]
        return [self._answer(logits[i], float(values[i])) for i in ([0, *several] if evidence.is_clear else several)]

    def _answer(self, logits: Logits, score: float) -> Answer:
        side = self._network.image_encoder.img_size
        height, width = self._predictor.input_size
        square = np.asarray(cv2.resize(logits, (side, side), interpolation=cv2.INTER_LINEAR), np.float32)
        return Answer(enlarge(square[:height, :width], self._size), score, logits)

    def _clicks(self, evidence: Evidence) -> tuple[Tensor, Tensor] | None:
        if not len(evidence.places):
            return None
        return self._to_square(evidence.places), torch.from_numpy(evidence.sides).to(self._network.device)[None]

    def _box(self, evidence: Evidence) -> Tensor | None:
        return None if evidence.box is None else self._to_square(evidence.box.reshape(2, 2)).reshape(1, 4)

    def _mask(self, evidence: Evidence) -> Tensor | None:
        return (
            None if evidence.logits is None else torch.from_numpy(evidence.logits).to(self._network.device)[None, None]
        )

    def _to_square(self, places: NDArray[np.float64]) -> Tensor:
        """Places [N, 2] in the picture to float32 [1, N, 2] in the square that the network sees."""
        scaled = self._predictor.transform.apply_coords(places, self._size)
        return torch.from_numpy(scaled.astype(np.float32)).to(self._network.device)[None]

    def shrink(self, mask: Mask) -> Logits:
        """The small form of a mask; the picture lies at the top left of the square that the network sees."""
        side = self._predictor.model.image_encoder.img_size // 4
        scale = side / max(self._size)
        size = (max(1, round(self._size[1] * scale)), max(1, round(self._size[0] * scale)))
        small = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
        square = np.zeros((side, side), np.float32)
        square[: small.shape[0], : small.shape[1]] = small
        return np.asarray((square * 2 - 1) * _SURE_LOGIT, np.float32)
