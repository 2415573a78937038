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
from genwindow.experiments.comparison import UNKNOWN
from genwindow.experiments.forecast import forecast_runs
from genwindow.experiments.pilots import last_step, pilot_run
from genwindow.runs import RunResult

FACTORS = {512: 1.6, 1024: 2.0}
"""Within which the forecast should come, at these sizes."""

SHARE = 0.3
"""Of the steps of the largest run to its tau_mem, that all pilots together should not exceed."""


@dataclass(frozen=True)
class Comparison:
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
        """Whether the 90 % interval holds the truth."""
        assert self.predicted.low is not None and self.predicted.high is not None
        return self.predicted.low <= self.truth.value <= self.predicted.high if self.truth.value else None

    @property
    def within(self) -> bool | None:
        """Whether the factor is within the bar of its size; None without a bar or a truth."""
        factor, bar = self.factor, FACTORS.get(self.n)
        return None if factor is None or bar is None else max(factor, 1 / factor) <= bar

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        estimates = {"predicted": self.predicted.to_json(), "truth": self.truth.to_json()}
        return {**vars(self), **estimates, "factor": self.factor, "inside": self.inside}


def against_truth(
    name: str, pilots: Sequence[RunResult], large: Sequence[RunResult]
) -> tuple[list[str], dict[str, Any], Expectation | None, list[Comparison]]:
    """What a set of pilots says about every large run."""
    steps = sum(last_step(run) for run in pilots)
    closed = sum(pilot_run(run).closed for run in pilots)
    warned = f", {closed} of them with a closed window" if closed else ""
    said = [f"{name} ({len(pilots)} runs{warned}, {steps:,} steps):"]
    summary: dict[str, Any] = {"steps": steps, "closed": closed, "sizes": []}
    found, seen = None, []
    several = len({run.config.net.width for run in pilots}) > 1
    for n, width in dict.fromkeys((run.n, run.config.net.width if several else None) for run in large):
        try:
            found = forecast_runs(pilots, n, width=width)
        except GenwindowError as error:
            return [f"{said[0]} no forecast, {error}."], summary, None, []
        real = [run for run in large if run.n == n and width in (None, run.config.net.width)]
        here = [_compared(found, run, steps, width) for run in real]
        said.append(_words(found, here, real))
        lines = [
            {"shape": line.shape, "weight": found.weight(line), "predicted": line.predict(n, width=width).to_json()}
            for line in found.lines
        ]
        tests = [None if test is None else test.to_json() for test in found.tests]
        summary["sizes"].append({"n": n, "held": [one.to_json() for one in here], "lines": lines, "tests": tests})
        seen += here
    return said, summary, found, seen


def _compared(found: Expectation, run: RunResult, steps: int, width: float | None) -> Comparison:
    truth = run.estimates.get("tau_mem", UNKNOWN)
    if not truth.value:
        return Comparison(run.n, run.config.train.seed, found.tau_mem, truth, None, None)
    miss = {line.shape: abs(math.log(_middle(line, run.n, width) / truth.value)) for line in found.lines}
    nearest = min(miss, key=lambda shape: miss[shape])
    nearer = nearest if len(set(miss.values())) > 1 else None
    return Comparison(run.n, run.config.train.seed, found.tau_mem, truth, steps / truth.value, nearer)


def _middle(line: Forecast, n: int, width: float | None) -> float:
    value = line.predict(n, width=width).value
    assert value is not None
    return value


def _words(found: Expectation, here: Sequence[Comparison], real: Sequence[RunResult]) -> str:
    """A forecast, every run held against it, and the bars."""
    n, bar = here[0].n, FACTORS.get(here[0].n)
    each = "; ".join(f"{one.truth} (seed {one.seed}){_side(one.factor)}" for one in here)
    words = f"  n = {n}: forecast {_range(found.tau_mem)}; trained for real {each}."
    told = [one for one in here if one.factor is not None]
    if told:
        bars = {} if bar is None else {f"within a factor {bar:g}": [one.within for one in told]}
        words += f" {_held(told, {**bars, 'inside the interval': [one.inside for one in told]})}."
        words += f" The pilots cost {', '.join(f'{100 * (one.share or 0):.0f}' for one in told)} % of the steps"
        if n == max(FACTORS):
            dear = [one for one in told if one.share is not None and one.share > SHARE]
            words += f" ({f'MISSES {100 * SHARE:g} %' if dear else f'within {100 * SHARE:g} %'})"
        words += "."
    splits = [run.estimates.get("tau_mem_loss", UNKNOWN) for run in real]
    if found.loss is not None and found.loss.value is not None and any(split.value for split in splits):
        words += f" Loss split: {_range(found.loss)}; {', '.join(str(split) for split in splits)}."
    return words


def _range(estimate: Estimate) -> str:
    assert estimate.value is not None and estimate.low is not None and estimate.high is not None
    return f"{short(estimate.value)} ({short(estimate.low)} to {short(estimate.high)})"


def _side(factor: float | None) -> str:
    if factor is None:
        return ", not comparable yet"
    miss = max(factor, 1 / factor)
    return ", exact" if miss < 1.005 else f", {miss:.2f} too {'late' if factor > 1 else 'early'}"


def _held(told: Sequence[Comparison], bars: Mapping[str, Sequence[bool | None]]) -> str:
    """`All within a factor 2 and inside the interval`, and which are not."""
    failed = {bar: [one.seed for one, held in zip(told, holds, strict=True) if not held] for bar, holds in bars.items()}
    met = " and ".join(bar for bar, seeds in failed.items() if not seeds)
    words = [f"all {met}" if len(told) > 1 else met] if met else []
    words += [f"NOT {bar} (seed {', '.join(map(str, seeds))})" for bar, seeds in failed.items() if seeds]
    return "; ".join(words)[:1].upper() + "; ".join(words)[1:]


def counted(what: str, seen: Sequence[Comparison]) -> list[str]:
    """How many comparisons hold, in a sentence; nothing where there are none."""
    told = [one for one in seen if one.factor is not None]
    barred = [one for one in told if one.within is not None]
    if not barred:
        return []
    nearer = [one.nearer for one in told if one.nearer is not None]
    words = (
        f"{what}: {sum(bool(one.within) for one in barred)} of {len(barred)} within the bars, "
        f"{sum(bool(one.inside) for one in told)} of {len(told)} inside the 90 % interval"
    )
    if nearer:
        words += f"; nearer to the line bent by the theory in {nearer.count('theory')} of {len(nearer)}"
    return [f"{words}."]
