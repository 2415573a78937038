"""Residual MLP: the network of the Gaussian-mixture experiments (arXiv 2505.17638, appendix B).

With d = 8, width 128 and 3 blocks it has 102,024 trained parameters. The time embedding is added in every block and
has none.
"""

from __future__ import annotations

import math
from typing import final

from torch import Tensor, nn

from genwindow.errors import check, check_integer
from genwindow.nets.embedding import LabelEmbedding, sinusoidal


@final
class ResidualMLP(nn.Module):
    """Images or vectors (B, ...) and conditioning (B,) in [0, 1000] to a tensor of the images' shape.

    Args:
        shape: shape of one image, for example (8,) or (1, 8, 8).
        width: hidden width, even.
        blocks: number of residual blocks.
        classes: number of classes the network can be told; their embedding is added to that of the time.
    """

    def __init__(self, shape: tuple[int, ...], width: int = 128, blocks: int = 3, classes: int = 0) -> None:
        super().__init__()
        check_integer("width", width, low=2)
        check(width % 2 == 0, f"width must be even, got {width}")
        check_integer("blocks", blocks, low=1)
        dimension = math.prod(shape)
        self.width = width
        self.into = nn.Linear(dimension, width)
        self.blocks = nn.ModuleList(_Block(width) for _ in range(blocks))
        self.out = nn.Linear(width, dimension)
        self.label = LabelEmbedding(classes, width) if classes else None

    def forward(self, x: Tensor, conditioning: Tensor, label: Tensor | None = None) -> Tensor:
        """(B, ...) output for noisy images x (B, ...) of classes `label` (B,), -1 or None where it is not told."""
        check(self.label is not None or label is None, "this network was built without classes and takes no label")
        time = sinusoidal(conditioning, self.width)
        if self.label is not None:
            time = time + self.label(label, len(x))
        h = self.into(x.flatten(1))
        for block in self.blocks:
            h = block(h, time)
        return self.out(h).view_as(x)


class _Block(nn.Module):
    """h -> LayerNorm(h + W2 gelu(W1 (h + time)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, h: Tensor, time: Tensor) -> Tensor:
        return self.norm(h + self.second(nn.functional.gelu(self.first(h + time))))
