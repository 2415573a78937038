"""An embedding: what a network is told besides the image, as a vector.

Numbers become sines and cosines (Vaswani et al., arXiv 1706.03762, section 3.5), classes rows of a trained table.
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from genwindow.errors import GenwindowError, check, check_integer


def sinusoidal(position: Tensor, dimension: int, *, max_period: float = 10_000.0) -> Tensor:
    """(B, dimension) sines then cosines of `position` (B,) at geometrically spaced frequencies from 1 to 1/max_period.

    `dimension` must be even.
    """
    half = dimension // 2
    exponent = torch.arange(half, device=position.device, dtype=torch.float32) / max(half - 1, 1)
    angle = position.float()[:, None] * torch.exp(-math.log(max_period) * exponent)
    return torch.cat([angle.sin(), angle.cos()], dim=1).to(position.dtype)


@final
class LabelEmbedding(nn.Module):
    """Classes (B,) from 0 to vectors (B, dimension); -1, or None in place of all of them, has a row of its own.

    Args:
        classes: how many.
        dimension: of the vectors.
    """

    def __init__(self, classes: int, dimension: int) -> None:
        super().__init__()
        self.table = nn.Embedding(check_integer("classes", classes, low=1) + 1, dimension)

    def forward(self, label: Tensor | None, count: int) -> Tensor:
        """(count, dimension) vectors.

        Raises:
            GenwindowError: when classes are not whole numbers, not one for each image, or (on a CPU) unknown.
        """
        table = self.table.weight
        if label is None:
            return self.table(torch.zeros(count, dtype=torch.long, device=table.device))
        whole = not label.is_floating_point() and label.dtype != torch.bool
        check(
            whole and tuple(label.shape) == (count,),
            f"labels must be whole numbers, one for each of {count} images, got {label.dtype} of {tuple(label.shape)}",
        )
        try:
            return self.table(label.long() + 1)
        except IndexError:
            raise GenwindowError(
                f"labels must be classes 0 to {len(table) - 2} or -1, got {label.unique().tolist()}"
            ) from None
