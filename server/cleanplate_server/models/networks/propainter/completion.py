"""Motion behind holes, found by a recurrent network from the motion around them and from other frames'."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.frame_coding import SLOPE, Enlargement, by_clip
from cleanplate_server.models.networks.interleaved_encoder import WIDTH
from cleanplate_server.models.networks.propainter.alignment import ALIGNMENT_SLOPE, Alignment
from cleanplate_server.models.networks.propainter.flows import Flows

MULTIPLE = 8
"""What sides of flows are multiples of: three layers halve them."""

Direction = Literal["backward_", "forward_"]

_REACH_PX = 5.0
"""How far features are looked for, in places of maps at an eighth."""
_EDGE_WIDTH = 16


class FlowCompletion(nn.Module):
    """Completes the motion of one direction of time."""

    def __init__(self) -> None:
        super().__init__()
        self.downsample = nn.Sequential(
            nn.Conv3d(3, 32, (1, 5, 5), (1, 2, 2), (0, 2, 2), padding_mode="replicate"), nn.LeakyReLU(SLOPE)
        )
        self.encoder1 = _encoder(32, 64)
        self.encoder2 = _encoder(64, WIDTH)
        dilated: list[nn.Module] = []
        for step in (3, 2, 1):
            dilated += [_in_plane(WIDTH, WIDTH, dilation=step), nn.LeakyReLU(SLOPE)]
        self.mid_dilation = nn.Sequential(*dilated)
        self.feat_prop_module = Propagation()
        self.decoder2 = nn.Sequential(*_enlarging(WIDTH, 64), nn.LeakyReLU(SLOPE))
        self.decoder1 = nn.Sequential(*_enlarging(64, 32), nn.LeakyReLU(SLOPE))
        self.upsample = nn.Sequential(*_enlarging(32, 2))
        self.edgeDetector = EdgeDetector()

    def forward(self, flows: Tensor, masks: Tensor) -> Tensor:
        """Finds motion everywhere; only what lies in the holes is good to use.

        Args:
            flows: float32 [b, n, 2, H, W] in order of time, (dx, dy) in pixels; what is in the holes is not looked at.
            masks: float32 [b, n, 1, H, W], 1 in the holes.

        Returns:
            float32 [b, n, 2, H, W].

        Raises:
            InputError: no flows, or of a size that the network cannot take.
        """
        _check(flows)
        # motion says where to look, and half precision would put that off
        with torch.autocast(flows.device.type, enabled=False):
            planes = torch.cat([flows * (1 - masks), masks], 2).transpose(1, 2)
            quarter = self.encoder1(self.downsample(planes))
            maps = self.feat_prop_module(self.mid_dilation(self.encoder2(quarter)).transpose(1, 2))
            deep = self.decoder2(maps.flatten(0, 1)) + quarter.transpose(1, 2).flatten(0, 1)
            return by_clip(self.upsample(self.decoder1(deep)), flows)


class Separable(nn.Module):
    """A convolution within each frame, then one over time with a frame left out between: [b, C, n, H, W]."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Sequential(_in_plane(into, out, stride=stride), nn.LeakyReLU(SLOPE))
        self.conv2 = nn.Sequential(nn.Conv3d(out, out, (3, 1, 1), padding=(2, 0, 0), dilation=(2, 1, 1)))

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.conv2(self.conv1(maps))
        return out


