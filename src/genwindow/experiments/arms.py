"""Arms: runs that differ in n only, held against one another by how tau_mem grows with n."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from genwindow.analysis import PowerLaw, fit_power_law
from genwindow.curve import Estimate
from genwindow.experiments.experiment import Finding
from genwindow.report import Line, Panel, Times, panels_figure
from genwindow.report.palette import ordered_colours
from genwindow.report.window import UNKNOWN
from genwindow.runs import RunResult

MARKERS = ("D", "o", "s", "^")


@dataclass(frozen=True)
class Arm:
    """Runs that differ in n only.

    Attributes:
        label: what sets them apart from other arms.
        runs: ordered by n.
        law: tau_mem against n.
    """

    label: str
    runs: tuple[RunResult, ...]
    law: PowerLaw = field(repr=False)

    def times(self, name: str) -> list[Estimate]:
        """An estimate of every run."""
        return [run.estimates.get(name, UNKNOWN) for run in self.runs]

    @property
    def sizes(self) -> list[int]:
        """N of every run."""
        return [run.n for run in self.runs]

    @property
    def last_slope(self) -> Estimate:
        """Log-slope of tau_mem between the two largest n; its interval is that of a law fitted to these runs alone."""
        last = sorted(set(self.sizes))[-2:]
        pairs = [pair for pair in zip(self.sizes, self.times("tau_mem"), strict=True) if pair[0] in last]
        return fit_power_law([n for n, _ in pairs], [time for _, time in pairs]).exponent

    def mean_times(self, name: str, seeds: Collection[int] | None = None) -> dict[int, float]:
        """Geometric mean of an estimate over the runs of each n that have it, of these seeds or of all."""
        logs: dict[int, list[float]] = {}
        for run, time in zip(self.runs, self.times(name), strict=True):
            if time.value and (seeds is None or run.config.train.seed in seeds):
                logs.setdefault(run.n, []).append(math.log(time.value))
        return {n: math.exp(np.mean(found)) for n, found in logs.items()}

    def summary(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "exponent": self.law.exponent.to_json(),
            "local_slopes": self.law.local_slopes.tolist(),
            "last_slope": self.last_slope.to_json(),
            "runs": [
                {"n": run.n, "tau_gen": gen.to_json(), "tau_mem": mem.to_json()}
                for run, gen, mem in zip(self.runs, self.times("tau_gen"), self.times("tau_mem"), strict=True)
            ],
        }


def arms(runs: Sequence[RunResult], key: Callable[[RunResult], str]) -> list[Arm]:
    """Gather runs by `key`, in the order of first appearance."""
    found: dict[str, list[RunResult]] = {}
    for run in runs:
        found.setdefault(key(run), []).append(run)
    made = []
    for label, members in found.items():
        ordered = tuple(sorted(members, key=lambda run: run.n))
        law = fit_power_law([r.n for r in ordered], [r.estimates.get("tau_mem", UNKNOWN) for r in ordered])
        made.append(Arm(label, ordered, law))
    return made


def place_of(time: Estimate) -> float:
    """Where a time stands among others: first if it lies before the first measurement, last if it was not reached."""
    known = {"below_range": 0.0}
    return known.get(time.status, math.inf) if time.value is None else time.value


def of_seeds(times: Sequence[Estimate]) -> Estimate:
    """The median of several seeds, the upper one of an even number, in an interval that contains those of all."""
    middle = sorted(times, key=place_of)[len(times) // 2]
    if not middle.found:
        return middle
    highs = [math.inf if one.high is None else one.high for one in times]
    high = None if math.inf in highs else max(highs)
    return dataclasses.replace(middle, low=min(one.low or 0.0 for one in times), high=high)


def compare_arms(found: Sequence[Arm], question: str) -> Finding:
    """Times against n of every arm, with their laws, and their copies along training.

    Args:
        found: the arms, at least one.
        question: begins the first sentence, for example `tau_mem grows as n to the power`.
    """
    colours = ordered_colours(len(found), "plasma", 0.05, 0.65)
    times = [
        Times(f"τ_mem, {arm.label}", arm.sizes, arm.times("tau_mem"), colour, MARKERS[i % 4], arm.law)
        for i, (arm, colour) in enumerate(zip(found, colours, strict=True))
    ]
    quality = [
        Times(f"τ_gen, {arm.label}", arm.sizes, arm.times("tau_gen"), colour, MARKERS[i % 4])
        for i, (arm, colour) in enumerate(zip(found, colours, strict=True))
    ]
    copies = [
        Line(arm.label if k == 0 else "", run.curve("f_mem"), colour)
        for arm, colour in zip(found, colours, strict=True)
        for k, run in enumerate(r for r in arm.runs if r.curves_named("f_mem"))
    ]
    steps = "training steps τ"
    figure = panels_figure(
        [
            Panel("copies, one line for each n", steps, "f_mem", copies, shares=True, top=None),
            Panel("time to copying", "training images n", steps, times, guide=1.0),
            Panel("time to quality", "training images n", steps, quality),
        ],
        columns=3,
    )
    listed = "; ".join(f"{law_words(arm.law)} ({arm.label})" for arm in found)
    slopes = "; ".join(f"{slopes_words(arm.law.local_slopes.tolist())} ({arm.label})" for arm in found)
    sentences = (
        f"{question} {listed}.",
        f"Local slopes between neighbouring sizes: {slopes}.",
        *filter(None, (_ratios(found),)),
    )
    caption = (
        "Copies along training, lines from left to right with growing n; time to copying against n with the fitted "
        "power law of each arm and a dotted line of slope 1; time to quality."
    )
    return Finding({"arms": {arm.label: arm.summary() for arm in found}}, sentences, figure, caption)


def _ratios(found: Sequence[Arm]) -> str:
    """How many times later the last arm copies than the first, at each n where both do; means over seeds."""
    if len(found) < 2:
        return ""
    first, last = found[0], found[-1]
    earlier, later = first.mean_times("tau_mem"), last.mean_times("tau_mem")
    words = [f"{later[n] / earlier[n]:.2f} (n = {n})" for n in earlier if n in later]
    return f"tau_mem of {last.label} over that of {first.label}: {', '.join(words)}." if words else ""


def exponent_words(exponent: Estimate) -> str:
    """`1.34 [1.10, 1.58]`, or why there is none."""
    if exponent.value is None:
        return "unknown"
    if exponent.low is None or exponent.high is None:
        return f"{exponent.value:.2f} (no interval from so few runs)"
    return f"{exponent.value:.2f} [{exponent.low:.2f}, {exponent.high:.2f}]"


def law_words(law: PowerLaw, name: str = "n") -> str:
    """Its exponent, and which sizes are not in it because they have no time: `1.34 [1.10, 1.58] without n = 512`."""
    if law.exponent.value is None:
        return f"unknown (no two {name} have a time)"
    left_out = f" without {name} = {', '.join(law.without)}" if law.without else ""
    return exponent_words(law.exponent) + left_out


def spread_words(values: Sequence[float]) -> str:
    """By what factor positive numbers differ."""
    return f"a factor {max(values) / min(values):.2f}" if len(values) > 1 else "one value"


def slopes_words(slopes: Sequence[float | None]) -> str:
    """Local slopes in order."""
    return ", ".join("-" if slope is None else f"{slope:.2f}" for slope in slopes) if len(slopes) else "none"
