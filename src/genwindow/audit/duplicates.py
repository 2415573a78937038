"""A near duplicate: an image closer to another one than images of its kind usually come.

Two images are near duplicates when they differ by less than a fifth of the usual distance between neighbours, the
median of the distances from distinct training images to their nearest other one. Duplicates count as one image: the
copy of an image that occurs twice has two nearest images at the same distance, and would look like no copy at all.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from genwindow.audit.sets import Sets
from genwindow.data import find_duplicates
from genwindow.errors import check
from genwindow.metrics import nearest_neighbours

NEAR = 0.2

ALL_PAIRS = 20_000
"""Up to so many images, near duplicates are searched among all of them; beyond, exact ones only."""

_SAMPLED = 2000
_LISTED = 8


def near_radius(pixels: NDArray[np.float32]) -> float:
    """The Euclidean distance below which training images are near duplicates; 0 when fewer than three are distinct.

    Args:
        pixels: (n, ...) training images. Of more than `ALL_PAIRS`, 2000 are asked for their neighbours.
    """
    first = np.unique(find_duplicates(pixels).representative)
    if len(first) < 3:
        return 0.0
    distinct = pixels[first]
    asked = distinct if len(first) <= ALL_PAIRS else distinct[:: len(first) // _SAMPLED]
    return NEAR * float(np.median(nearest_neighbours(asked, distinct, 2).distances[:, 1]))


def clusters(pixels: NDArray[np.float32], radius: float) -> NDArray[np.int64]:
    """(n,) the first image of the cluster of each image: exact duplicates, and images linked by less than `radius`."""
    label = find_duplicates(pixels).representative.copy()
    first = np.unique(label)
    if radius <= 0 or len(first) < 2 or len(first) > ALL_PAIRS:
        return label
    found = nearest_neighbours(pixels[first], pixels[first], min(_LISTED, len(first)))
    row, column = np.nonzero(found.distances <= radius)
    parent = label.copy()

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for a, b in zip(first[row], first[found.indices[row, column]], strict=True):
        one, other = root(int(a)), root(int(b))
        parent[max(one, other)] = min(one, other)
    return np.array([root(i) for i in range(len(label))], dtype=np.int64)


def without_leaks(sets: Sets, radius: float, allow: bool) -> Sets:
    """The sets without held-out images that are training images, or near duplicates of one: these calibrate nothing.

    Args:
        sets: the images.
        radius: of near duplicates.
        allow: leave leaks out and say so, instead of refusing.

    Raises:
        GenwindowError: when there are leaks and `allow` is False, or nothing but leaks.
    """
    if sets.heldout is None:
        return sets
    found = nearest_neighbours(sets.heldout.pixels, sets.train.pixels, 1)
    distance, index = found.distances[:, 0], found.indices[:, 0]
    leaked = distance <= radius
    if not leaked.any():
        return sets
    exact, total = int((distance == 0).sum()), int(leaked.sum())
    first = int(np.argmax(leaked))
    kind = "training images" if exact == total else f"training images or near duplicates of one ({exact} exactly)"
    text = f"{total} of {len(distance)} held-out images are {kind}"
    check(not leaked.all(), "every held-out image is a training image; give real images that were not trained on")
    check(
        allow,
        f"{text} (first: {sets.heldout.names[first]}, training image {sets.train.names[index[first]]}); remove them, "
        "or leave them out with allow_leak (--allow-leak)",
    )
    note = (
        f"{text} and were left out. If images of this kind repeat by nature, so may samples, and those count as copies "
        "here."
    )
    return replace(sets, heldout=sets.heldout.select(np.flatnonzero(~leaked)), notes=(*sets.notes, note))
