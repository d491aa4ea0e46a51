"""The network that E2FGVI and E2FGVI-HQ are two forms of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.by_parts import by_parts
from cleanplate_server.models.networks.e2fgvi.flow import SpyNet, estimate_flows
from cleanplate_server.models.networks.e2fgvi.propagation import Propagation
from cleanplate_server.models.networks.e2fgvi.transformer import Block
from cleanplate_server.models.networks.frame_coding import FrameDecoder, by_clip
from cleanplate_server.models.networks.interleaved_encoder import WIDTH, Encoder
from cleanplate_server.models.networks.soft_split import FreeComposition, PlacedComposition, Size, SoftSplit

BASE_SIZE: Size = (240, 432)
"""The only size of frames that the base network takes."""
MULTIPLE: Size = (60, 108)
"""What heights and widths of frames are multiples of for HQ: a quarter, cut every 3 places, in windows of 5 x 9."""
FEWEST_LOCAL_FRAMES = 2
"""Flow needs a neighbour."""

_SHRINK = 4
_BLOCKS = 8


@dataclass(frozen=True, eq=False)
class Completed:
    """What the network knows of a window before it is decoded.

    Args:
        maps: float32 [b, t, 128, H / 4, W / 4], local frames first.
        flow_next: float32 [b, l - 1, 2, H / 4, W / 4], from each local frame to the next: (dx, dy) in pixels of a
            quarter.
        flow_previous: the same, from each local frame but the first to the one before it.
    """

    maps: Tensor
    flow_next: Tensor
    flow_previous: Tensor


@dataclass(frozen=True, eq=False)
class Filled:
    """Frames float32 [b, t, 3, H, W], RGB from -1 to 1, local frames first, and the flows as in `Completed`."""

    frames: Tensor
    flow_next: Tensor
    flow_previous: Tensor


class E2fgvi(nn.Module):
    """Fills the holes of all frames of a window together.

    Args:
        fixed_size: the only size (height, width) of frames, for the base network; None for HQ.
    """

    def __init__(self, fixed_size: Size | None) -> None:
        super().__init__()
        self._fixed_size = fixed_size
        self.encoder = Encoder()
        self.decoder = FrameDecoder(WIDTH)
        self.feat_prop_module = Propagation()
        self.ss = SoftSplit()
        self.sc = FreeComposition() if fixed_size is None else PlacedComposition(_quarter(fixed_size))
        self.transformer = nn.ModuleList(Block() for _ in range(_BLOCKS))
        self.update_spynet = SpyNet()

    def forward(self, masked: Tensor, local_count: int) -> Filled:
        """Fills every frame; only the local ones are good to use. See ``complete`` for what it takes."""
        completed = self.complete(masked, local_count)
        frames = by_clip(self.decode(completed.maps.flatten(0, 1)), masked)
        return Filled(frames, completed.flow_next, completed.flow_previous)

    def complete(self, masked: Tensor, local_count: int) -> Completed:
        """Does all but decode, so that frames nobody wants need not be decoded.

        Args:
            masked: [b, t, 3, H, W], RGB from -1 to 1, 0 in the holes.
            local_count: so many frames at the start follow each other; the others, if any, are from anywhere.

        Raises:
            InputError: a size or a count of frames that the network cannot take.
        """
        self._check(masked, local_count)
        size = _quarter((masked.shape[3], masked.shape[4]))
        # flow says where to look, and half precision would put that off
        with torch.autocast(masked.device.type, enabled=False):
            flow_next, flow_previous = estimate_flows(self.update_spynet, masked[:, :local_count])
        maps = by_clip(by_parts(self.encoder, masked.flatten(0, 1), size[0] * size[1]), masked)
        local = self.feat_prop_module(maps[:, :local_count], flow_next, flow_previous)
        maps = torch.cat([local, maps[:, local_count:]], 1)
        tokens = self.ss(maps)
        for block in self.transformer:
            tokens = block(tokens, size)
        return Completed(maps + by_clip(self.sc(tokens, size), masked), flow_next, flow_previous)

    def decode(self, maps: Tensor) -> Tensor:
        """Makes frames [n, 3, H, W], RGB from -1 to 1, of completed maps [n, 128, H / 4, W / 4]."""
        return torch.tanh(self.decoder(maps))

    def _check(self, masked: Tensor, local_count: int) -> None:
        size, time = (masked.shape[3], masked.shape[4]), masked.shape[1]
        if self._fixed_size is not None and size != self._fixed_size:
            raise InputError(
                f"E2FGVI takes frames of {_spoken(self._fixed_size)} pixels only and these have {_spoken(size)}; "
                "resize them, or use E2FGVI-HQ."
            )
        if self._fixed_size is None and any(side % step or not side for side, step in zip(size, MULTIPLE, strict=True)):
            raise InputError(
                f"E2FGVI-HQ takes frames whose width is a multiple of {MULTIPLE[1]} and whose height one of "
                f"{MULTIPLE[0]} pixels, and these have {_spoken(size)}; pad them by mirroring."
            )
        if not FEWEST_LOCAL_FRAMES <= local_count <= time:
            raise InputError(
                f"E2FGVI needs at least {FEWEST_LOCAL_FRAMES} frames that follow each other and got {local_count} "
                f"of {time}; give it neighbours of the frame to fill."
            )


def _quarter(size: Size) -> Size:
    return size[0] // _SHRINK, size[1] // _SHRINK


def _spoken(size: Size) -> str:
    """As people say sizes: width first."""
    return f"{size[1]} x {size[0]}"
