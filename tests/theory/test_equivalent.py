"""The Gaussian-equivalent model of finite size: its Gram form against the p x p matrices written out."""

import math

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.theory import Covariance, GaussianEquivalent, GradientDescent, RandomFeatures

MODELS = [
    RandomFeatures(6, 2, 0.1, "relu", Covariance.atoms([0.5, 1.5])),  # p > n + d: the Gram form
    RandomFeatures(2, 4, 0.1),  # p < n + d
]


def written_out(sample):
    """U, Utilde and V as p x p and p x d matrices."""
    m, t, d = sample.model.moments, sample.model.t, sample.d
    w, n, p = sample.weights / math.sqrt(d), sample.features.shape[1], len(sample.weights)
    u = sample.features @ sample.features.T / n + m.b**2 * w @ w.T + m.s2 * np.eye(p)
    signal = m.a**2 * math.exp(-2 * t)
    tilde = signal * (w * sample.sigma) @ w.T + m.b**2 * w @ w.T + (m.v2 + m.s2) * np.eye(p)
    return u, tilde, m.b * w


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_the_matrices_written_out(model):
    sample = GaussianEquivalent.draw(model, 20, np.random.default_rng(0))
    u, tilde, v = written_out(sample)
    expected = np.linalg.eigvalsh(u)
    found = sample.eigenvalues()
    np.testing.assert_allclose(found, expected[-len(found) :], atol=1e-12)
    np.testing.assert_allclose(expected[: -len(found)], model.moments.s2, atol=1e-12)
    q = np.linalg.eigh(u)[1]
    assert sample.overlaps().sum() == pytest.approx(((q.T @ v) ** 2).sum() / 20)


@pytest.mark.parametrize("model", MODELS)
def test_agrees_with_gradient_descent_step_by_step(model):
    sample = GaussianEquivalent.draw(model, 10, np.random.default_rng(0))
    u, tilde, v = written_out(sample)
    p, d, step, delta = len(u), 10, 1.5, model.delta
    found = sample.learning_curves([step * 300], dynamics=GradientDescent(step, 0.5))
    b = before = np.zeros((d, p))
    rate = 2 * delta * d / p * step
    for _ in range(300):
        b, before = b - rate * (b @ u + v.T / math.sqrt(delta)) + 0.5 * (b - before), b
    train = 1 + delta / d * ((b @ u) * b).sum() + 2 * math.sqrt(delta) / d * (b * v.T).sum()
    test = 1 + delta / d * ((b @ tilde) * b).sum() + 2 * math.sqrt(delta) / d * (b * v.T).sum()
    assert found.train.value[0] == pytest.approx(train, abs=1e-10)
    assert found.test.value[0] == pytest.approx(test, abs=1e-10)


def test_limit_of_all_time_is_ridge_regression():
    sample = GaussianEquivalent.draw(MODELS[0], 15, np.random.default_rng(0))
    u, tilde, v = written_out(sample)
    b = np.linalg.solve(u, v).T
    train, test = 1 - (b * v.T).sum() / 15, 1 + ((b @ tilde) * b).sum() / 15 - 2 * (b * v.T).sum() / 15
    found = sample.learning_curves([1e12])
    np.testing.assert_allclose([found.train.value[0], found.test.value[0]], [train, test], rtol=1e-9)


def test_untrained_slow_modes_leave_the_loss_higher():
    model = RandomFeatures(16, 4, 0.01)
    sample, tau = GaussianEquivalent.draw(model, 30, np.random.default_rng(0)), [1e3, 1e7]
    cut = math.sqrt(model.support()[0][1] * model.support()[1][0])
    every, fast = sample.learning_curves(tau), sample.learning_curves(tau, lowest=cut)
    assert (fast.train.value > every.train.value).all()
    assert fast.test.value[-1] < 1.1 < 5 < every.test.value[-1]  # the slow bulk carries the overfitting


def test_tiny_sizes_round_up_to_one():
    sample = GaussianEquivalent.draw(RandomFeatures(0.1, 0.1, 0.5), 2, np.random.default_rng(0))
    assert sample.weights.shape == (1, 2) and sample.features.shape == (1, 1)
    assert np.isfinite(sample.learning_curves([1.0]).test.value).all()


def test_rejects_bad_input():
    with pytest.raises(GenwindowError, match="d must be"):
        GaussianEquivalent.draw(MODELS[0], 0, np.random.default_rng(0))
    sample = GaussianEquivalent.draw(MODELS[0], 5, np.random.default_rng(0))
    with pytest.raises(GenwindowError, match="lowest must be below"):
        sample.learning_curves([1.0], lowest=1e9)
