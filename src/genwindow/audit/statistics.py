"""The statistics of one feature space: what distances in it say about copying, beside real images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from genwindow.analysis import binomial_estimate, binomial_interval
from genwindow.audit.result import SpaceResult
from genwindow.curve import Estimate
from genwindow.data import find_duplicates
from genwindow.errors import check_choice
from genwindow.metrics import Neighbours, nearest_neighbours
from genwindow.metrics.copies import STRICT, adaptive_ratio, authentic, coverage, data_copying_test, nearer_share
from genwindow.metrics.evidence import threshold_at
from genwindow.metrics.faiss_index import FaissIndex
from genwindow.train import resolve_device

NEIGHBOURS = 50

FLAT = 20_000
"""Up to so many training images a faiss index is flat, and beyond has cells: four times the root of their number."""

Index = Literal["exact", "faiss"]
Search = Callable[[Any, int], Neighbours]

_BLOCK = 1 << 14

RECALLED = 200
"""Samples for which an index with cells is checked against the exact search."""

LEFT_OUT = 500
"""Training images that stand in for held-out ones where there are none."""


def audit_features(
    train: Any,
    generated: Any,
    heldout: Any = None,
    *,
    name: str = "features",
    false_positive_rate: float = 0.01,
    seed: int = 0,
    device: str | None = None,
    index: Index = "exact",
    cache: str | Path | None = None,
) -> SpaceResult:
    """The statistics of one feature space, from features that are there already.

    For sets that do not fit into memory: arrays mapped from .npy files (`np.load(file, mmap_mode="r")`) are streamed,
    in bounded memory. Rows that are exactly equal count as one training image; where there are such rows, the distinct
    ones of a mapped array are written to a temporary file.

    Args:
        train: (n, k) features of the training images.
        generated: (N, k) of the samples.
        heldout: (M, k) of real images never trained on, or None.
        name: of the space.
        false_positive_rate: at which the adaptive ratio is calibrated.
        seed: of the choice of training images that stand in for held-out ones.
        device: where neighbours are searched; None means the CPU.
        index: `faiss` prepares the training set once for many audits; see `genwindow.metrics.faiss_index`.
        cache: folder that keeps the index.

    Raises:
        GenwindowError: when shapes differ, numbers are not finite, or this machine lacks the device.
    """
    check_choice("index", index, ("exact", "faiss"))
    device = None if device is None else str(resolve_device(device))
    with _distinct(train) as distinct:
        kept = None if cache is None else Path(cache)
        return space_statistics(name, distinct, generated, heldout, false_positive_rate, seed, device, index, kept)


@contextmanager
def _distinct(train: Any) -> Iterator[Any]:
    """The rows of `train` that repeat no earlier one."""
    representative = find_duplicates(train).representative
    first = np.flatnonzero(representative == np.arange(len(representative)))
    if len(first) == len(representative):
        yield train
    elif not isinstance(train, np.memmap):
        yield train[first]
    else:
        with tempfile.TemporaryFile() as file:
            made = np.memmap(file, train.dtype, "w+", shape=(len(first), *train.shape[1:]))
            for start in range(0, len(first), _BLOCK):
                made[start : start + _BLOCK] = train[first[start : start + _BLOCK]]
            yield made


def space_statistics(
    name: str,
    train: Any,
    generated: Any,
    heldout: Any,
    rate: float,
    seed: int,
    device: str | None,
    index: Index = "exact",
    cache: Path | None = None,
) -> SpaceResult:
    """All statistics from features of distinct training images, one search for each set."""
    n = len(train)
    k = min(NEIGHBOURS, n)
    faiss = None
    search: Search = lambda queries, count: nearest_neighbours(queries, train, count, device=device)  # noqa: E731
    if index == "faiss":
        faiss = FaissIndex(train, cells=None if n <= FLAT else int(4 * np.sqrt(n)), folder=cache)
        search = faiss.nearest
    one = search(generated, k)
    if heldout is not None:
        other = search(heldout, k)
        distances, nearest = other.distances, other.indices[:, 0]
    else:
        chosen = left_out(np.arange(n), seed)
        other = search(train[chosen], min(k + 1, n))
        distances, nearest = _without_self(other.distances, other.indices, chosen)
    alike = np.unique(np.concatenate([one.indices[:, 0], nearest]))
    own = search(train[alike], min(2, n))
    to_next = np.zeros(n)
    to_next[alike] = own.distances[:, -1]
    ratio, null = _ratios(one.distances), _ratios(distances)
    adaptive, floor = _adaptive(one.distances), _adaptive(distances)
    limit = threshold_at(floor, rate)
    below = f"with an adaptive ratio below {limit:.3g}"
    test = data_copying_test(one.distances[:, 0], distances[:, 0])
    thin = min(len(one.distances), len(distances))
    return SpaceResult(
        name=name,
        f_mem=_share(ratio < STRICT, f"generated images with d1/d2 < 1/3 in {name}", n),
        floor=_share(null < STRICT, f"real images with d1/d2 < 1/3 in {name}", n),
        adaptive=_share(adaptive < limit, f"generated images {below}", n),
        adaptive_floor=_share(floor < limit, f"real images {below}", n),
        authenticity=_share(authentic(one.distances[:, 0], to_next[one.indices[:, 0]]), "authentic images", n),
        authenticity_floor=_share(authentic(distances[:, 0], to_next[nearest]), "authentic real images", n),
        z=test.z,
        p=test.p,
        nearer=nearer_share(one.distances[:, 0], distances[:, 0]),
        ratio_curve=_curves(ratio, null),
        distance={"generated": one.distances[:, 0], "heldout": distances[:, 0]},
        coverage=coverage(one.indices[:, 0], n, thin),
        coverage_floor=coverage(nearest, n, thin),
        recall=None if faiss is None or faiss.cells is None else faiss.recall(generated[:RECALLED], k),
    )


def _curves(ratio: NDArray[np.float64], null: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """The shares below each threshold, with exact intervals."""
    at = np.linspace(0.01, 1.0, 100)
    curves = {"threshold": at}
    for name, values in (("generated", ratio), ("heldout", null)):
        below = np.searchsorted(np.sort(values), at, side="left")
        low, high = binomial_interval(below, len(values))
        curves |= {name: below / len(values), f"{name}_low": low, f"{name}_high": high}
    return curves


def _without_self(
    distances: NDArray[np.float64], indices: NDArray[np.int64], own: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Neighbours of training images without themselves."""
    if distances.shape[1] < 2:
        return np.full((len(own), 1), 0.0), indices[:, 0]
    mine = indices == own[:, None]
    mine[~mine.any(axis=1), -1] = True  # not in its own list: exact features of two images agree; drop the farthest
    kept = distances[~mine].reshape(len(own), -1)
    return kept, indices[~mine].reshape(len(own), -1)[:, 0]


def _ratios(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """d1/d2, 1 where it means nothing: a single training image, or two that a space cannot tell apart."""
    if distances.shape[1] < 2:
        return np.ones(len(distances))
    d1, d2 = distances[:, 0], distances[:, 1]
    return np.where(d2 > 0, d1 / np.where(d2 > 0, d2, 1.0), 1.0)


def _adaptive(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    return adaptive_ratio(distances) if distances.shape[1] > 1 else np.full(len(distances), 2.0)


def _share(hits: NDArray[np.bool_], what: str, distinct: int) -> Estimate:
    if distinct < 2:
        text = "no copies can be told: they need two distinct training images"
        return Estimate(None, None, None, "ill_posed", "share", text)
    return binomial_estimate(int(hits.sum()), len(hits), method="share", what=what)


def left_out(cluster: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Training images, one of a cluster at most, that stand in for held-out ones."""
    first = np.unique(cluster)
    return np.sort(np.random.default_rng(seed).permutation(first)[:LEFT_OUT])
