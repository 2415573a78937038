"""A denoising loss at fixed diffusion times: one number and one interval per time, never averaged over times.

The noise at a time depends only on (seed, position of the time, draw), so two calls, early and late in training or on
training and on held-out images, use the same noise, and a difference between them is not a difference of draws.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import t as student
from torch import Tensor

from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import GenwindowError, check, check_integer
from genwindow.metrics.rows import as_rows

LossCallable = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True, eq=False)
class DenoisingLoss:
    """The loss of a set of images.

    Attributes:
        t: (T,) diffusion times.
        value: (T,) mean over images and draws.
        low: (T,) lower end of the 95 % interval over images.
        high: (T,) upper end.
        per_image: (T, N) mean over draws.
    """

    t: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    per_image: NDArray[np.float64]


def denoising_loss(
    loss: LossCallable,
    images: Any,
    times: ArrayLike | Sequence[float],
    *,
    draws: int = 4,
    seed: int = 0,
    batch: int = 1024,
) -> DenoisingLoss:
    """Measure a loss at fixed diffusion times.

    Args:
        loss: callable (x, t, generator) -> (B,) losses, one per image: x (B, ...) clean images, t (B,) diffusion times,
            generator a CPU `torch.Generator` to draw the noise from. It is called without gradients.
        images: (N, ...) clean images, at least two, passed to `loss` as they are (NumPy arrays as tensors).
        times: T diffusion times.
        draws: noise draws per image and time.
        seed: of the noise.
        batch: images per call. The noise depends on it where the host's draws do, so keep it along a training.

    Raises:
        GenwindowError: when the loss returns another shape or a number that is not finite, and on bad arguments.
    """
    draws, batch = check_integer("draws", draws, low=1), check_integer("batch", batch, low=1)
    seed = check_integer("seed", seed)
    rows = as_rows("images", images)
    count = rows.shape[0]
    check(count >= 2, f"images must hold at least two images for an interval, got {count}")
    at = np.asarray(times, dtype=np.float64)
    check(at.ndim == 1 and len(at) > 0 and bool(np.isfinite(at).all()), f"times must be finite numbers, got {times!r}")
    x = rows.matrix.reshape(rows.shape)
    precise = torch.promote_types(x.dtype, torch.float32) if x.is_floating_point() else torch.float32
    per_image = np.zeros((len(at), count))
    with torch.no_grad():
        for i, time in enumerate(at.tolist()):
            t = torch.full((count,), time, dtype=precise, device=x.device)
            for draw in range(draws):
                generator = keyed_generator("loss", seed, i, draw)
                for start in range(0, count, batch):
                    part = slice(start, start + batch)
                    per_image[i, part] += _checked(loss(x[part], t[part], generator), time, start, len(x[part]))
    per_image /= draws
    return DenoisingLoss(at, *mean_interval(per_image), per_image)


def mean_interval(
    per_image: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Mean (T,) of (T, N) numbers over N images, and the ends of its 95 % interval by Student's t; N is at least 2."""
    count = per_image.shape[1]
    value = per_image.mean(axis=1)
    reach = student.ppf(0.975, count - 1) * per_image.std(axis=1, ddof=1) / math.sqrt(count)
    return value, value - reach, value + reach


def _checked(returned: Any, time: float, start: int, size: int) -> NDArray[np.float64]:
    if not isinstance(returned, Tensor):
        raise GenwindowError(f"loss must return a tensor of shape ({size},), got {type(returned).__name__}")
    shape = tuple(returned.shape)
    check(shape == (size,), f"loss must return one number per image, shape ({size},), got shape {shape}")
    losses = returned.detach().double().cpu().numpy()
    for bad in np.flatnonzero(~np.isfinite(losses))[:1]:
        raise GenwindowError(f"loss returned {losses[bad]} at t = {time:g} for image {start + bad}")
    return losses
