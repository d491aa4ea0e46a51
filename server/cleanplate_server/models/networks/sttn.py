"""STTN (Zeng, Fu, Chao: Learning Joint Spatial-Temporal Transformations for Video Inpainting, ECCV 2020).

Patches of four sizes attend to each other over all frames of a window at once; there is no optical flow. The code's
licence is MIT, and weights come without a word of their own. Checkpoints know neither the size of frames nor that of
patches: both layouts here load the same entries.

What the network is to be given, and what its results are good for:

Frames are RGB from -1 to 1 (``2 * rgb - 1``, clipped, since it has seen nothing beyond), resized (bicubic) to 432 x 240
for ``PUBLISHED_PATCHES`` or 640 x 120 for ``BAND_PATCHES``, and 0 (middle grey) in the holes: ``frames * (1 - mask)``.
That is the only way for a mask to have an effect: attention knows no mask, as published. Masks are resized by nearest
neighbour and grown by a 3 x 3 cross four times. (Weights that were trained to find subtitles by themselves are given
bands with the text still in them, 3 / 16 of the picture's width high.)

``encode`` every frame of the shot once and keep its maps. For a frame f that is a multiple of 5: neighbours are f - 5
to f + 5 within the shot; references are every tenth frame of the whole shot, 0, 10, 20 and so on, that is no neighbour,
limited to 10 or 20 in long shots. ``mix`` the maps of both together, in any order, and ``decode`` those of the
neighbours alone. One frame alone works as well.

Of a result take ``(frames + 1) / 2``, resized back, within the hole. Most frames are neighbours in two windows or
three; the published procedure halves old and new in order of arrival.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from cleanplate_server.errors import InputError
from cleanplate_server.models.networks.frame_coding import QUARTER_WIDTH, SLOPE, FrameDecoder, by_clip, quarter_layers

Size = tuple[int, int]
"""Height and width."""

PUBLISHED_PATCHES: tuple[Size, ...] = ((60, 108), (20, 36), (10, 18), (5, 9))
"""In places of maps at a quarter; for frames of 432 x 240, which are 1, 9, 36 and 144 of them."""
BAND_PATCHES: tuple[Size, ...] = ((15, 80), (6, 32), (5, 10), (3, 5))
"""For bands of subtitles of 640 x 120, which are 4, 25, 96 and 320 of them."""

_SHRINK = 4
_BLOCKS = 8
_JUDGED = ((3, 64), (64, 128), (128, 256), (256, 256), (256, 256))
"""Channels in and out of the discriminator's normalised convolutions."""


class Sttn(nn.Module):
    """Fills the holes of all frames of a window together.

    Args:
        patches: (height, width) of each group's patches, in places of maps at a quarter of the frames' size.
    """

    def __init__(self, patches: tuple[Size, ...] = PUBLISHED_PATCHES) -> None:
        super().__init__()
        self._patches = patches
        self.transformer = nn.ModuleList(Block(patches) for _ in range(_BLOCKS))
        self.encoder = nn.Sequential(*quarter_layers())
        self.decoder = FrameDecoder(QUARTER_WIDTH)

    def forward(self, masked: Tensor) -> Tensor:
        """Fills frames [b, t, 3, H, W], RGB from -1 to 1, 0 in the holes: the same, with something everywhere."""
        maps = self.mix(by_clip(self.encode(masked.flatten(0, 1)), masked))
        return by_clip(self.decode(maps.flatten(0, 1)), masked)

    def encode(self, frames: Tensor) -> Tensor:
        """Makes maps [n, 256, H / 4, W / 4] of frames [n, 3, H, W], RGB from -1 to 1, each for itself.

        Raises:
            InputError: a size that patches do not fill.
        """
        self._check((frames.shape[2], frames.shape[3]))
        maps: Tensor = self.encoder(frames)
        return maps

    def mix(self, maps: Tensor) -> Tensor:
        """Lets the t frames of each clip attend to each other: maps [b, t, 256, H / 4, W / 4] to the same."""
        for block in self.transformer:
            maps = block(maps)
        return maps

    def decode(self, maps: Tensor) -> Tensor:
        """Makes frames [n, 3, H, W], RGB from -1 to 1, of maps [n, 256, H / 4, W / 4]."""
        return torch.tanh(self.decoder(maps))

    def _check(self, size: Size) -> None:
        steps = [_SHRINK * math.lcm(*sides) for sides in zip(*self._patches, strict=True)]
        if any(side % step or not side for side, step in zip(size, steps, strict=True)):
            raise InputError(
                f"STTN with these patches takes frames whose width is a multiple of {steps[1]} and whose height one of "
                f"{steps[0]} pixels, and these have {size[1]} x {size[0]}; resize them to {steps[1]} x {steps[0]}."
            )


