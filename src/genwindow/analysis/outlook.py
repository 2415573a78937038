"""An outlook: when the run at hand will begin to copy, from the copies counted so far.

The share of copies is p(tau) = floor + (1 - floor) (1 - exp(-eps (tau / tau_mem)^kappa)): it leaves the floor by about
eps at tau_mem and grows as a power of the training time there. Copies counted at each measuring time are binomial. The
posterior of tau_mem, of the growth kappa and of the floor is summed on a grid, with flat priors for log tau_mem and log
kappa, and Jeffreys' prior for the floor, which held-out images inform. A forecast from pilot runs can take the place of
the flat prior of tau_mem, blunted so that the run itself can overrule it.

Looks are taken as independent. The monitor draws the same noise at each, so they are correlated, weakly as long as
copies are few; the interval is too narrow by what that amounts to.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtr

from genwindow.curve import Estimate, short
from genwindow.errors import check, check_integer, check_number

Real = NDArray[np.float64]

GROWTH = (1.0, 8.0)
"""Range of kappa. Between 1.5 and 6 in the runs of docs/monitor.md."""

REACH = 100.0
"""A flat prior reaches from a tenth of the first measuring time to so many times the last."""

TRUST = 0.9
"""Weight of a forecast from pilots against the flat prior."""

_TIMES, _GROWTHS = 161, 15
_FLOORS, _MOST_FLOORS = 16, 128


@dataclass(frozen=True)
class Look:
    """What one measuring time counted.

    Attributes:
        step: gradient steps made.
        copies: generated images that count as copies.
        drawn: generated images.
    """

    step: int
    copies: int
    drawn: int

    def __post_init__(self) -> None:
        check_integer("step", self.step, low=1)
        check_integer("drawn", self.drawn, low=1)
        check_integer("copies", self.copies, low=0)
        check(self.copies <= self.drawn, f"copies must be at most drawn, got {self.copies} of {self.drawn}")


@dataclass(frozen=True, eq=False)
class Outlook:
    """The posterior of tau_mem of one run.

    Attributes:
        tau_mem: median and 90 % interval, in steps.
    """

    tau_mem: Estimate
    _log_tau: Real
    _weight: Real

    def share_before(self, step: float) -> float:
        """Probability that tau_mem is at most `step`."""
        check_number("step", step, low=0, low_open=True)
        cumulative = np.cumsum(self._weight)
        half = (self._log_tau[1] - self._log_tau[0]) / 2
        return float(np.interp(math.log(step), self._log_tau + half, cumulative, left=0.0, right=1.0))


def outlook(
    looks: Sequence[Look],
    floor_copies: int,
    floor_total: int,
    *,
    eps: float = 0.01,
    prior: Estimate | None = None,
) -> Outlook:
    """When will this run begin to copy?

    Args:
        looks: what was counted so far, by step.
        floor_copies: held-out images that count as copies.
        floor_total: held-out images.
        eps: tau_mem is where f_mem exceeds its floor by this much.
        prior: forecast of tau_mem with its 90 % interval, in steps.

    Raises:
        GenwindowError: without a look, or when steps do not increase.

    Example:
        >>> copied = [Look(100, 0, 500), Look(200, 0, 500), Look(400, 1, 500), Look(800, 8, 500)]
        >>> round(outlook(copied, 0, 500).share_before(800), 2)
        0.78
    """
    check(len(looks) > 0, "an outlook needs one measuring time at least")
    steps = np.array([look.step for look in looks], dtype=np.float64)
    check(bool((np.diff(steps) > 0).all()), f"steps must increase, got {steps.astype(int).tolist()}")
    check_number("eps", eps, low=0, high=1, low_open=True, high_open=True)
    low, high = math.log(steps[0] / 10), math.log(steps[-1] * REACH)
    if prior is not None and prior.value is not None:
        low, high = min(low, math.log(prior.value) - 3), max(high, math.log(prior.value) + 3)
    whole = np.linspace(low, high, _TIMES)
    floor, share_of_node = _floors(looks, floor_copies, floor_total)
    weight = _posterior(looks, whole, floor, share_of_node, eps, _log_prior(whole, (low, high), prior))
    likely = np.flatnonzero(weight > 1e-9 * weight.max())  # once more, finely, where the posterior is
    ends = whole[max(likely[0] - 1, 0)], whole[min(likely[-1] + 1, _TIMES - 1)]
    log_tau = np.linspace(*ends, _TIMES)
    weight = _posterior(looks, log_tau, floor, share_of_node, eps, _log_prior(log_tau, (low, high), prior))
    edges = log_tau + (log_tau[1] - log_tau[0]) / 2
    early, middle, late = (float(np.exp(np.interp(p, np.cumsum(weight), edges))) for p in (0.05, 0.5, 0.95))
    text = f"copying begins near step {short(middle)}, 90 % interval {short(early)} to {short(late)}"
    return Outlook(Estimate(middle, early, late, "found", "outlook", text), log_tau, weight)


def _floors(looks: Sequence[Look], copies: int, total: int) -> tuple[Real, Real]:
    """Nodes of the floor's posterior given the held-out images alone, and their weights.

    The more samples were drawn than there are held-out images, the narrower the floor may become within that posterior,
    and the more nodes are needed to see it.
    """
    drawn = sum(look.drawn for look in looks)
    count = min(math.ceil(_FLOORS * math.sqrt(1 + drawn / max(total, 1))), _MOST_FLOORS)
    node, weight = np.polynomial.legendre.leggauss(count)  # reaches into both tails
    floor = betaincinv(copies + 0.5, total - copies + 0.5, (node + 1) / 2)
    return np.minimum(floor, 1 - 1e-15), weight / 2  # a floor of 1 has no logarithm of what is left


def _posterior(
    looks: Sequence[Look], log_tau: Real, floor: Real, share_of_node: Real, eps: float, log_prior: Real
) -> Real:
    """(T,) weights of the times, growth and floor summed over.

    The share that are no copies, (1 - floor) exp(-x), is a product, so only counted copies need the whole grid.
    """
    growth = np.geomspace(*GROWTH, _GROWTHS)
    log_weight = log_prior[:, None, None] + np.log(share_of_node) + np.zeros((1, len(growth), 1))
    for look in looks:
        x = eps * np.exp(np.minimum(growth * (math.log(look.step) - log_tau[:, None]), 50))
        log_weight += (look.drawn - look.copies) * (np.log1p(-floor) - x[:, :, None])
        if look.copies:
            share = floor + (1 - floor) * -np.expm1(-x)[:, :, None]
            log_weight += look.copies * np.log(np.maximum(share, 1e-300))
    weight = np.exp(log_weight - log_weight.max()).sum(axis=(1, 2))
    return np.asarray(weight / weight.sum())


def _log_prior(log_tau: Real, reach: tuple[float, float], prior: Estimate | None) -> Real:
    """Log of the prior probability of each cell of a grid that lies within `reach`."""
    step = log_tau[1] - log_tau[0]
    flat = np.full(len(log_tau), step / (reach[1] - reach[0]))
    if prior is None or prior.value is None or not prior.low or prior.high is None:
        return np.log(flat)
    spread = max(math.log(prior.high / prior.low) / 3.29, 0.05)  # a 90 % interval is 3.29 standard deviations wide
    ends = (log_tau - math.log(prior.value)) / spread
    bell = ndtr(ends + step / spread / 2) - ndtr(ends - step / spread / 2)
    return np.log(TRUST * bell + (1 - TRUST) * flat)


def above_floor(looks: Sequence[Look], floor_copies: int, floor_total: int, *, confidence: float = 0.95) -> int | None:
    """The first look that shows copies beyond chance, right however often one looks; None when none does.

    Half of the error goes to the floor, which is measured once; the other half is divided among the looks, the k-th of
    which may spend 6 / (pi k)^2 of it, so all of them together, however many, stay within it. This is for numbers drawn
    that do not depend on the counts. Where more are drawn after a first count, up to eight times as many, the second
    half may reach 7 % in place of 2.5 % in the worst case; the whole stays below 5 % for up to 100,000 held-out images
    (computed), since the floor's half leaves room.

    Args:
        looks: what was counted so far.
        floor_copies: held-out images that count as copies.
        floor_total: held-out images.
        confidence: that no look is named on a run that copies no more often than chance.

    Returns:
        Index of the look.
    """
    check_number("confidence", confidence, low=0, high=1, low_open=True, high_open=True)
    error = (1 - confidence) / 2
    ceiling = 1.0 if floor_copies == floor_total else float(
        betaincinv(floor_copies + 1, floor_total - floor_copies, 1 - error)
    )  # fmt: skip
    for k, look in enumerate(looks, start=1):
        spent = error * 6 / (math.pi * k) ** 2
        if look.copies and betaincinv(look.copies, look.drawn - look.copies + 1, spent) > ceiling:
            return k - 1
    return None
