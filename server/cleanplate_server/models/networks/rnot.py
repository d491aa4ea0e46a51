"""RNoT: onion-peel networks' memory with region normalisation, filling a hole in a single shot.

A network of this project's own after two published ones: the memory and the asymmetric attention of Oh et al.
(Onion-Peel Networks, ICCV 2019), region normalisation of Yu et al. (AAAI 2020), with RN-B in the encoder and RN-L in
the decoder. Keys and queries are taken after 4 residual blocks, values after 8. Statistics are each frame's own, so
that a frame's encoding depends on nothing else and is made once. There are no published weights: it is trained here.

What an adapter does:

- RGB from 0 to 1, best 432 x 240 up to 864 x 480; any size from 33 px a side (borders by reflection to multiples of 8
  are put on and cut here). The hole is 1 inside; what lies there is not looked at.
- `Rnot.encode` for every 5th frame of the shot and for those 1 and 2 away from the one to be filled, at most 20, never
  that frame itself; `gather` makes a memory of them.
- `Rnot.forward` with the encoded frame paints it whole; the result counts inside the (slightly feathered) hole.
- A second pass, if wanted: `encode` the filled frame with an empty hole and the true one as its regions.
- float32 (the regions of RN-L are decided by a hard step).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.asymmetric_attention import AsymmetricAttention, Memory
from cleanplate_server.models.networks.borders import Border, border_to_multiple
from cleanplate_server.models.networks.colours import Colours
from cleanplate_server.models.networks.region_norm import RegionNormBasic, ResidualBlock, upsampling_decoder

KEY_WIDTH = 128
VALUE_WIDTH = 256
BEST_ANSWERS = 50
"""With long shots only so many best answers to each question need to count."""

_STEP_PX = 8
_LEAST_PX = 33
"""The widest dilation reflects 8 positions of a map at a quarter, which takes more than 8 of them."""
_KEY_DILATIONS = (2, 2, 2, 2)
_VALUE_DILATIONS = (2, 4, 8, 2)
"""They see more than 100 positions far, so that the middle of a hole knows of its rim without peeling."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """One or more frames at a quarter of their size with a border.

    Args:
        key: float32 [n, 128, h, w].
        value: float32 [n, 256, h, w].
        hole: bool [n, h, w], wherever there is a hole in the 4 x 4 pixels.
        border: around the frames.
    """

    key: Tensor
    value: Tensor
    hole: Tensor
    border: Border


class GuidedConv(nn.Module):
    """Convolution, RN-B, rectifier: maps [n, into, h, w] and the hole at the size of the result."""

    def __init__(self, into: int, out: int, *, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.reflects = kernel // 2 if stride == 1 else 0
        self.conv = nn.Conv2d(into, out, kernel, stride, 0 if self.reflects else 1)
        self.norm = RegionNormBasic(out, statistics="frame")

    def forward(self, maps: Tensor, hole: Tensor) -> Tensor:
        maps = functional.pad(maps, (self.reflects,) * 4, mode="reflect")
        return functional.relu(self.norm(self.conv(maps), hole))


class GuidedBlock(nn.Module):
    """Two convolutions with RN-B, added to what came in: maps [n, C, h, w] and the hole at their size."""

    def __init__(self, channels: int, *, dilation: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=dilation, dilation=dilation, padding_mode="reflect")
        self.norm1 = RegionNormBasic(channels, statistics="frame")
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, padding_mode="reflect")
        self.norm2 = RegionNormBasic(channels, statistics="frame")

    def forward(self, maps: Tensor, hole: Tensor) -> Tensor:
        change: Tensor = functional.relu(self.norm1(self.conv1(maps), hole))
        change = self.norm2(self.conv2(change), hole)
        return maps + change


class Encoder(nn.Module):
    """Frame and hole to key and value; target and memory frames share it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = GuidedConv(4, 64, kernel=7)
        self.down1 = GuidedConv(64, 128, kernel=4, stride=2)
        self.down2 = GuidedConv(128, VALUE_WIDTH, kernel=4, stride=2)
        self.trunk_a = nn.ModuleList(GuidedBlock(VALUE_WIDTH, dilation=d) for d in _KEY_DILATIONS)
        self.key = nn.Conv2d(VALUE_WIDTH, KEY_WIDTH, 3, padding=1)
        self.trunk_b = nn.ModuleList(GuidedBlock(VALUE_WIDTH, dilation=d) for d in _VALUE_DILATIONS)
        self.value = nn.Conv2d(VALUE_WIDTH, VALUE_WIDTH, 3, padding=1)

    def forward(self, maps: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Encodes [n, 4, H, W], normalised RGB and hole, with the regions [n, 1, H, W] that RN-B keeps apart."""
        half, quarter = functional.max_pool2d(regions, 2), functional.max_pool2d(regions, 4)
        maps = self.down2(self.down1(self.stem(maps, regions), half), quarter)
        for block in self.trunk_a:
            maps = block(maps, quarter)
        key = self.key(maps)
        for block in self.trunk_b:
            maps = block(maps, quarter)
        return key, self.value(maps)


class MemoryRead(nn.Module):
    """Adds what the memory shows to the values inside the hole."""

    def __init__(self, *, most: int | None) -> None:
        super().__init__()
        self.attention = AsymmetricAttention(most=most)
        self.gain = nn.Parameter(torch.ones(VALUE_WIDTH))

    def forward(self, target: Encoded, memory: Memory) -> Tensor:
        read: Tensor = self.attention(target.key, target.hole, memory)
        return target.value + self.gain[:, None, None] * read


class Rnot(nn.Module):
    """Fills the hole of a frame from a memory of other frames.

    Args:
        most: only so many best answers of the memory count (``BEST_ANSWERS`` for long shots); None lets all count.
    """

    def __init__(self, *, most: int | None = None) -> None:
        super().__init__()
        self.colours = Colours()
        self.encoder = Encoder()
        self.read = MemoryRead(most=most)
        self.decoder = nn.Sequential(
            ResidualBlock(VALUE_WIDTH, dilation=1, statistics="frame"),
            ResidualBlock(VALUE_WIDTH, dilation=1, statistics="frame"),
            *upsampling_decoder(VALUE_WIDTH, statistics="frame"),
        )

    def encode(self, rgb: Tensor, hole: Tensor, *, regions: Tensor | None = None) -> Encoded:
        """Encodes frames.

        Args:
            rgb: float32 [n, 3, H, W] from 0 to 1; what is inside the hole is not looked at.
            hole: float32 [n, 1, H, W], 1 inside.
            regions: the hole as it was, where the frames are filled already; it asks, and its statistics are kept
                apart.

        Raises:
            InputError: the frames are too small.
        """
        height, width = rgb.shape[2:]
        if min(height, width) < _LEAST_PX:
            raise InputError(
                f"RNoT fills frames from {_LEAST_PX} px a side, not {width} x {height}; enlarge them or put a border "
                "around them"
            )
        border = border_to_multiple((height, width), _STEP_PX)
        rgb, hole = border.add(rgb, "reflect"), border.add(hole, "reflect")
        regions = hole if regions is None else border.add(regions, "reflect")
        normalised = self.colours.normalise(self.colours.put_mean(rgb, hole))
        key, value = self.encoder(torch.cat([normalised, hole], 1), regions)
        return Encoded(key, value, functional.max_pool2d(regions, 4)[:, 0] > 0, border)

    def forward(self, target: Encoded, memory: Memory) -> Tensor:
        """Paints frames anew: float32 [n, 3, H, W] from 0 to 1, of which the hole counts."""
        painted = self.decoder(self.read(target, memory))
        return target.border.cut((painted.tanh() + 1) / 2)


def gather(frames: Sequence[Encoded]) -> Memory:
    """Makes a memory of encoded frames of one size, at least one."""
    return Memory(
        torch.stack([frame.key for frame in frames], 2),
        torch.stack([frame.value for frame in frames], 2),
        torch.stack([frame.hole for frame in frames], 1),
    )
