"""A memorized sample: a generated image much nearer to one training image than to any other.

With d1 and d2 the distances to the nearest and to the second-nearest *distinct* training image, a sample counts as a
copy when d1 / d2 < 1/3 (Yoon et al. 2023; arXiv 2505.17638, section 2). f_mem is the share of copies. Training images
that are exactly equal are one image: otherwise d2 = d1 for a copy of any of them, and the copy is missed.

f_mem stands beside its floor, the same share of held-out real images, which chance alone gives: about 3^-d in d
dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from genwindow.analysis import binomial_estimate, binomial_interval
from genwindow.curve import Estimate
from genwindow.data import find_duplicates
from genwindow.errors import GenwindowError, check, check_integer, check_number
from genwindow.metrics.neighbours import MEMORY
from genwindow.metrics.rows import as_rows, check_same_images
from genwindow.metrics.search import k_nearest

METHOD = "ratio"
"""Name of the statistic in its estimates."""


@final
class TrainingSet:
    """Training images made ready once, to be searched many times.

    Args:
        train: (n, ...) images, torch or NumPy.

    Attributes:
        distinct: (m,) indices of the first occurrence of every distinct image.

    Raises:
        GenwindowError: when there are no images, or numbers are not finite.
    """

    def __init__(self, train: Any) -> None:
        rows = as_rows("train", train)
        check(rows.shape[0] > 0, f"train must hold at least one image, got shape {rows.shape}")
        self.distinct: NDArray[np.int64] = np.unique(find_duplicates(rows.matrix).representative)
        if len(self.distinct) < len(rows.matrix):
            rows = rows._replace(matrix=rows.matrix[self.distinct])
        self._rows = rows

    def __len__(self) -> int:
        return int(self._rows.shape[0])

    def two_nearest(
        self, name: str, images: Any, memory: int = MEMORY
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances (N, 2) and indices (N, 2) of the two nearest distinct images; NaN and -1 where there is no second.

        Args:
            name: of the argument, for messages.
            images: (N, ...) images.
            memory: bytes the search may use.

        Raises:
            GenwindowError: when shapes differ or numbers are not finite.
        """
        rows = as_rows(name, images)
        check(rows.shape[0] > 0, f"{name} must hold at least one image, got shape {rows.shape}")
        check_same_images(name, rows, "train", self._rows)
        known = min(2, len(self.distinct))
        found = k_nearest(rows, self._rows, known, check_integer("memory", memory, low=1))
        distance, index = np.full((len(rows.matrix), 2), np.nan), np.full((len(rows.matrix), 2), -1)
        distance[:, :known], index[:, :known] = found[0].cpu().numpy(), self.distinct[found[1].cpu().numpy()]
        return distance, index


class RatioCurve(NamedTuple):
    """The share of images below each threshold, with exact binomial intervals.

    Attributes:
        threshold: (k,) thresholds of the ratio d1 / d2.
        value: (k,) share of images below it.
        low: (k,) lower end.
        high: (k,) upper end.
    """

    threshold: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Memorization:
    """What the nearest training images say about a set of generated images.

    Attributes:
        fraction: f_mem, the share of images with ratio below `threshold`, with its exact binomial interval; `ill_posed`
            when there are not two distinct training images.
        floor: the same of held-out real images, or None.
        ratio: (N,) d1 / d2; NaN for every image when the question is ill posed, and never otherwise.
        nearest: (N,) index of the nearest training image; of equal ones the first.
        second: (N,) index of the second-nearest distinct training image, -1 when there is none.
        distance: (N, 2) Euclidean distances to the two; NaN when there is no second.
        heldout_ratio: (M,) ratio of the held-out images, or None.
        threshold: below which a ratio counts.
        confidence: of the intervals.
    """

    fraction: Estimate
    floor: Estimate | None
    ratio: NDArray[np.float64]
    nearest: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]
    heldout_ratio: NDArray[np.float64] | None
    threshold: float
    confidence: float

    def curve(self, thresholds: ArrayLike | None = None) -> RatioCurve:
        """f_mem at every threshold, from the same search.

        Args:
            thresholds: in (0, 1]; None takes 0.01, 0.02, ..., 1.

        Raises:
            GenwindowError: when a threshold is outside (0, 1], or the question is ill posed.
        """
        return _curve(self.ratio, thresholds, self.confidence)

    def floor_curve(self, thresholds: ArrayLike | None = None) -> RatioCurve:
        """As `curve`, of the held-out images.

        Raises:
            GenwindowError: also when no held-out images were given.
        """
        if self.heldout_ratio is None:
            raise GenwindowError("floor_curve needs held-out images: call memorized_fraction with heldout=...")
        return _curve(self.heldout_ratio, thresholds, self.confidence)


