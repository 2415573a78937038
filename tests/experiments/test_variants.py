from pathlib import Path

import pytest

from genwindow.curve import Curve, Estimate
from genwindow.experiments.mixture import fresh_floors
from genwindow.experiments.variants import seen_by
from genwindow.runs import RunConfig, RunResult


def estimate(value):
    return Estimate(value, value, value, "found", "test")


def test_a_run_seen_by_a_variant_has_its_curves_and_times_and_no_others():
    names = ("f_mem", "frechet", "f_mem:ddpm", "f_mem:class=0", "train_loss")
    curves = tuple(Curve(name, [1.0], [float(i)]) for i, name in enumerate(names))
    estimates = {"tau_mem": estimate(1), "tau_gen": estimate(2), "tau_mem:ddpm": estimate(3), "floor": estimate(0)}
    run = RunResult(Path("run"), RunConfig(), "done", curves, estimates)
    seen = seen_by(run, "ddpm")
    assert seen.curve("f_mem").value.tolist() == [2.0] and not seen.curves_named("frechet")
    assert seen.estimates["tau_mem"].value == 3 and "tau_gen" not in seen.estimates and "floor" not in seen.estimates
    assert seen.curve("train_loss") == run.curve("train_loss") and seen_by(run, "w=1").curves_named("f_mem") == ()


def test_limit_fresh_points_are_called_copies_with_the_share_three_to_the_minus_d():
    floors = fresh_floors((1, 2, 4), train=512, points=20_000)
    for d, found in floors.items():  # the law of the ratio of two nearest distances in a locally uniform density
        assert found.value == pytest.approx(3.0**-d, rel=0.2)
