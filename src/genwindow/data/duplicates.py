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

    Contents are hashed, and equal hashes are compared; 0.0 and -0.0 are the same. Beside the images only one hash per
    distinct image is kept.

    Args:
        images: `Images`, or an array (N, ...) of any type.
    """
    values = images.pixels if isinstance(images, Images) else as_numpy(images)
    check(values.ndim >= 1, f"images must be an array (N, ...), got shape {values.shape}")

    def content(i: int) -> bytes:
        return (values[i] + 0.0 if values.dtype.kind in "fc" else values[i]).tobytes()

    seen: dict[bytes, list[int]] = {}  # hash -> first occurrences with that hash
    members: dict[int, list[int]] = {}
    representative = np.arange(len(values), dtype=np.int64)
    for i in range(len(values)):
        data = content(i)
        alike = seen.setdefault(hashlib.blake2b(data, digest_size=16).digest(), [])
        first = next((j for j in alike if content(j) == data), None)
        if first is None:
            alike.append(i)
        else:
            representative[i] = first
            members.setdefault(first, [first]).append(i)
    representative.setflags(write=False)
    groups = tuple(tuple(group) for _, group in sorted(members.items()))
    return Duplicates(representative, sum(len(group) - 1 for group in groups), groups)
