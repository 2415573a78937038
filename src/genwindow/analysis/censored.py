"""A censored line: log tau = X c + sigma e with Gaussian e, where some times are known and of others only a bound.

The posterior of the coefficients c and of sigma is summed on grids: priors for c flat within given bounds, or Gaussian
too, and 1/sigma for sigma between 2 % and 150 %. For every sigma the grid is laid where its own weight is, in
coordinates in which the design is orthogonal, so thin and wide posteriors are resolved alike. With flat priors and no
bounds among the times the prediction is the classical one by Student's t from four times on (tested); with three,
sigma's bounds make it narrower.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import log_ndtr, logsumexp, ndtr

from genwindow.curve import Estimate

Real = NDArray[np.float64]

SIGMA = (0.02, 1.5)
SIGMAS = 33
POINTS = {1: 121, 2: 27, 3: 15}
"""Points of the grid along each axis, by the number of coefficients."""

NEGLIGIBLE = 14.0
"""Points whose log weight is so far below the largest are left out."""

PASSES = 12

SHIFTS = (0.618, 0.414, 0.732)
"""By these shares of a step the grids of successive sigma are shifted, so that together they are finer than each."""


@dataclass(frozen=True, eq=False)
class Times:
    """Times of single runs, known or bounded.

    Attributes:
        log_tau: (N,) log of the time, or of its bound.
        kind: (N,) 0 for a time, 1 for a lower bound (not reached), -1 for an upper bound (passed before).
        own: (N,) standard error of reading log tau; 0 where it is not known, and for bounds.
    """

    log_tau: Real
    kind: NDArray[np.int64]
    own: Real

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which are times."""
        return self.kind == 0


def times_of(estimates: Sequence[Estimate]) -> Times:
    """From estimates, each of which says something; see `bound_of`."""
    log_tau, kind, own = [], [], []
    for tau in estimates:
        bound, what = bound_of(tau)
        assert bound
        log_tau.append(math.log(bound))
        kind.append(what)
        own.append(own_error(tau) if what == 0 else 0.0)
    return Times(np.array(log_tau), np.array(kind, dtype=np.int64), np.array(own))


def bound_of(tau: Estimate) -> tuple[float | None, int]:
    """A time and its kind as in `Times`; None or 0 where the estimate says nothing.

    A time whose interval has no upper end, which was never sure to be passed, is a lower bound.
    """
    if tau.status == "found" and (tau.high is not None or tau.low is None):
        return tau.value, 0
    return (tau.high, -1) if tau.status == "below_range" else (tau.low, 1)


def own_error(tau: Estimate) -> float:
    """Standard error of log tau from its 95 % interval, from the upper half where the lower end is 0; 0 without one.

    The whole width counts, not the wider half as for the interval of an exponent: here the error is one term of a
    likelihood, and one that is too large would give its time too little weight.
    """
    if tau.value is None or tau.high is None:
        return 0.0
    return float(np.log(tau.high / tau.low)) / 3.92 if tau.low else float(np.log(tau.high / tau.value)) / 1.96


@dataclass(frozen=True, eq=False)
class Posterior:
    """Weighted points.

    Attributes:
        coefficients: (M, k).
        sigma: (M,) scatter of single runs about the line.
        weight: (M,) with sum 1.
        reading: standard error with which a further time would be read: the median of those given.
    """

    coefficients: Real
    sigma: Real
    weight: Real
    reading: float

    def quantile(self, index: int, p: float) -> float:
        """Of one coefficient."""
        return _weighted_quantile(self.coefficients[:, index], self.weight, p)

    def median_sigma(self) -> float:
        """Of the scatter."""
        return _weighted_quantile(self.sigma, self.weight, 0.5)

    def above(self, index: int, value: float) -> float:
        """Probability that a coefficient lies above `value`."""
        return float(self.weight[self.coefficients[:, index] > value].sum())

    def new_run(self, row: Real) -> Gaussians:
        """The log time of one new run, as it would be read.

        Args:
            row: (k,) its row of the design.
        """
        return Gaussians(self.coefficients @ row, np.hypot(self.sigma, self.reading), self.weight)

    def log_density(self, rows: Real, log_tau: Real, own: Real) -> float:
        """Log of the joint density of the log times (N,) of new runs, read with standard errors `own` (N,)."""
        spread = np.hypot(self.sigma[:, None], own)
        off = (log_tau - self.coefficients @ rows.T) / spread
        each = (-0.5 * off**2 - np.log(spread) - 0.5 * math.log(2 * math.pi)).sum(axis=1)
        return float(logsumexp(each, b=self.weight))


@dataclass(frozen=True, eq=False)
class Gaussians:
    """A mixture of Gaussians.

    Attributes:
        middle: (M,) means.
        spread: (M,) standard deviations.
        weight: (M,) with sum 1.
    """

    middle: Real
    spread: Real
    weight: Real

    def quantiles(self, probabilities: Sequence[float]) -> list[float]:
        """Where the mixture's distribution function reaches these probabilities, all within (0, 1)."""
        low, high = float((self.middle - 9 * self.spread).min()), float((self.middle + 9 * self.spread).max())

        def excess(at: float, p: float) -> float:
            return float(self.weight @ ndtr((at - self.middle) / self.spread)) - p

        return [float(brentq(excess, low, high, args=(p,), xtol=1e-6)) for p in probabilities]


