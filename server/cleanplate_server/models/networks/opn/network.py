"""OPN's networks: what a frame is encoded to, and one peel of a hole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.asymmetric_attention import AsymmetricAttention, Memory
from cleanplate_server.models.networks.borders import border_to_multiple
from cleanplate_server.models.networks.colours import Colours
from cleanplate_server.models.networks.opn.gated import GatedConv, enlarge, without_constants

PEEL_PX = 8.0
"""How far one pass reaches into the hole."""

_STEP_PX = 4
_FARTHEST = 9999.0


@dataclass(frozen=True, eq=False)
class Encoded:
    """One frame at a quarter of its size: float32 [n, 128, h, w] each."""

    key: Tensor
    value: Tensor


@dataclass(frozen=True, eq=False)
class Peeled:
    """A frame after a pass.

    Args:
        rgb: float32 [n, 3, H, W] from 0 to 1, the mean colour where the hole still is.
        distance: float32 [n, 1, H, W] in pixels from what is no hole any more, 0 outside it.
    """

    rgb: Tensor
    distance: Tensor


class Encoder(nn.Module):
    """RGB, what is original, what is hole: to key and value."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = Colours()
        self.conv12 = GatedConv(5, 64, kernel=5, stride=2)
        self.conv2 = GatedConv(64, 64)
        self.conv23 = GatedConv(64, 128, stride=2)
        self.conv3a = GatedConv(128, 128)
        self.conv3b = GatedConv(128, 128, dilation=2)
        self.conv3c = GatedConv(128, 128, dilation=4)
        self.conv3d = GatedConv(128, 128, dilation=8)
        self.key3 = GatedConv(128, 128, activates=False)
        self.val3 = GatedConv(128, 128, activates=False)

    def forward(self, rgb: Tensor, valid: Tensor, hole: Tensor) -> Encoded:
        """Encodes float32 [n, 3, H, W] RGB from 0 to 1, and [n, 1, H, W] of 0 and 1; both sides multiples of 4."""
        maps = torch.cat([self.colours.normalise(rgb), valid, hole], 1)
        for layer in (self.conv12, self.conv2, self.conv23, self.conv3a, self.conv3b, self.conv3c, self.conv3d):
            maps = layer(maps)
        return Encoded(self.key3(maps), self.val3(maps))


class Decoder(nn.Module):
    """Values [n, 128, h, w] to RGB [n, 3, 4h, 4w], about 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = Colours()
        self.conv3d = GatedConv(128, 128, dilation=8)
        self.conv3c = GatedConv(128, 128, dilation=4)
        self.conv3b = GatedConv(128, 128, dilation=2)
        self.conv3a = GatedConv(128, 128)
        self.conv32 = GatedConv(128, 64)
        self.conv2 = GatedConv(64, 64)
        self.conv21 = GatedConv(64, 3, kernel=5, activates=False)

    def forward(self, values: Tensor) -> Tensor:
        maps: Tensor = self.conv3a(self.conv3b(self.conv3c(self.conv3d(values))))
        maps = self.conv2(self.conv32(enlarge(maps)))
        return self.colours.restore(self.conv21(enlarge(maps)))


class Opn(nn.Module):
    """Fills a hole one peel at a time from remembered frames.

    Everywhere: RGB float32 [n, 3, H, W] from 0 to 1 of any size; ``valid`` float32 [n, 1, H, W], 1 outside the original
    hole, whatever has been filled since; ``distance`` float32 [n, 1, H, W], of `hole_distances`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.colours = Colours()
        self.attention = AsymmetricAttention()
        self.Encoder = Encoder()
        self.Decoder = Decoder()

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes the entries of ``OPN.pth``, strictly but for the colour constants."""
        self.load_state_dict(without_constants(state))

    def memorize(self, rgb: Tensor, valid: Tensor, distance: Tensor) -> Memory:
        """Encodes frames [n, ·, T, H, W] for `peel`."""
        frames = zip(rgb.unbind(2), valid.unbind(2), distance.unbind(2), strict=True)
        encoded = [self._memorize_frame(*frame) for frame in frames]
        return Memory(
            torch.stack([frame.key for frame, _ in encoded], 2),
            torch.stack([frame.value for frame, _ in encoded], 2),
            torch.stack([hole for _, hole in encoded], 1),
        )

    def peel(self, memory: Memory, rgb: Tensor, valid: Tensor, distance: Tensor) -> Peeled:
        """Fills the outermost 8 pixels of a hole."""
        border = border_to_multiple((rgb.shape[2], rgb.shape[3]), _STEP_PX)
        rgb, valid, distance = (border.add(x, "constant") for x in (rgb, valid, distance))
        hole = (distance > 0).to(rgb.dtype)
        rim = hole * (distance <= PEEL_PX)
        rgb = self.colours.put_mean(rgb, hole)
        encoded: Encoded = self.Encoder(rgb, valid, hole)
        asking = _shrink(rim)[:, 0] >= 0.5
        read = self.attention(encoded.key, asking, memory)
        filled = self.Decoder(encoded.value + read)
        composed = torch.where(rim > 0, filled, rgb).clamp(0, 1)
        return Peeled(border.cut(composed), border.cut((distance - PEEL_PX).clamp(0, _FARTHEST)))

    def _memorize_frame(self, rgb: Tensor, valid: Tensor, distance: Tensor) -> tuple[Encoded, Tensor]:
        border = border_to_multiple((rgb.shape[2], rgb.shape[3]), _STEP_PX)
        rgb, valid, distance = (border.add(x, "constant") for x in (rgb, valid, distance))
        hole = (distance > 0).to(rgb.dtype)
        return self.Encoder(self.colours.put_mean(rgb, hole), valid, hole), _shrink(hole)[:, 0] > 0


def _shrink(planes: Tensor) -> Tensor:
    """Planes [n, 1, H, W] at a quarter: each the mean of the four pixels in the middle of its sixteen."""
    size = planes.shape[2] // _STEP_PX, planes.shape[3] // _STEP_PX
    return functional.interpolate(planes, size, mode="bilinear", align_corners=False)
