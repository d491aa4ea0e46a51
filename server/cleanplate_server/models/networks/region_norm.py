"""Region normalisation (Yu et al.: Region Normalization for Image Inpainting, AAAI 2020), and its image generator.

A hole's features and the others' have statistics of their own, so that the hole does not spoil the picture's mean. In
early layers the hole is given (`RegionNormBasic`, RN-B); in later ones a small attention finds the regions
(`RegionNormLearned`, RN-L). Statistics are always the present input's, in use as in training.

What an adapter of `RegionNormGenerator` does: one frame at a time, since the statistics of the published network span
the batch; RGB from 0 to 1 at any size whose sides are multiples of 4 (a border by reflection, hole and all, cut
afterwards), best near the 256 x 256 of its training; the mask is 1 inside the hole; the result inside the hole counts.
Always float32: a region is decided by a hard step, which half precision takes differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.errors import InputError

Statistics = Literal["batch", "frame"]
"""Over what a mean is taken: all frames that are given at once, as the published network does, or each for itself."""

THRESHOLD = 0.8
"""How important a position is to belong to the first of the regions that RN-L finds."""

_EPSILON = 1e-5
_WINDOW = 7
"""Side of the attention's kernels."""
_STEP_PX = 4
_LEAST_PX = 12
"""At a quarter, two pixels are reflected at each edge, which takes three."""
_PREFIX = "generator.module."
"""How the published file names the generator beside its training partners."""


class RegionNormBasic(nn.Module):
    """RN-B: normalises hole and rest apart, then scales and shifts each.

    Args:
        channels: of the maps.
        statistics: with ``frame`` each region also has its own shift; with ``batch`` both shifts are added everywhere,
            which the published weights rely on.
    """

    def __init__(self, channels: int, *, statistics: Statistics = "batch") -> None:
        super().__init__()
        self.statistics: Statistics = statistics
        self.foreground_gamma = nn.Parameter(torch.zeros(channels))
        self.foreground_beta = nn.Parameter(torch.zeros(channels))
        self.background_gamma = nn.Parameter(torch.zeros(channels))
        self.background_beta = nn.Parameter(torch.zeros(channels))

    def forward(self, maps: Tensor, hole: Tensor) -> Tensor:
        """Normalises maps [n, C, h, w]; the hole [n, 1, H, W] of 0 and 1 may be of another size."""
        inside = functional.interpolate(hole, maps.shape[2:], mode="nearest")
        normal = normalise_regions(maps, inside, self.statistics)
        scale = inside * _of_channels(self.foreground_gamma) + (1 - inside) * _of_channels(self.background_gamma)
        shifts = _of_channels(self.foreground_beta), _of_channels(self.background_beta)
        shift = shifts[0] * inside + shifts[1] * (1 - inside) if self.statistics == "frame" else sum(shifts)
        return normal * (1 + scale) + shift


class SpatialAttention(nn.Module):
    """Maps [n, C, h, w] to how important each position is (0 to 1), and its scale and shift: [n, 1, h, w] each."""

    def __init__(self) -> None:
        super().__init__()
        padding = _WINDOW // 2
        self.conv1 = nn.Conv2d(2, 1, _WINDOW, padding=padding, bias=False)
        self.gamma_conv = nn.Conv2d(1, 1, _WINDOW, padding=padding)
        self.beta_conv = nn.Conv2d(1, 1, _WINDOW, padding=padding)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        both = torch.cat([maps.mean(1, keepdim=True), maps.amax(1, keepdim=True)], 1)
        importance = torch.sigmoid(self.conv1(both))
        return importance, self.gamma_conv(importance), self.beta_conv(importance)


