"""The analysis of the mixtures, on runs whose times are known; that it goes through is tested with every experiment."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from genwindow import Curve, Estimate
from genwindow.experiments.mixture import BATCH, analyse, configs
from genwindow.runs import RunResult


def result(config):
    """tau_mem is 10 n; of Adam with all points at once 10 sqrt(BATCH n), its seeds apart by 10 %. DDPM: twice that."""
    train, n = config.train, config.data.n
    tau = 10 * n if train.optimizer == "sgd" or train.batch else 10 * np.sqrt(BATCH * n)
    tau *= (1.0, 1.1, 1 / 1.1)[train.seed % 3]
    times = {
        "tau_mem": Estimate(tau, None, None, "found", "test"),
        "tau_mem:ddpm": Estimate(2 * tau, None, None, "found", "test"),
        "floor": Estimate(0.0, 0.0, 0.0, "found", "test"),
    }
    if (train.optimizer, train.batch, n) == ("sgd", BATCH, 512):
        times["tau_mem"] = Estimate(None, 2 * tau, None, "not_reached", "test")
    steps = np.geomspace(1, 1e5, 50)
    error = 100.0 if train.batch else 1.0
    curves = [Curve(name, steps, np.minimum(steps / 1e5, 1.0)) for name in ("f_mem", "f_mem:ddpm")] + [
        Curve(f"score_error:{name}", steps, np.full(50, error), t=50.0) for name in ("population", "empirical")
    ]
    return RunResult(Path(config.digest), config, "done", tuple(curves), times, seconds=1.0)


@pytest.fixture(scope="module")
def found():
    return analyse([result(config) for config in configs("cpu")])


def test_closed_form_laws_of_every_arm(found):
    exponents = {name: arm["exponent"]["value"] for name, arm in found.summary["arms"].items()}
    # two optimizers, at d = 8 with two batches; SGD by one more width, at d = 16 by two
    assert len(exponents) == 18
    for name, exponent in exponents.items():
        assert exponent == pytest.approx(0.5 if "Adam" in name and "batch" not in name else 1), name
    assert len(found.summary["arms"]["d = 8, Adam, DDIM"]["runs"]) == 24


def test_sgd_is_drawn_by_the_width_of_its_networks(found):
    drawn = {
        axes.get_title(loc="left"): [text.get_text() for text in axes.get_legend().get_texts()]
        for axes in found.figure.axes
        if axes.get_title(loc="left").startswith("networks of several widths")
    }
    assert list(drawn) == [f"networks of several widths, d = {d}, SGD" for d in (8, 16)]
    assert [names[1:] for names in drawn.values()] == [
        ["width 128", "width 256"],
        ["width 64", "width 128", "width 256"],
    ]


def test_closed_form_slopes_between_the_two_largest_sizes(found):
    """Six seeds apart by log 1.1: the error of the slope is that of the difference of two means."""
    slopes = {name: arm["last_slope"] for name, arm in found.summary["arms"].items()}
    assert slopes["d = 8, SGD, batch 64, DDIM"]["status"] == "ill_posed"  # nothing was copied at n = 512
    assert slopes["d = 8, SGD, batch 64, DDPM"]["value"] == pytest.approx(1)
    half = stats.t.ppf(0.975, 10) * np.log(1.1) * np.sqrt(2 * 4 / 5 / 6) / np.log(2)
    assert slopes["d = 8, Adam, DDIM"]["value"] == pytest.approx(0.5)
    assert slopes["d = 8, Adam, DDIM"]["high"] == pytest.approx(0.5 + half)
    assert f"0.50 [{0.5 - half:.2f}, {0.5 + half:.2f}] (d = 8, Adam, DDIM)" in " ".join(found.sentences)


def test_a_law_names_the_sizes_that_are_not_in_it(found):
    assert "1.00 [1.00, 1.00] without n = 512 (d = 8, SGD, batch 64)" in found.sentences[0]


def test_closed_form_batches_over_all_points(found):
    ratios = found.summary["over_full_batch"]["d = 8"]
    adam = {int(n): one["value"] for n, one in ratios["Adam"].items()}
    assert adam == pytest.approx({n: np.sqrt(n / 64) for n in (64, 128, 256, 512)})
    assert {n: one["value"] for n, one in ratios["SGD"].items() if n != "512"} == pytest.approx(
        {"64": 1, "128": 1, "256": 1}
    )
    assert ratios["SGD"]["512"]["status"] == "not_reached" and ratios["SGD"]["512"]["low"] == pytest.approx(2)
    words = " ".join(found.sentences)
    assert "2.83 (n = 512) by Adam; 1 (n = 64), 1 (n = 128), 1 (n = 256), > 2 (n = 512) by SGD" in words


def test_errors_to_the_exact_score_are_of_all_points_at_once(found):
    assert {error["last_to_population"] for error in found.summary["score_error"].values()} == {1.0}
