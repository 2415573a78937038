"""A forecast of tau_mem for the full data set from run folders of small pilots."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

from genwindow.analysis.blend import BackTest, back_test, log_odds
from genwindow.analysis.expectation import Expectation
from genwindow.analysis.forecast import Forecast, Pilot, forecast
from genwindow.curve import Estimate
from genwindow.data import open_images
from genwindow.data.points import LAWS
from genwindow.errors import GenwindowError, check
from genwindow.experiments.covariances import covariance_of_images
from genwindow.experiments.pilots import (
    carried_settings,
    check_alike,
    check_batch,
    check_carried,
    pilot,
    pilot_run,
)
from genwindow.report.window import UNKNOWN
from genwindow.report.words import last_step
from genwindow.runs import DataSettings, RunConfig, RunResult, measure_pace
from genwindow.runs.data import build_data
from genwindow.theory import Covariance, RandomFeatures
from genwindow.train import batch_size

FEATURES = 16.0
"""How many times more features than images the theory has at the largest size: networks are large, and the slowing down
near as many features as images, where a random-features model can no longer learn its images, is not theirs."""

POINTS = 4096
"""Drawn from a law of points to know its covariance."""

FAR = math.log(1e9)
"""How far beyond the sizes computed, in log n, a bent line is drawn on."""

PaceOf = Callable[[RunConfig, tuple[int, ...]], float]
"""Seconds of a training step of a run with images of a shape."""


def pace_here(config: RunConfig, shape: tuple[int, ...]) -> float:
    """Measured on this machine now, in about two seconds."""
    return measure_pace(config, shape, seconds=2.0).step


def forecast_runs(
    runs: Sequence[RunResult],
    n: int,
    *,
    width: int | None = None,
    target: RunConfig | None = None,
    steps: int | None = None,
    pace_of: PaceOf | None = None,
) -> Expectation:
    """Forecast from pilots.

    Args:
        runs: finished or interrupted runs; all settings but n, seeds and length must be equal, and the width where
            `width` is given.
        n: training images of the full run.
        width: of the full run, for pilots of several widths.
        target: settings of the full run, to be checked against those of the pilots.
        steps: how long one wants to train the full run.
        pace_of: measures the speed of the full run; None takes the pilots' own.

    Raises:
        GenwindowError: for mixed settings (named), a target smaller than the pilots, a single pilot or size, another
            batch rule, or pilots none of which began to copy.
    """
    check(n >= 1, f"n must be at least 1, got {n}")
    check(len(runs) >= 2, f"a forecast needs two pilots at least, got {len(runs)}")
    check_alike(runs, widths=width is not None)
    seen = sorted({run.config.net.width for run in runs})
    check(width is None or len(seen) > 1, f"--width needs pilots of several widths; these all have net.width={seen[0]}")
    largest = max(run.n for run in runs)
    check(
        n >= largest, f"n = {n} is smaller than the largest pilot's {largest}: nothing to forecast, look at the pilots"
    )
    settings = carried_settings(runs, widths=width is not None)
    if target is not None:
        check_carried(settings, target)
    check_batch(runs, n)
    pilots = [pilot(run, "tau_mem", width=width is not None) for run in runs]
    lines, tests, theory = _lines(runs, pilots, n)
    losses = [pilot(run, "tau_mem_loss", width=width is not None) for run in runs]
    try:
        loss_line = forecast(losses)
    except GenwindowError:
        loss_line = None
    seconds, whose = _pace(runs, n, width, pace_of)
    return Expectation(
        n, width, batch_size(runs[0].config.train.batch, n), tuple(lines), tuple(tests), loss_line, back_test(losses),
        _tau_gen(runs), seconds, whose, tuple(theory), tuple(pilot_run(run) for run in sorted(runs, key=_order)),
        steps, _left_out(pilots), settings,
    )  # fmt: skip


def _left_out(pilots: Sequence[Pilot]) -> tuple[str, ...]:
    """That some pilots say nothing, if so."""
    mute = sorted(p.n for p in pilots if not p.informative)
    if not mute:
        return ()
    sizes = ", ".join(f"{n:g}" for n in mute)
    return (
        f"{len(mute)} of {len(pilots)} pilots say nothing about tau_mem and are left out (n = {sizes}): their samples "
        "are too few to exclude copies at any time. More samples (measure.samples) would make them bounds.",
    )


def _order(run: RunResult) -> tuple[int, int, int]:
    return run.n, run.config.net.width, run.config.train.seed


def _lines(
    runs: Sequence[RunResult], pilots: Sequence[Pilot], n: int
) -> tuple[list[Forecast], list[BackTest | None], list[tuple[float, float]]]:
    """Straight and bent line with their back-tests, the more probable one first, and the theory by itself."""
    lines, tests = [forecast(pilots)], [back_test(pilots)]
    sizes, times = _theory(runs, n)
    if sizes:
        bend = _bend(sizes, times)
        lines.append(forecast(pilots, bend=bend, shape="theory"))
        tests.append(back_test(pilots, bend=bend, shape="theory"))
    order = np.argsort(-log_odds(lines, tests), kind="stable").tolist()
    return [lines[i] for i in order], [tests[i] for i in order], _scaled(pilots, sizes, times)


def _shape(runs: Sequence[RunResult]) -> tuple[int, ...] | None:
    """Of one image or point, or None when the images are not here any more."""
    data = runs[0].config.data
    if data.source in LAWS:
        return (data.dimension,)
    try:
        return tuple(open_images(data.source, size=data.size, channels=data.channels).pixels.shape[1:])
    except GenwindowError:
        return None


def _pace(runs: Sequence[RunResult], n: int, width: int | None, pace_of: PaceOf | None) -> tuple[float, str]:
    """Seconds of a step of the full run."""
    shape = None if pace_of is None else _shape(runs)
    if pace_of is None or shape is None:
        slowest = max(runs, key=lambda run: run.n)
        return slowest.seconds / max(last_step(slowest) or 0.0, 1.0), "the largest pilot's, measuring included"
    config = runs[0].config
    full = dataclasses.replace(config, data=dataclasses.replace(config.data, n=n))
    if width is not None:
        full = dataclasses.replace(full, net=dataclasses.replace(full.net, width=width))
    return pace_of(full, shape), "measured on this machine, training alone"


def _tau_gen(runs: Sequence[RunResult]) -> Estimate:
    """Of the largest pilots that have one: the geometric mean over their seeds, in an interval that holds them all."""
    known = [run for run in runs if run.estimates.get("tau_gen", UNKNOWN).value]
    if not known:
        return UNKNOWN
    largest = max(run.n for run in known)
    times = [run.estimates["tau_gen"] for run in known if run.n == largest]
    values = [time.value for time in times if time.value]
    value = float(np.clip(np.exp(np.mean(np.log(values))), min(values), max(values)))  # not beyond them by rounding
    highs = [math.inf if time.high is None else time.high for time in times]
    high = None if math.inf in highs else max(highs)
    low = min(time.low or 0.0 for time in times)
    return Estimate(value, low, high, "found", "pilots", f"of pilots with n = {largest}")


def _theory(runs: Sequence[RunResult], n: int) -> tuple[list[float], list[float]]:
    """tau_mem of the random-features model with the data's covariance, at powers of 4 around pilots and target."""
    data = dataclasses.replace(runs[0].config.data, n=POINTS if runs[0].config.data.source in LAWS else 1, seed=0)
    smallest, largest = min(run.n for run in runs), max(n, max(run.n for run in runs))
    sizes = [4.0**k for k in range(math.floor(math.log(smallest, 4)), math.ceil(math.log(largest, 4)) + 1)]
    try:
        known = [(size, tau) for size in sizes if (tau := _theory_time(data, size, FEATURES * sizes[-1])) is not None]
    except GenwindowError:
        return [], []  # the pilots' images are not here any more
    covered = known and known[0][0] <= smallest and known[-1][0] >= largest
    return ([s for s, _ in known], [t for _, t in known]) if covered and len(known) > 1 else ([], [])


