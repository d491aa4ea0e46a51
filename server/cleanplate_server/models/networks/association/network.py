"""The network that AOT and DeAOT are two forms of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from cleanplate_server.models.networks.association.decoder import Decoder
from cleanplate_server.models.networks.association.memory import Attended, Recalled, Transformer
from cleanplate_server.models.networks.association.mobilenet import MobileNetV2
from cleanplate_server.models.networks.association.pyramid import Encoder, Pyramid
from cleanplate_server.models.networks.association.resnet import ResNet50
from cleanplate_server.models.networks.association.swin import SwinB

OBJECTS_PER_BANK = 10
WIDTH = 256
"""Channels of the transformer's tokens."""

EncoderName = Literal["mobilenet_v2", "resnet50", "swin_b"]

_ENCODERS: Mapping[EncoderName, Callable[[], Encoder]] = {
    "mobilenet_v2": MobileNetV2,
    "resnet50": ResNet50,
    "swin_b": SwinB,
}
_UNUSED_LOGIT = -1e10
_UNUSED_ENTRY = "LSTT.mask_token"
"""Some files hold it; no published network uses it."""


@dataclass(frozen=True)
class Variant:
    """One published configuration.

    Args:
        name: as in its file's name, in small letters.
        encoder: which.
        layers: of the transformer.
        long_term_gap: every so many frames one is stored for good.
    """

    name: str
    encoder: EncoderName
    layers: int
    long_term_gap: int

    @property
    def align_corners(self) -> bool:
        """How maps and pictures of different sizes lie on each other."""
        return self.encoder != "swin_b"


@dataclass(frozen=True, eq=False)
class Scene:
    """One picture encoded: what all banks of objects share.

    Args:
        pyramid: the encoder's maps.
        features: float32 [n, 256, h, w], what enters the transformer.
    """

    pyramid: Pyramid
    features: Tensor


class AssociationNetwork(nn.Module):
    """Carries the labels of up to ten objects from remembered frames to a new one, in one pass.

    Args:
        variant: sizes.
        transformer: AOT's or DeAOT's.
        norms_identity: whether identity tokens are layer-normalised.
    """

    def __init__(self, variant: Variant, transformer: Transformer, *, norms_identity: bool) -> None:
        super().__init__()
        self.variant = variant
        self.encoder = _ENCODERS[variant.encoder]()
        self.encoder_projector = nn.Conv2d(self.encoder.widths.deep, WIDTH, 1)
        self.LSTT = transformer
        self.decoder = Decoder(
            transformer.width,
            self.encoder.widths,
            identities=OBJECTS_PER_BANK + 1,
            align_corners=variant.align_corners,
        )
        kernel, padding = (17, 8) if variant.align_corners else (16, 0)
        self.patch_wise_id_bank = nn.Conv2d(OBJECTS_PER_BANK + 1, WIDTH, kernel, 16, padding)
        self.id_norm = nn.LayerNorm(WIDTH) if norms_identity else nn.Identity()

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes a published checkpoint's entries, strictly."""
        self.load_state_dict({name: value for name, value in state.items() if name != _UNUSED_ENTRY})

    def encode(self, picture: Tensor) -> Scene:
        """Encodes float32 [n, 3, H, W], RGB, normalised."""
        pyramid: Pyramid = self.encoder(picture)
        return Scene(pyramid, self.encoder_projector(pyramid.deep))

    def identify(self, label: Tensor) -> Tensor:
        """Makes identity tokens [T, 1, 256] of labels [H, W], 0 (nothing) to 10, at the network's size."""
        identities = torch.arange(OBJECTS_PER_BANK + 1, device=label.device)
        planes = (label == identities[:, None, None])[None].to(self.patch_wise_id_bank.weight.dtype)
        maps: Tensor = self.patch_wise_id_bank(planes)
        tokens: Tensor = self.id_norm(maps.permute(2, 3, 0, 1))
        return tokens.flatten(0, 1)

    def forward(self, scene: Scene, source: tuple[Recalled, ...] | Tensor) -> Attended:
        """Attends to remembered frames, or to the frame itself, given its identity tokens."""
        attended: Attended = self.LSTT(scene.features, source)
        return attended

    def decode(self, attended: Attended, scene: Scene, *, object_count: int) -> Tensor:
        """Logits float32 [n, 11, h, w] at a quarter: nothing, then ten identities, of which unused ones are very low.

        Here it is decided whose a pixel is, so this is never done in half precision.
        """
        with torch.autocast(attended.maps.device.type, enabled=False):
            logits: Tensor = self.decoder(attended.maps, scene.pyramid)
        unused = torch.arange(logits.shape[1], device=logits.device) > object_count
        return logits.masked_fill(unused[:, None, None], _UNUSED_LOGIT)
