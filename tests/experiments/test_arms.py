"""Arms of runs whose times are known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.analysis import fit_power_law
from genwindow.experiments.arms import arms, compare_arms, law_words, of_seeds
from genwindow.experiments.settings import smoke
from genwindow.runs import RunResult

FACTORS = {4: 1, 8: 2, 16: 3}
"""By batch: how many times later the arm copies than the first."""


def found(value, low=None, high=None):
    return Estimate(value, low, high, "found", "test")


def result(n, batch):
    curve = Curve("f_mem", np.array([1.0, 1e5]), np.array([0.0, 0.5]))
    times = {"tau_mem": found(10 * FACTORS[batch] * n)}
    return RunResult(Path(f"n{n}-{batch}"), smoke(n, batch=batch), "done", (curve,), times, seconds=1.0)


def test_closed_form_laws_and_ratios_of_three_arms():
    made = arms(
        [result(n, batch) for batch in FACTORS for n in (32, 16)], lambda run: f"batch {run.config.train.batch}"
    )
    assert [arm.label for arm in made] == ["batch 4", "batch 8", "batch 16"]
    assert all(arm.sizes == [16, 32] and arm.law.exponent.value == pytest.approx(1) for arm in made)
    compared = compare_arms(made, "tau_mem grows as n to the power")
    laws, slopes, ratios = compared.sentences
    assert all(f"({arm.label})" in laws and f"1.00 ({arm.label})" in slopes for arm in made)
    assert ratios == "tau_mem of batch 16 over that of batch 4: 3.00 (n = 16), 3.00 (n = 32)."
    assert set(compared.summary["arms"]) == {arm.label for arm in made}


def test_limit_one_arm_has_nothing_to_be_compared_with():
    made = arms([result(n, 4) for n in (16, 32)], lambda run: "all")
    assert len(compare_arms(made, "tau_mem grows as n to the power").sentences) == 2


def test_closed_form_the_median_of_seeds_counts_bounds_in_their_place():
    early = Estimate(None, None, 5.0, "below_range", "test")
    late = Estimate(None, 50.0, None, "not_reached", "test")
    assert of_seeds([late, found(10.0, 9.0, 11.0), early]) == dataclasses.replace(found(10.0), low=0.0)
    assert of_seeds([found(30.0, 20.0, 40.0), found(10.0, 5.0, 15.0)]) == found(30.0, 5.0, 40.0)
    assert of_seeds([late, early, late]) is late


def test_limit_a_law_without_two_sizes_is_unknown():
    assert law_words(fit_power_law([8, 8], [1.0, 2.0])) == "unknown (no two n have a time)"
