"""Copy statistics: what distances to training images say about copying, each a function of plain arrays.

Distances come from one neighbour search. Every statistic is meant to stand beside its value for held-out real images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import gammaln

from genwindow.curve import Estimate
from genwindow.errors import check, check_integer, check_number
from genwindow.metrics.evidence import as_distances

Real = NDArray[np.float64]

STRICT = 1 / 3
"""A score, or a ratio d1/d2, below this is a clear copy."""


def adaptive_ratio(distances: ArrayLike, *, alpha: float = 0.5) -> Real:
    """d1 / (alpha * mean distance to the k nearest): below 1 a sample is unusually near to one training image.

    Source: Carlini et al., arXiv 2301.13188, section 4.2 (k = 50, alpha = 0.5).

    Args:
        distances: (N, k) to the k nearest training images, ascending.
        alpha: positive.

    Returns:
        (N,) ratios; 0 for an exact copy, and 1 / alpha where all k distances are 0.
    """
    found = as_distances("distances", distances, 2)
    check_number("alpha", alpha, low=0, low_open=True)
    mean = found.mean(axis=1)
    safe = np.where(mean > 0, mean, 1.0)
    return np.where(mean > 0, found[:, 0] / safe, 1.0) / alpha


def cosine_distance(generated: ArrayLike, train: ArrayLike) -> Real:
    """(N,) cosine distance 1 - |cos| of each sample to the training image most parallel to it, in float64.

    Its mean is the memorization distance of MiFID (Bai et al., arXiv 2106.03062), which divides a Frechet distance when
    it is small. (torchmetrics averages the other way round, over the training images: swap the arguments.) A mean is
    blind to a few copies among many samples: it is here for comparison with other tools.

    Args:
        generated: (N, k) features.
        train: (n, k) features.
    """
    one, other = (np.asarray(v, dtype=np.float64) for v in (generated, train))
    check(one.ndim == other.ndim == 2 and one.shape[1] == other.shape[1], "features must be (N, k) and (n, k)")
    check(len(one) > 0 and len(other) > 0, "features must hold at least one row")
    units = [v / np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-300) for v in (one, other)]
    found = np.full(len(one), np.inf)
    for start in range(0, len(other), 4096):
        parallel = np.abs(units[0] @ units[1][start : start + 4096].T).max(axis=1)
        found = np.minimum(found, 1 - parallel)
    return found


def authentic(distance: ArrayLike, train_distance: ArrayLike) -> NDArray[np.bool_]:
    """Whether each sample is farther from its nearest training image than that image is from its own nearest neighbour.

    The authenticity score is the share of authentic samples. Source: Alaa et al., ICML 2022 (arXiv 2102.08921).

    Args:
        distance: (N,) of each sample to its nearest training image.
        train_distance: (N,) of that training image to the nearest other one.
    """
    one, other = as_distances("distance", distance, 1), as_distances("train_distance", train_distance, 1)
    check(one.shape == other.shape, f"distance and train_distance must have one length, got {one.shape}, {other.shape}")
    return one > other


class CopyTest(NamedTuple):
    """Meehan's data-copying test.

    Attributes:
        z: negative where samples are nearer to the training images than held-out images are.
        p: one-sided p-value; small means copying.
    """

    z: float
    p: float


def data_copying_test(generated: ArrayLike, heldout: ArrayLike) -> CopyTest:
    """Are samples nearer to the training set than held-out images are? The three-sample test C_T without cells.

    A Mann-Whitney test of the distances to the nearest training image. It sees copying of many images, not of a few.
    Source: Meehan, Chaudhuri, Dasgupta, AISTATS 2020 (arXiv 2004.05675).

    Args:
        generated: (N,) distances of samples to their nearest training image.
        heldout: (M,) the same of held-out images.
    """
    one, other = as_distances("generated", generated, 1), as_distances("heldout", heldout, 1)
    n, m = len(one), len(other)
    every = np.concatenate([one, other])
    _, counts = np.unique(every, return_counts=True)
    total = n + m
    ties = float((counts.astype(np.float64) ** 3 - counts).sum()) / (total * (total - 1)) if total > 1 else 0.0
    variance = n * m / 12 * (total + 1 - ties)
    if variance <= 0:
        return CopyTest(0.0, 1.0)  # all distances are equal: nothing can be told
    statistic = float(stats.mannwhitneyu(one, other, alternative="less").statistic)
    z = (statistic - n * m / 2) / np.sqrt(variance)
    few = min(n, m) <= 8 and ties == 0
    method = "exact" if few else "asymptotic"
    return CopyTest(float(z), float(stats.mannwhitneyu(one, other, alternative="less", method=method).pvalue))


def repeated(distance: ArrayLike, radius: float) -> NDArray[np.bool_]:
    """(N,) whether each sample has another sample within `radius`; distance is to its nearest other sample."""
    return as_distances("distance", distance, 1) <= check_number("radius", radius, low=0)


def nearer_share(generated: ArrayLike, heldout: ArrayLike) -> Estimate:
    """Probability that a sample lies nearer to the training set than a held-out image does: 1/2 when nothing is copied.

    The size of the effect that `data_copying_test` tests. The 95 % interval is that of Newcombe, Statistics in Medicine
    25 (2006) 559, method 5, which does not collapse at 0 and 1.

    Args:
        generated: (N,) distances of samples to their nearest training image.
        heldout: (M,) the same of held-out images.
    """
    one, other = as_distances("generated", generated, 1), np.sort(as_distances("heldout", heldout, 1))
    n, m = len(one), len(other)
    above = m - (np.searchsorted(other, one, "left") + np.searchsorted(other, one, "right")) / 2
    value = float(above.mean() / m)
    at = np.linspace(0, 1, 20_001)
    more = (n + m) / 2 - 1
    variance = at * (1 - at) * (1 + more * ((1 - at) / (2 - at) + at / (1 + at))) / (n * m)
    inside = at[np.abs(at - value) <= stats.norm.ppf(0.975) * np.sqrt(variance) + 5e-5]
    low, high = min(value, float(inside.min())), max(value, float(inside.max()))
    text = f"nearer than a held-out image with probability {value:.3g}, 95 % interval [{low:.3g}, {high:.3g}]"
    return Estimate(value, low, high, "found", "nearer", text)


def coverage(nearest: ArrayLike, n: int, samples: int | None = None) -> Estimate:
    """Share of the n training images that are the nearest one of at least one sample.

    It grows with the number of samples; to compare two sets, both are thinned to `samples`, in expectation over all
    ways to do so (Hurlbert, Ecology 52 (1971) 577). The variance of the number of distinct images is at most the
    expected number of those that occur once (Efron-Stein; Ben-Hamou et al., Bernoulli 23 (2017) 249), which gives a
    conservative 95 % interval.

    Args:
        nearest: (N,) index of the nearest training image of each sample.
        n: number of training images.
        samples: N at most; None for all N.
    """
    check_integer("n", n, low=1)
    index = np.asarray(nearest)
    check(index.ndim == 1 and bool(((index >= 0) & (index < n)).all()), f"nearest must be (N,) indices below {n}")
    total = len(index)
    thin = total if samples is None else check_integer("samples", samples, low=1, high=total)
    count = np.unique(index, return_counts=True)[1].astype(np.float64)

    def missed(left: NDArray[np.float64] | float, drawn: int) -> NDArray[np.float64]:
        """Probability that `drawn` of the samples are all among `left` of them."""
        pool = np.asarray(left, dtype=np.float64)
        inside = pool >= drawn
        pool = np.where(inside, pool, drawn)
        logs = gammaln(pool + 1) - gammaln(pool - drawn + 1) - gammaln(total + 1) + gammaln(total - drawn + 1)
        return np.where(inside, np.exp(logs), 0.0)

    distinct = float((1 - missed(total - count, thin)).sum())
    once = float((count * thin / total * _once(total, count, thin)).sum())
    value, spread = distinct / n, 1.96 * float(np.sqrt(once)) / n
    low, high = max(value - spread, 1 / n), min(value + spread, 1.0, thin / n)
    text = f"{value:.3g} of the training images are nearest to one of {thin} images, interval [{low:.3g}, {high:.3g}]"
    return Estimate(value, min(low, value), max(high, value), "found", "coverage", text)


def _once(total: int, count: Real, drawn: int) -> Real:
    """Probability that, with one of an image's `count` samples drawn, none of the `drawn` - 1 others is another one."""
    pool, rest = total - 1.0, drawn - 1.0
    left = pool - (count - 1)
    inside = left >= rest
    left = np.where(inside, left, rest)
    logs = gammaln(left + 1) - gammaln(left - rest + 1) - gammaln(pool + 1) + gammaln(pool - rest + 1)
    return np.where(inside, np.exp(logs), 0.0)
