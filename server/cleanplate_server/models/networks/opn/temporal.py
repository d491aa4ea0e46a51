"""The temporal network after OPN: filled frames in, steadier ones out.

Its shape follows Lai et al. (Learning Blind Video Temporal Consistency, ECCV 2018), with gated convolutions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cleanplate_server.models.networks.borders import border_to_multiple
from cleanplate_server.models.networks.colours import Colours
from cleanplate_server.models.networks.opn.gated import GatedConv, enlarge, without_constants

_STEP_PX = 8
_WIDTH = 256


@dataclass(frozen=True, eq=False)
class TemporalState:
    """What is carried from frame to frame.

    Args:
        rgb: float32 [n, 3, H, W] from 0 to 1, the last result.
        hole: float32 [n, 1, H, W], 1 in the last frame's hole.
        hidden: float32 [n, 256, h, w] at an eighth, None before the first frame.
    """

    rgb: Tensor
    hole: Tensor
    hidden: Tensor | None = None

    @classmethod
    def before_first(cls, last_hole: Tensor) -> TemporalState:
        """The state to begin a shot with.

        Args:
            last_hole: float32 [n, 1, H, W] of the shot's **last** frame: the authors' demonstration steps back from
                frame 0 around to it, and shows black for its result.
        """
        return cls(last_hole.new_zeros(len(last_hole), 3, *last_hole.shape[2:]), last_hole)


@dataclass(frozen=True, eq=False)
class _Maps:
    """At the full size, a half, a quarter, an eighth."""

    s1: Tensor
    s2: Tensor
    s3: Tensor
    deep: Tensor


class TemporalEncoder(nn.Module):
    """Last result, its hole, filled frame and its hole, [n, 8, H, W]: to maps of four sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = GatedConv(8, 32, kernel=5)
        self.conv21 = GatedConv(32, 64, stride=2)
        self.conv2 = GatedConv(64, 64)
        self.conv23 = GatedConv(64, 128, stride=2)
        self.conv3a = GatedConv(128, 128)
        self.conv3b = GatedConv(128, 128)
        self.conv34 = GatedConv(128, _WIDTH, stride=2)
        self.conv4a = GatedConv(_WIDTH, _WIDTH)
        self.conv4b = GatedConv(_WIDTH, _WIDTH)

    def forward(self, maps: Tensor) -> _Maps:
        s1 = self.conv1(maps)
        s2 = self.conv2(self.conv21(s1))
        s3 = self.conv3b(self.conv3a(self.conv23(s2)))
        return _Maps(s1, s2, s3, self.conv4b(self.conv4a(self.conv34(s3))))


class ConvGru(nn.Module):
    """A gated recurrent unit over maps [n, 256, h, w]."""

    def __init__(self) -> None:
        super().__init__()
        self.convIH = nn.Conv2d(_WIDTH, 3 * _WIDTH, 3, padding=1)
        self.convHH = nn.Conv2d(_WIDTH, 3 * _WIDTH, 3, padding=1)

    def forward(self, maps: Tensor, hidden: Tensor | None) -> Tensor:
        hidden = torch.zeros_like(maps) if hidden is None else hidden
        of_maps = self.convIH(maps).chunk(3, 1)
        of_hidden = self.convHH(hidden).chunk(3, 1)
        reset = torch.sigmoid(of_maps[0] + of_hidden[0])
        keep = torch.sigmoid(of_maps[1] + of_hidden[1])
        new = torch.tanh(of_maps[2] + reset * of_hidden[2])
        return new + keep * (hidden - new)


class TemporalDecoder(nn.Module):
    """The hidden state and the encoder's maps: to RGB [n, 3, H, W], about 0 to 1."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = Colours()
        self.conv4b = GatedConv(_WIDTH, _WIDTH, dilation=2)
        self.conv4a = GatedConv(_WIDTH, _WIDTH)
        self.conv43 = GatedConv(_WIDTH, 128)
        self.conv3b = GatedConv(128, 128, dilation=2)
        self.conv3a = GatedConv(128, 128)
        self.conv32 = GatedConv(128, 64)
        self.conv2 = GatedConv(64, 64)
        self.conv21 = GatedConv(64, 32)
        self.conv1 = GatedConv(32, 3, kernel=5, activates=False)

    def forward(self, hidden: Tensor, maps: _Maps) -> Tensor:
        x: Tensor = self.conv43(enlarge(self.conv4a(self.conv4b(hidden)))) + maps.s3
        x = self.conv32(enlarge(self.conv3a(self.conv3b(x)))) + maps.s2
        x = self.conv21(enlarge(self.conv2(x))) + maps.s1
        return self.colours.restore(self.conv1(x))


class TemporalNetwork(nn.Module):
    """Steadies one filled frame after the other; it is called TCN in its file."""

    def __init__(self) -> None:
        super().__init__()
        self.colours = Colours()
        self.Encoder = TemporalEncoder()
        self.GRU = ConvGru()
        self.Decoder = TemporalDecoder()

    def load_published(self, state: Mapping[str, Tensor]) -> None:
        """Takes the entries of ``TCN.pth``, strictly but for the colour constants."""
        self.load_state_dict(without_constants(state))

    def forward(self, filled: Tensor, hole: Tensor, state: TemporalState) -> TemporalState:
        """Steadies the next frame.

        Args:
            filled: float32 [n, 3, H, W], RGB from 0 to 1, of OPN.
            hole: float32 [n, 1, H, W], 1 in the original hole.
            state: of the frame before.

        Returns:
            The state after it; its ``rgb`` is the whole frame made anew, also outside the hole.
        """
        border = border_to_multiple((filled.shape[2], filled.shape[3]), _STEP_PX)
        last, last_hole, now, now_hole = (border.add(x, "constant") for x in (state.rgb, state.hole, filled, hole))
        normalised = self.colours.normalise(last), last_hole, self.colours.normalise(now), now_hole
        maps: _Maps = self.Encoder(torch.cat(normalised, 1))
        hidden = self.GRU(maps.deep, state.hidden)
        rgb = border.cut(self.Decoder(hidden, maps)).clamp(0, 1)
        return TemporalState(rgb, hole, hidden)
