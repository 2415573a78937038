"""A choice by class: which images make a set in which each class has its share, and classes in given shares.

Both go by the same rule: the next place goes to the class that lacks most of its share so far. The first n places are
therefore the same whatever comes after them, and no class is ever a whole place above its share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from genwindow.errors import GenwindowError, check, check_integer

NO_LABEL = -1
"""Stands for the class of an image whose class is not told."""


def as_labels(name: str, labels: Any, count: int, classes: int | None = None) -> Tensor:
    """Classes (count,) as an int64 tensor, `NO_LABEL` among them, on the device they are on.

    Args:
        name: of the argument, for errors.
        labels: tensor, array or list.
        count: how many there must be.
        classes: how many classes there are; None leaves their range unchecked.

    Raises:
        GenwindowError: when they are no whole numbers, not so many, or outside the range.
    """
    try:
        found = torch.as_tensor(labels)
    except (TypeError, ValueError, RuntimeError):
        raise GenwindowError(f"{name} must be whole numbers, one for each image, got {labels!r:.60}") from None
    whole = not (found.is_floating_point() or found.is_complex() or found.dtype == torch.bool)
    check(whole, f"{name} must be whole numbers, got {str(found.dtype).removeprefix('torch.')}")
    check(tuple(found.shape) == (count,), f"{name} must be one for each of {count} images, got {tuple(found.shape)}")
    found = found.long()
    if classes is not None and count:
        outside = found[(found < NO_LABEL) | (found >= classes)].unique().tolist()
        check(not outside, f"{name} must be classes 0 to {classes - 1} or {NO_LABEL}, got {outside[:3]}")
    return found


def classes_in_shares(weights: ArrayLike, count: int) -> NDArray[np.int64]:
    """(count,) classes, 0 to K - 1, in the proportion of `weights` (K,), spread evenly.

    Raises:
        GenwindowError: weights that are negative, not finite, or all 0.
    """
    shares = np.asarray(weights, dtype=np.float64)
    usable = shares.ndim == 1 and bool(np.isfinite(shares).all() and (shares >= 0).all() and shares.sum() > 0)
    check(usable, f"weights must be numbers of at least 0, not all of them 0; got {weights!r:.60}")
    shares = shares / shares.sum()
    given = np.zeros(len(shares))
    order = np.empty(check_integer("count", count, low=0), dtype=np.int64)
    for place in range(len(order)):
        order[place] = int(np.argmax(np.where(shares > 0, shares * (place + 1) - given, -np.inf)))
        given[order[place]] += 1
    return order


def choose_by_class(labels: NDArray[np.int64], weights: Sequence[float], count: int | None = None) -> NDArray[np.int64]:
    """Indices into `labels` (N,) of a set in which class k has the share weights[k]; other classes are left out.

    Within a class, images come in the order they have. A smaller set is the beginning of a larger one.

    Args:
        labels: the class of every image.
        weights: one for each class from 0.
        count: how many to choose; None takes the largest set these images allow.

    Returns:
        The indices; fewer than `count` where a class has run out.
    """
    queues = [iter(np.flatnonzero(labels == k)) for k in range(len(weights))]
    chosen: list[int] = []
    for k in classes_in_shares(weights, len(labels) if count is None else count):
        index = next(queues[k], None)
        if index is None:
            break
        chosen.append(int(index))
    return np.array(chosen, dtype=np.int64)