def memorized_fraction(
    generated: Any,
    train: Any,
    *,
    heldout: Any = None,
    threshold: float = 1 / 3,
    confidence: float = 0.95,
    memory: int = MEMORY,
) -> Memorization:
    """Share of the generated images that copy a training image, beside the share that chance gives.

    Args:
        generated: (N, ...) generated images, torch or NumPy.
        train: (n, ...) training images of the same shape, or a `TrainingSet` made of them once.
        heldout: (M, ...) real images never trained on, for the floor; None leaves it out.
        threshold: an image counts when d1 / d2 is below this, in (0, 1].
        confidence: of the intervals.
        memory: bytes the search may use.

    Raises:
        GenwindowError: when there are no images, shapes differ, or numbers are not finite: a missing sample is an error
            and not a sample that was not memorized.

    Example:
        >>> train = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
        >>> found = memorized_fraction([[0.0, 0.0], [0.5, 0.5]], train)
        >>> found.fraction.value, found.ratio.tolist()
        (0.5, [0.0, 1.0])
    """
    threshold = check_number("threshold", threshold, low=0, high=1, low_open=True)
    check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    known = train if isinstance(train, TrainingSet) else TrainingSet(train)
    distance, index = known.two_nearest("generated", generated, memory)
    ratio = _ratio(distance)
    heldout_ratio = None if heldout is None else _ratio(known.two_nearest("heldout", heldout, memory)[0])
    return Memorization(
        fraction=_share(ratio, known, threshold, confidence, "generated images"),
        floor=None
        if heldout_ratio is None
        else _share(heldout_ratio, known, threshold, confidence, "held-out real images"),
        ratio=ratio,
        nearest=index[:, 0],
        second=index[:, 1],
        distance=distance,
        heldout_ratio=heldout_ratio,
        threshold=threshold,
        confidence=confidence,
    )


def _ratio(distance: NDArray[np.float64]) -> NDArray[np.float64]:
    """d1 / d2; never 0 / 0, because an image cannot be equal to two distinct ones."""
    return distance[:, 0] / distance[:, 1]


def _share(ratio: NDArray[np.float64], train: TrainingSet, threshold: float, confidence: float, what: str) -> Estimate:
    if np.isnan(ratio).any():
        text = (
            f"no copies can be told: they need two distinct training images, and there is {len(train.distinct)} among "
            f"{len(train)}"
        )
        return Estimate(None, None, None, "ill_posed", METHOD, text)
    successes = int((ratio < threshold).sum())
    return binomial_estimate(
        successes,
        len(ratio),
        method=METHOD,
        confidence=confidence,
        what=f"copies (ratio below {threshold:.3g}) of {what}",
    )


def _curve(ratio: NDArray[np.float64], thresholds: ArrayLike | None, confidence: float) -> RatioCurve:
    check(not np.isnan(ratio).any(), "there is no ratio curve: the training set has fewer than two distinct images")
    at = np.linspace(0.01, 1.0, 100) if thresholds is None else np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    check(bool(((at > 0) & (at <= 1)).all()), f"thresholds must lie in (0, 1], got {thresholds!r}")
    below = np.searchsorted(np.sort(ratio), at, side="left")
    return RatioCurve(at, below / len(ratio), *binomial_interval(below, len(ratio), confidence))
