"""A batch: the images, diffusion times, noise and classes of one gradient step.

All of it depends only on (seed, step), so a loop that starts at step k draws what an unbroken one would, and a loop
that trains one model among many draws what it would draw alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from genwindow.data.classes import as_labels
from genwindow.diffusion import NO_LABEL, Schedule
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import check, check_integer, check_number


@dataclass(frozen=True, eq=False)
class Batch:
    """What the loss of one step is made of.

    Attributes:
        images: (B, ...) clean images, on the device they came from.
        t: (B,) diffusion times, float64 on the CPU.
        noise: (B, ...) unit noise, beside the images.
        labels: (B,) classes, `NO_LABEL` where the class is hidden; None without classes.
    """

    images: Tensor
    t: Tensor
    noise: Tensor
    labels: Tensor | None = None


def batch_size(batch: int, n: int) -> int:
    """Images per step where `batch` of n are asked for; 0 asks for all of them."""
    return min(batch, n) if batch else n


def batch_indices(n: int, batch: int, seed: int, step: int) -> Tensor:
    """(min(batch, n),) indices of the images used at `step`: a fresh permutation in every epoch.

    The images left over at the end of an epoch, fewer than a batch, sit it out; the next epoch shuffles them in.
    """
    size = min(batch, n)
    per_epoch = n // size
    epoch, position = divmod(step, per_epoch)
    return _order(n, seed, epoch)[position * size : (position + 1) * size].clone()


@lru_cache(maxsize=8)
def _order(n: int, seed: int, epoch: int) -> Tensor:
    """(n,) a permutation of the images; kept for as many runs as train together."""
    return torch.randperm(n, generator=keyed_generator("order", seed, epoch))


def check_batches(
    images: Tensor,
    schedule: Schedule,
    *,
    batch: int,
    fixed_t: float | None = None,
    labels: Tensor | None = None,
    label_dropout: float = 0.0,
) -> Tensor | None:
    """What batches are to be drawn from, checked once before the first one.

    Returns:
        The labels as int64, or None.

    Raises:
        GenwindowError: no images, or of whole numbers; a batch below 0; a diffusion time outside (0, t_max]; labels
            that are not one class for each image; a share outside [0, 1].
    """
    check(len(images) >= 1, "images must hold at least one image, got none")
    check(images.is_floating_point(), f"images must be floating-point numbers, got {images.dtype}")
    check_integer("batch", batch, low=0)
    if fixed_t is not None:
        check_number("fixed_t", fixed_t, low=0, high=schedule.t_max, low_open=True)
    check_number("label_dropout", label_dropout, low=0, high=1)
    return None if labels is None else as_labels("labels", labels, len(images))


def draw_batch(
    images: Tensor,
    schedule: Schedule,
    *,
    size: int,
    seed: int,
    step: int,
    fixed_t: float | None = None,
    labels: Tensor | None = None,
    label_dropout: float = 0.0,
) -> Batch:
    """The batch of one step.

    Args:
        images: (n, ...) training images.
        schedule: where diffusion times come from.
        size: images in the batch, at most n; with n the images keep their order.
        seed: of batches, diffusion times, noise and hidden classes.
        step: steps made before this one.
        fixed_t: the one diffusion time, or None to draw them.
        labels: (n,) classes of the images, beside them; or None.
        label_dropout: share of the classes to hide, each by a draw of its own.
    """
    generator = keyed_generator("step", seed, step)
    if size < len(images):
        index = batch_indices(len(images), size, seed, step).to(images.device)
        images, labels = images[index], None if labels is None else labels[index]
    if fixed_t is None:
        t = schedule.training_times(size, generator)
    else:
        t = torch.full((size,), fixed_t, dtype=torch.float64)
    noise = torch.randn(images.shape, generator=generator).to(images.device)
    if labels is not None and label_dropout > 0:
        hidden = torch.rand(size, generator=keyed_generator("labels", seed, step)) < label_dropout
        labels = labels.masked_fill(hidden.to(labels.device), NO_LABEL)
    return Batch(images, t, noise, labels)