class RegionNormLearned(nn.Module):
    """RN-L: finds two regions in maps [n, C, h, w] and normalises each; of the step between them nothing is learnt."""

    def __init__(self, *, statistics: Statistics = "batch") -> None:
        super().__init__()
        self.statistics: Statistics = statistics
        self.sa = SpatialAttention()

    def forward(self, maps: Tensor) -> Tensor:
        importance, scale, shift = self.attend(maps)
        inside = (importance >= THRESHOLD).to(maps.dtype)
        return normalise_regions(maps, inside, self.statistics) * (1 + scale) + shift

    def attend(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """How important each position is, its scale and its shift."""
        found: tuple[Tensor, Tensor, Tensor] = self.sa(maps)
        return found


class ResidualBlock(nn.Module):
    """Two convolutions with RN-L, added to what came in: [n, C, h, w] to the same.

    Args:
        channels: of the maps.
        dilation: of the first convolution; both sides of the maps are to be larger.
        statistics: of the norms.
    """

    def __init__(self, channels: int, *, dilation: int = 2, statistics: Statistics = "batch") -> None:
        super().__init__()
        self.conv_block = nn.Sequential(
            nn.ReflectionPad2d(dilation),
            nn.Conv2d(channels, channels, 3, dilation=dilation),
            RegionNormLearned(statistics=statistics),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(channels, channels, 3),
            RegionNormLearned(statistics=statistics),
        )

    def forward(self, maps: Tensor) -> Tensor:
        change: Tensor = self.conv_block(maps)
        return maps + change


class RegionNormGenerator(nn.Module):
    """Fills the hole of a picture from the picture alone."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder_conv1 = nn.Conv2d(3, 64, _WINDOW)
        self.encoder_in1 = RegionNormBasic(64)
        self.encoder_conv2 = nn.Conv2d(64, 128, 4, 2, 1)
        self.encoder_in2 = RegionNormBasic(128)
        self.encoder_conv3 = nn.Conv2d(128, 256, 4, 2, 1)
        self.encoder_in3 = RegionNormBasic(256)
        self.middle = nn.Sequential(*(ResidualBlock(256) for _ in range(8)))
        self.decoder = upsampling_decoder(256)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes the generator's entries of a file, strictly; its training partners are left out."""
        whole = any(name.startswith(_PREFIX) for name in state)
        kept = {name.removeprefix(_PREFIX): v for name, v in state.items() if name.startswith(_PREFIX) or not whole}
        self.load_state_dict(kept)

    def forward(self, rgb: Tensor, hole: Tensor) -> Tensor:
        """Paints the whole picture anew.

        Args:
            rgb: float32 [n, 3, H, W] from 0 to 1; what is inside the hole is not looked at.
            hole: float32 [n, 1, H, W], 1 inside.

        Returns:
            float32 [n, 3, H, W] from 0 to 1.

        Raises:
            InputError: a side is no multiple of 4 or too short.
        """
        _check_size(rgb)
        whitened = torch.where(hole > 0, torch.ones_like(rgb), rgb)
        maps = functional.pad(whitened, (_WINDOW // 2,) * 4, mode="reflect")
        maps = functional.relu(self.encoder_in1(self.encoder_conv1(maps), hole))
        maps = functional.relu(self.encoder_in2(self.encoder_conv2(maps), hole))
        maps = functional.relu(self.encoder_in3(self.encoder_conv3(maps), hole))
        painted: Tensor = self.decoder(self.middle(maps))
        return (painted.tanh() + 1) / 2


def upsampling_decoder(channels: int, *, statistics: Statistics = "batch") -> nn.Sequential:
    """Maps [n, channels, h, w] to [n, 3, 4h, 4w]: each doubling trades three quarters of the channels for pixels."""
    half, quarter = channels // 2, channels // 4
    return nn.Sequential(
        nn.Conv2d(channels, 4 * half, 3, padding=1),
        nn.PixelShuffle(2),
        RegionNormLearned(statistics=statistics),
        nn.ReLU(),
        nn.Conv2d(half, 4 * quarter, 3, padding=1),
        nn.PixelShuffle(2),
        RegionNormLearned(statistics=statistics),
        nn.ReLU(),
        nn.ReflectionPad2d(_WINDOW // 2),
        nn.Conv2d(quarter, 3, _WINDOW),
    )


def normalise_regions(maps: Tensor, inside: Tensor, statistics: Statistics = "batch") -> Tensor:
    """Brings each of two regions to mean 0 and deviation 1, channel by channel.

    Args:
        maps: float32 [n, C, h, w].
        inside: float32 [n, 1, h, w] of 0 and 1; either region may be empty.
        statistics: over what.
    """
    return _normalise(maps, inside, statistics) + _normalise(maps, 1 - inside, statistics)


def _normalise(maps: Tensor, region: Tensor, statistics: Statistics) -> Tensor:
    """One region normalised, 0 outside it."""
    axes = (2, 3) if statistics == "frame" else (0, 2, 3)
    every = maps.numel() // maps.shape[1] // (len(maps) if statistics == "frame" else 1)
    area = region.sum(axes, keepdim=True).clamp(min=1)
    mean = (maps * region).sum(axes, keepdim=True) / area
    filled = maps * region + (1 - region) * mean
    variance, middle = torch.var_mean(filled, axes, correction=0, keepdim=True)
    return (filled - middle) * torch.rsqrt(variance + _EPSILON) * torch.sqrt(area / every)


def _of_channels(values: Tensor) -> Tensor:
    return values[:, None, None]


def _check_size(rgb: Tensor) -> None:
    height, width = rgb.shape[2:]
    if height % _STEP_PX or width % _STEP_PX or min(height, width) < _LEAST_PX:
        raise InputError(
            f"region normalisation fills pictures whose sides are multiples of {_STEP_PX} px and at least {_LEAST_PX} "
            f"px, not {width} x {height}; put a border around this one"
        )
