"""MobileNetV2 (Sandler et al., CVPR 2018) with its last stride replaced by dilation."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from cleanplate_server.models.networks.association.pyramid import Encoder, FrozenBatchNorm, Pyramid, Widths


@dataclass(frozen=True)
class _Block:
    """One inverted residual: channel counts, stride and dilation of its depthwise convolution."""

    into: int
    hidden: int
    out: int
    stride: int = 1
    dilation: int = 1


_BLOCKS = (
    _Block(32, 32, 16),
    _Block(16, 96, 24, stride=2),
    _Block(24, 144, 24),
    _Block(24, 144, 32, stride=2),
    *[_Block(32, 192, 32)] * 2,
    _Block(32, 192, 64, stride=2),
    *[_Block(64, 384, 64)] * 3,
    _Block(64, 384, 96),
    *[_Block(96, 576, 96)] * 2,
    _Block(96, 576, 160),
    *[_Block(160, 960, 160, dilation=2)] * 2,
    _Block(160, 960, 320, dilation=2),
)
_ENDS_F4, _ENDS_F8, _ENDS_F16 = 3, 6, 13
"""The features after which a map of the pyramid is taken."""


class MobileNetV2(Encoder):
    """Picture [n, 3, H, W] to maps of 24, 32, 96 and 1280 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = Widths(24, 32, 96, 1280)
        blocks = [InvertedResidual(block) for block in _BLOCKS]
        self.features = nn.Sequential(_convolve(3, 32, kernel=3, stride=2), *blocks, _convolve(320, 1280, kernel=1))

    def forward(self, picture: Tensor) -> Pyramid:
        maps: list[Tensor] = []
        x = picture
        for feature in self.features:
            x = feature(x)
            maps.append(x)
        return Pyramid(maps[_ENDS_F4], maps[_ENDS_F8], maps[_ENDS_F16], x)


class InvertedResidual(nn.Module):
    """Widen, filter each channel, narrow without activation; the input is added where shapes agree."""

    def __init__(self, block: _Block) -> None:
        super().__init__()
        self._adds = block.stride == 1 and block.into == block.out
        widen = [] if block.hidden == block.into else [_convolve(block.into, block.hidden, kernel=1)]
        self.conv = nn.Sequential(
            *widen,
            _convolve(
                block.hidden,
                block.hidden,
                kernel=3,
                stride=block.stride,
                dilation=block.dilation,
                groups=block.hidden,
            ),
            nn.Conv2d(block.hidden, block.out, 1, bias=False),
            FrozenBatchNorm(block.out),
        )

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return x + y if self._adds else y


def _convolve(
    into: int, out: int, *, kernel: int, stride: int = 1, dilation: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, kernel, stride, kernel // 2 * dilation, dilation, groups, bias=False),
        FrozenBatchNorm(out),
        nn.ReLU6(),
    )
