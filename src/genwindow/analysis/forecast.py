"""A forecast: the training time at which copying will begin at a size n, from a few small runs.

The model is log tau = log a + beta g(n) + sigma e with Gaussian e. For the straight line g = log n and beta is free; a
bent line takes its shape from elsewhere, g = log of a theory's tau(n), with beta = 1. Runs that did not reach the event
stay in as bounds (a likelihood with censoring). The posterior is summed on a grid with flat priors for log a and beta
and 1/sigma for sigma between 2 % and 150 %, so a prediction interval holds both the spread of single runs and the doubt
about the line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from genwindow.curve import Estimate, short
from genwindow.errors import GenwindowError, check, check_number

Real = NDArray[np.float64]

BETA = (-1.0, 4.0)
SIGMA = (0.02, 1.5)
COARSE, FINE = (241, 41, 15), (61, 51, 25)
"""Points for log a, beta and log sigma."""

NEGLIGIBLE = 1e-6
"""Weight, relative to the largest, that is left out."""


@dataclass(frozen=True)
class Pilot:
    """One small run.

    Attributes:
        n: training images.
        tau: when it began to copy, or the bound it gives.
    """

    n: float
    tau: Estimate

    def __post_init__(self) -> None:
        check_number("n", self.n, low=0, low_open=True)

    @property
    def informative(self) -> bool:
        """Whether the run says anything: a time, or a bound that is not zero."""
        known = {"found": self.tau.value, "not_reached": self.tau.low, "below_range": self.tau.high}
        return bool(known.get(self.tau.status))


@dataclass(frozen=True, eq=False)
class Forecast:
    """tau as a function of n, with its doubt.

    Attributes:
        shape: `power law`, or the name of what bends the line.
        exponent: beta with its 95 % interval; 1 by construction for a bent line.
        slope_one_p: twice the smaller of the two posterior probabilities of beta above and below 1; 1 for a bent line.
        sigma: median scatter of single runs about the line, in log tau.
        pilots: the runs used.
        text: one sentence for a person.
    """

    shape: str
    exponent: Estimate
    slope_one_p: float
    sigma: float
    pilots: tuple[Pilot, ...]
    text: str
    _g: Callable[[Real], Real]
    _centre: float
    _grid: tuple[Real, Real, Real, Real]

    def predict(self, n: float, *, confidence: float = 0.9) -> Estimate:
        """Tau at n for one new run: median and prediction interval.

        Args:
            n: training images.
            confidence: of the interval.
        """
        check_number("n", n, low=0, low_open=True)
        check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
        a, beta, sigma, weight = self._grid
        middle = a + beta * (float(self._g(np.array([float(n)]))[0]) - self._centre)
        tail = (1 - confidence) / 2
        low, value, high = (_mixture_quantile(middle, sigma, weight, p) for p in (tail, 0.5, 1 - tail))
        text = f"at n = {n:g}: {short(value)} steps, {100 * confidence:g} % interval {short(low)} to {short(high)}"
        return Estimate(value, low, high, "found", self.shape, text)


def forecast(
    pilots: Sequence[Pilot], *, bend: Callable[[Real], Real] | None = None, shape: str = "power law"
) -> Forecast:
    """Fit the line.

    Args:
        pilots: small runs; a size may be repeated (seeds). Those that say nothing are left out.
        bend: log tau(n) up to a constant, vectorised; None takes the straight power law with a free exponent.
        shape: name of the line.

    Raises:
        GenwindowError: with fewer than two sizes that say anything for the power law (one for a bent line), or when no
            run reached the event.
    """
    used = tuple(sorted((p for p in pilots if p.informative), key=lambda p: p.n))
    reached = [p for p in used if p.tau.value is not None]
    if not reached:
        raise GenwindowError(
            f"none of {len(pilots)} pilots began to copy: there is nothing to extrapolate; train them longer or on "
            "fewer images"
        )
    sizes = sorted({p.n for p in reached})
    least = 2 if bend is None else 1
    check(
        len(sizes) >= least,
        f"a forecast by a power law needs pilots of two sizes at least that began to copy, got n = "
        f"{', '.join(f'{s:g}' for s in sizes)}",
    )
    g: Callable[[Real], Real] = np.log if bend is None else bend
    x = np.asarray(g(np.array([p.n for p in used])), dtype=np.float64)
    check(bool(np.isfinite(x).all()), f"{shape}: its times at the pilots' sizes must be known, got {x}")
    centre = float(x.mean())
    grid = _posterior(used, x - centre, free=bend is None)
    a, beta, sigma, weight = grid
    exponent = _exponent(beta, weight, bend is None)
    above = float(weight[beta > 1].sum())
    p_one = 2 * min(above, 1 - above) if bend is None else 1.0
    scatter = _weighted_quantile(sigma, weight, 0.5)
    said = f"beta = {exponent}" if bend is None else f"bent as {shape}"
    text = f"tau_mem against n from {len(used)} pilots, n = {used[0].n:g} to {used[-1].n:g}: {said}"
    return Forecast(shape, exponent, p_one, scatter, used, text, g, centre, grid)


@dataclass(frozen=True)
class BackTest:
    """How a forecast from the smaller pilots would have done for the largest size.

    Attributes:
        n: the size left out.
        predicted: from the others.
        truth: geometric mean of its times.
        factor: predicted over true, above 1 when too late.
        inside: whether the interval holds the truth.
    """

    n: float
    predicted: Estimate
    truth: float
    factor: float
    inside: bool


def back_test(
    pilots: Sequence[Pilot], *, bend: Callable[[Real], Real] | None = None, shape: str = "power law"
) -> BackTest | None:
    """Leave out the largest size that began to copy, and forecast it; None when too little is left."""
    reached = [p for p in pilots if p.tau.value is not None]
    if not reached:
        return None
    largest = max(p.n for p in reached)
    try:
        found = forecast([p for p in pilots if p.n < largest], bend=bend, shape=shape)
    except GenwindowError:
        return None
    predicted = found.predict(largest)
    truth = float(np.exp(np.mean([np.log(p.tau.value) for p in reached if p.n == largest and p.tau.value])))
    assert predicted.value is not None and predicted.low is not None and predicted.high is not None
    inside = predicted.low <= truth <= predicted.high
    return BackTest(largest, predicted, truth, predicted.value / truth, inside)


def _posterior(pilots: Sequence[Pilot], x: Real, *, free: bool) -> tuple[Real, Real, Real, Real]:
    """Flat grids of log a (at the mean of x), beta, sigma, and their weights."""
    bounds = np.log([next(v for v in (p.tau.value, p.tau.low, p.tau.high) if v) for p in pilots])
    reached = [b for b, p in zip(bounds, pilots, strict=True) if p.tau.value is not None]
    half = 4.0 + (x.max() - x.min())  # wide enough for slopes that censored runs push about
    spans = [
        (min(reached) - half, max(reached) + half),
        BETA if free else (1.0, 1.0),
        (np.log(SIGMA[0]), np.log(SIGMA[1])),
    ]
    for counts in (COARSE, FINE):  # first where the weight is, then a fine grid there
        axes = [
            np.linspace(low, high, count if high > low else 1) for (low, high), count in zip(spans, counts, strict=True)
        ]
        a, beta, log_sigma = (axis.ravel() for axis in np.meshgrid(*axes, indexing="ij"))
        log_weight = _log_likelihood(
            pilots, x, a, beta, np.exp(log_sigma)
        )  # the grid is flat in log sigma: prior 1/sigma
        weight = np.exp(log_weight - log_weight.max())
        kept = weight > NEGLIGIBLE
        spans = [
            (max(low, float(v[kept].min()) - step), min(high, float(v[kept].max()) + step))
            for (low, high), v, step in zip(spans, (a, beta, log_sigma), map(_step, axes), strict=True)
        ]
    return a[kept], beta[kept], np.exp(log_sigma[kept]), weight[kept] / weight[kept].sum()


def _step(axis: Real) -> float:
    return float(axis[1] - axis[0]) if len(axis) > 1 else 0.0


def _log_likelihood(pilots: Sequence[Pilot], x: Real, a: Real, beta: Real, sigma: Real) -> Real:
    total = np.zeros(len(a))
    for pilot, at in zip(pilots, x, strict=True):
        line = a + beta * at
        tau = pilot.tau
        if tau.value is not None:
            own = _own_error(tau)
            spread = np.sqrt(sigma**2 + own**2)
            total += -0.5 * ((np.log(tau.value) - line) / spread) ** 2 - np.log(spread)
        elif tau.status == "not_reached":
            assert tau.low is not None
            total += log_ndtr((line - np.log(tau.low)) / sigma)
        else:
            assert tau.high is not None
            total += log_ndtr((np.log(tau.high) - line) / sigma)
    return total


def _own_error(tau: Estimate) -> float:
    """Standard error of log tau from its 95 % interval; 0 where it has no two positive ends."""
    if tau.value is None or not tau.low or tau.high is None:
        return 0.0
    return float(np.log(tau.high / tau.low)) / 3.92


def _exponent(beta: Real, weight: Real, free: bool) -> Estimate:
    if not free:
        return Estimate(1.0, 1.0, 1.0, "found", "fixed", "fixed by the shape of the line")
    low, value, high = (_weighted_quantile(beta, weight, p) for p in (0.025, 0.5, 0.975))
    text = f"tau_mem grows as n to the power {value:.2f} (95 % interval {low:.2f} to {high:.2f})"
    return Estimate(value, low, high, "found", "posterior", text)


def _weighted_quantile(values: Real, weight: Real, p: float) -> float:
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    return float(values[order][min(int(np.searchsorted(total, p)), len(values) - 1)])


def _mixture_quantile(middle: Real, sigma: Real, weight: Real, p: float) -> float:
    """Exp of the quantile of a weighted mixture of normal distributions, by bisection."""
    low, high = float((middle - 8 * sigma).min()), float((middle + 8 * sigma).max())
    for _ in range(45):
        centre = (low + high) / 2
        if float(weight @ ndtr((centre - middle) / sigma)) < p:
            low = centre
        else:
            high = centre
    return float(np.exp(np.clip((low + high) / 2, -700, 700)))
