"""The arms of the heavy-tails experiment; that it goes through is tested with every other experiment."""

from pathlib import Path

import numpy as np
import pytest

from genwindow import Curve, Estimate
from genwindow.data.points import draw_points
from genwindow.diffusion.draws import keyed_generator
from genwindow.experiments.heavy_tails import LAWS, analyse, configs
from genwindow.runs import RunResult


def result(config):
    """A run whose tau_mem is 10 n for white points, 20 n for the others."""
    slow = 10 if config.data.parameter == 0.0 else 20
    times = {
        "tau_mem": Estimate(slow * config.data.n, None, None, "found", "test"),
        "tau_gen_loss": Estimate(300.0, None, None, "found", "test"),
        "floor": Estimate(0.001, None, None, "found", "test"),
    }
    curve = Curve("f_mem", np.array([1.0, 1e5]), np.array([0.0, 0.5]))
    return RunResult(Path(config.digest), config, "done", (curve,), times, seconds=1.0)


def test_closed_form_laws_of_every_arm():
    found = analyse([result(config) for config in configs("cpu")])
    assert set(found.summary["arms"]) == set(LAWS.values())
    assert all(arm["exponent"]["value"] == pytest.approx(1) for arm in found.summary["arms"].values())
    words = " ".join(found.sentences)
    assert "tau_mem of heavy tails over that of white Gaussian: 2.00 (n = 32)" in words
    assert "white Gaussian: tau_gen (held-out loss) 300" in words


def test_closed_form_the_arms_have_the_laws_they_are_named_after():
    """Covariance of each; white points and heavy tails share it, and only the latter have a kurtosis."""

    def points(source, parameter):
        drawn = draw_points(source, 4, 40_000, lambda block: keyed_generator("arms", block), parameter)
        return drawn.points.double().numpy()

    white, decaying, heavy = (points(*law) for law in LAWS)
    np.testing.assert_allclose(np.cov(white.T), np.eye(4), atol=0.05)
    wanted = 1 / np.arange(1, 5)
    np.testing.assert_allclose(np.diag(np.cov(decaying.T)), wanted / wanted.mean(), rtol=0.05)
    assert (white**4).mean() == pytest.approx(3, rel=0.05) and (heavy**4).mean() > 6


def test_paper_scale_has_several_dimensions_as_arms():
    found = analyse([result(config) for config in configs("paper")])
    assert "heavy tails, d = 32" in found.summary["arms"]
