"""Copy statistics: what distances to training images say about copying, each a function of plain arrays.

Distances come from one neighbour search. Every statistic is meant to stand beside its value for held-out real images.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from genwindow.errors import check, check_integer, check_number

Real = NDArray[np.float64]


def adaptive_ratio(distances: ArrayLike, *, alpha: float = 0.5) -> Real:
    """d1 / (alpha * mean distance to the k nearest): below 1 a sample is unusually near to one training image.

    Source: Carlini et al., arXiv 2301.13188, section 4.2 (k = 50, alpha = 0.5).

    Args:
        distances: (N, k) to the k nearest training images, ascending.
        alpha: positive.

    Returns:
        (N,) ratios; 0 for an exact copy, and 1 / alpha where all k distances are 0.
    """
    found = _distances("distances", distances, 2)
    check_number("alpha", alpha, low=0, low_open=True)
    mean = found.mean(axis=1)
    safe = np.where(mean > 0, mean, 1.0)
    return np.where(mean > 0, found[:, 0] / safe, 1.0) / alpha


def cosine_distance(generated: ArrayLike, train: ArrayLike) -> Real:
    """(N,) cosine distance 1 - |cos| of each sample to the training image most parallel to it, in float64.

    Its mean is the memorization distance of MiFID (Bai et al., arXiv 2106.03062), which divides a Frechet distance when
    it is small. A mean is blind to a few copies among many samples: it is here for comparison with other tools.

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
    one, other = _distances("distance", distance, 1), _distances("train_distance", train_distance, 1)
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
    one, other = _distances("generated", generated, 1), _distances("heldout", heldout, 1)
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


def conformal_p_values(scores: ArrayLike, null: ArrayLike) -> Real:
    """(N,) p-values of scores, small scores being suspicious: (1 + number of null scores as small) / (1 + M).

    Valid whenever a sample that copies nothing is exchangeable with the held-out images. Source: Bates et al., Annals
    of Statistics 51 (2023).

    Args:
        scores: (N,) of the samples.
        null: (M,) of held-out images.
    """
    one, other = _distances("scores", scores, 1), np.sort(_distances("null", null, 1))
    return (1 + np.searchsorted(other, one, side="right")) / (1.0 + len(other))


def discoveries(p: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Which p-values are discoveries at a false-discovery rate, after Benjamini and Hochberg (1995).

    With conformal p-values of one null sample the rate is controlled (Bates et al. 2023).

    Args:
        p: (N,) p-values.
        rate: share of the discoveries that may be false, on average, in (0, 1).
    """
    values = np.asarray(p, dtype=np.float64)
    check(values.ndim == 1 and bool(((values > 0) & (values <= 1)).all()), "p must be (N,) numbers in (0, 1]")
    check_number("rate", rate, low=0, high=1, low_open=True, high_open=True)
    if not len(values):
        return np.zeros(0, dtype=bool)
    ordered = np.sort(values)
    below = np.flatnonzero(ordered <= rate * np.arange(1, len(values) + 1) / len(values))
    return values <= ordered[below[-1]] if len(below) else np.zeros(len(values), dtype=bool)


def combined_p_values(p: ArrayLike, index: ArrayLike) -> tuple[NDArray[np.int64], Real]:
    """One p-value for each training image, from those of all samples matched with it, after Simes (1986).

    A false-discovery rate among samples is none among training images: where one image is copied a hundred times, a few
    false samples name as many other images. So images are what is tested.

    Args:
        p: (N,) p-values of the samples.
        index: (N,) training image that each is matched with.

    Returns:
        (m,) the training images that occur, ascending, and (m,) their p-values.
    """
    values, match = np.asarray(p, dtype=np.float64), np.asarray(index, dtype=np.int64)
    check(values.shape == match.shape and values.ndim == 1, "p and index must be (N,) both")
    images = np.unique(match)
    combined = np.empty(len(images))
    for i, image in enumerate(images):
        own = np.sort(values[match == image])
        combined[i] = min(1.0, float((own * len(own) / np.arange(1, len(own) + 1)).min()))
    return images, combined


def threshold_at(null: ArrayLike, false_positive_rate: float) -> float:
    """The largest threshold such that at most this share of the null scores lies strictly below it.

    Args:
        null: (M,) scores of held-out images, small ones being suspicious.
        false_positive_rate: in [0, 1).
    """
    ordered = np.sort(_distances("null", null, 1))
    check_number("false_positive_rate", false_positive_rate, low=0, high=1, high_open=True)
    return float(ordered[int(np.floor(false_positive_rate * len(ordered) + 1e-9))])


def samples_needed(rate: float, confidence: float = 0.95) -> int:
    """How many samples without a copy show, at this confidence, that fewer than `rate` are copies."""
    check_number("rate", rate, low=0, high=1, low_open=True, high_open=True)
    check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    return int(np.ceil(np.log((1 - confidence) / 2) / np.log1p(-rate)))


def repeated(distance: ArrayLike, radius: float) -> NDArray[np.bool_]:
    """(N,) whether each sample has another sample within `radius`; distance is to its nearest other sample."""
    return _distances("distance", distance, 1) <= check_number("radius", radius, low=0)


def coverage(nearest: ArrayLike, n: int) -> float:
    """Share of the n training images that are the nearest one of at least one sample.

    Args:
        nearest: (N,) index of the nearest training image of each sample.
        n: number of training images.
    """
    check_integer("n", n, low=1)
    index = np.asarray(nearest)
    check(index.ndim == 1 and bool(((index >= 0) & (index < n)).all()), f"nearest must be (N,) indices below {n}")
    return len(np.unique(index)) / n


def _distances(name: str, values: ArrayLike, ndim: int) -> Real:
    found = np.asarray(values, dtype=np.float64)
    check(found.ndim == ndim and len(found) > 0, f"{name} must be a non-empty array of {ndim} axes, got {found.shape}")
    check(bool((found >= 0).all()), f"{name} must be finite and not negative")  # false for NaN
    return found
