"""The analysis of guidance and classes, on runs whose times are known; every experiment is tested to go through."""

from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.experiments.guidance import analyse, configs
from genwindow.runs import RunResult

SEEDS = (
    Estimate(None, None, 500.0, "below_range", "test"),
    Estimate(1000.0, 900.0, 1200.0, "found", "test"),
    Estimate(1100.0, 800.0, None, "found", "test"),
)
"""tau_mem of class 0 for each seed: the median is the second, whose interval the others widen to both sides."""


def result(config):
    """tau_mem is 10 n (1 + w), its seeds apart by 10 %; of class 1 twice that of class 0, or not reached."""
    n, seed = config.data.n, config.train.seed
    times = {"floor": Estimate(0.0, 0.0, 0.0, "found", "test")}
    for name, w in (("tau_mem", 0), ("tau_mem:w=1", 1), ("tau_mem:w=3", 3)):
        times[name] = Estimate(10 * n * (1 + w) * 1.1 ** (seed - 1), None, None, "found", "test")
    if config.data.source == "mixture":
        times["tau_mem:class=0"] = SEEDS[seed]
        times["tau_mem:class=1"] = Estimate(None, 9000.0, None, "not_reached", "test")
    else:
        times |= {f"tau_mem:class={k}": Estimate(50.0 + k, None, None, "found", "test") for k in range(10)}
    steps = np.array([1.0, 1e5])
    curves = [
        Curve(kind + part, steps, np.array([0.0, end * (1 + seed)]))
        for part in ("", ":w=1", ":w=3")
        for kind, end in (("f_mem", 0.1), ("frechet", 1.0))
    ]
    return RunResult(Path(config.digest), config, "done", tuple(curves), times, seconds=1.0)


@pytest.fixture(scope="module")
def found():
    return analyse([result(config) for config in configs("cpu")])


def test_closed_form_laws_at_every_weight(found):
    for weight in ("w = 0", "w = 1", "w = 3"):
        groups = found.summary["weights"][weight]
        assert set(groups) == {"mixture, equal classes", "mixture, 4 : 1 classes", "digits, equal classes"}
        assert all(group["exponent"]["value"] == pytest.approx(1) for group in groups.values())
        assert len(groups["mixture, 4 : 1 classes"]["runs"]) == 9


def test_a_class_has_the_median_of_its_seeds_and_an_interval_that_contains_theirs(found):
    words = " ".join(found.sentences)
    assert "4 : 1 classes, steps to copying by class: 1k [0, inf] (51 images), > 9k (13 images) at n = 64" in words
    assert "median 52 (4 classes of 7 to 7 images, 0 of them not reached)" in words


def test_what_is_left_at_the_end_is_the_mean_over_seeds(found):
    words = " ".join(found.sentences)
    assert "mixture, equal classes, at the end of the largest n: f_mem 20.0%, Frechet distance 2 (w = 0)" in words
