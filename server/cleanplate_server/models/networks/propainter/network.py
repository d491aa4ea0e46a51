"""The network that paints what propagated pixels have not filled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.by_parts import by_parts
from cleanplate_server.models.networks.frame_coding import FrameDecoder, by_clip
from cleanplate_server.models.networks.interleaved_encoder import WIDTH, Encoder
from cleanplate_server.models.networks.propainter.features import Propagation
from cleanplate_server.models.networks.propainter.flows import Flows
from cleanplate_server.models.networks.propainter.transformer import Transformer
from cleanplate_server.models.networks.soft_split import FreeComposition, Size, SoftSplit

FEWEST_FRAMES = 2
"""Every other block looks at frames 1, 3, 5 and so on only; without one there is nothing to see."""
SHRINK = 4
"""Maps are at a quarter; sides of frames are multiples of this."""


@dataclass(frozen=True, eq=False)
class Window:
    """Frames that are painted together: local ones, which follow each other, then references from anywhere.

    Args:
        frames: float32 [b, t, 3, H, W], RGB from -1 to 1, propagated, 0 in what is left of the holes.
        masks: float32 [b, t, 1, H, W], 1 in the holes.
        left: float32 [b, t, 1, H, W], 1 in what is left of them.
        flows: completed, between the local frames, at the frames' size; one fewer than there are local frames.
    """

    frames: Tensor
    masks: Tensor
    left: Tensor
    flows: Flows

    @property
    def local_count(self) -> int:
        return self.flows.to_next.shape[1] + 1


class MaskedEncoder(Encoder):
    """E2FGVI's encoder, which sees the masks too: [n, 5, H, W] to [n, 128, H / 4, W / 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.layers[0] = nn.Conv2d(5, 64, 3, 2, padding=1)


class ProPainter(nn.Module):
    """Paints the holes of all local frames of a window together."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = MaskedEncoder()
        self.decoder = FrameDecoder(WIDTH)
        self.ss = SoftSplit()
        self.sc = FreeComposition()
        self.feat_prop_module = Propagation()
        self.transformers = Transformer()

    def forward(self, window: Window) -> Tensor:
        """Paints the local frames: float32 [b, l, 3, H, W], RGB from -1 to 1. See ``complete``."""
        maps = self.complete(window)
        return by_clip(self.decode(maps.flatten(0, 1)), maps)

    def complete(self, window: Window) -> Tensor:
        """Does all but decode, so that frames can be decoded one by one.

        Returns:
            [b, l, 128, H / 4, W / 4], the local frames' maps.

        Raises:
            InputError: sizes or counts of frames that the network cannot take.
        """
        _check(window)
        local_count = window.local_count
        planes = torch.cat([window.frames, window.masks, window.left], 2)
        places = planes.shape[3] * planes.shape[4] // SHRINK**2
        maps = by_clip(by_parts(self.encoder, planes.flatten(0, 1), places), planes)
        masks = planes[:, :local_count, 3:, ::SHRINK, ::SHRINK]
        local: Tensor = self.feat_prop_module(maps[:, :local_count], masks, window.flows.each(_shrink_flow))
        maps = torch.cat([local, maps[:, local_count:]], 1)
        tokens = self.transformers(self.ss(maps), masks[:, :, :1])[:, :local_count]
        added: Tensor = self.sc(tokens, (maps.shape[3], maps.shape[4]))
        return local + by_clip(added, local)

    def decode(self, maps: Tensor) -> Tensor:
        """Makes frames [n, 3, H, W], RGB from -1 to 1, of completed maps [n, 128, H / 4, W / 4]."""
        return torch.tanh(self.decoder(maps))


def _shrink_flow(flow: Tensor) -> Tensor:
    """A flow [b, n, 2, H, W] at a quarter, in pixels of the quarter."""
    small = functional.interpolate(flow.flatten(0, 1), scale_factor=1 / SHRINK, mode="bilinear", align_corners=False)
    return by_clip(small / SHRINK, flow)


def _check(window: Window) -> None:
    count, time, _, height, width = window.frames.shape
    if not height or not width or height % SHRINK or width % SHRINK:
        raise InputError(
            f"ProPainter takes frames whose sides are multiples of {SHRINK} pixels, and these have {width} x {height}; "
            "resize or pad them."
        )
    if time < FEWEST_FRAMES or window.local_count > time:
        raise InputError(
            f"ProPainter needs at least {FEWEST_FRAMES} frames and no more motion than between them, and got {time} "
            f"with motion of {window.local_count}; give it neighbours of the frame to fill, or references."
        )
    size: Size = (height, width)
    motion = (window.flows.to_next, window.flows.to_previous)
    if any(mask.shape != (count, time, 1, *size) for mask in (window.masks, window.left)) or any(
        flow.shape != (count, window.local_count - 1, 2, *size) for flow in motion
    ):
        raise InputError(
            f"ProPainter needs both masks of each of {time} frames, and motion both ways, all of the frames' "
            f"{width} x {height} pixels; bring them to that size and number."
        )
