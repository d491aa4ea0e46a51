"""ResNet-50 (He et al., CVPR 2016) without its last stage."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cleanplate_server.models.networks.association.pyramid import Encoder, FrozenBatchNorm, Pyramid, Widths


class ResNet50(Encoder):
    """Picture [n, 3, H, W] to maps of 256, 512, 1024 and the same 1024 channels."""

    def __init__(self) -> None:
        super().__init__()
        self.widths = Widths(256, 512, 1024, 1024)
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = FrozenBatchNorm(64)
        self.layer1 = _stage(64, 64, count=3, stride=1)
        self.layer2 = _stage(256, 128, count=4, stride=2)
        self.layer3 = _stage(512, 256, count=6, stride=2)

    def forward(self, picture: Tensor) -> Pyramid:
        x = functional.relu(self.bn1(self.conv1(picture)))
        f4 = self.layer1(functional.max_pool2d(x, 3, 2, 1))
        f8 = self.layer2(f4)
        f16 = self.layer3(f8)
        return Pyramid(f4, f8, f16, f16)


class Bottleneck(nn.Module):
    """Narrow, filter (with the stride), widen fourfold, add the input."""

    def __init__(self, into: int, planes: int, *, stride: int, projects: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, planes, 1, bias=False)
        self.bn1 = FrozenBatchNorm(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, stride, 1, bias=False)
        self.bn2 = FrozenBatchNorm(planes)
        self.conv3 = nn.Conv2d(planes, 4 * planes, 1, bias=False)
        self.bn3 = FrozenBatchNorm(4 * planes)
        self.downsample = nn.Sequential()
        if projects:
            self.downsample.append(nn.Conv2d(into, 4 * planes, 1, stride, bias=False))
            self.downsample.append(FrozenBatchNorm(4 * planes))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        return functional.relu(self.bn3(self.conv3(y)) + self.downsample(x))


def _stage(into: int, planes: int, *, count: int, stride: int) -> nn.Sequential:
    first = Bottleneck(into, planes, stride=stride, projects=True)
    others = [Bottleneck(4 * planes, planes, stride=1, projects=False) for _ in range(count - 1)]
    return nn.Sequential(first, *others)