def posterior(
    design: Real,
    times: Times,
    bounds: Sequence[tuple[float, float]],
    beliefs: Mapping[int, tuple[float, float]] | None = None,
) -> Posterior:
    """Posterior of the line.

    Args:
        design: (N, k) of full rank k, at most 3.
        times: of the N runs.
        bounds: for each coefficient, outside of which its prior is 0.
        beliefs: mean and standard deviation of Gaussian priors, by the place of the coefficient; the others are flat.
    """
    frame = _Frame(design, times, np.array(bounds, dtype=np.float64), beliefs or {})
    parts = []
    box = frame.box
    for i, sigma in enumerate(
        np.geomspace(*SIGMA[::-1], SIGMAS)
    ):  # downwards: what a smaller sigma allows, the larger one did too
        for _ in range(PASSES):  # the blurred likelihood cannot fall between the points of a coarse grid
            theta, step, log_weight = frame.grid(box, sigma, blurred=True)
            inside = theta[log_weight > log_weight.max() - NEGLIGIBLE]
            low = np.maximum(inside.min(axis=0) - step, box[:, 0])
            high = np.minimum(inside.max(axis=0) + step, box[:, 1])
            narrower, box = (high - low) / (box[:, 1] - box[:, 0]), np.stack([low, high], axis=1)
            if narrower.min() > 0.8:
                break
        theta, step, log_weight = frame.grid(
            box, sigma, blurred=False, shift=np.array(SHIFTS[: len(box)]) * i % 1 - 0.5
        )
        parts.append((theta @ frame.inverse.T, np.full(len(theta), sigma), log_weight + np.log(step).sum()))
    coefficients, sigmas, log_weights = (np.concatenate(part) for part in zip(*parts, strict=True))
    kept = log_weights > log_weights.max() - NEGLIGIBLE
    weight = np.exp(log_weights[kept] - log_weights.max())
    own = times.own[times.known & (times.own > 0)]
    reading = float(np.median(own)) if len(own) else 0.0
    return Posterior(coefficients[kept], sigmas[kept], weight / weight.sum(), reading)


class _Frame:
    """The line in coordinates theta in which the design is orthogonal: X c = Q theta with theta = R c."""

    def __init__(self, design: Real, times: Times, limits: Real, beliefs: Mapping[int, tuple[float, float]]) -> None:
        self._times, self._limits, self._beliefs = times, limits, beliefs
        self._rotated, back = np.linalg.qr(design)
        self.inverse = np.linalg.inv(back)
        ends = back[:, :, None] * limits[None]
        self.box = np.stack([ends.min(axis=2).sum(axis=1), ends.max(axis=2).sum(axis=1)], axis=1)

    def grid(self, box: Real, sigma: float, *, blurred: bool, shift: Real | float = 0.0) -> tuple[Real, Real, Real]:
        """Points (M, k) of a regular grid in `box`, its steps (k,), and the log weights (M,)."""
        step = (box[:, 1] - box[:, 0]) / (POINTS[len(box)] - 1)
        axes = (box[:, 0] + shift * step)[:, None] + step[:, None] * np.arange(POINTS[len(box)])
        theta = np.stack([axis.ravel() for axis in np.meshgrid(*axes, indexing="ij")], axis=1)
        blur = np.abs(self._rotated) @ step / 2 if blurred else np.zeros(len(self._rotated))
        log_weight = _log_likelihood(theta @ self._rotated.T, self._times, sigma, blur)
        c = theta @ self.inverse.T
        for place, (mean, deviation) in self._beliefs.items():
            log_weight = log_weight - 0.5 * ((c[:, place] - mean) / deviation) ** 2
        log_weight[((c < self._limits[:, 0] - 1e-9) | (c > self._limits[:, 1] + 1e-9)).any(axis=1)] = -np.inf
        return theta, step, log_weight


def _log_likelihood(line: Real, times: Times, sigma: float, blur: Real) -> Real:
    """(M,) for lines (M, N); `blur` (N,) adds to the spread of every run."""
    known = times.known
    spread = np.sqrt(sigma**2 + times.own[known] ** 2 + blur[known] ** 2)
    off = (times.log_tau[known] - line[:, known]) / spread
    total = -0.5 * (off**2).sum(axis=1) - np.log(spread).sum()
    if not known.all():
        bound = ~known
        far = (line[:, bound] - times.log_tau[bound]) * times.kind[bound] / np.hypot(sigma, blur[bound])
        total = total + log_ndtr(far).sum(axis=1)
    return np.asarray(total)


def _weighted_quantile(values: Real, weight: Real, p: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(np.interp(p, total - weight[order] / 2, values[order]))
