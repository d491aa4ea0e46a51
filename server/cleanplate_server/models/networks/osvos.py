"""OSVOS (Caelles et al.: One-Shot Video Object Segmentation, CVPR 2017): one object, each frame for itself.

A parent network knows what objects look like; trained further on one frame with its mask, it knows one object. Frames
have no memory of each other. Weights are under GPL-3.0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.protocols import RGB, Mask

LEARNING_RATE = 1e-8
"""Fits a loss that is a sum over the pixels of a picture of 854 x 480."""
PASSES_PER_UPDATE = 5

Shown = Callable[[], tuple[RGB, Mask]]
"""Gives a frame float32 [H, W, 3], RGB from 0 to 1, and its object's mask bool [H, W]."""

_MEAN_BGR = np.array([104.00699, 116.66877, 122.67892], np.float32)
_STAGES = ((3, 64, 2), (64, 128, 2), (128, 256, 3), (256, 512, 3), (512, 512, 3))
"""Channels in and out, and how many convolutions."""
_SIDE_WIDTH = 16
_MOMENTUM = 0.9
_DECAY = 2e-4
_ROTATION_DEGREES = 30.0
_LEAST_SCALE, _MOST_SCALE = 0.75, 1.25


@dataclass(frozen=True, eq=False)
class Scores:
    """Logits float32 [n, 1, H, W]: of four stages, which matter in parent training alone, and of all together."""

    sides: tuple[Tensor, ...]
    fused: Tensor


@dataclass(frozen=True, eq=False)
class Lesson:
    """A picture float32 [1, 3, H, W] as the network takes it, and its mask float32 [1, 1, H, W], 1 on the object."""

    picture: Tensor
    mask: Tensor


class Osvos(nn.Module):
    """VGG-16 with a score from each of its last four stages: float32 [n, 3, H, W], BGR from 0 to 255 less the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList(_stage(*sizes, pools=index > 0) for index, sizes in enumerate(_STAGES))
        sided = range(1, len(_STAGES))
        self.side_prep = nn.ModuleList(nn.Conv2d(_STAGES[s][1], _SIDE_WIDTH, 3, padding=1) for s in sided)
        self.score_dsn = nn.ModuleList(nn.Conv2d(_SIDE_WIDTH, 1, 1) for _ in sided)
        self.upscale = nn.ModuleList(_enlargement(_SIDE_WIDTH, factor=2**s) for s in sided)
        self.upscale_ = nn.ModuleList(_enlargement(1, factor=2**s) for s in sided)
        self.fuse = nn.Conv2d(_SIDE_WIDTH * len(sided), 1, 1)

    def forward(self, picture: Tensor) -> Scores:
        size = picture.shape[2], picture.shape[3]
        x: Tensor = self.stages[0](picture)
        maps, sides = [], []
        for stage, prepare, score, enlarge, enlarge_score in zip(
            list(self.stages)[1:], self.side_prep, self.score_dsn, self.upscale, self.upscale_, strict=True
        ):
            x = stage(x)
            side = prepare(x)
            maps.append(_crop(enlarge(side), size))
            sides.append(_crop(enlarge_score(score(side)), size))
        return Scores(tuple(sides), self.fuse(torch.cat(maps, 1)))


def prepare_picture(rgb: RGB) -> Tensor:
    """Makes the network's input [1, 3, H, W] of a frame float32 [H, W, 3], RGB from 0 to 1, at its own size."""
    shifted = rgb[:, :, ::-1] * np.float32(255.0) - _MEAN_BGR
    return torch.from_numpy(np.ascontiguousarray(shifted.transpose(2, 0, 1))[None])


