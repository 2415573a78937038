"""Forecasts held against runs that were trained for real."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from genwindow.analysis.expectation import Expectation
from genwindow.analysis.forecast import Forecast
from genwindow.curve import Estimate, short
from genwindow.errors import GenwindowError
from genwindow.experiments.forecast import forecast_runs
from genwindow.experiments.pilots import pilot_run
from genwindow.report.window import UNKNOWN
from genwindow.runs import RunResult

FACTORS = {512: 1.6, 1024: 2.0}
"""Within which the forecast should come, at these sizes."""

SHARE = 0.3
"""Of the steps of the largest run to its tau_mem, that all pilots together should not exceed."""


@dataclass(frozen=True)
class Trial:
    """A forecast held against one run.

    Attributes:
        n: size of both.
        seed: of the run.
        predicted: tau_mem as foretold.
        truth: as measured.
        share: of the steps of the run to its tau_mem, that all pilots took.
        nearer: the line, by its shape, that alone came nearer; None with one line or where neither did.
    """

    n: int
    seed: int
    predicted: Estimate
    truth: Estimate
    share: float | None
    nearer: str | None

    @property
    def factor(self) -> float | None:
        """Foretold over measured; above 1 is too late."""
        assert self.predicted.value is not None
        return self.predicted.value / self.truth.value if self.truth.value else None

    @property
    def inside(self) -> bool | None:
        """Whether the 90 % interval holds the truth; of a bound, False where it is surely outside, else None."""
        low, high = self.predicted.low, self.predicted.high
        assert low is not None and high is not None
        if self.truth.value:
            return low <= self.truth.value <= high
        return False if self._later > high or self._earlier < low else None

    @property
    def within(self) -> bool | None:
        """Whether the factor is within the bar of its size; None without a bar, or where a bound leaves it open."""
        factor, bar, said = self.factor, FACTORS.get(self.n), self.predicted.value
        assert said is not None
        if bar is None:
            return None
        if factor is not None:
            return max(factor, 1 / factor) <= bar
        return False if self._later > bar * said or self._earlier * bar < said else None

    @property
    def _later(self) -> float:
        """What the truth lies above, where a run has not copied."""
        return (self.truth.low or 0.0) if self.truth.status == "not_reached" else 0.0

    @property
    def _earlier(self) -> float:
        """What the truth lies below, where a run copied from its first measurement on."""
        return (self.truth.high or math.inf) if self.truth.status == "below_range" else math.inf

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        estimates = {"predicted": self.predicted.to_json(), "truth": self.truth.to_json()}
        return {**vars(self), **estimates, "factor": self.factor, "inside": self.inside}


def against_truth(
    name: str, pilots: Sequence[RunResult], large: Sequence[RunResult]
) -> tuple[list[str], dict[str, Any], Expectation | None, list[Trial]]:
    """What a set of pilots says about every large run."""
    made = [pilot_run(run) for run in pilots]
    steps, closed = sum(one.steps for one in made), sum(one.closed for one in made)
    warned = f", {closed} of them with a closed window" if closed else ""
    said = [f"{name} ({len(pilots)} runs{warned}, {steps:,} steps):"]
    summary: dict[str, Any] = {"steps": steps, "closed": closed, "sizes": []}
    found, seen = None, []
    several = len({run.config.net.width for run in pilots}) > 1
    for n, width in sorted({(run.n, run.config.net.width if several else 0) for run in large}):
        try:
            found = forecast_runs(pilots, n, width=width or None)
        except GenwindowError as error:
            said.append(f"  n = {n}: no forecast, {error}.")
            continue
        real = [run for run in large if run.n == n and width in (0, run.config.net.width)]
        here = [_compared(found, run, steps, width or None) for run in real]
        said.append(_words(found, here, real))
        lines = [
            {
                "shape": line.shape,
                "weight": found.weight(line),
                "predicted": line.predict(n, width=width or None).to_json(),
            }
            for line in found.lines
        ]
        tests = [None if test is None else test.to_json() for test in found.tests]
        summary["sizes"].append({"n": n, "held": [one.to_json() for one in here], "lines": lines, "tests": tests})
        seen += here
    return said, summary, found, seen


def _compared(found: Expectation, run: RunResult, steps: int, width: float | None) -> Trial:
    truth = run.estimates.get("tau_mem", UNKNOWN)
    if not truth.value:
        return Trial(run.n, run.config.train.seed, found.tau_mem, truth, None, None)
    miss = {line.shape: abs(math.log(_middle(line, run.n, width) / truth.value)) for line in found.lines}
    nearest = min(miss, key=lambda shape: miss[shape])
    nearer = nearest if len(set(miss.values())) > 1 else None
    return Trial(run.n, run.config.train.seed, found.tau_mem, truth, steps / truth.value, nearer)


def _middle(line: Forecast, n: int, width: float | None) -> float:
    value = line.predict(n, width=width).value
    assert value is not None
    return value


def _words(found: Expectation, here: Sequence[Trial], real: Sequence[RunResult]) -> str:
    """A forecast, every run held against it, and the bars."""
    n, bar = here[0].n, FACTORS.get(here[0].n)
    each = "; ".join(f"{one.truth} (seed {one.seed}){_side(one)}" for one in here)
    words = f"  n = {n}: forecast {_range(found.tau_mem)}; trained for real {each}."
    told = [one for one in here if one.inside is not None or one.within is not None]
    if told:
        bars = {} if bar is None else {f"within a factor {bar:g}": [one.within for one in told]}
        words += f" {_held(told, {**bars, 'inside the interval': [one.inside for one in told]})}."
    shares = [one.share for one in here if one.share is not None]
    if shares:
        words += f" The pilots cost {', '.join(f'{100 * share:.0f}' for share in shares)} % of the steps"
        if n == max(FACTORS):
            words += f" ({'MISSES' if max(shares) > SHARE else 'within'} {100 * SHARE:g} %)"
        words += "."
    splits = [run.estimates.get("tau_mem_loss", UNKNOWN) for run in real]
    if found.loss is not None and found.loss.value is not None and any(split.value for split in splits):
        words += f" Loss split: {_range(found.loss)}; {', '.join(str(split) for split in splits)}."
    return words


def _range(estimate: Estimate) -> str:
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    return f"{short(estimate.value)} ({short(estimate.low)} to {short(estimate.high)})"


def _side(one: Trial) -> str:
    factor = one.factor
    if factor is None:
        return ", not comparable" if one.inside is None else ", surely outside"
    miss = max(factor, 1 / factor)
    return ", exact" if miss < 1.005 else f", {miss:.2f} too {'late' if factor > 1 else 'early'}"


def _held(told: Sequence[Trial], bars: Mapping[str, Sequence[bool | None]]) -> str:
    """`All within a factor 2 and inside the interval`, and which are not."""
    failed = {
        bar: [one.seed for one, held in zip(told, holds, strict=True) if held is False] for bar, holds in bars.items()
    }
    met = " and ".join(bar for bar, seeds in failed.items() if not seeds)
    words = [f"all {met}" if len(told) > 1 else met] if met else []
    words += [f"NOT {bar} (seed {', '.join(map(str, seeds))})" for bar, seeds in failed.items() if seeds]
    return "; ".join(words)[:1].upper() + "; ".join(words)[1:]


def counted(what: str, seen: Sequence[Trial]) -> list[str]:
    """How many comparisons hold, in a sentence; nothing where there are none."""
    barred = [one.within for one in seen if one.within is not None]
    told = [one.inside for one in seen if one.inside is not None]
    if not told:
        return []
    nearer = [one.nearer for one in seen if one.nearer is not None]
    bars = f"{sum(barred)} of {len(barred)} within the bars, " if barred else ""
    words = f"{what}: {bars}{sum(told)} of {len(told)} inside the 90 % interval"
    if nearer:
        words += f"; nearer to the line bent by the theory in {nearer.count('theory')} of {len(nearer)}"
    return [f"{words}."]
