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

_CHANNELS: dict[Channels | None, int] = {"grey": 1, "colour": 3}

APART = 4.0
"""How many times wider the values of one set must be for a word about it: brighter, or on another scale?"""


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
        train: anything `load_images` takes, a named set, or `Images`.
        generated: likewise.
        heldout: likewise, or None.
        size: crop and resize all sets to this side; None needs them to be of one size already. `Images` must have it.
        channels: convert all sets, likewise.

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
            f"{role} images have {shape[0]} channel(s), train images {first[0]}; "
            "convert all with channels: grey or colour",
        )
        check(
            shape == first,
            f"{role} images are {shape[2]}x{shape[1]} pixels, train images {first[2]}x{first[1]}; "
            "give one size for all",
        )
    notes += _mistaken(read)
    return Sets(read["train"], read["generated"], read.get("heldout"), tuple(notes))


def _read(role: str, source: Any, size: int | None, channels: Channels | None) -> Images:
    try:
        if isinstance(source, Images):
            fits = (size is None or source.shape[1:] == (size, size)) and _CHANNELS.get(channels) in (
                None,
                source.shape[0],
            )
            check(fits, f"Images of shape {source.shape} are taken as they are; make them with size and channels")
            return source
        if isinstance(source, str):
            return open_images(source, size=size, channels=channels)
        return load_images(source, size=size, channels=channels)
    except GenwindowError as error:
        raise GenwindowError(f"{role}: {error}") from None


def _one_range(read: dict[str, Images], notes: list[str]) -> dict[str, Images]:
    """Give sets whose black and white nobody wrote down one common meaning.

    Whole numbers of 8 and 16 bits have known ends, and others may have been given theirs. The rest is taken as [0, 1]
    or [-1, 1] where it lies inside, and else as between the smallest and the largest value of all such sets together.
    It is refused where one of these sets is on another scale than the others, and beside sets of known ends where it is
    hardly below 0, which is [0, 1] that nobody clipped.
    """
    free = {role: i for role, i in read.items() if i.guessed or not i.whole}
    if not free or len({(images.low, images.high) for images in read.values()}) == 1:
        return read
    known = "pixel values cannot be compared: " + ", ".join(
        f"{role} {i.low:g} to {i.high:g}" for role, i in read.items()
    )
    check(
        not _scales_differ(list(free.values())),
        f"{known}; bring all sets to one range, such as [-1, 1], clipping what overshoots, or save 8-bit images; "
        "if they have one range already, say so: Images.from_raw(x, low=-1, high=1)",
    )
    low, high = min(i.low for i in free.values()), max(i.high for i in free.values())
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    elif low >= -1 and high <= 1 and (low < -FAR or len(free) == len(read)):
        low, high = -1.0, 1.0
    elif len(free) < len(read):
        raise GenwindowError(
            f"{known}; save all sets with whole numbers of one kind, or with real numbers clipped to [0, 1] or [-1, 1]"
        )
    made = dict(read)
    for role, images in free.items():
        raw = images.raw(images.pixels)
        made[role] = Images.from_raw(
            raw.astype(np.int64) if images.whole else raw, low=min(low, float(raw.min())),
            high=max(high, float(raw.max())), names=images.names, groups=images.groups, labels=images.labels,
            source=images.source,
        )  # fmt: skip
    notes.append(f"Pixels ({', '.join(free)}) are taken to run from {low:g} to {high:g}.")
    spans = {role: _usual_span(images) for role, images in free.items()}
    least, most = min(spans, key=lambda r: spans[r]), max(spans, key=lambda r: spans[r])
    if spans[most] >= APART * spans[least] > 0:
        notes.append(
            f"An image usually spans {spans[most]:.3g} in {most} and {spans[least]:.3g} in {least}: if these are two "
            "scales of one kind of image, copies are not found; bring the sets to one range first."
        )
    return made


def _usual_span(images: Images) -> float:
    """The median over the images of how far their raw values lie apart."""
    low, high = images.raw(ends_of(images.pixels)).T
    return float(np.median(high - low))


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
