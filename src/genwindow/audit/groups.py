"""A group's share: which groups (patients, persons) and classes the copies come from, and fall into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.analysis import binomial_estimate
from genwindow.audit.sets import Sets
from genwindow.curve import Estimate
from genwindow.data import Images


@dataclass(frozen=True)
class Group:
    """One group or class of training images, or of samples.

    Attributes:
        name: of the group.
        images: how many it has.
        copies: how many of them were copied (training images) or are clear copies (samples).
        rate: their share, with its exact interval.
        floor: the share of clear copies among held-out images of the same name, for samples where there are any.
    """

    name: str
    images: int
    copies: int
    rate: Estimate
    floor: Estimate | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "images": self.images,
            "copies": self.copies,
            "rate": self.rate.to_json(),
            "floor": None if self.floor is None else self.floor.to_json(),
        }


Groups = dict[str, tuple[Group, ...]]


def by_group(
    sets: Sets, copied: NDArray[np.int64], strict: NDArray[np.bool_], null_strict: NDArray[np.bool_] | None
) -> Groups:
    """Tables of `group` and `class` of the training images, and `group of samples`, `class of samples`, where known.

    Args:
        sets: the images.
        copied: positions of the copied training images.
        strict: (N,) which samples are clear copies.
        null_strict: (M,) which held-out images are; None where there are none.
    """
    hit = np.zeros(len(sets.train), dtype=bool)
    hit[copied] = True
    tables: Groups = {}
    for kind in ("group", "class"):
        train = _values(sets.train, kind)
        if train is not None:
            tables[kind] = _rows(train, hit, "training images of this name copied")
        samples = _values(sets.generated, kind)
        if samples is not None:
            real = None if sets.heldout is None or null_strict is None else _values(sets.heldout, kind)
            tables[f"{kind} of samples"] = _rows(samples, strict, "samples of this name", real, null_strict)
    return tables


def _values(images: Images, kind: str) -> NDArray[Any] | None:
    return images.groups if kind == "group" else images.labels


def _rows(
    names: NDArray[Any],
    hits: NDArray[np.bool_],
    what: str,
    real: NDArray[Any] | None = None,
    real_hits: NDArray[np.bool_] | None = None,
) -> tuple[Group, ...]:
    made = []
    for name in np.unique(names):
        own = names == name
        floor = None
        if real is not None and real_hits is not None and (real == name).any():
            same = real == name
            floor = binomial_estimate(int(real_hits[same].sum()), int(same.sum()), method="share", what="real images")
        count, copies = int(own.sum()), int(hits[own].sum())
        made.append(Group(str(name), count, copies, binomial_estimate(copies, count, method="share", what=what), floor))
    return tuple(sorted(made, key=lambda row: -row.copies))


def without_names(tables: Groups) -> Groups:
    """The tables with numbers in place of the names of groups, most copies first; classes keep theirs."""
    return {
        kind: tuple(
            Group(f"{i}", row.images, row.copies, row.rate, row.floor) if kind.startswith("group") else row
            for i, row in enumerate(rows, start=1)
        )
        for kind, rows in tables.items()
    }
