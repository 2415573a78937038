"""The optimizers of the paper: SGD with momentum and Adam."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from genwindow.errors import check_choice


def build_optimizer(
    parameters: Iterable[nn.Parameter], name: str, lr: float, momentum: float = 0.95
) -> torch.optim.Optimizer:
    """`sgd` (with `momentum`) or `adam` (betas 0.9 and 0.999) with learning rate `lr`."""
    check_choice("optimizer", name, ("adam", "sgd"))
    if name == "adam":
        return torch.optim.Adam(parameters, lr=lr, fused=True)
    return torch.optim.SGD(parameters, lr=lr, momentum=momentum, fused=True)
