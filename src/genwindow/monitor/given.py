"""What a host gives: images, classes and callables, checked once, with errors by the name they were given under."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from genwindow.errors import GenwindowError, check


def as_images(name: str, given: Any) -> Tensor:
    """`as_tensor`, as real numbers: what a sampler returns is looked at in the type of the training images."""
    tensor = as_tensor(name, given)
    return tensor if tensor.is_floating_point() else tensor.float()


def as_tensor(name: str, given: Any) -> Tensor:
    """What a host gives as one tensor, or an array, with images or classes along its first axis; else an error."""
    wrong = (
        f"{name} must be one tensor (n, ...), got {type(given).__name__}; of a list or a data set make one with "
        "torch.stack([image, ...])"
    )
    # torch would take the items of anything that has some, and of a data set there may be no end
    check(isinstance(given, Tensor | list | tuple) or hasattr(given, "__array__"), wrong)
    try:
        tensor = torch.as_tensor(given)
    except (TypeError, ValueError, RuntimeError):
        raise GenwindowError(wrong) from None
    check(tensor.ndim > 0, f"{name} must be one tensor (n, ...), got the single number {given!r:.60}")
    return tensor


def kind_of(tensor: Tensor | None) -> str:
    """Type and shape, for messages."""
    return "none" if tensor is None else f"{str(tensor.dtype).removeprefix('torch.')} of shape {tuple(tensor.shape)}"


def as_modules(given: Any) -> tuple[nn.Module, ...]:
    """The modules of a list of them, else an error."""
    check(
        isinstance(given, Iterable),
        f"modules must be a list of torch modules, got {type(given).__name__}; write [model]",
    )
    modules = tuple(given)
    strange = [type(module).__name__ for module in modules if not isinstance(module, nn.Module)]
    check(not strange, f"modules must be a list of torch modules, got {', '.join(strange[:3])} in it")
    return modules


def check_heldout(train: Tensor, heldout: Tensor, labels: Tensor | None = None) -> None:
    """Raise where held-out images have another shape, are training images, or their labels do not fit."""
    check(len(heldout) > 0, "heldout must hold at least one image, got none")
    fits = labels is None or tuple(labels.shape) == (len(heldout),)
    check(fits, f"heldout_labels must be one for each of {len(heldout)} held-out images, got {kind_of(labels)}")
    check(train.shape[1:] == heldout.shape[1:], f"train and heldout differ: {train.shape[1:]}, {heldout.shape[1:]}")
    known, held = (
        (t.float() if t.dtype == torch.bfloat16 else t).detach().cpu().numpy() + 0 for t in (train, heldout.to(train))
    )
    keys = {row.tobytes() for row in known}
    leaked = [i for i, row in enumerate(held) if row.tobytes() in keys]
    check(
        not leaked,
        f"{len(leaked)} of {len(heldout)} held-out images are training images (first: {leaked[:1]}); remove them",
    )
