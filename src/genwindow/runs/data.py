"""The data of a run: training, held-out and reference images, with their classes and, where it is known, their law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from genwindow.data import Centring, Images, Split, find_duplicates, open_images, split
from genwindow.data.classes import choose_by_class
from genwindow.data.points import LAWS, Drawn, Law, draw_points
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import check
from genwindow.runs.settings import DataSettings

FRESH = 1000
"""Held-out and reference points of a law, where the settings leave it open."""

RANGE = 4.0
"""Coordinates of points from -4 to 4 are shown from black to white."""


@dataclass(frozen=True, eq=False)
class RunData:
    """The images of one run, divided and centred, or the points of one run, as drawn.

    Attributes:
        source: where they come from.
        digest: SHA-256 of the whole set, or of the training points.
        train: (n, C, H, W) training images, centred by their own mean image; or (n, d) points.
        heldout: (m, ...) held-out images, centred by the same mean.
        reference: (k, ...) further real images, centred likewise.
        train_index: (n,) which images of the set the training images are.
        duplicates: exact copies among the training images, beyond the first of each.
        display: takes (K, ...) images as the network sees them to (K, H, W, 1 or 3) bytes; points become grey strips.
        train_labels: (n,) classes of the training images, or None.
        heldout_labels: (m,) classes of the held-out images, or None.
        classes: number of classes, 0 without labels.
        law: of the points, or None.
        groups: how many groups, never divided, went where, in words; empty without groups.
    """

    source: str
    digest: str
    train: Tensor
    heldout: Tensor
    reference: Tensor
    train_index: list[int]
    duplicates: int
    display: Callable[[Tensor], NDArray[np.uint8]]
    train_labels: Tensor | None = None
    heldout_labels: Tensor | None = None
    classes: int = 0
    law: Law | None = None
    groups: str = ""


def build_data(settings: DataSettings) -> RunData:
    """Draw the points of a law, or read, divide and centre images.

    Raises:
        GenwindowError: when there are too few images, or of a class too few.
    """
    return _points(settings) if settings.source in LAWS else _images(settings)


def _points(settings: DataSettings) -> RunData:
    unfit = [name for name in ("size", "channels") if getattr(settings, name) is not None]
    check(settings.groups == "together", f"data.groups must be together for points; {settings.source} has no groups")
    check(not unfit, f"data.{' and data.'.join(unfit)} must be null for points; {settings.source} has no pixels")

    def drawn(part: str, count: int | None) -> Drawn:
        return draw_points(
            settings.source,
            settings.dimension,
            FRESH if count is None else count,
            lambda block: keyed_generator("points", settings.source, settings.seed, part, block),
            settings.parameter,
            settings.class_weights,
        )

    train = drawn("train", settings.n)
    heldout, reference = drawn("heldout", settings.heldout), drawn("reference", settings.reference)
    return RunData(
        source=settings.source,
        digest=train.digest,
        train=train.points,
        heldout=heldout.points,
        reference=reference.points,
        train_index=list(range(settings.n)),
        duplicates=0,
        display=_strips,
        train_labels=train.labels,
        heldout_labels=heldout.labels,
        classes=train.classes,
        law=train.law,
    )


def _strips(points: Tensor) -> NDArray[np.uint8]:
    """(K, 1, d, 1) bytes of points (K, d)."""
    shown = (points.double().clamp(-RANGE, RANGE) / RANGE * 127.5 + 127.5).round()
    return shown.numpy().astype(np.uint8)[:, None, :, None]


def _images(settings: DataSettings) -> RunData:
    images = open_images(settings.source, size=settings.size, channels=settings.channels)
    check(settings.parameter is None, f"data.parameter belongs to a law ({', '.join(LAWS)}), not to {images.source}")
    if settings.groups != "together":
        images = _regrouped(images, classes=settings.groups == "classes")
    parts = split(
        images,
        settings.n if settings.class_weights is None else 1,
        seed=settings.seed,
        heldout=settings.heldout,
        reference=settings.reference,
    )
    if settings.class_weights is None:
        train_index, heldout_index, reference_index = parts.train, parts.heldout, parts.reference
    else:
        train_index = _weighted(images, parts.pool, settings.class_weights)
        count = len(train_index)
        check(settings.n <= count, f"n={settings.n} is more than the {count} images of {images.source} in these shares")
        train_index = train_index[: settings.n]
        heldout_index, reference_index = (
            _weighted(images, index, settings.class_weights) for index in (parts.heldout, parts.reference)
        )
    centring = Centring.fit(images.pixels[train_index])
    train, heldout, reference = (
        torch.from_numpy(centring.apply(images.pixels[index]))
        for index in (train_index, heldout_index, reference_index)
    )
    labels = images.labels
    train_labels, heldout_labels = (
        None if labels is None else torch.from_numpy(labels[index]) for index in (train_index, heldout_index)
    )
    return RunData(
        source=images.source,
        digest=images.digest,
        train=train,
        heldout=heldout,
        reference=reference,
        train_index=train_index.tolist(),
        duplicates=find_duplicates(images.pixels[train_index]).count,
        display=lambda shown: images.display(centring.invert(shown.numpy())),
        train_labels=train_labels,
        heldout_labels=heldout_labels,
        classes=0 if labels is None else int(labels.max()) + 1,
        groups=_kept_whole(images, parts),
    )


def _regrouped(images: Images, *, classes: bool) -> Images:
    """The images without their groups, which become classes, numbered in their order, or nothing."""
    check(images.groups is not None, f"data.groups: {images.source} has no groups (sub-folders, persons or patients)")
    _, index = np.unique(np.asarray(images.groups), return_inverse=True)
    return replace(images, groups=None, labels=index.astype(np.int64) if classes else images.labels)


def _kept_whole(images: Images, parts: Split) -> str:
    """How many groups may be trained on, are held out and are for reference; empty without groups."""
    if images.groups is None:
        return ""
    sides = [len(set(images.groups[index].tolist())) for index in (parts.pool, parts.heldout, parts.reference)]
    return (
        f"The {sum(sides)} groups (sub-folders or the like) are never divided: {sides[0]} to train on, {sides[1]} held "
        f"out, {sides[2]} for reference; where they are classes, say data.groups=classes or ignored."
    )


def _weighted(images: Images, index: NDArray[np.int64], weights: tuple[float, ...]) -> NDArray[np.int64]:
    """The largest set among `index` in which the classes have these shares."""
    check(images.labels is not None, f"data.class_weights needs classes; {images.source} has no labels")
    assert images.labels is not None
    absent = [k for k in range(len(weights)) if not (images.labels == k).any()]
    check(not absent, f"data.class_weights names classes of which {images.source} has no image: {absent[:5]}")
    chosen = index[choose_by_class(images.labels[index], weights)]
    check(len(chosen) >= 2, f"{images.source} has too few images of the classes 0 to {len(weights) - 1}")
    return chosen
