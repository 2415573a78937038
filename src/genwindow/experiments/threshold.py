"""`threshold`: the law of tau_mem at ratio thresholds 1/4, 1/3 and 1/2, from one neighbour pass."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from genwindow.analysis import binomial_interval, tau_mem
from genwindow.curve import Curve, Estimate
from genwindow.experiments import n_sweep
from genwindow.experiments.arms import arms, compare_arms
from genwindow.experiments.experiment import Experiment, Finding
from genwindow.runs import RunFolder, RunResult

THRESHOLDS = {"1/4": 1 / 4, "1/3": 1 / 3, "1/2": 1 / 2}


def analyse(runs: Sequence[RunResult]) -> Finding:
    """The laws side by side. No sample is drawn anew: the runs kept the ratio of every sample at every time."""
    made = []
    for name, threshold in THRESHOLDS.items():
        (arm,) = arms([read_at(run, threshold) for run in runs], lambda _: "runs")
        made.append(dataclasses.replace(arm, label=f"threshold {name}"))
    found = compare_arms(made, "tau_mem grows as n to the power")
    fits = [arm.law.exponent for arm in made]
    agree = _overlap(fits)
    words = "The three intervals overlap." if agree else "The three intervals do not all overlap."
    if agree is None:
        words = "There are not three intervals to compare."
    summary = {**found.summary, "intervals_overlap": agree}
    return Finding(summary, (*found.sentences, words), found.figure, found.caption)


def read_at(run: RunResult, threshold: float) -> RunResult:
    """The run with f_mem and tau_mem read at another threshold."""
    steps, ratios = RunFolder(run.folder).read_ratios()
    if not len(steps):
        return run
    counts = np.array([(ratio < threshold).sum() for ratio in ratios])
    drawn = np.array([len(ratio) for ratio in ratios])
    low, high = binomial_interval(counts, drawn)
    curve = Curve("f_mem", steps.astype(float), counts / drawn, low, high, step=steps)
    heldout = run.ratio_curve
    floor = float(np.interp(threshold, heldout["threshold"], heldout["heldout"])) if len(heldout) else 0.0
    estimates = {**run.estimates, "tau_mem": tau_mem(curve, floor)}
    others = tuple(c for c in run.curves if c.name != "f_mem")
    return dataclasses.replace(run, curves=(*others, curve), estimates=estimates)


def _overlap(exponents: Sequence[Estimate]) -> bool | None:
    """Whether all intervals share a point; None when one of them is missing."""
    lows, highs = [e.low for e in exponents], [e.high for e in exponents]
    if any(v is None for v in (*lows, *highs)):
        return None
    return max(v for v in lows if v is not None) <= min(v for v in highs if v is not None)


EXPERIMENT = Experiment(
    "threshold",
    "The ratio threshold moves the time, not the law",
    "the law of tau_mem does not depend on the threshold of the copy criterion (raised in the paper's reviews).",
    n_sweep.configs,
    analyse,
)
