"""SAM 2.1 and SAM 3 as the ``transformers`` library has them: what is used of it.

Ravi et al., "SAM 2: Segment Anything in Images and Videos", 2024; Carion et al., "SAM 3: Segment Anything with
Concepts", 2025. What the library's classes must do for us is stated as Protocols.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cleanplate_server.models.protocols import RGB


@dataclass(frozen=True)
class Look:
    """How a network sees pictures.

    Args:
        side_px: of the square that a picture is brought to, whatever its shape.
        mean, deviation: of each channel, for pictures in [0, 1].
    """

    side_px: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]

    def prepare(self, picture: Tensor) -> Tensor:
        """uint8 [H, W, 3] RGB to float32 [1, 3, side, side] on the same device."""
        values = picture.permute(2, 0, 1)[None].float() / 255
        side = (self.side_px, self.side_px)
        square = torch.nn.functional.interpolate(values, size=side, mode="bilinear", antialias=True)
        mean, deviation = (values.new_tensor(each).view(1, 3, 1, 1) for each in (self.mean, self.deviation))
        return (square - mean) / deviation


def to_bytes(rgb: RGB) -> NDArray[np.uint8]:
    """float32 [H, W, 3], nominal 0 to 1, to uint8: what lies beyond black and white was never seen in training."""
    return np.rint(np.clip(np.nan_to_num(rgb), 0, 1) * 255).astype(np.uint8)


class ImageAnswer(Protocol):
    """Logits [1, 1, N, s, s] and scores [1, 1, N]."""

    pred_masks: Tensor
    iou_scores: Tensor


class ImageNetwork(Protocol):
    """What is used of ``Sam2Model`` and ``Sam3TrackerModel``."""

    def get_image_embeddings(self, pixel_values: Tensor) -> list[Tensor]: ...

    def __call__(
        self,
        *,
        image_embeddings: list[Tensor],
        input_points: Tensor | None,
        input_labels: Tensor | None,
        input_boxes: Tensor | None,
        input_masks: Tensor | None,
        multimask_output: bool,
    ) -> ImageAnswer: ...


class Features(Protocol):
    """What the encoder made of a picture, three levels."""

    fpn_hidden_states: Sequence[Tensor]
    fpn_position_encoding: Sequence[Tensor]


class FeatureCache(Protocol):
    """A session's store of pictures that were encoded."""

    def cache_vision_features(self, frame_idx: int, features: dict[str, list[Tensor]]) -> None: ...


Outputs = dict[str, dict[int, dict[str, Tensor]]]
"""``cond_frame_outputs`` and ``non_cond_frame_outputs``, each by frame, each by name."""


class Session(Protocol):
    """What is used of ``Sam2VideoInferenceSession`` and ``Sam3TrackerVideoInferenceSession``."""

    cache: FeatureCache
    processed_frames: dict[int, Tensor] | None
    obj_with_new_inputs: list[int]
    output_dict_per_obj: dict[int, Outputs]
    frames_tracked_per_obj: dict[int, dict[int, dict[str, bool]]]

    def obj_id_to_idx(self, obj_id: int) -> int: ...

    def add_mask_inputs(self, obj_idx: int, frame_idx: int, inputs: Tensor) -> None: ...

    def remove_mask_inputs(self, obj_idx: int, frame_idx: int) -> None: ...


class SessionMaker(Protocol):
    """Begins a session without frames."""

    def __call__(
        self,
        *,
        inference_device: torch.device,
        inference_state_device: torch.device,
        video_storage_device: torch.device,
        dtype: torch.dtype,
    ) -> Session: ...


class FrameAnswer(Protocol):
    """Logits [1, 1, s, s]."""

    pred_masks: Tensor


class TrackNetwork(Protocol):
    """What is used of ``Sam2VideoModel`` and ``Sam3TrackerVideoModel``."""

    def get_image_features(self, pixel_values: Tensor, *, return_dict: bool) -> Features: ...

    def __call__(self, *, inference_session: Session, frame_idx: int, frame: Tensor, reverse: bool) -> FrameAnswer: ...


@dataclass(frozen=True, eq=False)
class Images:
    """A network for single pictures, in evaluation mode on its device."""

    network: ImageNetwork
    look: Look
    device: torch.device


@dataclass(frozen=True, eq=False)
class Tracks:
    """A network for shots, in evaluation mode on its device.

    Args:
        network: the library's.
        look: how it sees pictures.
        device: where it is.
        begin: makes a session.
        mask_side_px: of the square that mask prompts are brought to.
        memory_frames: how many followed frames back it looks at masks.
        pointer_frames: how many frames back it looks at what an object is like.
    """

    network: TrackNetwork
    look: Look
    device: torch.device
    begin: SessionMaker
    memory_frames: int
    pointer_frames: int
