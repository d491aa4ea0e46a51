"""DFC-Net: a residual network that finds the motion behind a hole from the motion of eleven frames around it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.errors import InputError

_COUNTER = "num_batches_tracked"
"""What batch norm has counted; files written by PyTorch 0.4.0 have no such entries, and nothing reads them."""


@dataclass(frozen=True)
class Variant:
    """One published configuration.

    Args:
        name: as in the weights manifest.
        blocks: residual blocks in each of four layers.
        refines: whether it takes both directions' completed motion and gives both, or one direction's.
        multi_scale: whether its head goes through three sizes, or through one.
    """

    name: str
    blocks: tuple[int, int, int, int]
    refines: bool
    multi_scale: bool


_RESNET_50 = (3, 4, 6, 3)
_RESNET_101 = (3, 4, 23, 3)

VARIANTS = {
    variant.name: variant
    for variant in (
        Variant("dfgvi-movie", _RESNET_101, refines=False, multi_scale=False),
        Variant("dfgvi-stage1", _RESNET_50, refines=False, multi_scale=True),
        Variant("dfgvi-stage2", _RESNET_50, refines=True, multi_scale=True),
        Variant("dfgvi-stage3", _RESNET_50, refines=True, multi_scale=True),
    )
}

_WINDOW_CHANNELS = 33
"""Eleven frames of horizontal motion, vertical motion and hole."""
_LAYERS = ((64, 64, 1, 1), (256, 128, 2, 1), (512, 256, 1, 2), (1024, 512, 1, 4))
"""Of each layer: channels in, width of its blocks, stride of the first one, dilation of all."""
_DEEP = 2048
_LEAST_PX = 8
"""The head works at a quarter of the size, where there is to be something."""


class DfcNet(nn.Module):
    """Motion with holes to motion without: [n, 33 or 66, h, w] to [n, 2 or 4, h, w], in pixels of that size.

    The input's channels are (u, v, hole) of each frame of a window in order, when refining all forward ones first; u
    goes to the right, v down, the hole is 1 inside. Outputs are (u, v), when refining forward, then backward.
    """

    def __init__(self, variant: Variant) -> None:
        super().__init__()
        directions = 2 if variant.refines else 1
        self.conv1 = nn.Conv2d(_WINDOW_CHANNELS * directions, 64, 7, 2, 3)
        self.bn1 = nn.BatchNorm2d(64)
        self.maxpool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.layer1, self.layer2, self.layer3, self.layer4 = (
            _layer(*sizes, count=count) for sizes, count in zip(_LAYERS, variant.blocks, strict=True)
        )
        head = MultiScaleHead if variant.multi_scale else SingleScaleHead
        self.layer5: nn.Module = head(2 * directions)

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes the entries of a published file, strictly but for batch norm's counters."""
        counters = {name: value for name, value in self.state_dict().items() if name.endswith(_COUNTER)}
        self.load_state_dict({**{name: torch.zeros_like(value) for name, value in counters.items()}, **state})

    def forward(self, window: Tensor) -> Tensor:
        height, width = window.shape[2:]
        if min(height, width) < _LEAST_PX:
            raise InputError(
                f"motion is completed at {_LEAST_PX} px a side or more, not {width} x {height}; give larger fields"
            )
        maps = self.maxpool(functional.relu(self.bn1(self.conv1(window))))
        for layer in (self.layer1, self.layer2, self.layer3, self.layer4):
            maps = layer(maps)
        found: Tensor = self.layer5(maps, window.shape[2:])
        return found


class Bottleneck(nn.Module):
    """Narrow (with the stride), filter (dilated), widen fourfold, add the input."""

    def __init__(self, into: int, width: int, *, stride: int, dilation: int, projects: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = nn.Sequential()
        if projects:
            self.downsample.append(nn.Conv2d(into, 4 * width, 1, stride, bias=False))
            self.downsample.append(nn.BatchNorm2d(4 * width))

    def forward(self, maps: Tensor) -> Tensor:
        change = functional.relu(self.bn1(self.conv1(maps)))
        change = functional.relu(self.bn2(self.conv2(change)))
        return functional.relu(self.bn3(self.conv3(change)) + self.downsample(maps))


class SingleScaleHead(nn.Module):
    """Maps [n, 2048, h', w'] to motion of a size."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(_DEEP, channels, 1)

    def forward(self, maps: Tensor, size: torch.Size) -> Tensor:
        return _resize(self.conv1(maps), (size[0], size[1]))


class MultiScaleHead(nn.Module):
    """Maps [n, 2048, h', w'] to motion of a size, by way of a quarter and a half of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(_DEEP, 256, 5, padding=2)
        self.conv2 = nn.Conv2d(256, 128, 3, padding=1)
        self.conv3 = nn.Conv2d(128, channels, 1)

    def forward(self, maps: Tensor, size: torch.Size) -> Tensor:
        height, width = size
        maps = functional.relu(self.conv1(_resize(maps, (height // 4, width // 4))))
        maps = functional.relu(self.conv2(_resize(maps, (height // 2, width // 2))))
        found: Tensor = self.conv3(_resize(maps, (height, width)))
        return found


def build_dfc(variant: Variant) -> DfcNet:
    """Builds an untrained DFC-Net in evaluation mode."""
    return DfcNet(variant).eval()


def _layer(into: int, width: int, stride: int, dilation: int, *, count: int) -> nn.Sequential:
    first = Bottleneck(into, width, stride=stride, dilation=dilation, projects=True)
    others = (Bottleneck(4 * width, width, stride=1, dilation=dilation, projects=False) for _ in range(count - 1))
    return nn.Sequential(first, *others)


def _resize(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps, size, mode="bilinear", align_corners=False)
