"""The forecast against the truth, on times that follow known laws."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.experiments.forecast_study import EXPERIMENT, SETS, TARGETS, forecast_digits
from genwindow.experiments.forecast_truth import Trial, counted
from genwindow.report import svg
from genwindow.runs import MeasureSettings, RunResult

PILOTS, SEEDS = (16, 32, 64), (6, 7)


def run(n, seed, tau):
    found = Estimate(tau, tau / 1.1, tau * 1.1, "found", "t")
    steps = 1.2 * tau
    curve = Curve("f_mem", np.array([1.0, steps]), np.array([0.0, 0.1]))
    estimates = {"tau_mem": found, "tau_mem_loss": Estimate(tau / 9, None, None, "found", "t"),
                 "tau_gen": Estimate(100.0, 90.0, 110.0, "found", "t")}  # fmt: skip
    return RunResult(Path(f"n{n}-{seed}"), forecast_digits(n, seed), "interrupted", (curve,), estimates, seconds=1.0)


def runs(law, seeds=SEEDS, sizes=PILOTS):
    small = [run(n, seed, law(n) * (1.05 if seed == seeds[1] else 1.0)) for n in sizes for seed in seeds]
    return [*small, *(run(n, seeds[0], law(n)) for n in TARGETS)]


def test_a_true_forecast_meets_every_bar():
    found = EXPERIMENT.analyse(runs(lambda n: 10 * n**1.05))
    text = "\n".join(found.sentences)
    assert "MISSES" not in text and "NOT" not in text and text.count(" and inside the interval.") == 2
    (held,) = found.summary["kinds"].values()
    assert list(found.summary["kinds"]) == ["digits, residual MLP, pilots n = 16, 32, 64, seeds 6 and 7"]
    assert [one["n"] for one in held["sizes"]] == list(TARGETS)
    steps = sum(1.2 * 10 * n**1.05 * 2.05 for n in PILOTS)
    assert held["sizes"][1]["held"][0]["share"] == pytest.approx(steps / (10 * 1024**1.05), rel=0.02)
    assert "All comparisons: 2 of 2 within the bars, 2 of 2 inside the 90 % interval" in text
    assert "trained for real" in svg(found.figure)


def test_a_miss_is_said():
    text = "\n".join(EXPERIMENT.analyse(runs(lambda n: 10 * n**1.05 * (8 if n > 100 else 1))).sentences)
    assert "too early. NOT within a factor 1.6 (seed 6); NOT inside the interval (seed 6)." in text
    assert "NOT within a factor 2 (seed 6)" in text and "0 of 2 within the bars, 0 of 2 inside" in text
    dear = "\n".join(EXPERIMENT.analyse(runs(lambda n: 100 * n**0.3)).sentences)
    assert "% of the steps (MISSES 30 %)" in dear


def test_pilots_that_never_copied_are_said_and_a_page_is_still_made():
    late = Estimate(None, 50.0, None, "not_reached", "t")
    never = [dataclasses.replace(r, estimates={"tau_mem": late}) for r in runs(lambda n: 10.0 * n)]
    found = EXPERIMENT.analyse(never)
    assert "no forecast, none of 6 pilots had surely begun to copy" in found.sentences[1]
    assert "no forecast could be made" in svg(found.figure)


def test_a_large_run_that_has_not_copied_is_not_compared():
    late = Estimate(None, 5000.0, None, "not_reached", "t")
    some = [dataclasses.replace(r, estimates={"tau_mem": late}) if r.n == 1024 else r for r in runs(lambda n: 10.0 * n)]
    text = "\n".join(EXPERIMENT.analyse(some).sentences)
    assert "> 5k (seed 6), not comparable." in text and "1 of 1 within the bars" in text


def test_the_recipe_is_alike_within_each_kind_and_sets_differ_in_their_seeds():
    kinds = {}
    for pilots in SETS:
        assert pilots.seeds[0] % 2 == 0 and pilots.seeds[1] == pilots.seeds[0] + 1
        assert len(pilots.configs()) == 6 + len(pilots.large) and max(pilots.sizes) <= 64 and len(pilots.sizes) == 3
        for config in pilots.configs():
            rest = dataclasses.replace(
                config,
                data=dataclasses.replace(config.data, n=1, seed=0),
                train=dataclasses.replace(config.train, steps=1, seed=0),
                measure=MeasureSettings(),
            )
            kinds.setdefault(rest, set()).add((pilots.seeds, config.data.n))
    assert len(kinds) == 3 == sum(pilots.fresh for pilots in SETS) and EXPERIMENT.enough is not None
    for found in kinds.values():
        assert {n for _, n in found if n > 64} == set(TARGETS)
        assert len({seeds for seeds, _ in found}) == sum(n <= 64 for _, n in found) / 3


def test_every_set_of_pilots_is_held_against_every_large_run_of_its_kind():
    def law(n):
        return 10 * n**1.05

    found = EXPERIMENT.analyse([*runs(law), *runs(lambda n: 1.02 * law(n), (8, 9), (12, 24, 48))])
    assert list(found.summary["kinds"]) == [
        "digits, residual MLP, pilots n = 16, 32, 64, seeds 6 and 7",
        "digits, residual MLP, pilots n = 12, 24, 48, seeds 8 and 9",
    ]
    for held in found.summary["kinds"].values():
        assert [[one["seed"] for one in at["held"]] for at in held["sizes"]] == [[6, 8], [6, 8]]
        assert all(one["inside"] for at in held["sizes"] for one in at["held"])
    near = [
        max(one["factor"], 1 / one["factor"]) <= {512: 1.6, 1024: 2}[at["n"]]
        for held in found.summary["kinds"].values()
        for at in held["sizes"]
        for one in at["held"]
    ]
    assert f"All comparisons: {sum(near)} of 8 within the bars, 8 of 8 inside" in found.sentences[0]
    assert f"before the forecast was fixed: {sum(near[4:])} of 4 within the bars, 4 of 4 inside" in found.sentences[1]
    assert "new seeds too" in found.sentences[2] and "of 2 inside" in found.sentences[2]


def test_closed_form_of_a_comparison():
    said = Estimate(200.0, 100.0, 300.0, "found", "t")
    early = Trial(512, 1, said, Estimate(320.0, None, None, "found", "t"), 0.1, None)
    assert early.factor == 0.625 and early.within and not early.inside
    assert not dataclasses.replace(early, truth=Estimate(321.0, None, None, "found", "t")).within
    assert dataclasses.replace(early, n=100).within is None and dataclasses.replace(early, n=1024).within
    unknown = dataclasses.replace(early, truth=Estimate(None, 5.0, None, "not_reached", "t"))
    assert unknown.factor is unknown.inside is unknown.within is None
    never = dataclasses.replace(early, truth=Estimate(None, 321.0, None, "not_reached", "t"))
    assert never.factor is None and never.inside is False and never.within is False
    soon = dataclasses.replace(early, truth=Estimate(None, None, 99.0, "below_range", "t"))
    assert soon.inside is False and soon.within is False
    assert counted("Here", [early, never, unknown]) == [
        "Here: 1 of 2 within the bars, 0 of 2 inside the 90 % interval."
    ]
    assert counted("There", [dataclasses.replace(never, n=9)]) == ["There: 0 of 1 inside the 90 % interval."]
    assert counted("Nowhere", [unknown]) == []
