"""A power law: tau = a * n**beta, fitted to training times measured at several training-set sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from genwindow.analysis.onset import first_above
from genwindow.curve import Curve, Estimate
from genwindow.errors import check, check_number


@dataclass(frozen=True)
class PowerLaw:
    """The fit of tau = a * n**beta.

    Attributes:
        exponent: beta with its 95 % interval.
        prefactor: a, in the unit of tau; NaN when the exponent is ill-posed.
        n: (k,) sizes that entered the fit.
        tau: (k,) their times.
        local_slopes: (k - 1,) log-slope between neighbouring sizes (their geometric mean where a size was repeated).
        text: one sentence for a person.
        without: sizes with runs that have no time, so that they are not in the fit: `512`, or `512 (2 of 3)`. Where
            these came to no time because they had not copied yet, the exponent is too small.
    """

    exponent: Estimate
    prefactor: float
    n: NDArray[np.float64]
    tau: NDArray[np.float64]
    local_slopes: NDArray[np.float64]
    text: str
    without: tuple[str, ...] = ()

    def predict(self, n: ArrayLike) -> NDArray[np.float64]:
        """The fitted time at each n (NaN when the exponent is ill-posed)."""
        beta = np.nan if self.exponent.value is None else self.exponent.value
        return self.prefactor * np.asarray(n, dtype=np.float64) ** beta


def fit_power_law(n: Sequence[float], tau: Sequence[Estimate] | Sequence[float]) -> PowerLaw:
    """Least squares in log n and log tau.

    The interval of the exponent is the wider of two: the one from the scatter about the line (Student t, when there
    are more than two points), and the one that the intervals of the single times imply. Of an interval with one open
    end the other half counts; a time of unknown error is taken to be as uncertain as the most uncertain of the others;
    with a time of which both ends are open, two points have no interval. Times without a value (`not_reached` and the
    like) cannot enter and are named in the text.

    Args:
        n: sizes, positive; a size may be repeated (several seeds).
        tau: times, as numbers or `Estimate`s.

    Returns:
        The fit; its exponent is `ill_posed` when fewer than two different sizes have a time.
    """
    check(len(n) == len(tau), f"n and tau must have one length, got {len(n)} and {len(tau)}")
    for size in n:
        check_number("n", size, low=0, low_open=True)
    estimates = [t if isinstance(t, Estimate) else Estimate(float(t), None, None, "found", "given") for t in tau]
    used = [(float(s), e) for s, e in zip(n, estimates, strict=True) if e.value is not None and e.value > 0]
    used.sort(key=lambda pair: pair[0])
    left_out = [
        f"n = {s:g} ({e.status if e.value is None else f'a time of {e.value:g}'})"
        for s, e in zip(n, estimates, strict=True)
        if e.value is None or e.value <= 0
    ]
    sizes = np.array([s for s, _ in used])
    times = np.array([e.value for _, e in used], dtype=np.float64)
    note = f" Not in the fit: {', '.join(left_out)}." if left_out else ""
    without = _without(n, [size for size, _ in used])
    if len(set(sizes)) < 2:
        text = f"a power law needs a time at two sizes at least, got {len(set(sizes))}.{note}"
        return PowerLaw(
            Estimate(None, None, None, "ill_posed", "least_squares", text),
            np.nan, sizes, times, np.empty(0), text, without,
        )  # fmt: skip
    x, y = np.log(sizes), np.log(times)
    dx = x - x.mean()
    sxx = float(dx @ dx)
    beta = float(dx @ y) / sxx
    intercept = float(y.mean() - beta * x.mean())
    half = _half_width(dx, sxx, y - intercept - beta * x, [e for _, e in used])
    low, high = (None, None) if half is None else (beta - half, beta + half)
    interval = "" if half is None else f" (95 % interval {low:.2f} to {high:.2f})"
    runs = f"{len(used)} runs, n = {sizes[0]:g} to {sizes[-1]:g}"
    text = f"tau grows as n to the power {beta:.2f}{interval}, from {runs}.{note}"
    exponent = Estimate(beta, low, high, "found", "least_squares", text)
    return PowerLaw(exponent, float(np.exp(intercept)), sizes, times, _local_slopes(x, y), text, without)


def _without(n: Sequence[float], used: Sequence[float]) -> tuple[str, ...]:
    words = []
    for size in sorted(set(n)):
        runs, missing = list(n).count(size), list(n).count(size) - list(used).count(float(size))
        if missing:
            words.append(f"{size:g}" if missing == runs else f"{size:g} ({missing} of {runs})")
    return tuple(words)


def _half_width(
    dx: NDArray[np.float64], sxx: float, residual: NDArray[np.float64], used: Sequence[Estimate]
) -> float | None:
    """Half the 95 % interval of the slope; None when neither scatter nor single intervals say anything."""
    widths = []
    freedom = len(dx) - 2
    if freedom > 0:
        scatter = float(np.sqrt(residual @ residual / freedom / sxx))
        widths.append(float(stats.t.ppf(0.975, freedom)) * scatter)
    sigma = [_log_error(e) for e in used]
    known = [s for s in sigma if s is not None and np.isfinite(s)]
    if known and (freedom > 0 or np.inf not in sigma):
        single = np.array([max(known) if s is None or np.isinf(s) else s for s in sigma])
        widths.append(1.96 * float(np.sqrt(((dx / sxx) ** 2) @ single**2)))
    return max(widths) if widths else None


def _log_error(estimate: Estimate) -> float | None:
    """Standard error of log tau from a 95 % interval: its wider half, or the only one where the other end is open.

    None where there is no interval, infinite where both ends are open: nothing is known of this time but its value.
    """
    value, low, high = estimate.value, estimate.low, estimate.high
    assert value is not None
    if low is None and high is None:
        return None
    halves = [np.log(high / value)] if high is not None else []
    halves += [np.log(value / low)] if low else []
    return float(max(halves)) / 1.96 if halves else np.inf


def _local_slopes(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    at = np.unique(x)
    mean = np.array([y[x == value].mean() for value in at])
    return np.diff(mean) / np.diff(at)


@dataclass(frozen=True)
class Collapse:
    """Curves of several sizes on one axis tau / n**exponent.

    Attributes:
        curves: the same curves with `tau` divided by n**exponent.
        exponent: the exponent used.
        spread: root mean square difference in log tau between the curves and their mean, at the heights that all of
            them pass; None when they pass no common height. Half the spread means twice as good a collapse.
    """

    curves: tuple[Curve, ...]
    exponent: float
    spread: float | None


def collapse(curves: Sequence[Curve], n: Sequence[float], *, exponent: float = 1.0) -> Collapse:
    """Rescale training time by n**exponent; if tau_mem is proportional to n, f_mem curves fall on one another.

    Args:
        curves: one per size, for example f_mem.
        n: the sizes.
        exponent: 1 is the law tau_mem proportional to n; 0 leaves the curves as they are.
    """
    check(len(curves) == len(n), f"curves and n must have one length, got {len(curves)} and {len(n)}")
    for size in n:
        check_number("n", size, low=0, low_open=True)
    scaled = tuple(
        Curve(c.name, c.tau / s**exponent, c.value, c.low, c.high, c.step, c.samples, c.unit, c.t)
        for c, s in zip(curves, n, strict=True)
    )
    return Collapse(scaled, float(exponent), _spread(scaled))


def _spread(curves: Sequence[Curve]) -> float | None:
    full = [c for c in curves if len(c) > 1]
    if len(full) < 2:
        return None
    bottom = max(float(c.value[0]) for c in full)
    top = min(float(c.value.max()) for c in full)
    if top <= bottom:
        return None
    heights = bottom + (top - bottom) * np.linspace(0.05, 0.95, 19)
    rows = [[np.log(first_above(c.tau, c.value, h) or np.nan) for h in heights] for c in full]
    times = np.array(rows)
    return float(np.sqrt(np.mean((times - times.mean(axis=0)) ** 2)))
