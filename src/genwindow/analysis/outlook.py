"""An outlook: when the run at hand will begin to copy, from the copies counted so far.

The share of copies is p(tau) = floor + (1 - floor) (1 - exp(-eps (tau / tau_mem)^kappa)): it leaves the floor by about
eps at tau_mem and grows as a power of the training time there. Copies counted at each measuring time are binomial. The
posterior of tau_mem, of the growth kappa and of the floor is summed on a grid, with flat priors for log tau_mem and log
kappa, and Jeffreys' prior for the floor, which held-out images inform. A forecast from pilot runs can take the place of
the flat prior of tau_mem, blunted so that the run itself can overrule it.

The interval is right on average over runs drawn from these priors; for runs looked at for
the last time between half and three times their onset it holds in about four of five (`benchmarks/onset_bounds.py`).

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

_TIMES, _GROWTHS = 81, 31
_LOOKS_CLOSER = 2
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
    log_tau = np.linspace(low, high, _TIMES)
    log_growth = np.linspace(math.log(GROWTH[0]), math.log(GROWTH[1]), _GROWTHS)
    floor, share_of_node = _floors(looks, floor_copies, floor_total)
    log_weight = _posterior(looks, log_tau, log_growth, floor, share_of_node, eps, (low, high), prior)
    for _ in range(_LOOKS_CLOSER):  # the same once more, finely, where the posterior is
        times, growths, floors = _likely(log_weight)
        log_tau = np.linspace(log_tau[times][0], log_tau[times][-1], _TIMES)
        log_growth = np.linspace(log_growth[growths][0], log_growth[growths][-1], _GROWTHS)
        floor, share_of_node = floor[floors], share_of_node[floors]
        log_weight = _posterior(looks, log_tau, log_growth, floor, share_of_node, eps, (low, high), prior)
    weight = np.exp(log_weight - log_weight.max()).sum(axis=(1, 2))
    weight /= weight.sum()
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
    looks: Sequence[Look],
    log_tau: Real,
    log_growth: Real,
    floor: Real,
    share_of_node: Real,
    eps: float,
    reach: tuple[float, float],
    prior: Estimate | None,
) -> Real:
    """(T, G, F) log weights of the times, the growths and the floors.

    The share that are no copies, (1 - floor) exp(-x), is a product, so only counted copies need the whole grid.
    """
    ends = np.zeros(len(log_growth))
    ends[[0, -1]] = math.log(0.5)  # half a cell at either end
    plain = _log_prior(log_tau, reach, prior)[:, None] + ends
    of_floor = np.log(share_of_node)
    counted = np.zeros((len(log_tau), len(log_growth), len(floor)))
    for look in looks:
        x = eps * np.exp(np.minimum(np.exp(log_growth) * (math.log(look.step) - log_tau[:, None]), 50))
        plain -= (look.drawn - look.copies) * x
        of_floor += (look.drawn - look.copies) * np.log1p(-floor)
        if look.copies:
            share = floor + (1 - floor) * -np.expm1(-x)[:, :, None]
            counted += look.copies * np.log(np.maximum(share, 1e-300))
    return np.asarray(counted + plain[:, :, None] + of_floor)


def _likely(log_weight: Real) -> list[slice]:
    """For each axis the nodes where the posterior is, with a neighbour on either side.

    A grid that is coarser than the posterior, which is often narrow and oblique, has no node on its top; along a line
    of nodes the nearest one misses it by up to an eighth of the second difference. Nodes lower by that are kept too.
    """
    lines = log_weight.max(axis=2)
    at = np.unravel_index(lines.argmax(), lines.shape)
    missed = [
        abs(np.diff(line, 2)[min(max(k - 1, 0), len(line) - 3)]) / 8
        for line, k in ((lines[:, at[1]], at[0]), (lines[at[0]], at[1]))
    ]
    kept = log_weight > log_weight.max() + math.log(1e-9) - np.mean(missed)
    slices = []
    for axis in range(3):
        places = np.flatnonzero(kept.any(axis=tuple({0, 1, 2} - {axis})))
        slices.append(slice(max(places[0] - 1, 0), places[-1] + 2))
    return slices


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
