"""The model as users meet it: checks, timescales, imports."""

import subprocess
import sys

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.theory import Covariance, GradientFlow, RandomFeatures


def test_relaxation_times_are_those_of_the_edges():
    model = RandomFeatures(64, 8, 0.01)
    found = model.timescales()
    unit = 64 / (2 * model.delta)
    for times, (low, high) in zip(found.bulks, reversed(model.support()), strict=True):
        assert times.fastest == pytest.approx(unit / high) and times.slowest == pytest.approx(unit / low)
    assert sum(b.mass for b in found.bulks) + model.atom.mass == pytest.approx(1)


def test_timescales_are_read_as_from_measured_curves():
    from genwindow.analysis import tau_gen_from_loss, tau_mem_from_loss

    model = RandomFeatures(16, 4, 0.05)
    curves, found = model.learning_curves(), model.timescales(fraction=0.8, split=0.2)
    assert found.tau_gen == tau_gen_from_loss(curves.test, fraction=0.8)
    assert found.tau_mem == tau_mem_from_loss(curves.train, curves.test, split=0.2)
    assert RandomFeatures(2, 100, 0.05).timescales().tau_mem.status == "not_reached"


def test_ridge_holds_back_memorization():
    model = RandomFeatures(16, 4, 0.05)
    plain, held = model.learning_curves([1e5]), model.learning_curves([1e5], dynamics=GradientFlow(0.1))
    assert held.test.value[0] < plain.test.value[0] and held.train.value[0] > plain.train.value[0]


def test_any_vectorised_callable_is_an_activation():
    named, own = RandomFeatures(4, 2, 0.1), RandomFeatures(4, 2, 0.1, lambda x: np.tanh(x))
    assert named.final_losses() == pytest.approx(own.final_losses())


def test_import_needs_no_torch():
    code = "import sys, genwindow.theory; assert 'torch' not in sys.modules and 'matplotlib' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((0.0, 1.0, 0.1), "psi_p must be"),
        ((1.0, -1.0, 0.1), "psi_n must be"),
        ((1.0, 1.0, 0.0), "t must be"),
        ((1.0, 1.0, 301.0), r"t must be a number in \(0, 300\]"),
        ((1.0, float("nan"), 0.1), "psi_n must be"),
        ((1.0, 1.0, 0.1, "hermite2"), "no linear part"),
        ((1.0, 1.0, 0.1, lambda x: x**2), "no linear part"),
        ((1.0, 1.0, 0.1, "step"), "activation must be"),
        ((1.0, 1.0, 0.1, "tanh", np.eye(3)), "covariance must be a Covariance"),
    ],
)
def test_rejects_bad_input(arguments, match):
    with pytest.raises(GenwindowError, match=match):
        RandomFeatures(*arguments)


def test_edge_latest_time_and_no_bulk():
    assert len(RandomFeatures(8, 2, 300).learning_curves().test) > 0
    for ask in (RandomFeatures.natural_times, RandomFeatures.timescales, RandomFeatures.final_losses):
        with pytest.raises(GenwindowError, match="no bulk of the spectrum can be told at psi_p = 1e.12, psi_n = 1"):
            ask(RandomFeatures(1e12, 1, 0.01))


def test_covariance_with_zero_eigenvalues_and_a_linear_activation():
    for model in (
        RandomFeatures(8, 3, 0.1, "tanh", Covariance.atoms([0.0, 2.0])),
        RandomFeatures(8, 3, 0.1, "hermite1"),
        RandomFeatures(0.5, 3, 0.1, "hermite1"),
    ):
        train, test = model.final_losses()
        assert 0 < train <= test