class Block(nn.Module):
    """Attention, then feed-forward: maps [b, t, 256, h, w] to the same."""

    def __init__(self, patches: tuple[Size, ...]) -> None:
        super().__init__()
        self.attention = PatchAttention(patches)
        self.feed_forward = FeedForward()

    def forward(self, maps: Tensor) -> Tensor:
        maps = maps + self.attention(maps)
        changed: Tensor = self.feed_forward(maps.flatten(0, 1))
        return maps + by_clip(changed, maps)


class PatchAttention(nn.Module):
    """Each group of channels attends in patches of its own size over all frames: maps [b, t, 256, h, w] to the same."""

    def __init__(self, patches: tuple[Size, ...]) -> None:
        super().__init__()
        self._patches = patches
        self.query_embedding = nn.Conv2d(QUARTER_WIDTH, QUARTER_WIDTH, 1)
        self.value_embedding = nn.Conv2d(QUARTER_WIDTH, QUARTER_WIDTH, 1)
        self.key_embedding = nn.Conv2d(QUARTER_WIDTH, QUARTER_WIDTH, 1)
        self.output_linear = nn.Sequential(nn.Conv2d(QUARTER_WIDTH, QUARTER_WIDTH, 3, padding=1), nn.LeakyReLU(SLOPE))

    def forward(self, maps: Tensor) -> Tensor:
        frames = maps.flatten(0, 1)
        embeddings = (self.query_embedding, self.key_embedding, self.value_embedding)
        groups = (by_clip(embed(frames), maps).chunk(len(self._patches), 2) for embed in embeddings)
        mixed = [attend(q, k, v, patch) for q, k, v, patch in zip(*groups, self._patches, strict=True)]
        out: Tensor = self.output_linear(torch.cat(mixed, 2).flatten(0, 1))
        return by_clip(out, maps)


class FeedForward(nn.Module):
    """Two convolutions, the first one wide: maps [n, 256, h, w] to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            nn.Conv2d(QUARTER_WIDTH, QUARTER_WIDTH, 3, padding=2, dilation=2),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(QUARTER_WIDTH, QUARTER_WIDTH, 3, padding=1),
            nn.LeakyReLU(SLOPE),
        )

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.conv(maps)
        return out


class Discriminator(nn.Module):
    """Tells real clips from filled ones, for training, in patches of space and time.

    Losses average over all logits and have a hinge: ``mean(relu(1 - real))``, ``mean(relu(1 + filled))``. Spectral
    normalisation takes one step of power iteration for each pass in training mode.
    """

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for index, (into, out) in enumerate(_JUDGED):
            # the first layer's padding is 1 in space too, as published
            convolution = _space_time_convolution(into, out, padding=2 if index else 1, bias=False)
            layers += [nn.utils.spectral_norm(convolution), nn.LeakyReLU(SLOPE)]
        self.conv = nn.Sequential(*layers, _space_time_convolution(256, 256, padding=2, bias=True))

    def forward(self, clips: Tensor) -> Tensor:
        """Judges clips [b, t, 3, H, W], RGB from -1 to 1: logits [b, t, 256, h, w], high for real; no sigmoid."""
        logits: Tensor = self.conv(clips.transpose(1, 2))
        return logits.transpose(1, 2)


def attend(query: Tensor, key: Tensor, value: Tensor, patch: Size) -> Tensor:
    """Lets patches of all frames of a clip attend to each other.

    Args:
        query, key, value: [b, t, C, h, w].
        patch: (height, width).

    Returns:
        [b, t, C, h, w].
    """
    queries, keys, values = (to_patches(maps, patch) for maps in (query, key, value))
    # scaled before and not after: a sum of 400 000 products would leave half precision's range
    weights = (queries * queries.shape[2] ** -0.5 @ keys.transpose(1, 2)).softmax(2)
    return from_patches(weights @ values, query.shape, patch)


def to_patches(maps: Tensor, patch: Size) -> Tensor:
    """Cuts maps [b, t, C, h, w] into patches [b, t * h / ph * w / pw, C * ph * pw], frame by frame, row by row."""
    count, time, width, height, across = maps.shape
    parts = maps.reshape(count, time, width, height // patch[0], patch[0], across // patch[1], patch[1])
    return parts.permute(0, 1, 3, 5, 2, 4, 6).reshape(count, -1, width * patch[0] * patch[1])


def from_patches(patches: Tensor, shape: torch.Size, patch: Size) -> Tensor:
    """Undoes ``to_patches`` for maps of a shape [b, t, C, h, w]."""
    count, time, width, height, across = shape
    parts = patches.reshape(count, time, height // patch[0], across // patch[1], width, *patch)
    return parts.permute(0, 1, 4, 2, 5, 3, 6).reshape(shape)


def _space_time_convolution(into: int, out: int, *, padding: int, bias: bool) -> nn.Conv3d:
    return nn.Conv3d(into, out, (3, 5, 5), (1, 2, 2), (1, padding, padding), bias=bias)
