"""The three sets of an audit: training, generated and held-out images, made comparable.

Whatever the files hold, all sets get one size, one number of channels and one meaning of pixel values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from genwindow.data import Images, load_images, open_images
from genwindow.data.pixels import Channels
from genwindow.errors import GenwindowError, check
from genwindow.metrics.scale import FAR, ends_of, other_scale

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


def read_sets(
    train: Any,
    generated: Any,
    heldout: Any = None,
    *,
    size: int | None = None,
    channels: Channels | None = None,
) -> Sets:
    """Read the sets and make them comparable.

    Args:
        train: anything `load_images` takes, or a named set.
        generated: likewise.
        heldout: likewise, or None.
        size: crop and resize all sets to this side; None needs them to be of one size already.
        channels: convert all sets.

    Raises:
        GenwindowError: when a set cannot be read, sizes or channels differ, or value ranges cannot be compared.
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
    notes += _mistaken(read)
    return Sets(read["train"], read["generated"], read.get("heldout"), tuple(notes))


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
    and else as between the smallest and the largest value of all real-valued sets together. They are refused where one
    of these sets is on another scale than the others, and beside whole numbers where they are hardly below 0, which is
    [0, 1] that nobody clipped.
    """
    real = {role: images for role, images in read.items() if not images.whole}
    if not real or len({(images.low, images.high) for images in read.values()}) == 1:
        return read
    known = "pixel values cannot be compared: " + ", ".join(
        f"{role} {i.low:g} to {i.high:g}" for role, i in read.items()
    )
    check(
        not _scales_differ(list(real.values())),
        f"{known}; bring all sets to one range, such as [-1, 1], clipping what overshoots, or save 8-bit images; "
        "if they have one range already, say so: Images.from_raw(x, low=-1, high=1)",
    )
    low, high = min(i.low for i in real.values()), max(i.high for i in real.values())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= -1 and high <= 1 and (low < -FAR or len(real) == len(read)):
        low, high = -1.0, 1.0
    elif len(real) < len(read):
        raise GenwindowError(
            f"{known}; save all sets with whole numbers of one kind, or with real numbers clipped to [0, 1] or [-1, 1]"
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


def _scales_differ(sets: list[Images]) -> bool:
    """Whether one of these sets cannot have the scale of another one."""
    ends = [images.raw(ends_of(images.pixels)) for images in sets]
    return any(
        bool(other_scale(images.low, images.high, len(images), others))
        for i, images in enumerate(sets)
        for j, others in enumerate(ends)
        if i != j
    )


def _keys(images: Images) -> list[bytes]:
    return [image.tobytes() for image in images.pixels + np.float32(0)]


def _mistaken(read: dict[str, Images]) -> list[str]:
    """Whether sets look exchanged or given twice: samples that are real images bit for bit."""
    known = {role: set(_keys(images)) for role, images in read.items()}
    samples = _keys(read["generated"])
    notes = []
    for role, what in (("heldout", "held-out"), ("train", "training")):
        if role not in known:
            continue
        if set(samples) == known[role]:
            notes.append(f"The generated images are exactly the {what} images: were the sets swapped by mistake?")
        elif role == "heldout" and (shared := sum(key in known[role] for key in samples)):
            notes.append(
                f"{shared} of {len(samples)} generated images are held-out images bit for bit: was the generator "
                "trained on them, or were the sets swapped by mistake?"
            )
    return notes