def balanced_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy in which object and background weigh the same: a sum over pixels, for each picture.

    Args:
        logits: [n, 1, H, W].
        mask: [n, 1, H, W]; 0.5 and more is the object.
    """
    truth = (mask >= 0.5).to(logits.dtype)
    on, every = truth.sum(), truth.numel()
    losses = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    weights = torch.where(truth > 0, (every - on) / every, on / every)
    return (weights * losses).sum() / len(logits)


def train(
    network: Osvos,
    lessons: Iterable[Lesson],
    *,
    learning_rate: float = LEARNING_RATE,
    passes_per_update: int = PASSES_PER_UPDATE,
) -> Iterator[float]:
    """Teaches a network one object, in place; stop taking losses to stop it.

    Args:
        network: changes with every update.
        lessons: one for each pass.
        learning_rate: of the stages' kernels.
        passes_per_update: gradients of so many passes are averaged.

    Yields:
        The loss of each pass.
    """
    optimizer = torch.optim.SGD(_rates(network, learning_rate), lr=learning_rate, momentum=_MOMENTUM)
    optimizer.zero_grad()
    for number, lesson in enumerate(lessons, start=1):
        loss = balanced_loss(network(lesson.picture).fused, lesson.mask)
        torch.autograd.backward(loss / passes_per_update)
        if number % passes_per_update == 0:
            optimizer.step()
            optimizer.zero_grad()
        yield float(loss.detach())


def draw_lessons(shown: Sequence[Shown], *, count: int, seed: int) -> Iterator[Lesson]:
    """Varies frames with their masks, each as likely as the others, the same way for the same seed.

    Args:
        shown: one for each frame, asked whenever its turn comes, so that not all need be held.
        count: how many lessons.
        seed: of frames, flips, rotations and scales.
    """
    chance = np.random.default_rng(seed)
    for _ in range(count):
        rgb, mask = shown[int(chance.integers(len(shown)))]()
        varied, truth = vary(
            prepare_picture(rgb)[0].numpy().transpose(1, 2, 0),
            mask,
            flip=bool(chance.random() < 0.5),
            rotation_degrees=float(chance.uniform(-_ROTATION_DEGREES, _ROTATION_DEGREES)),
            scale=float(chance.uniform(_LEAST_SCALE, _MOST_SCALE)),
        )
        yield Lesson(
            torch.from_numpy(np.ascontiguousarray(varied.transpose(2, 0, 1)))[None],
            torch.from_numpy(truth.astype(np.float32))[None, None],
        )


def vary(
    picture: NDArray[np.float32], mask: Mask, *, flip: bool, rotation_degrees: float, scale: float
) -> tuple[NDArray[np.float32], Mask]:
    """Flips, then turns (counter-clockwise) and scales about the middle; what comes in from outside is the mean colour.

    Args:
        picture: float32 [H, W, 3], less the mean.
        mask: bool [H, W].
    """
    height, width = mask.shape
    if flip:
        picture, mask = picture[:, ::-1], mask[:, ::-1]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), rotation_degrees, scale)
    size = (width, height)
    turned = cv2.warpAffine(np.ascontiguousarray(picture), turn, size, flags=cv2.INTER_CUBIC)
    truth = cv2.warpAffine(mask.astype(np.uint8), turn, size, flags=cv2.INTER_NEAREST)
    return np.asarray(turned, np.float32), truth > 0


def _rates(network: Osvos, rate: float) -> list[dict[str, float | list[nn.Parameter]]]:
    """What is learnt, and how fast; scores of single stages and enlargements stay as they are."""

    def of(module: nn.Module, ending: str) -> list[nn.Parameter]:
        return [parameter for name, parameter in module.named_parameters() if name.endswith(ending)]

    return [
        {"params": of(network.stages, "weight"), "lr": rate, "weight_decay": _DECAY},
        {"params": of(network.stages, "bias"), "lr": 2 * rate},
        {"params": of(network.side_prep, "weight"), "lr": rate, "weight_decay": _DECAY},
        {"params": of(network.side_prep, "bias"), "lr": 2 * rate},
        {"params": of(network.fuse, "weight"), "lr": rate / 100, "weight_decay": _DECAY},
        {"params": of(network.fuse, "bias"), "lr": 2 * rate / 100},
    ]


def _stage(into: int, out: int, count: int, *, pools: bool) -> nn.Sequential:
    parts: list[nn.Module] = [nn.MaxPool2d(2, 2, ceil_mode=True)] if pools else []
    for index in range(count):
        parts += [nn.Conv2d(out if index else into, out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*parts)


def _enlargement(channels: int, *, factor: int) -> nn.ConvTranspose2d:
    """Bilinear enlargement as a transposed convolution, which is never trained."""
    enlargement = nn.ConvTranspose2d(channels, channels, 2 * factor, factor, bias=False)
    slope = 1 - (torch.arange(2 * factor) - (factor - 0.5)).abs() / factor
    kernel = torch.zeros(channels, channels, 2 * factor, 2 * factor)
    kernel[range(channels), range(channels)] = slope[:, None] * slope
    enlargement.weight = nn.Parameter(kernel, requires_grad=False)
    return enlargement


def _crop(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Cuts the middle of maps [n, C, h, w] out; of an odd surplus the larger part goes at the bottom and right."""
    top, left = ((have - want) // 2 for have, want in zip(maps.shape[2:], size, strict=True))
    return maps[:, :, top : top + size[0], left : left + size[1]]
