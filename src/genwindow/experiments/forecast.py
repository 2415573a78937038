"""A forecast of tau_mem for the full data set from run folders of small pilots."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from genwindow.analysis.forecast import BackTest, Forecast, Pilot, back_test, forecast
from genwindow.curve import Estimate, short
from genwindow.data import open_images
from genwindow.errors import GenwindowError, check
from genwindow.experiments.comparison import UNKNOWN
from genwindow.experiments.theory import covariance_of_images
from genwindow.report.forecast import forecast_figure
from genwindow.runs import RunResult, flat
from genwindow.theory import RandomFeatures

MAY_DIFFER = ("data.n", "data.seed", "train.seed", "train.steps", "device")
"""Settings in which pilots may differ; the length of a run may, since what it did not reach is a bound."""

THEORY_FEATURES = 64.0


@dataclass(frozen=True, eq=False)
class Answer:
    """Everything a forecast says.

    Attributes:
        n: the target.
        lines: straight and, where the theory has times, bent forecast, the chosen one first.
        tests: their back-tests.
        tau_mem: prediction at n by the chosen line, 90 % interval, in steps.
        loss: prediction of the loss split at n, or None.
        tau_gen: of the pilots' quality, largest n that has one.
        seconds_per_step: of the pilots, measuring left out as far as that can be told.
        theory: tau of the random-features model at each n of `theory_n`, scaled to meet the pilots at their centre.
        theory_n: sizes of `theory`.
        sentences: for people.
    """

    n: int
    lines: tuple[Forecast, ...]
    tests: tuple[BackTest | None, ...]
    tau_mem: Estimate
    loss: Estimate | None
    tau_gen: Estimate
    seconds_per_step: float
    theory_n: tuple[float, ...]
    theory: tuple[float, ...]
    sentences: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {
            "n": self.n,
            "shape": self.lines[0].shape,
            "tau_mem": self.tau_mem.to_json(),
            "tau_mem_loss": None if self.loss is None else self.loss.to_json(),
            "tau_gen": self.tau_gen.to_json(),
            "lines": [
                {
                    "shape": line.shape, "exponent": line.exponent.to_json(), "slope_one_p": line.slope_one_p,
                    "sigma": line.sigma, "predicted": line.predict(self.n).to_json(),
                    "back_test": None if test is None else {
                        "n": test.n, "predicted": test.predicted.to_json(), "truth": test.truth,
                        "factor": test.factor, "inside": test.inside,
                    },
                }
                for line, test in zip(self.lines, self.tests, strict=True)
            ],
            "pilots": [{"n": p.n, "tau_mem": p.tau.to_json()} for p in self.lines[0].pilots],
            "seconds_per_step": self.seconds_per_step,
            "sentences": list(self.sentences),
        }  # fmt: skip

    def figure(self) -> Figure:
        """Pilots, lines, intervals, target, and the theory beside them."""
        return forecast_figure(self.lines, self.n, list(zip(self.theory_n, self.theory, strict=True)))


def forecast_runs(runs: Sequence[RunResult], n: int) -> Answer:
    """Forecast from pilots.

    Args:
        runs: finished or interrupted runs; all settings but n, seeds and length must be equal.
        n: training images of the full run.

    Raises:
        GenwindowError: for mixed settings (named), a target inside the data they cannot have, a single size, or pilots
            none of which began to copy.
    """
    check(n >= 1, f"n must be at least 1, got {n}")
    check(len(runs) >= 2, f"a forecast needs two pilots at least, got {len(runs)}")
    check_alike(runs)
    pilots = [Pilot(run.n, run.estimates.get("tau_mem", UNKNOWN)) for run in runs]
    straight = forecast(pilots)
    lines, tests = [straight], [back_test(pilots)]
    sizes, times = _theory(runs, n)
    if sizes:
        bend = _bend(sizes, times)
        lines.append(forecast(pilots, bend=bend, shape="theory"))
        tests.append(back_test(pilots, bend=bend, shape="theory"))
        lines, tests = _chosen_first(lines, tests)
    predicted = lines[0].predict(n)
    try:
        losses = [Pilot(run.n, run.estimates.get("tau_mem_loss", UNKNOWN)) for run in runs]
        loss = forecast(losses).predict(n)
    except GenwindowError:
        loss = None
    known = [run for run in runs if run.estimates.get("tau_gen", UNKNOWN).value is not None]
    tau_gen = max(known, key=lambda run: run.n).estimates["tau_gen"] if known else UNKNOWN
    pace = float(np.median([run.seconds / max(_last(run), 1.0) for run in runs]))
    drawn = _scaled(lines[0], sizes, times)
    sentences = _sentences(n, lines, tests, predicted, loss, tau_gen, pace, runs[0]) + _batch_rule(runs, n)
    return Answer(n, tuple(lines), tuple(tests), predicted, loss, tau_gen, pace, tuple(sizes), tuple(drawn), sentences)


def check_alike(runs: Sequence[RunResult]) -> None:
    """Refuse pilots that differ in more than n, seeds and length.

    Raises:
        GenwindowError: naming what differs.
    """
    tables = [flat(run.config) for run in runs]
    differing = [
        f"{name} ({', '.join(dict.fromkeys(str(table[name]) for table in tables))})"
        for name in tables[0]
        if name not in MAY_DIFFER and len({str(table[name]) for table in tables}) > 1
    ]
    check(not differing, f"pilots must differ in n, seed and length only; these differ in {', '.join(differing)}")


def _last(run: RunResult) -> float:
    return float(max((curve.tau[-1] for curve in run.curves if len(curve)), default=0.0))


def _theory(runs: Sequence[RunResult], n: int) -> tuple[list[float], list[float]]:
    """tau_mem of the random-features model with the data's covariance, from below the pilots to beyond the target."""
    data = runs[0].config.data
    try:
        images = open_images(data.source, size=data.size, channels=data.channels).pixels
    except GenwindowError:
        return [], []  # the pilots' images are not here any more
    d = math.prod(images.shape[1:])
    law = covariance_of_images(images, data.source)
    smallest, largest = min(run.n for run in runs), max(n, max(run.n for run in runs))
    sizes = np.geomspace(smallest / 2, largest * 2, 12)
    known = []
    for size in sizes:
        tau = RandomFeatures(THEORY_FEATURES, float(size) / d, 0.01, covariance=law).timescales().tau_mem
        if tau.value is not None:
            known.append((float(size), tau.value))
    covered = known and known[0][0] <= smallest and known[-1][0] >= largest
    return ([s for s, _ in known], [t for _, t in known]) if covered else ([], [])


