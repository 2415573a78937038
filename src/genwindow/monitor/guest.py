"""A guest leaves the host as it found it: module modes, random state, weights."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from genwindow.errors import check


@contextmanager
def as_guest(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Inside the block every module is in evaluation mode and no gradients are kept.

    Afterwards each submodule has its own mode again, and the random states of Python, NumPy and torch (CPU and every
    CUDA device in use) are those of before, also when the block raised. Compiled and data-parallel modules are modules
    like others.
    """
    modes = [(m, m.training) for module in modules for m in module.modules()]
    python, numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            for module in modules:
                module.eval()
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def swapped(parameters: Iterable[Tensor], averages: Iterable[Tensor]) -> Iterator[None]:
    """Inside the block the parameters hold their averages; afterwards their own values again, bit for bit.

    For hosts whose averaged weights have no such block of their own.

    Args:
        parameters: of the model.
        averages: tensors of the same shapes, in the same order.

    Raises:
        GenwindowError: when numbers or shapes differ.
    """
    weights, values = list(parameters), list(averages)
    shapes = [[tuple(t.shape) for t in tensors] for tensors in (weights, values)]
    check(shapes[0] == shapes[1], f"averages must match the {len(weights)} parameters in number and shape")
    own = [w.detach().clone() for w in weights]
    try:
        _copy(weights, values)
        yield
    finally:
        _copy(weights, own)


@torch.no_grad()
def _copy(weights: list[Tensor], values: list[Tensor]) -> None:
    for weight, value in zip(weights, values, strict=True):
        weight.copy_(value)