@lru_cache(maxsize=256)
def _theory_time(data: DataSettings, n: float, features: float) -> float | None:
    d, law = _covariance(data)
    return RandomFeatures(features / d, n / d, 0.01, covariance=law).timescales().tau_mem.value


@lru_cache(maxsize=4)
def _covariance(data: DataSettings) -> tuple[int, Covariance]:
    """Dimension and covariance of the whole set, or of many points of a law."""
    if data.source in LAWS:
        images = build_data(data).train.numpy()
    else:
        images = open_images(data.source, size=data.size, channels=data.channels).pixels
    return math.prod(images.shape[1:]), covariance_of_images(images, data.source)


def _bend(sizes: Sequence[float], times: Sequence[float]) -> Callable[[np.ndarray], np.ndarray]:
    """Log time against n: smooth through the sizes computed, straight with the last slope beyond them."""
    x, y = np.log(sizes), np.log(times)
    far = np.array([-FAR, FAR])
    slopes = np.diff(y)[[0, -1]] / np.diff(x)[[0, -1]]
    ends = y[[0, -1]] + slopes * far
    smooth = PchipInterpolator([x[0] - FAR, *x, x[-1] + FAR], [ends[0], *y, ends[1]], extrapolate=False)
    return lambda n: np.asarray(smooth(np.log(n)))


def _scaled(pilots: Sequence[Pilot], sizes: Sequence[float], times: Sequence[float]) -> list[tuple[float, float]]:
    """The theory's times moved to meet the pilots at their geometric mean: its unit of time is another."""
    reached = [p for p in pilots if p.tau.value]
    if not sizes or not reached:
        return []
    bend = _bend(sizes, times)
    off = np.log([p.tau.value or 1.0 for p in reached]) - bend(np.array([float(p.n) for p in reached]))
    drawn = np.geomspace(min(sizes), max(sizes), 24).clip(min(sizes), max(sizes))
    return [(float(n), float(np.exp(bend(n) + off.mean()))) for n in drawn]
