"""A guest leaves the host as it found it: module modes, buffers, random state, weights."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from genwindow.errors import check


@contextmanager
def as_guest(modules: Sequence[nn.Module]) -> Iterator[None]:
    """Inside the block every module is in evaluation mode and no gradients are kept.

    Afterwards each submodule has its own mode again, buffers hold what they held, and the random states of Python,
    NumPy and torch (CPU and every CUDA device in use) are those of before, also when the block raised. Compiled modules
    are modules like others. A data-parallel one sends its buffers to all processes before a forward, but not after one
    without gradients; it goes on as if there had been none.
    """
    modes = [(m, m.training) for module in modules for m in module.modules()]
    buffers = [(m, name, b, b.detach().clone()) for m, _ in modes for name, b in m._buffers.items() if b is not None]
    parallel = [m for m, _ in modes if isinstance(m, DistributedDataParallel)]
    sends = [m.require_forward_param_sync for m in parallel]
    python, numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []
    try:
        with torch.random.fork_rng(devices=devices), torch.no_grad():
            for module, _ in modes:
                module.training = False  # eval() would let adapters merge their weights and throw gradients away
            yield
    finally:
        for module, mode in modes:
            module.training = mode
        for wrapper, send in zip(parallel, sends, strict=True):
            wrapper.require_forward_param_sync = send
        with torch.no_grad():
            for module, name, buffer, own in buffers:
                if module._buffers.get(name) is not buffer:
                    module._buffers[name] = buffer
                if not torch.equal(buffer, own):
                    buffer.copy_(own)
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
