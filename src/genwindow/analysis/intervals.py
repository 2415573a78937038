"""A binomial interval: what k successes in N trials say about the probability behind them.

Exact (Clopper and Pearson, Biometrika 26, 1934, 404-413): the interval holds the true probability at least as often as
promised for every N, so 0 of N gives [0, 1 - (alpha/2)^(1/N)] and never [0, 0].
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainccinv, betaincinv

from genwindow.curve import Estimate, short
from genwindow.errors import GenwindowError, check, check_number


def binomial_interval(
    successes: ArrayLike, trials: ArrayLike, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Exact two-sided interval of a binomial probability.

    Args:
        successes: how often it happened, of any shape.
        trials: out of how many; broadcast against `successes`.
        confidence: probability with which the interval holds the truth, at least.

    Returns:
        Lower and upper ends, of the broadcast shape.

    Raises:
        GenwindowError: unless 0 <= successes <= trials are whole numbers, trials >= 1 and 0 < confidence < 1.
    """
    tail = (1 - check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)) / 2
    try:
        k, n = np.broadcast_arrays(np.asarray(successes, dtype=np.float64), np.asarray(trials, dtype=np.float64))
    except (TypeError, ValueError):
        raise GenwindowError(f"successes and trials must be numbers, got {successes!r} and {trials!r}") from None
    whole = (k == np.round(k)) & (n == np.round(n)) & np.isfinite(n)
    check(
        bool((whole & (k >= 0) & (k <= n) & (n >= 1)).all()),
        f"need whole numbers 0 <= successes <= trials and trials >= 1, got {successes!r} of {trials!r}",
    )
    # The ends are quantiles of beta distributions; a parameter of 0 would be the closed end, which is exact anyway.
    low = np.where(k == 0, 0.0, betaincinv(np.maximum(k, 1), n - k + 1, tail))
    high = np.where(k == n, 1.0, betainccinv(k + 1, np.maximum(n - k, 1), tail))
    return low, high


def binomial_estimate(
    successes: int, trials: int, *, method: str = "binomial", confidence: float = 0.95, what: str = "successes"
) -> Estimate:
    """The share of successes with its exact interval.

    Args:
        successes: how often it happened.
        trials: out of how many.
        method: name of the statistic, kept in the answer.
        confidence: of the interval.
        what: what was counted, for the sentence, for example `copies`.

    Raises:
        GenwindowError: as `binomial_interval`.
    """
    low, high = map(float, binomial_interval(successes, trials, confidence))
    text = (
        f"{successes} {what} in {trials}: a share of {short(successes / trials)}, "
        f"{100 * confidence:g} % interval [{short(low)}, {short(high)}]"
    )
    return Estimate(successes / trials, low, high, "found", method, text)
