"""The exact law of Gaussian points with independent coordinates, each with a variance of its own."""

from __future__ import annotations

from typing import final

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from genwindow.errors import check


@final
class DiagonalGaussian:
    """Of x_t = alpha x_0 + sigma xi: coordinate k has mean 0 and variance alpha^2 v_k + sigma^2.

    All methods compute in float64 and answer in the dtype and on the device of `x` (B, d); `alpha` and `sigma` are one
    number or (B,); without noise every variance must be above 0.

    Args:
        variances: (d,) of the coordinates of x_0, not below 0.
    """

    def __init__(self, variances: ArrayLike) -> None:
        self.variances = torch.as_tensor(variances, dtype=torch.float64)
        good = self.variances.ndim == 1 and bool((self.variances >= 0).all())
        check(good, f"variances must be (d,) numbers not below 0, got {variances!r:.60}")

    def score(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """(B, d) gradient of the log density at x."""
        wide, _, variance = self._terms(x, alpha, sigma)
        return (-wide / variance).to(x)

    def data_mean(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """(B, d) mean of x_0 given x_t = x."""
        wide, signal, variance = self._terms(x, alpha, sigma)
        return (signal * self.variances / variance * wide).to(x)

    def _terms(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """X (B, d), alpha (B, 1) and the variances of x_t (B, d), on the CPU: not every device has float64."""
        d = len(self.variances)
        check(x.is_floating_point(), f"x must be floating-point numbers, got {x.dtype}")
        check(x.ndim == 2 and x.shape[1] == d, f"x must have the shape (B, {d}), got {tuple(x.shape)}")
        signal, noise = (
            torch.as_tensor(level, dtype=torch.float64).cpu().expand(len(x))[:, None] for level in (alpha, sigma)
        )
        return x.cpu().double(), signal, signal.square() * self.variances + noise.square()
