"""A blend: several lines of the same pilots as one forecast, each as probable as earlier runs and a back-test make it.

The back-test leaves the largest pilots out, and asks each line with what density it foretold them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.analysis.censored import Gaussians
from genwindow.analysis.forecast import CONFIDENCE, SLOPE, Forecast, Pilot, forecast, predicted
from genwindow.curve import Estimate
from genwindow.errors import GenwindowError

Real = NDArray[np.float64]

ODDS = {"theory": 3.0}
"""Odds of a line against the straight one before any back-test: where the two differed and a large run was made, the
truth had lain nearer to that of the theory in six of eight forecasts; of runs made afterwards, in 8 of 12
(docs/forecast.md)."""


@dataclass(frozen=True)
class BackTest:
    """How a forecast from the smaller pilots would have done for the largest size.

    Attributes:
        n: the size left out.
        predicted: from the others.
        truth: geometric mean of its times.
        factor: predicted over true, above 1 when too late.
        inside: whether the interval holds the truth.
        log_density: log of the density with which its times were foretold.
    """

    n: float
    predicted: Estimate
    truth: float
    factor: float
    inside: bool
    log_density: float

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {**vars(self), "predicted": self.predicted.to_json()}


def back_test(
    pilots: Sequence[Pilot],
    *,
    bend: Callable[[Real], Real] | None = None,
    shape: str = "power law",
    slope: tuple[float, float] | None = SLOPE,
) -> BackTest | None:
    """Leave out the largest size that began to copy, and forecast it; None when too little is left.

    Where pilots differ in width, the largest size is looked at in its widest network.
    """
    reached = [p for p in pilots if p.reached]
    if not reached:
        return None
    largest = max(p.n for p in reached)
    out = [p for p in reached if p.n == largest]
    width = max((p.width for p in out if p.width is not None), default=None)
    try:
        line = forecast([p for p in pilots if p.n < largest], bend=bend, shape=shape, slope=slope)
        said, density = line.predict(largest, width=width), line.log_density(out)
    except GenwindowError:
        return None
    truth = float(np.exp(np.mean([np.log(p.tau.value) for p in out if p.width == width and p.tau.value])))
    assert said.value is not None and said.low is not None and said.high is not None
    return BackTest(largest, said, truth, said.value / truth, said.low <= truth <= said.high, density)


@dataclass(frozen=True, eq=False)
class Blend:
    """Several lines as one forecast: which of them holds beyond the pilots is itself in doubt.

    Attributes:
        lines: of the same pilots.
        weights: probability of each, with sum 1.
    """

    lines: tuple[Forecast, ...]
    weights: tuple[float, ...]

    def predict(self, n: float, *, width: float | None = None, confidence: float = CONFIDENCE) -> Estimate:
        """Tau at n for one new run, as `Forecast.predict` gives it for one line."""
        runs = [line.new_run(n, width=width) for line in self.lines]
        weight = np.concatenate([w * run.weight for w, run in zip(self.weights, runs, strict=True)])
        both = Gaussians(
            np.concatenate([run.middle for run in runs]), np.concatenate([run.spread for run in runs]), weight
        )
        return predicted(n, both, ", ".join(line.shape for line in self.lines), confidence)


def blend(lines: Sequence[Forecast], tests: Sequence[BackTest | None]) -> Blend:
    """Weigh the lines by their back-tests: each by the density with which it foretold the pilots left out.

    These are posterior probabilities: `ODDS` before, times partial Bayes factors trained on the smaller pilots
    (O'Hagan, J. R. Stat. Soc. B 57, 99, 1995). Without back-tests the odds alone count.
    """
    known = log_odds(lines, tests)
    weights = np.exp(known - known.max())
    return Blend(tuple(lines), tuple(float(w) for w in weights / weights.sum()))


def log_odds(lines: Sequence[Forecast], tests: Sequence[BackTest | None]) -> Real:
    """Log of how probable each line is, up to a constant."""
    before = np.log([ODDS.get(line.shape, 1.0) for line in lines])
    densities = [test.log_density for test in tests if test is not None]
    return before + densities if len(densities) == len(lines) else before
