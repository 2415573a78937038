"""A guest leaves the host as it found it: module modes and random state."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import nn


@contextmanager
def as_guest(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Inside the block every module is in evaluation mode and no gradients are kept.

    Afterwards each submodule has its own mode again, and the random states of Python, NumPy and torch (CPU and every
    CUDA device in use) are those of before.
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
