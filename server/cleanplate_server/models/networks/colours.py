"""The colours that networks were trained around: ImageNet's mean and deviation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Colours(nn.Module):
    """RGB [n, 3, H, W] from 0 to 1 to the networks' numbers and back; holds nothing that a checkpoint has."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(MEAN)[:, None, None], persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION)[:, None, None], persistent=False)

    def normalise(self, rgb: Tensor) -> Tensor:
        """Takes the mean away and divides by the deviation."""
        return (rgb - self.mean) / self.deviation

    def restore(self, normalised: Tensor) -> Tensor:
        """Undoes `normalise`."""
        return normalised * self.deviation + self.mean

    def put_mean(self, rgb: Tensor, hole: Tensor) -> Tensor:
        """Puts the mean colour, which is 0 to a network, inside a hole [n, 1, H, W]."""
        return torch.where(hole > 0, self.mean, rgb)
