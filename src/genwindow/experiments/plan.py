"""A plan: which pilots to make within a budget of time, decided round by round from what is known so far.

First the two smallest pilots (two seeds) run until they copy, since nothing is known of the training time of a network
that was never trained. Then the two larger sizes are chosen as large as the time left allows, each at most `FACTOR`
times the one before, at first with times taken to grow as n^`GUESS`, later with those of the forecast. A decision
depends on nothing but the runs there are, so an interrupted plan goes on as if it had not been.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from genwindow.analysis.forecast import Pilot, forecast
from genwindow.curve import Estimate
from genwindow.errors import GenwindowError, check, check_number

SMALLEST = 16
FACTOR = 2.0
ROUNDS = 3
SEEDS = (0, 1)
GUESS = 1.3
"""Exponent before there are two sizes; image runs show 0.8 to 1.7."""

FIRST_SHARE = 0.25
"""Of the budget, that the smallest pilots may use before they are given up."""

MARGIN = 1.3
"""Pilots run on past the time at which they begin to copy: the interval of that time must close."""

LEAST_FACTOR = 1.25

SecondsOf = Callable[[int, float], float]
"""Seconds of a run: (n, steps), measuring included."""


@dataclass(frozen=True)
class Made:
    """What is known of one pilot.

    Attributes:
        n: training images.
        seed: of the run.
        seconds: spent so far.
        tau: when it began to copy, or its bound.
    """

    n: int
    seed: int
    seconds: float
    tau: Estimate


@dataclass(frozen=True)
class Round:
    """What to do next.

    Attributes:
        n: training images of the pilots to be made or to run on; None when the plan is through.
        seeds: theirs.
        seconds: that each of them may have spent in the end.
        why: for a person.
    """

    n: int | None
    seeds: tuple[int, ...]
    seconds: float
    why: str


def smallest_size(batch: int, largest: int) -> int:
    """Training images of the smallest pilots: they must fill the batch where the full run does.

    Raises:
        GenwindowError: when three sizes do not fit below the full run's.
    """
    first = max(SMALLEST, batch)
    if batch >= largest > 0:  # the full run sees all its images at every step, and so may the pilots
        first = SMALLEST
    by_batch = first > SMALLEST
    advice = "a smaller train.batch, or train.batch=0, or more images" if by_batch else "more images"
    check(
        first * LEAST_FACTOR**2 <= largest,
        f"pilots begin at n = {first}{' (the batch)' if by_batch else ''} and need three sizes up to that of the full "
        f"run, n = {largest}; take {advice}",
    )
    return first


def next_round(
    made: Sequence[Made], *, first: int, largest: int, budget: float, workers: int, seconds_of: SecondsOf
) -> Round:
    """Decide.

    Args:
        made: the pilots there are.
        first: training images of the smallest.
        largest: of the full run; no pilot is larger.
        budget: seconds of all work, on the clock.
        workers: runs at a time.
        seconds_of: how long a run takes.
    """
    check_number("budget", budget, low=0, low_open=True)
    slots = min(workers, len(SEEDS))
    left = max(budget - sum(m.seconds for m in made) / slots, 0.0)
    sizes = sorted({m.n for m in made})
    each = slots / len(SEEDS)  # of the time on the clock, what one of the seeds may take
    if not sizes:
        return Round(first, SEEDS, FIRST_SHARE * budget * each, f"the smallest pilots, n = {first}, until they copy")
    unfinished = [m for m in made if m.n == sizes[-1] and not _known(m.tau)]
    mine = max(m.seconds for m in made if m.n == sizes[-1])
    allowance = FIRST_SHARE * budget * each if len(sizes) == 1 else mine + left * each
    missing = tuple(s for s in SEEDS if s not in {m.seed for m in made if m.n == sizes[-1]})
    if (unfinished and allowance > 1.05 * mine) or missing:
        seeds = tuple(sorted({*missing, *(m.seed for m in unfinished)}))
        return Round(sizes[-1], seeds, allowance, f"n = {sizes[-1]} goes on")
    if all(m.tau.status == "below_range" for m in made):
        return Round(None, (), 0.0, "all pilots had begun to copy by their first measurement")
    if not any(m.tau.value for m in made):
        return Round(None, (), 0.0, f"no pilot with n = {sizes[-1]} had surely begun to copy in the time allowed")
    if len(sizes) >= ROUNDS:
        return Round(None, (), 0.0, "three sizes are made")
    rest = ROUNDS - len(sizes)
    for factor in np.geomspace(FACTOR, LEAST_FACTOR, 9):
        planned = [min(round(sizes[-1] * factor ** (i + 1)), largest) for i in range(rest)]
        apart = all(b >= a * LEAST_FACTOR * 0.99 for a, b in zip([sizes[-1], *planned], planned, strict=False))
        cost = sum(len(SEEDS) * seconds_of(n, MARGIN * expected(made, n)) for n in planned) / slots
        if apart and cost <= left:
            limit = left * each
            why = f"n = {planned[0]}, to copy after about {expected(made, planned[0]):.3g} steps"
            return Round(planned[0], SEEDS, limit, why)
    return Round(None, (), 0.0, f"the time left, {left:.0f} s, does not allow a further size")


def expected(made: Sequence[Made], n: int) -> float:
    """Steps to copying at n by what is known: the forecast, or a guess of its exponent from one size."""
    known = [m for m in made if m.tau.value]
    try:
        value = forecast([Pilot(m.n, m.tau) for m in made]).predict(n).value
        assert value is not None
        return value
    except GenwindowError:
        base = float(np.exp(np.mean([math.log(m.tau.value or 1.0) - GUESS * math.log(m.n) for m in known])))
        return base * n**GUESS


def enough_budget(made: Sequence[Made], *, first: int, workers: int, seconds_of: SecondsOf) -> float:
    """Seconds of budget with which three sizes would fit, as far as is known."""
    if any(m.tau.value for m in made):
        sizes = [round(first * LEAST_FACTOR**i) for i in range(ROUNDS)]
        return (
            1.2 * sum(len(SEEDS) * seconds_of(n, MARGIN * expected(made, n)) for n in sizes) / min(workers, len(SEEDS))
        )
    return 4 * sum(m.seconds for m in made) / min(workers, len(SEEDS)) / FIRST_SHARE


def _known(tau: Estimate) -> bool:
    return tau.status == "below_range" or (tau.value is not None and tau.high is not None)
