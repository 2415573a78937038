"""The forecast against the truth, on times that follow known laws."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.experiments.forecast_study import EXPERIMENT, TARGETS, digits_mlp
from genwindow.report import svg
from genwindow.runs import MeasureSettings, RunResult

PILOTS, SEEDS = (16, 32, 64), (6, 7)


def run(n, seed, tau):
    found = Estimate(tau, tau / 1.1, tau * 1.1, "found", "t")
    steps = 1.2 * tau
    curve = Curve("f_mem", np.array([1.0, steps]), np.array([0.0, 0.1]))
    estimates = {"tau_mem": found, "tau_mem_loss": Estimate(tau / 9, None, None, "found", "t"),
                 "tau_gen": Estimate(100.0, 90.0, 110.0, "found", "t")}  # fmt: skip
    return RunResult(Path(f"n{n}-{seed}"), digits_mlp(n, seed), "interrupted", (curve,), estimates, seconds=1.0)


def runs(law):
    small = [run(n, seed, law(n) * (1.05 if seed == SEEDS[1] else 1.0)) for n in PILOTS for seed in SEEDS]
    return [*small, *(run(n, SEEDS[0], law(n)) for n in TARGETS)]


def test_a_true_forecast_meets_every_bar():
    found = EXPERIMENT.analyse(runs(lambda n: 10 * n**1.05))
    text = "\n".join(found.sentences)
    assert "MISSES" not in text and "OUTSIDE" not in text and text.count("inside the interval") == 2
    numbers = found.summary["kinds"]["digits, residual MLP"]
    assert [one["pilots"] for one in numbers] == [[16, 32, 64]] * 2
    steps = sum(1.2 * 10 * n**1.05 * 2.05 for n in PILOTS)
    assert numbers[1]["share"] == pytest.approx(steps / (10 * 1024**1.05), rel=0.02)
    assert "trained for real" in svg(found.figure)


def test_a_miss_is_said():
    text = "\n".join(EXPERIMENT.analyse(runs(lambda n: 10 * n**1.05 * (8 if n > 100 else 1))).sentences)
    assert "too early (MISSES 1.6), OUTSIDE the interval" in text and "too early (MISSES 2), OUTSIDE" in text
    dear = "\n".join(EXPERIMENT.analyse(runs(lambda n: 100 * n**0.3)).sentences)
    assert "% of its steps (MISSES 30 %)" in dear


def test_pilots_that_never_copied_are_said_and_a_page_is_still_made():
    late = Estimate(None, 50.0, None, "not_reached", "t")
    never = [dataclasses.replace(r, estimates={"tau_mem": late}) for r in runs(lambda n: 10.0 * n)]
    found = EXPERIMENT.analyse(never)
    assert "no forecast, none of 6 pilots began to copy" in found.sentences[0]
    assert "no forecast could be made" in svg(found.figure)


def test_the_recipe_is_alike_within_each_kind():
    kinds = {}
    for config in EXPERIMENT.configs("cpu"):
        rest = dataclasses.replace(
            config,
            data=dataclasses.replace(config.data, n=1, seed=0),
            train=dataclasses.replace(config.train, steps=1, seed=0),
            measure=MeasureSettings(),
        )
        kinds.setdefault(rest, []).append(config)
    assert len(kinds) == 3 and EXPERIMENT.enough is not None
    for configs in kinds.values():
        small = [config for config in configs if config.data.n <= 64]
        assert {config.data.n for config in configs if config not in small} == set(TARGETS)
        for measure in {config.measure for config in small}:
            pilots = [config for config in small if config.measure == measure]
            assert len({config.data.n for config in pilots}) == 3 and len(pilots) == 6


def test_every_set_of_pilots_is_held_against_every_large_run_of_its_kind():
    def law(n):
        return 10 * n**1.05

    def seldom(one):
        return dataclasses.replace(one, config=dataclasses.replace(one.config, measure=MeasureSettings(first=7)))

    small = [seldom(run(n, seed, law(n) * (1.05 if seed == SEEDS[1] else 1.0))) for n in (12, 24, 48) for seed in SEEDS]
    found = EXPERIMENT.analyse([*runs(law), *small])
    assert {name: [one["pilots"] for one in held] for name, held in found.summary["kinds"].items()} == {
        f"digits, residual MLP, n = {', '.join(map(str, sizes))}": [sizes] * 2 for sizes in ([16, 32, 64], [12, 24, 48])
    }
    assert all(one["inside"] for held in found.summary["kinds"].values() for one in held)
