r"""A two-layer network for regression: f(x) = sum_j v_j sigma(w_j . x + b_j)/sqrt(p), all of it trained.

Hidden units come in pairs of equal weights and opposite readout, so the network starts as the zero function: the first
error is the variance of the labels, whatever the seed. Readouts are of order 1 and divided by sqrt(p), the scale at
which wide networks train like their linearization (Chizat, Oyallon, Bach, arXiv 1812.07956).
"""

from __future__ import annotations

import math
from typing import final

import torch
from torch import Tensor, nn

from genwindow.errors import check, check_choice, check_integer
from genwindow.nets.random_features import ACTIVATIONS


@final
class TwoLayerNet(nn.Module):
    """Points (B, d) to numbers (B,).

    Args:
        d: dimension of the points.
        width: number p of hidden units, even.
        generator: of the first weights: w ~ N(0, 1/d), b = 0, v ~ N(0, 1).
        activation: a name in `genwindow.nets.random_features.ACTIVATIONS`.
    """

    def __init__(self, d: int, width: int, generator: torch.Generator, activation: str = "relu") -> None:
        super().__init__()
        check_integer("d", d, low=1)
        check_integer("width", width, low=2)
        check(width % 2 == 0, f"width must be even, got {width}")
        check_choice("activation", activation, ACTIVATIONS)
        self.activation = activation
        hidden = torch.randn(width // 2, d, generator=generator) / math.sqrt(d)
        readout = torch.randn(width // 2, generator=generator)
        self.hidden = nn.Parameter(torch.cat([hidden, hidden]))
        self.bias = nn.Parameter(torch.zeros(width))
        self.readout = nn.Parameter(torch.cat([readout, -readout]))

    def forward(self, x: Tensor) -> Tensor:
        """(B,) predictions."""
        features = ACTIVATIONS[self.activation](torch.addmm(self.bias, x, self.hidden.T))
        return features @ self.readout / math.sqrt(len(self.readout))

    def tangent_kernel(self, x: Tensor) -> Tensor:
        """(B, B) inner products of the gradients of the output with respect to all parameters, at points x (B, d).

        The kernel of the network's linearization, here as it stands now (Jacot, Gabriel, Hongler, arXiv 1806.07572).
        """
        with torch.enable_grad():
            before = torch.addmm(self.bias, x, self.hidden.T).detach().requires_grad_()
            features = ACTIVATIONS[self.activation](before)
            (slopes,) = torch.autograd.grad(features.sum(), before)
        features, slopes = features.detach(), slopes * self.readout.detach()
        return (features @ features.T + slopes @ slopes.T * (x @ x.T + 1)) / len(self.readout)
