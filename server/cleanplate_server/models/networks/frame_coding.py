"""Frames to maps at a quarter of their size and back, as STTN and, after it, E2FGVI have it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Of every LeakyReLU that is not said to have another one."""
QUARTER_WIDTH = 256
"""Channels that `quarter_layers` ends with."""

_CONVOLUTIONS = ((3, 64, 2), (64, 64, 1), (64, 128, 2), (128, QUARTER_WIDTH, 1))
"""Channels in and out, and the stride."""


def quarter_layers() -> list[nn.Module]:
    """Makes the layers from frames [n, 3, H, W] to maps [n, 256, H / 4, W / 4]; LeakyReLUs follow convolutions."""
    layers: list[nn.Module] = []
    for into, out, stride in _CONVOLUTIONS:
        layers += [nn.Conv2d(into, out, 3, stride, padding=1), nn.LeakyReLU(SLOPE)]
    return layers


class FrameDecoder(nn.Sequential):
    """Maps [n, into, h, w] to frames [n, 3, 4 h, 4 w], before the tanh that brings them to the range -1 to 1."""

    def __init__(self, into: int) -> None:
        super().__init__(
            Enlargement(into, 128),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(128, 64, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            Enlargement(64, 64),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(64, 3, 3, padding=1),
        )


class Enlargement(nn.Module):
    """Twice the size, bilinear, then a convolution: [n, into, h, w] to [n, out, 2 h, 2 w]."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        larger: Tensor = self.conv(functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=True))
        return larger


def by_clip(maps: Tensor, clips: Tensor) -> Tensor:
    """Parts maps [b * t, ...] as clips [b, t, ...] are parted: [b, t, ...]."""
    return maps.reshape(*clips.shape[:2], *maps.shape[1:])