def _bend(sizes: Sequence[float], times: Sequence[float]) -> Callable[[np.ndarray], np.ndarray]:
    x, y = np.log(sizes), np.log(times)
    return lambda n: np.interp(np.log(n), x, y, left=np.nan, right=np.nan)


def _scaled(line: Forecast, sizes: Sequence[float], times: Sequence[float]) -> list[float]:
    """The theory's times moved to meet the pilots at their geometric mean: its unit of time is another."""
    if not sizes:
        return []
    middle = float(np.exp(np.mean([np.log(p.n) for p in line.pilots])))
    value = line.predict(middle).value
    assert value is not None
    at = float(np.exp(np.interp(np.log(middle), np.log(sizes), np.log(times))))
    return [float(t * value / at) for t in times]


def _chosen_first(lines: list[Forecast], tests: list[BackTest | None]) -> tuple[list[Forecast], list[BackTest | None]]:
    """The line whose back-test is nearer to the truth comes first; without back-tests the power law."""
    missed = [math.inf if test is None else abs(math.log(test.factor)) for test in tests]
    order = sorted(range(len(lines)), key=lambda i: (missed[i], i))
    return [lines[i] for i in order], [tests[i] for i in order]


def _sentences(
    n: int,
    lines: Sequence[Forecast],
    tests: Sequence[BackTest | None],
    predicted: Estimate,
    loss: Estimate | None,
    tau_gen: Estimate,
    pace: float,
    run: RunResult,
) -> tuple[str, ...]:
    assert predicted.value is not None and predicted.low is not None and predicted.high is not None
    batch = min(run.config.train.batch, n) if run.config.train.batch else n
    hours = predicted.value * pace / 3600
    line = lines[0]
    said = [
        f"At n = {n} copying is expected to begin after {short(predicted.value)} steps (90 % interval "
        f"{short(predicted.low)} to {short(predicted.high)}), {short(predicted.value * batch)} images seen, about "
        f"{hours:.2g} hours at the pilots' pace.",
    ]
    straight = next(one for one in lines if one.shape == "power law")
    verdict = "not excluded" if straight.slope_one_p > 0.05 else "excluded"
    said.append(
        f"By the power law tau_mem grows as n^{straight.exponent.value:.2f} (95 % interval {straight.exponent.low:.2f} "
        f"to {straight.exponent.high:.2f}); proportionality to n is {verdict} by the pilots "
        f"(p = {straight.slope_one_p:.2g})."
    )
    if len(lines) > 1:
        other = lines[1].predict(n)
        said.append(
            f"The line is {'straight' if line.shape == 'power law' else 'bent as the theory says for these data'}, "
            f"which did better in the back-test; the other one says {short(other.value)} steps."
        )
    test = tests[0]
    if test is not None:
        miss = f"a factor {max(test.factor, 1 / test.factor):.2f} too {'late' if test.factor > 1 else 'early'}"
        inside = "inside" if test.inside else "outside"
        said.append(f"Back-test: from the smaller pilots, n = {test.n:g} would have been forecast {miss}, {inside} the "
                    "interval.")  # fmt: skip
        if not test.inside:
            side = "too early, on the safe side" if test.factor < 1 else "too late, which is dangerous"
            said.append(
                f"So these pilots do not lie on one line, and the forecast may well be {side}: train larger pilots "
                "before you rely on it."
            )
    else:
        said.append("No back-test: it needs pilots of three sizes at least.")
    if loss is not None:
        said.append(f"The loss split, an earlier sign, is expected at {short(loss.value)} steps.")
    if tau_gen.value is not None:
        if predicted.low > tau_gen.value:
            keep = np.geomspace(tau_gen.value, predicted.low, 4)
            listed = ", ".join(short(float(k)) for k in keep)
            said.append(
                f"Samples were good after {short(tau_gen.value)} steps, so a window is expected to open; save "
                f"snapshots at {listed} steps."
            )
        else:
            said.append(
                f"Samples were good after {short(tau_gen.value)} steps: the window may be closed, copies may come "
                "first."
            )
    return tuple(said)


def _batch_rule(runs: Sequence[RunResult], n: int) -> tuple[str, ...]:
    """A warning when some of the runs fill the batch and others see all their images at every step."""
    batch = runs[0].config.train.batch
    small = sorted({run.n for run in runs if run.n < batch})
    if not small or max(n, max(run.n for run in runs)) <= batch:
        return ()
    listed = ", ".join(map(str, small))
    return (
        f"Pilots with n = {listed} do not fill the batch of {batch}: they see all their images at every step, which is "
        "another clock. Leave them out if you can.",
    )


def images_needed(line: Forecast, steps: float, low: float = 1.0, high: float = 1e9) -> float | None:
    """The n at which the lower end of the forecast is `steps`: so many images for so long a training; None outside."""

    def early(n: float) -> float:
        found = line.predict(n).low
        assert found is not None
        return found

    if line.shape != "power law" or early(high) < steps:
        return None
    if early(low) >= steps:
        return low
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if early(middle) < steps else (low, middle)
    return math.ceil(high)