class Propagation(nn.Module):
    """Each frame's maps, enriched by all others': backwards, then forwards, aligned by learnt offsets alone."""

    def __init__(self) -> None:
        super().__init__()
        self.deform_align = nn.ModuleDict(
            {name: Alignment(2 * WIDTH, seen=3 * WIDTH, reach_px=_REACH_PX) for name in ("backward_", "forward_")}
        )
        self.backbone = nn.ModuleDict({"backward_": _backbone(2 * WIDTH), "forward_": _backbone(3 * WIDTH)})
        self.fusion = nn.Conv2d(2 * WIDTH, WIDTH, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Carries features [b, n, 128, h, w] over all frames."""
        frames = maps.unbind(1)
        backward = self._carry("backward_", [(frame,) for frame in frames[::-1]])[::-1]
        forward = self._carry("forward_", list(zip(frames, backward, strict=True)))
        fused = [self.fusion(torch.cat(both, 1)) for both in zip(backward, forward, strict=True)]
        return torch.stack(fused, 1) + maps

    def _carry(self, direction: Direction, steps: Sequence[tuple[Tensor, ...]]) -> list[Tensor]:
        """Walks in one direction, given each frame's own maps [b, 128, h, w] and others that layers may see."""
        carried: list[Tensor] = []
        for seen in steps:
            before = self._align(direction, seen[0], carried[-2:]) if carried else torch.zeros_like(seen[0])
            carried.append(before + self.backbone[direction](torch.cat([*seen, before], 1)))
        return carried

    def _align(self, direction: Direction, current: Tensor, carried: Sequence[Tensor]) -> Tensor:
        """Brings what one or two steps before carried to the current frame's places."""
        near = carried[-1]
        far = carried[-2] if len(carried) > 1 else torch.zeros_like(near)
        aligned: Tensor = self.deform_align[direction](torch.cat([near, far], 1), torch.cat([near, current, far], 1))
        return aligned


class EdgeDetector(nn.Module):
    """Entries of the checkpoint that training used, to draw motion's edges; nothing runs them."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Sequential(nn.Conv2d(2, _EDGE_WIDTH, 3, padding=1))
        self.mid_layer_1 = nn.Sequential(nn.Conv2d(_EDGE_WIDTH, _EDGE_WIDTH, 3, padding=1))
        self.mid_layer_2 = nn.Sequential(nn.Conv2d(_EDGE_WIDTH, _EDGE_WIDTH, 3, padding=1))
        self.out_layer = nn.Conv2d(_EDGE_WIDTH, 1, 1)


def predict_flows(network: FlowCompletion, flows: Flows, masks: Tensor) -> Flows:
    """Finds motion everywhere, both ways; motion to the previous frame is looked at backwards in time.

    Args:
        network: with weights.
        flows: n of them; what is in the holes is not looked at.
        masks: float32 [b, n + 1, 1, H, W], 1 in the holes.

    Raises:
        InputError: no flows, another number or size of masks, or a size that the network cannot take.
    """
    _check_masks(flows, masks)
    to_next = network(flows.to_next, masks[:, :-1])
    to_previous = network(flows.to_previous.flip(1), masks[:, 1:].flip(1))
    return Flows(to_next, to_previous.flip(1))


def complete_flows(network: FlowCompletion, flows: Flows, masks: Tensor) -> Flows:
    """Replaces motion in the holes, of the frame it starts in, and keeps the rest as it is; see `predict_flows`."""
    found = predict_flows(network, flows, masks)
    return Flows(
        torch.where(masks[:, :-1] > 0, found.to_next, flows.to_next),
        torch.where(masks[:, 1:] > 0, found.to_previous, flows.to_previous),
    )


def _encoder(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        Separable(into, into, stride=1), nn.LeakyReLU(SLOPE), Separable(into, out, stride=2), nn.LeakyReLU(SLOPE)
    )


def _in_plane(into: int, out: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv3d:
    """A 3 x 3 convolution of each frame by itself."""
    return nn.Conv3d(into, out, (1, 3, 3), (1, stride, stride), (0, dilation, dilation), (1, dilation, dilation))


def _enlarging(into: int, out: int) -> list[nn.Module]:
    return [nn.Conv2d(into, into, 3, padding=1), nn.LeakyReLU(SLOPE), Enlargement(into, out)]


def _backbone(into: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, WIDTH, 3, padding=1),
        nn.LeakyReLU(ALIGNMENT_SLOPE),
        nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
    )


def _check(flows: Tensor) -> None:
    time, _, height, width = flows.shape[1:]
    if not time or not height or not width or height % MULTIPLE or width % MULTIPLE:
        raise InputError(
            f"ProPainter completes motion between two frames or more whose sides are multiples of {MULTIPLE} pixels, "
            f"and got {time} fields of {width} x {height}; give more frames, or resize or pad them."
        )


def _check_masks(flows: Flows, masks: Tensor) -> None:
    count, time, _, height, width = flows.to_next.shape
    if flows.to_previous.shape != flows.to_next.shape or masks.shape != (count, time + 1, 1, height, width):
        raise InputError(
            f"{time} motion fields of {width} x {height} pixels need as many the other way and one mask more of that "
            f"size, and there are {flows.to_previous.shape[1]} the other way and {masks.shape[1]} masks of "
            f"{masks.shape[4]} x {masks.shape[3]}; give motion between neighbours, and a mask for every frame."
        )
