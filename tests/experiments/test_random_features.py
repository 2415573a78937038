"""The analysis of trained random features, on answers whose law is known."""

import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.experiments.features import FeaturesSettings
from genwindow.experiments.random_features import WAYS, analyse, compute
from genwindow.experiments.study import Case

TAU = np.geomspace(1, 1000, 40)


def case(psi_n, seed, rise=5.0, shift=0.0):
    """tau_mem = rise (psi_n + 1) by training; the theory's curves are `shift` below those of training."""
    train, test = 1 - 0.1 * TAU / (TAU + 10), 1 - 0.05 * TAU / (TAU + 10)

    def way(by, mem):
        return {
            "train": Curve("train", TAU, train + by).to_json(),
            "test": Curve("test", TAU, test + 2 * by).to_json(),
            "tau_gen": Estimate(7.0, 6.0, 8.0, "found", "test").to_json(),
            "tau_mem": Estimate(mem, mem, mem, "found", "test").to_json(),
        }

    ways = {name: way(shift if name in ("descent", "adam") else 0.0, rise * (psi_n + 1)) for name in WAYS}
    return Case(FeaturesSettings(psi_n=psi_n, seed=seed), {"n": 1, "ways": ways, "bound": 0.0}, 1.0)


def test_closed_form_line_law_and_distances():
    found = analyse([case(n, seed, shift=0.01) for n in (2.0, 4.0, 8.0) for seed in (0, 1)])
    summary = found.finding.summary
    assert summary["line"]["descent"]["slope"] == pytest.approx(5) and summary["line"]["adam"]["r2"] == pytest.approx(1)
    assert summary["line"]["theory"]["start"] == pytest.approx(-1)
    slope = np.polyfit(np.log([2, 4, 8]), np.log([3, 5, 9]), 1)[0]
    assert summary["exponent"]["descent"]["value"] == pytest.approx(slope)
    away = summary["distance_from_theory"]["4"]
    np.testing.assert_allclose(away["descent"], [0.01, 0.02], rtol=1e-9)
    assert away["closed"] == [0, 0] and "a factor 1.00" in " ".join(found.finding.sentences)
    assert len(found.rows) == 3 and found.rows[0]["tau_mem, descent"] == "15, 15"


def test_the_theory_counts_once_for_each_size():
    found = analyse([case(n, seed) for n in (2.0, 4.0, 8.0) for seed in (0, 1, 2)])
    words = found.finding.summary["exponent"]
    assert "from 3 runs" in words["theory"]["text"] and "from 9 runs" in words["descent"]["text"]


def test_agrees_with_the_theory_at_small_size():
    """Trained by gradient descent with small steps, the losses are those of the closed form up to gradient noise."""
    result = compute(FeaturesSettings(d=12, psi_p=6.0, psi_n=8.0, t=0.2, steps=150, step=0.1))
    ways = {name: Curve.from_json(result["ways"][name]["test"]) for name in WAYS}
    assert np.abs(ways["descent"].value - ways["closed"].value).max() < 0.02
    assert np.abs(ways["closed"].value - ways["theory"].value).max() < 0.1
    assert ways["closed"].value[-1] < 0.9 and result["n"] == 96
