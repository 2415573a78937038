"""A forecast: the training time at which copying will begin at a size n, from a few small runs.

The model is log tau = log a + beta log n + c(n) + sigma e with Gaussian e and beta free, but not unknown: few pilots of
nearby sizes say little about a slope, so what earlier experiments found enters as a prior. The straight line, a power
law, has c = 0; a bent one takes its curvature c from a theory, c = log tau_theory(n) - log n, so that beta = 1 is the
theory itself. With pilots of several widths W a term gamma log W joins. Runs that did not reach the event stay in as
bounds (see `genwindow.analysis.censored`). A prediction interval is for one new run: it holds the doubt about the line,
the scatter of single runs, and the error with which a time is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.analysis.censored import Gaussians, Posterior, bound_of, posterior, times_of
from genwindow.curve import Estimate, short
from genwindow.errors import GenwindowError, check, check_number

Real = NDArray[np.float64]

BETA = (-1.0, 4.0)
GAMMA = (-4.0, 2.0)
"""Ranges of the exponents of n and of the width."""

SLOPE = (1.0, 0.3)
"""Mean and standard deviation of what is known of beta before any pilot: 1 is the law of the paper, and the exponents
measured in docs/results.md lie on both sides of it, most of them within 0.3."""

CONFIDENCE = 0.9
"""Of prediction intervals."""


@dataclass(frozen=True)
class Pilot:
    """One small run.

    Attributes:
        n: training images.
        tau: when it began to copy, or the bound it gives.
        width: of its network; None where widths play no part.
    """

    n: float
    tau: Estimate
    width: float | None = None

    def __post_init__(self) -> None:
        check_number("n", self.n, low=0, low_open=True)
        if self.width is not None:
            check_number("width", self.width, low=0, low_open=True)

    @property
    def informative(self) -> bool:
        """Whether the run says anything: a time, or a bound that is not zero."""
        return bool(bound_of(self.tau)[0])

    @property
    def reached(self) -> bool:
        """Whether the run gives a time, not a bound."""
        return self.informative and bound_of(self.tau)[1] == 0

    @property
    def began_before(self) -> bool:
        """Whether all it says is that copying began before a time."""
        return self.informative and bound_of(self.tau)[1] < 0


@dataclass(frozen=True, eq=False)
class Forecast:
    """Tau as a function of n, and of the width where pilots differ in it, with its doubt.

    Attributes:
        shape: `power law`, or the name of what bends the line.
        exponent: beta with its 95 % interval.
        slope_one_p: twice the smaller of the two posterior probabilities of beta above and below 1, from the pilots
            alone: small when tau is not proportional to n (or, for a bent line, not as the theory says).
        width_exponent: gamma with its 95 % interval, or None without a width term.
        sigma: median scatter of single runs about the line, in log tau.
        pilots: the runs used.
        text: one sentence for a person.
    """

    shape: str
    exponent: Estimate
    slope_one_p: float
    width_exponent: Estimate | None
    sigma: float
    pilots: tuple[Pilot, ...]
    text: str
    _bend: Callable[[Real], Real]
    _centre: Real
    _posterior: Posterior

    def predict(self, n: float, *, width: float | None = None, confidence: float = CONFIDENCE) -> Estimate:
        """Tau at n for one new run: median and prediction interval.

        Args:
            n: training images.
            width: of the network; needed exactly where the pilots differ in it.
            confidence: of the interval.

        Raises:
            GenwindowError: where the line is not known at n, or the width is missing or not wanted.
        """
        return predicted(n, self.new_run(n, width=width), self.shape, confidence)

    def new_run(self, n: float, *, width: float | None = None) -> Gaussians:
        """The log time of one new run at n."""
        bend, row = self._place(n, width)
        made = self._posterior.new_run(row)
        return Gaussians(made.middle + bend, made.spread, made.weight)

    def log_density(self, runs: Sequence[Pilot]) -> float:
        """Log of the joint density of the log times of new runs that reached the event: how well they were foretold."""
        times = times_of([run.tau for run in runs])
        places = [self._place(run.n, run.width) for run in runs]
        bends, rows = np.array([bend for bend, _ in places]), np.array([row for _, row in places])
        return self._posterior.log_density(rows, times.log_tau - bends, times.own)

    def _place(self, n: float, width: float | None) -> tuple[float, Real]:
        """Bend of the line at n, and the row of the design."""
        check_number("n", n, low=0, low_open=True)
        check((width is None) == (self.width_exponent is None), "a width is needed exactly where the pilots have one")
        bend = float(self._bend(np.array([float(n)]))[0])
        check(bool(np.isfinite(bend)), f"{self.shape}: its time at n = {n:g} is not known")
        row = np.array([1.0, np.log(n), *([] if width is None else [np.log(width)])])
        row[1:] -= self._centre
        return bend, row


def predicted(n: float, run: Gaussians, method: str, confidence: float) -> Estimate:
    """Median and prediction interval of one new run at n."""
    check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    tail = (1 - confidence) / 2
    found = np.array(run.quantiles((tail, 0.5, 1 - tail)))
    low, value, high = (float(v) for v in np.exp(np.clip(found, -700, 700)))
    text = f"at n = {n:g}: {short(value)} steps, {100 * confidence:g} % interval {short(low)} to {short(high)}"
    return Estimate(value, low, high, "found", method, text)


def forecast(
    pilots: Sequence[Pilot],
    *,
    bend: Callable[[Real], Real] | None = None,
    shape: str = "power law",
    slope: tuple[float, float] | None = SLOPE,
) -> Forecast:
    """Fit the line.

    Args:
        pilots: small runs; a size may be repeated (seeds). Those that say nothing are left out.
        bend: log tau(n) of a theory up to a constant, vectorised, NaN where it is not known; None takes the power law.
        shape: name of the line.
        slope: mean and standard deviation of a Gaussian prior of beta; None lets the pilots speak alone.

    Raises:
        GenwindowError: when no run reached the event, with fewer than two sizes that did, when only some pilots have a
            width, or when n and width cannot be told apart.
    """
    used = tuple(sorted((p for p in pilots if p.informative), key=lambda p: (p.n, p.width or 0)))
    reached = [p for p in used if p.reached]
    if used and not reached and all(p.began_before for p in used):
        raise GenwindowError(
            f"all {len(used)} pilots had begun to copy by their first measurement: there is nothing to extrapolate; "
            "measure earlier (measure.first) or take more images"
        )
    if not reached:
        raise GenwindowError(
            f"none of {len(pilots)} pilots had surely begun to copy: there is nothing to extrapolate; train them "
            "longer or on fewer images"
        )
    sizes = sorted({p.n for p in reached})
    check(
        len(sizes) >= 2,
        f"a forecast needs pilots of two sizes at least that began to copy, got n = "
        f"{', '.join(f'{s:g}' for s in sizes)}",
    )
    widths = [p.width for p in used if p.width is not None]
    check(len(widths) in (0, len(used)), f"{len(widths)} of {len(used)} pilots have a width; give it for all or none")
    columns = [[np.log(p.n) for p in used], *([[np.log(p.width or 1) for p in used]] if widths else [])]
    logs = np.array(columns, dtype=np.float64).T
    known = np.array([p.reached for p in used])
    told_apart = int(np.linalg.matrix_rank(logs[known] - logs[known].mean(axis=0), tol=1e-6)) == logs.shape[1]
    check(told_apart, "pilots of several widths must show the effect of n and of the width apart: vary one at a time")
    offset: Callable[[Real], Real] = np.zeros_like if bend is None else lambda n: bend(n) - np.log(n)
    bent = np.asarray(offset(np.array([p.n for p in used])), dtype=np.float64)
    check(bool(np.isfinite(bent).all()), f"{shape}: its times at the pilots' sizes must be known, got {bent}")
    centre = logs.mean(axis=0)
    times = times_of([p.tau for p in used])
    times = type(times)(times.log_tau - bent, times.kind, times.own)
    half = 4.0 + 2 * float(np.ptp(logs, axis=0).sum())  # wide enough for slopes that censored runs push about
    start = times.log_tau[times.known]
    bounds = [(start.min() - half, start.max() + half), BETA, *([GAMMA] if widths else [])]
    found = posterior(
        np.column_stack([np.ones(len(used)), logs - centre]), times, bounds, {} if slope is None else {1: slope}
    )
    exponent = _exponent(
        found, 1, "tau_mem grows as n" if bend is None else f"against the {shape}, 1 being its own, as n"
    )
    alone = found if slope is None else posterior(np.column_stack([np.ones(len(used)), logs - centre]), times, bounds)
    above = alone.above(1, 1.0)
    text = f"{len(used)} pilots, n = {used[0].n:g} to {used[-1].n:g}: {exponent.text}"
    gamma = _exponent(found, 2, "tau_mem goes as the width") if widths else None
    return Forecast(
        shape,
        exponent,
        max(2 * min(above, 1 - above), 0.0),  # rounding may leave it below 0
        gamma,
        found.median_sigma(),
        used,
        text,
        offset,
        centre,
        found,
    )


def prior_from_json(data: Mapping[str, Any]) -> Estimate:
    """What a kept forecast says about tau_mem, in steps, for whoever watches the long run: value and 90 % interval.

    Args:
        data: content of a `forecast.json`.

    Raises:
        GenwindowError: when it is none, or holds no value.
    """
    found = data.get("tau_mem") if isinstance(data, Mapping) else None
    check(isinstance(found, Mapping), "this is no forecast: it has no tau_mem; give a forecast.json")
    assert isinstance(found, Mapping)
    try:
        estimate = Estimate.from_json(found)
    except GenwindowError:
        raise
    except (TypeError, ValueError) as error:
        raise GenwindowError(f"tau_mem of this forecast is damaged: {error}") from None
    whole = estimate.found and estimate.low is not None and estimate.high is not None
    check(whole, f"this forecast has no value with an interval for tau_mem ({estimate.status})")
    return estimate


def _exponent(found: Posterior, index: int, what: str) -> Estimate:
    low, value, high = (found.quantile(index, p) for p in (0.025, 0.5, 0.975))
    text = f"{what} to the power {value:.2f} (95 % interval {low:.2f} to {high:.2f})"
    return Estimate(value, low, high, "found", "posterior", text)
