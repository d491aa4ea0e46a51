"""SAM 2.1 and SAM 3 looking at single pictures."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cleanplate_server.models.networks.sam.library import Images
from cleanplate_server.models.networks.sam.views import Answer, Evidence, Logits, enlarge
from cleanplate_server.models.networks.uploads import half_precision
from cleanplate_server.models.protocols import Mask

_SURE_LOGIT = 8.0
"""How sure a mask that the network did not make itself is taken to be."""


class LibraryNetwork:
    """A network of the library, a `ViewingNetwork`.

    Args:
        images: the network.
        halves: whether the encoder works in half precision; None where that is fast, on a GPU.
    """

    def __init__(self, images: Images, *, halves: bool | None = None) -> None:
        self._images = images
        self._halves = images.device.type == "cuda" if halves is None else halves

    @property
    def input_px(self) -> int:
        return self._images.look.side_px

    def look(self, picture: NDArray[np.uint8]) -> LibraryView:
        """Looks at a picture once: uint8 [H, W, 3] RGB."""
        images = self._images
        with torch.inference_mode(), half_precision(images.device, halves=self._halves):
            pixels = images.look.prepare(torch.from_numpy(picture).to(images.device))
            embeddings = images.network.get_image_embeddings(pixels)
            return LibraryView(images, [level.float() for level in embeddings], picture.shape[:2])


class LibraryView:
    """A picture with its embeddings, a `View`.

    Args:
        images: the network.
        embeddings: float32 [1, C, h, w], the finest first.
        size: (height, width) of the picture.
    """

    def __init__(self, images: Images, embeddings: list[Tensor], size: Sequence[int]) -> None:
        self._images = images
        self._embeddings = embeddings
        self._size = (size[0], size[1])

    @property
    def byte_count(self) -> int:
        return sum(level.nbytes for level in self._embeddings)

    @torch.inference_mode()
    def answer(self, evidence: Evidence) -> list[Answer]:
        """Answers, the best first; see `View.answer`."""
        found = self._ask(evidence, several=True)
        return [*self._ask(evidence, several=False), *found] if evidence.is_clear else found

    def _ask(self, evidence: Evidence, *, several: bool) -> list[Answer]:
        device = self._images.device
        places = self._to_square(evidence.places)
        found = self._images.network(
            image_embeddings=list(self._embeddings),
            input_points=None if places is None else places[None, None],
            input_labels=None if places is None else torch.from_numpy(evidence.sides).to(device)[None, None],
            input_boxes=self._box(evidence.box),
            input_masks=None if evidence.logits is None else torch.from_numpy(evidence.logits).to(device)[None, None],
            multimask_output=several,
        )
        logits = found.pred_masks[0, 0].float().cpu().numpy()
        scores = found.iou_scores[0, 0].float().clamp(0, 1).cpu().numpy()
        order = np.argsort(-scores, kind="stable")
        return [Answer(enlarge(logits[i], self._size), float(scores[i]), logits[i]) for i in order]

    def shrink(self, mask: Mask) -> Logits:
        """The small form of a mask; the picture fills the square that the network sees."""
        side = self._embeddings[0].shape[-1]
        small = cv2.resize(mask.astype(np.float32), (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray((small * 2 - 1) * _SURE_LOGIT, np.float32)

    def _to_square(self, places: NDArray[np.float64]) -> Tensor | None:
        """Places [N, 2] in the picture to float32 ones in the square; None for none."""
        if not len(places):
            return None
        side = self._images.look.side_px
        scale = np.array([side / self._size[1], side / self._size[0]])
        return torch.from_numpy((places * scale).astype(np.float32)).to(self._images.device)

    def _box(self, box: NDArray[np.float64] | None) -> Tensor | None:
        if box is None:
            return None
        corners = self._to_square(box.reshape(2, 2))
        assert corners is not None
        return corners.reshape(1, 1, 4)
