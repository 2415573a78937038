"""Evidence: which scores are too small for chance, judged by the scores of real images that copy nothing.

A score is a ratio of distances to training images, 0 for a copy and near 1 for an original.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genwindow.errors import check, check_number

Real = NDArray[np.float64]


def conformal_p_values(scores: ArrayLike, null: ArrayLike) -> Real:
    """(N,) p-values of scores, small scores being suspicious: (1 + number of null scores as small) / (1 + M).

    Valid whenever a sample that copies nothing is exchangeable with the held-out images. Source: Bates et al., Annals
    of Statistics 51 (2023).

    Args:
        scores: (N,) of the samples.
        null: (M,) of held-out images.
    """
    one, other = as_distances("scores", scores, 1), np.sort(as_distances("null", null, 1))
    return (1 + np.searchsorted(other, one, side="right")) / (1.0 + len(other))


def tail_p_values(scores: ArrayLike, null: ArrayLike, *, share: float = 0.1, most: int = 100) -> Real:
    """(N,) p-values of scores far below all null scores, by the law with which these thin out towards 0.

    In D dimensions the share of real images with d1/d2 < s falls like s^D, so below the threshold u that a tenth of the
    null scores undercuts, log(u / s) is exponential. With the k scores below u, T = sum log(u / s_i), and

        p = (k + 1)/(m + 1) (1 + log(u / s) / T)^-k,

    exact when the tail is a power, whatever D: log(u / s) / T is the ratio of an exponential and a gamma variable. This
    extrapolates: it cannot know of real images that repeat others too seldom to occur among the m.

    Args:
        scores: (N,) of the samples, small ones being suspicious.
        null: (M,) of real images that copy nothing.
        share: of the null scores that make the tail.
        most: so many at most.

    Returns:
        p-values, 1 at or above u, and 1 for all where fewer than 3 null scores (of 30 images) make the tail.
    """
    one, other = as_distances("scores", scores, 1), np.sort(as_distances("null", null, 1))
    k = min(int(check_number("share", share, low=0, high=1, high_open=True) * len(other) + 1e-9), most)
    if k < 3 or other[k] <= 0:
        return np.ones(len(one))
    u = other[k]
    with np.errstate(divide="ignore"):
        total = np.log(u / other[:k]).sum()
        beyond = np.log(u / one)
    if not 0 < total < np.inf:  # the tail is a heap of equal scores, or real images are copies themselves
        return np.where(one < u, (k + 1) / (len(other) + 1), 1.0)
    p = (k + 1) / (len(other) + 1) * (1 + np.maximum(beyond, 0) / total) ** -float(k)
    return np.where(one < u, p, 1.0)


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
    order = np.lexsort((values, match))
    images, start, count = np.unique(match[order], return_index=True, return_counts=True)
    rank = np.arange(len(values)) - np.repeat(start, count) + 1
    simes = values[order] * np.repeat(count, count) / rank
    return images, np.minimum(np.minimum.reduceat(simes, start), 1.0) if len(start) else np.zeros(0)


def copied_images(scores: ArrayLike, index: ArrayLike, null: ArrayLike, rate: float) -> NDArray[np.int64]:
    """The training images that were copied, of which a share of at most `rate` is named wrongly, on average.

    The rate holds where originals are matched with all training images alike, or with some for reasons that do not bear
    on their scores. Simple images that attract near matches again and again can be named too often.

    Args:
        scores: (N,) of the samples, small ones being suspicious.
        index: (N,) training image that each is matched with.
        null: (M,) scores of held-out images.
        rate: the false-discovery rate.
    """
    images, combined = combined_p_values(conformal_p_values(scores, null), index)
    return images[discoveries(combined, rate)]


def threshold_at(null: ArrayLike, false_positive_rate: float) -> float:
    """The largest threshold below which a fresh score that copies nothing lies with at most this probability.

    Of m null scores the K-th smallest has K/(m + 1) of all fresh scores below it, on average; the largest K within the
    rate is taken. (The share of the null scores themselves below it is smaller: (K - 1)/m.)

    Args:
        null: (M,) scores of held-out images, small ones being suspicious.
        false_positive_rate: in [0, 1).

    Returns:
        The threshold; 0, which nothing lies below, where the scores are too few: fewer than 99 for 1 %.
    """
    ordered = np.sort(as_distances("null", null, 1))
    check_number("false_positive_rate", false_positive_rate, low=0, high=1, high_open=True)
    allowed = int(np.floor(false_positive_rate * (len(ordered) + 1) + 1e-9))
    return float(ordered[allowed - 1]) if allowed else 0.0


def samples_needed(rate: float, confidence: float = 0.95) -> int:
    """How many samples without a copy show, at this confidence, that fewer than `rate` are copies."""
    check_number("rate", rate, low=0, high=1, low_open=True, high_open=True)
    check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    return int(np.ceil(np.log((1 - confidence) / 2) / np.log1p(-rate)))


def as_distances(name: str, values: ArrayLike, ndim: int) -> Real:
    """The values in float64, checked to be finite and not negative and to have `ndim` axes."""
    found = np.asarray(values, dtype=np.float64)
    check(found.ndim == ndim and len(found) > 0, f"{name} must be a non-empty array of {ndim} axes, got {found.shape}")
    check(bool((found >= 0).all()), f"{name} must be finite and not negative")  # false for NaN
    return found
