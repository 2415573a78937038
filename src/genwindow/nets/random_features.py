"""The random-features score model as a network: s_A(x) = A sigma(W x/sqrt(d))/sqrt(p), only A is trained, from zero.

Full-batch gradient descent on the loss of a score network at one diffusion time makes A follow the equations of
`genwindow.theory` with training time tau = steps x learning rate / d^2. Source: arXiv 2502.00336; arXiv 2505.17638.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from genwindow.errors import check, check_choice

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sin": torch.sin,
    "relu": torch.relu,
    "gelu": nn.functional.gelu,
}


@final
class RandomFeaturesNet(nn.Module):
    """Vectors (B, d) and conditioning (B,), which is not used, to scores (B, d).

    Args:
        features: (p, d) frozen W.
        activation: a name in `ACTIVATIONS`.
        centre: subtracted from the activation: its mean over the data, for activations that are not odd.
    """

    def __init__(self, features: Tensor, activation: str = "tanh", centre: float = 0.0) -> None:
        super().__init__()
        check(features.ndim == 2, f"features must have the shape (p, d), got {tuple(features.shape)}")
        check_choice("activation", activation, ACTIVATIONS)
        p, d = features.shape
        self.activation = activation
        self.centre = centre
        self.features: Tensor
        self.register_buffer("features", features.detach().clone())
        self.weights = nn.Parameter(torch.zeros(d, p, dtype=features.dtype, device=features.device))

    def forward(self, x: Tensor, conditioning: Tensor) -> Tensor:
        """(B, d) score."""
        p, d = self.features.shape
        phi = ACTIVATIONS[self.activation](x @ self.features.T / math.sqrt(d)) - self.centre
        return phi @ self.weights.T / math.sqrt(p)
