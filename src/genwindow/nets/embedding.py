"""Sinusoidal embedding of a number (Vaswani et al., arXiv 1706.03762, section 3.5)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def sinusoidal(position: Tensor, dimension: int, *, max_period: float = 10_000.0) -> Tensor:
    """(B, dimension) sines then cosines of `position` (B,) at geometrically spaced frequencies from 1 to 1/max_period.

    `dimension` must be even.
    """
    half = dimension // 2
    exponent = torch.arange(half, device=position.device, dtype=torch.float32) / max(half - 1, 1)
    angle = position.float()[:, None] * torch.exp(-math.log(max_period) * exponent)
    return torch.cat([angle.sin(), angle.cos()], dim=1).to(position.dtype)
