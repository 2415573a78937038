"""A duplicate: an image with exactly the same pixels as an earlier one."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genwindow.data.images import Images, as_numpy
from genwindow.errors import check


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Which images are the same.

    Attributes:
        representative: (N,) index of the first image identical to each; its own index for a first occurrence.
        count: number of redundant copies, N minus the number of distinct images.
        groups: the indices of each image that occurs more than once.
    """

    representative: NDArray[np.int64]
    count: int
    groups: tuple[tuple[int, ...], ...]


def find_duplicates(images: Images | ArrayLike) -> Duplicates:
    """Find images that are exactly equal.

    Contents are hashed, and equal hashes are compared; 0.0 and -0.0 are the same. Beside the images, which may lie in a
    file mapped by NumPy, a few dozen bytes per image are kept.

    Args:
        images: `Images`, or an array (N, ...) of any type.
    """
    values = images.pixels if isinstance(images, Images) else as_numpy(images)
    check(values.ndim >= 1, f"images must be an array (N, ...), got shape {values.shape}")

    def content(i: int) -> bytes:
        return (values[i] + 0.0 if values.dtype.kind in "fc" else values[i]).tobytes()

    digests = np.empty(len(values), dtype="S16")
    for i in range(len(values)):
        digests[i] = hashlib.blake2b(content(i), digest_size=16).digest()
    order = np.argsort(digests, kind="stable")
    same = digests[order[1:]] == digests[order[:-1]]
    members: dict[int, list[int]] = {}
    representative = np.arange(len(values), dtype=np.int64)
    for start, end in _runs(same):
        firsts: list[int] = []
        for i in order[start:end].tolist():  # ascending: the sort is stable
            first = next((j for j in firsts if content(j) == content(i)), None)
            if first is None:
                firsts.append(i)
            else:
                representative[i] = first
                members.setdefault(first, [first]).append(i)
    representative.setflags(write=False)
    groups = tuple(tuple(group) for _, group in sorted(members.items()))
    return Duplicates(representative, sum(len(group) - 1 for group in groups), groups)


def _runs(same: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Start and end of each stretch of equal neighbours."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    return [(int(start), int(end) + 1) for start, end in edges.reshape(-1, 2)]
