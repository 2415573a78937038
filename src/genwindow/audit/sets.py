"""The three sets of an audit: training, generated and held-out images, made comparable.

Whatever the files hold, all sets get one size, one number of channels and one meaning of pixel values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.data import Images, find_duplicates, load_images, open_images
from genwindow.data.pixels import Channels
from genwindow.errors import GenwindowError, check

ROLES = ("train", "generated", "heldout")


@dataclass(frozen=True, eq=False)
class Sets:
    """Comparable images.

    Attributes:
        train: training images.
        generated: samples of the generator.
        heldout: real images never trained on, or None.
        notes: what was assumed or found while reading, one sentence each.
    """

    train: Images
    generated: Images
    heldout: Images | None
    notes: tuple[str, ...]

    @property
    def side(self) -> int:
        """The shorter side in pixels."""
        return min(self.train.shape[1:])


def read_sets(
    train: Any,
    generated: Any,
    heldout: Any = None,
    *,
    size: int | None = None,
    channels: Channels | None = None,
    allow_leak: bool = False,
) -> Sets:
    """Read the sets and make them comparable.

    Args:
        train: anything `load_images` takes, or a named set.
        generated: likewise.
        heldout: likewise, or None.
        size: crop and resize all sets to this side; None needs them to be of one size already.
        channels: convert all sets.
        allow_leak: accept held-out images that are also training images; they are left out, and it is said.

    Raises:
        GenwindowError: when a set cannot be read, sizes or channels differ, value ranges cannot be compared, or
            held-out images are training images.
    """
    given = {"train": train, "generated": generated, "heldout": heldout}
    read = {role: _read(role, source, size, channels) for role, source in given.items() if source is not None}
    notes: list[str] = []
    read = _one_range(read, notes)
    shapes = {role: images.shape for role, images in read.items()}
    first = shapes["train"]
    for role, shape in shapes.items():
        check(
            shape[0] == first[0],
            f"{role} images have {shape[0]} channel(s), train images {first[0]}; pass channels=grey or colour",
        )
        check(
            shape == first,
            f"{role} images are {shape[2]}x{shape[1]} pixels, train images {first[2]}x{first[1]}; pass a common size",
        )
    real = read.get("heldout")
    if real is not None:
        real = _without_leaks(read["train"], real, allow_leak, notes)
        swapped = _swapped(read["train"], read["generated"], real)
        if swapped:
            notes.append(swapped)
    return Sets(read["train"], read["generated"], real, tuple(notes))


def _read(role: str, source: Any, size: int | None, channels: Channels | None) -> Images:
    try:
        if isinstance(source, Images):
            return source
        if isinstance(source, str):
            return open_images(source, size=size, channels=channels)
        return load_images(source, size=size, channels=channels)
    except GenwindowError as error:
        raise GenwindowError(f"{role}: {error}") from None


def _one_range(read: dict[str, Images], notes: list[str]) -> dict[str, Images]:
    """Give real-valued sets, whose black and white nobody wrote down, one common meaning.

    Whole numbers of 8 and 16 bits have known ends. Real numbers are taken as [0, 1] or [-1, 1] when they lie inside,
    and else as between the smallest and the largest value of all real-valued sets together.
    """
    real = {role: images for role, images in read.items() if not images.whole}
    if not real or len({(images.low, images.high) for images in read.values()}) == 1:
        return read
    low, high = min(i.low for i in real.values()), max(i.high for i in real.values())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= -1 and high <= 1:
        low, high = -1.0, 1.0
    elif len(real) < len(read):
        known = ", ".join(f"{role} {i.low:g} to {i.high:g}" for role, i in read.items())
        raise GenwindowError(
            f"pixel values cannot be compared: {known}; save all sets with whole numbers of one kind, or with real "
            "numbers in [0, 1] or [-1, 1]"
        )
    made = dict(read)
    for role, images in real.items():
        raw = images.raw(images.pixels)
        made[role] = Images.from_raw(
            raw, low=min(low, float(raw.min())), high=max(high, float(raw.max())), names=images.names,
            groups=images.groups, labels=images.labels, source=images.source,
        )  # fmt: skip
    notes.append(f"Real-valued pixels ({', '.join(real)}) are taken to run from {low:g} to {high:g}.")
    return made


def _keys(images: Images) -> list[bytes]:
    return [image.tobytes() for image in images.pixels + np.float32(0)]


def _without_leaks(train: Images, heldout: Images, allow: bool, notes: list[str]) -> Images:
    known = set(_keys(train))
    leaked = np.array([key in known for key in _keys(heldout)])
    if not leaked.any():
        return heldout
    first = heldout.names[int(np.argmax(leaked))]
    check(
        allow,
        f"{int(leaked.sum())} of {len(heldout)} held-out images are training images (first: {first}); remove them, or "
        "pass --allow-leak to leave them out",
    )
    check(not leaked.all(), "every held-out image is a training image; give real images that were not trained on")
    notes.append(f"{int(leaked.sum())} held-out images are training images and were left out.")
    return heldout.select(np.flatnonzero(~leaked))


def _swapped(train: Images, generated: Images, heldout: Images) -> str:
    """Whether the generated set is in truth the held-out or the training set given twice."""
    samples = set(_keys(generated))
    if samples == set(_keys(heldout)):
        return "The generated images are exactly the held-out images: were the sets swapped by mistake?"
    if samples == set(_keys(train)):
        return "The generated images are exactly the training images: were the sets swapped by mistake?"
    return ""


def clusters(train: Images, near: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
    """(n,) the cluster of each training image: exact duplicates, joined with given pairs of near duplicates (P, 2)."""
    label = find_duplicates(train.pixels).representative.copy()
    parent = label.copy()

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    for a, b in near if near is not None else ():
        one, other = root(int(a)), root(int(b))
        parent[max(one, other)] = min(one, other)
    return np.array([root(i) for i in range(len(label))], dtype=np.int64)


def typical_scale(images: Images) -> float:
    """Root mean square of the pixels about the mean image, a scale for distances."""
    spread = images.pixels - images.pixels.mean(axis=0, dtype=np.float64)
    return math.sqrt(float((spread**2).mean()))
