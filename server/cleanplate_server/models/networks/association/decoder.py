"""The decoder: features and shortcuts to the logits of eleven identities."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.association.pyramid import Pyramid, Widths


class NormedConvolution(nn.Module):
    """Convolution, then group normalisation with 8 groups."""

    def __init__(self, into: int, out: int, kernel: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(into, out, kernel, padding=kernel // 2)
        self.gn = nn.GroupNorm(8, out)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.gn(self.conv(x))
        return y


class Decoder(nn.Module):
    """Transformer's maps [n, C, h, w] at a sixteenth to logits [n, 11, 4 h, 4 w] at a quarter of the picture."""

    def __init__(self, into: int, shortcuts: Widths, *, identities: int, align_corners: bool) -> None:
        super().__init__()
        self._align_corners = align_corners
        self.conv_in = NormedConvolution(into, 256, 1)
        self.conv_16x = NormedConvolution(256, 256, 3)
        self.conv_8x = NormedConvolution(256, 128, 3)
        self.conv_4x = NormedConvolution(128, 128, 3)
        self.adapter_16x = nn.Conv2d(shortcuts.f16, 256, 1)
        self.adapter_8x = nn.Conv2d(shortcuts.f8, 256, 1)
        self.adapter_4x = nn.Conv2d(shortcuts.f4, 128, 1)
        self.conv_out = nn.Conv2d(128, identities, 1)

    def forward(self, maps: Tensor, pyramid: Pyramid) -> Tensor:
        f16, f8, f4 = (shortcut.float() for shortcut in (pyramid.f16, pyramid.f8, pyramid.f4))
        x = torch.relu(self.conv_in(maps.float()))
        x = torch.relu(self.conv_16x(self.adapter_16x(f16) + x))
        x = self.enlarge(x, f8.shape[-2:])
        x = torch.relu(self.conv_8x(self.adapter_8x(f8) + x))
        x = self.enlarge(x, f4.shape[-2:])
        x = torch.relu(self.conv_4x(self.adapter_4x(f4) + x))
        logits: Tensor = self.conv_out(x)
        return logits

    def enlarge(self, maps: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
        """Resizes maps [n, C, h, w] to (height, width), bilinear."""
        return functional.interpolate(maps, (size[0], size[1]), mode="bilinear", align_corners=self._align_corners)
