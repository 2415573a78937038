"""A sign that copying is near: more generated images lie close to a training image than real images do by chance.

A copy has d1/d2 below a threshold c, 1/3 unless told otherwise: the second-nearest training image is three times as far
as the nearest. Close is what has a ratio below 2c / (1 + c), 1/2 for c = 1/3: twice as far. As a network begins to
copy, all ratios fall, so the looser share rises first. It says that copies may come, not when: it makes no verdict.
"""

from __future__ import annotations

import numpy as np
from scipy.special import betaincc, betaincinv

from genwindow.errors import check, check_integer, check_number

_NODES = 32


def looser(threshold: float) -> float:
    """The ratio below which an image is close to a training image, halfway to 1 in d2/d1.

    Example:
        >>> looser(1 / 3)
        0.5
    """
    check_number("threshold", threshold, low=0, high=1, low_open=True, high_open=True)
    return 2 * threshold / (1 + threshold)


def probability_above(hits: int, total: int, floor_hits: int, floor_total: int) -> float:
    """Probability that a share is above another, from counts of both, with Jeffreys' prior for each.

    Args:
        hits: counted, for example generated images close to a training image.
        total: out of so many.
        floor_hits: the same of what it is compared with, for example held-out images.
        floor_total: out of so many.

    Raises:
        GenwindowError: unless 0 <= hits <= total and total >= 1, for both.

    Example:
        >>> round(probability_above(20, 250, 10, 350), 3)
        0.998
    """
    for name, k, n in (("hits", hits, total), ("floor_hits", floor_hits, floor_total)):
        check_integer(name, k, low=0)
        check(k <= n and n >= 1, f"{name} must be at most its total, got {k} of {n}")
    node, weight = np.polynomial.legendre.leggauss(_NODES)
    floor = betaincinv(floor_hits + 0.5, floor_total - floor_hits + 0.5, (node + 1) / 2)
    return float((weight / 2) @ betaincc(hits + 0.5, total - hits + 0.5, floor))
