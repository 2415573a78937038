"""A split: training, held-out and reference images that share nothing.

Held-out images are never trained on. Reference images only tell how far two sets of real images are apart. Both are
drawn first, so they are the same whatever n is; the rest is the pool, and the training set is its first n images, so
that the set of n = 64 is contained in the set of n = 128.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from genwindow.data.duplicates import find_duplicates
from genwindow.data.images import Images
from genwindow.errors import check, check_integer

_Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """Indices of the images in each set, read-only.

    Attributes:
        train: (n,) the first n of the pool.
        heldout: images never trained on.
        reference: images used only to measure the distance between two sets of real images.
        pool: all images that may be trained on.
    """

    train: _Indices
    heldout: _Indices
    reference: _Indices
    pool: _Indices

    def __post_init__(self) -> None:
        for field in fields(self):
            indices = np.array(getattr(self, field.name), dtype=np.int64)
            indices.setflags(write=False)
            object.__setattr__(self, field.name, indices)


def _units(images: Images) -> _Indices:
    """(N,) for each image, the first image it must stay together with: same group, or identical pixels."""
    everyone = np.arange(len(images))
    partners = [find_duplicates(images).representative]
    if images.groups is not None:
        _, first, inverse = np.unique(images.groups, return_index=True, return_inverse=True)
        partners.append(first[inverse])
    rows, columns = np.tile(everyone, len(partners)), np.concatenate(partners)
    links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(len(images), len(images)))
    _, component = connected_components(links, directed=False)
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    return first[inverse]


def _take(order: _Indices, sizes: _Indices, target: int, spare: int) -> tuple[_Indices, _Indices]:
    """Units to take from `order` for about `target` images, leaving at least `spare` units, and the units left.

    Units are taken in order while they fit; the smallest one left is added when that comes closer, or when none fitted.
    """
    chosen = np.zeros(len(order), dtype=bool)
    total = 0
    room = len(order) - spare
    for i, unit in enumerate(order):
        if room > 0 and total + sizes[unit] <= target:
            chosen[i] = True
            total += sizes[unit]
            room -= 1
    if total < target and room > 0:
        left = np.flatnonzero(~chosen)
        smallest = left[np.argmin(sizes[order[left]])]
        if total == 0 or total + sizes[order[smallest]] - target < target - total:
            chosen[smallest] = True
    return order[chosen], order[~chosen]


def split(
    images: Images | int, n: int, *, seed: int = 0, heldout: int | None = None, reference: int | None = None
) -> Split:
    """Divide images into a training set of n, a held-out set and a reference set.

    Images of one group, and exact copies of one image, stay on the same side: all in the held-out set, all in the
    reference set, or all in the pool. The two sets then have the sizes that come closest with whole groups, taken in
    the order drawn. Given a number of images instead of `Images`, every image stands for itself.

    Args:
        images: the images, or how many there are.
        n: number of training images.
        seed: which division; the result depends on nothing else but the arguments.
        heldout: number of held-out images; None takes a fifth of all, at least 2.
        reference: number of reference images; None takes a fifth of all, at least 2.

    Raises:
        GenwindowError: more images asked for than there are, or fewer than three groups.
    """
    count = len(images) if isinstance(images, Images) else check_integer("images", images, low=1)
    source = images.source if isinstance(images, Images) else "the data"
    check_integer("n", n, low=1)
    check_integer("seed", seed, low=0)
    fifth = max(2, count // 5)
    heldout = fifth if heldout is None else check_integer("heldout", heldout, low=2)
    reference = fifth if reference is None else check_integer("reference", reference, low=2)
    check(
        heldout + reference < count,
        f"{source}: heldout={heldout} and reference={reference} leave no training image of {count}; lower them or give "
        "more images",
    )
    unit = _units(images) if isinstance(images, Images) else np.arange(count)
    _, inverse, sizes = np.unique(unit, return_inverse=True, return_counts=True)
    check(
        len(sizes) >= 3,
        f"{source}: {count} images in {len(sizes)} groups cannot be divided into training, held-out and reference "
        "sets (exact copies of one image count as one group); give at least 3 groups"
        + (
            ", or ignore groups (data.groups=ignored, or Images with groups=None) to divide image by image"
            if isinstance(images, Images) and images.groups is not None
            else ""
        ),
    )
    members = np.split(np.argsort(inverse, kind="stable"), np.cumsum(sizes)[:-1])
    generator = np.random.default_rng(seed)
    held, rest = _take(generator.permutation(len(sizes)), sizes, heldout, spare=2)
    referenced, rest = _take(rest, sizes, reference, spare=1)
    held_images, reference_images = (np.concatenate([members[u] for u in units]) for units in (held, referenced))
    pool = generator.permutation(np.concatenate([members[u] for u in rest]))
    check(
        n <= len(pool),
        f"n={n} is more than the {len(pool)} training images that {source} has ({count} in all, {len(held_images)} "
        f"held out, {len(reference_images)} for reference); lower n, heldout or reference, or give more images",
    )
    return Split(train=pool[:n], heldout=held_images, reference=reference_images, pool=pool)
