"""The statistics of one feature space: what distances in it say about copying, beside real images."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.analysis import binomial_estimate
from genwindow.audit.result import SpaceResult
from genwindow.curve import Estimate
from genwindow.data import find_duplicates
from genwindow.metrics import nearest_neighbours
from genwindow.metrics.copies import adaptive_ratio, authentic, coverage, data_copying_test, threshold_at

NEIGHBOURS = 50
STRICT = 1 / 3

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
) -> SpaceResult:
    """The statistics of one feature space, from features that are there already.

    For sets that do not fit into memory: arrays mapped from .npy files (`np.load(file, mmap_mode="r")`) are streamed,
    in bounded memory. Rows that are exactly equal count as one training image.

    Args:
        train: (n, k) features of the training images.
        generated: (N, k) of the samples.
        heldout: (M, k) of real images never trained on, or None.
        name: of the space.
        false_positive_rate: at which the adaptive ratio is calibrated.
        seed: of the choice of training images that stand in for held-out ones.
        device: where neighbours are searched; None means the CPU.

    Raises:
        GenwindowError: when shapes differ or numbers are not finite.
    """
    representative = find_duplicates(train).representative
    first = np.unique(representative)
    distinct = train if len(first) == len(representative) else train[first]
    return space_statistics(name, distinct, generated, heldout, false_positive_rate, seed, device)


def space_statistics(
    name: str, train: Any, generated: Any, heldout: Any, rate: float, seed: int, device: str | None
) -> SpaceResult:
    """All statistics from features of distinct training images, one search for each set."""
    n = len(train)
    k = min(NEIGHBOURS, n)
    one = nearest_neighbours(generated, train, k, device=device)
    if heldout is not None:
        other = nearest_neighbours(heldout, train, k, device=device)
        distances, nearest = other.distances, other.indices[:, 0]
    else:
        chosen = left_out(np.arange(n), seed)
        other = nearest_neighbours(train[chosen], train, min(k + 1, n), device=device)
        distances, nearest = _without_self(other.distances, other.indices, chosen)
    alike = np.unique(np.concatenate([one.indices[:, 0], nearest]))
    own = nearest_neighbours(train[alike], train, min(2, n), device=device)
    to_next = np.zeros(n)
    to_next[alike] = own.distances[:, -1]
    ratio, null = _ratios(one.distances), _ratios(distances)
    adaptive, floor = _adaptive(one.distances), _adaptive(distances)
    limit = threshold_at(floor, rate)
    test = data_copying_test(one.distances[:, 0], distances[:, 0])
    at = np.linspace(0.01, 1.0, 100)
    return SpaceResult(
        name=name,
        f_mem=_share(ratio < STRICT, f"generated images with d1/d2 < 1/3 in {name}", n),
        floor=_share(null < STRICT, f"real images with d1/d2 < 1/3 in {name}", n),
        adaptive=_share(adaptive < limit, f"generated images with an adaptive ratio below {limit:.3g}", n),
        authenticity=_share(authentic(one.distances[:, 0], to_next[one.indices[:, 0]]), "authentic images", n),
        authenticity_floor=_share(authentic(distances[:, 0], to_next[nearest]), "authentic real images", n),
        z=test.z,
        p=test.p,
        ratio_curve={
            "threshold": at,
            "generated": np.array([(ratio < t).mean() for t in at]),
            "heldout": np.array([(null < t).mean() for t in at]),
        },
        distance={"generated": one.distances[:, 0], "heldout": distances[:, 0]},
        coverage=coverage(one.indices[:, 0], n),
    )


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
