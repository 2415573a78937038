"""A device: where tensors live, named in settings by a string."""

from __future__ import annotations

import torch

from genwindow.errors import GenwindowError, check


def resolve_device(name: str) -> torch.device:
    """`cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the first of CUDA, MPS and CPU that is there.

    Raises:
        GenwindowError: for an unknown name or a device this machine lacks.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise GenwindowError(f"device must be cpu, cuda, cuda:N, mps or auto; got {name!r}") from None
    cuda = torch.cuda.device_count()
    there = {"cpu": True, "cuda": (device.index or 0) < cuda, "mps": torch.backends.mps.is_available()}
    check(
        there.get(device.type, False), f"device {name!r} is not on this machine ({cuda} CUDA devices); use cpu or auto"
    )
    return device
