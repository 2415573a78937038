"""Nearest neighbours: for each query the k images of a reference nearest to it in Euclidean distance, exactly.

Exact means: the same as comparing every pair by its difference in float64. This matters next to copies, where the
usual expansion of |x - y|^2 into a matrix product (`torch.cdist`, faiss) loses all digits in float32.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from genwindow.errors import check, check_integer
from genwindow.metrics.rows import as_rows, check_same_images
from genwindow.metrics.search import k_nearest

MEMORY = 256 * 2**20
"""Bytes a search may use unless told otherwise."""


class Neighbours(NamedTuple):
    """The nearest images of each query, nearest first, ties by index.

    Attributes:
        distances: (Q, k) float64 Euclidean distances.
        indices: (Q, k) int64 positions in the reference.
    """

    distances: Any
    indices: Any


def nearest_neighbours(
    queries: Any, reference: Any, k: int = 2, *, memory: int = MEMORY, device: str | torch.device | None = None
) -> Neighbours:
    """Find the k nearest reference images of each query.

    Args:
        queries: (Q, ...) images, torch or NumPy, of any shape and real type.
        reference: (n, ...) images of the same shape. It may be larger than `memory`, and lie in a file mapped by NumPy.
        k: how many neighbours, at most n.
        memory: bytes the search may use beside its arguments and its answer.
        device: where to compute; None is where the queries are.

    Returns:
        Torch tensors on `device` when the queries are a torch tensor, NumPy arrays otherwise.

    Raises:
        GenwindowError: when shapes differ, k is larger than n, numbers are not finite, or `memory` is too small for
            one image.

    Example:
        >>> nearest_neighbours([[0.0, 0.0]], [[3.0, 4.0], [0.0, 1.0], [9.0, 9.0]], k=2)
        Neighbours(distances=array([[1., 5.]]), indices=array([[1, 0]]))
    """
    k = check_integer("k", k, low=1)
    memory = check_integer("memory", memory, low=1)
    left, right = as_rows("queries", queries), as_rows("reference", reference)
    check_same_images("queries", left, "reference", right)
    check(
        k <= right.shape[0],
        f"k must be at most the number of reference images, got k = {k} and {right.shape[0]} images",
    )
    distances, indices = k_nearest(left, right, k, memory, None if device is None else torch.device(device))
    if isinstance(queries, Tensor):
        return Neighbours(distances, indices)
    return Neighbours(distances.cpu().numpy(), indices.cpu().numpy())
