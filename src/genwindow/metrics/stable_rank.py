"""Stable rank: how many directions of a weight matrix carry weight, a number between 1 and its rank.

|W|_F^2 / |W|_2^2, the sum of the squared singular values over the largest one. It needs neither samples nor images. As
a sign of memorization it is experimental: it is reported, and no verdict is made from it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from genwindow.errors import check


def stable_rank(weight: Tensor) -> float:
    """Stable rank of a weight.

    Args:
        weight: (out, ...) of two axes or more; a convolution (out, in, h, w) is taken as the matrix (out, in h w).

    Raises:
        GenwindowError: for a vector, or numbers that are not finite.

    Example:
        >>> stable_rank(torch.diag(torch.tensor([2.0, 2.0, 0.0])))
        2.0
    """
    check(weight.ndim >= 2, f"weight must have two axes at least, got shape {tuple(weight.shape)}")
    matrix = weight.detach().double().cpu().flatten(1)
    check(bool(torch.isfinite(matrix).all()), "weight must be finite")
    values = torch.linalg.svdvals(matrix)
    return float((values**2).sum() / values[0] ** 2) if values[0] > 0 else 0.0
