"""Learning curves in the limit: stored numbers, closed limits, finite models, stopping."""

import numpy as np
import pytest

from genwindow.errors import GenwindowError
from genwindow.theory import Covariance, GaussianEquivalent, GradientDescent, GradientFlow, RandomFeatures

TABLE = [  # tau: training and test loss, derived and checked against finite matrices before this code was written
    (RandomFeatures(16, 4, 0.01), {100: (0.97880, 0.98212), 1000: (0.96448, 0.99874), 1e4: (0.88747, 1.23108)}),
    (RandomFeatures(64, 8, 0.01), {100: (0.97988, 0.98159), 1000: (0.97270, 0.98545), 1e4: (0.92969, 1.03697)}),
    (
        RandomFeatures(8, 16, 0.01, covariance=Covariance.atoms([0.5, 1.5])),
        {100: (0.97887, 0.97956), 1e4: (0.96056, 0.98927)},
    ),
]


@pytest.mark.parametrize(("model", "table"), TABLE)
def test_stored_losses(model, table):
    found = model.learning_curves(list(table))
    np.testing.assert_allclose(np.stack([found.train.value, found.test.value], 1), list(table.values()), atol=6e-6)


MODELS = [
    RandomFeatures(16, 4, 0.01),
    RandomFeatures(0.5, 3, 0.5, "relu"),
    RandomFeatures(3, 30, 0.1, "gelu", Covariance.atoms([0.3, 2.0], [3, 1])),
    RandomFeatures(4, 2, 1.0, "erf", Covariance.power_law(0.5)),
]


@pytest.mark.parametrize("model", MODELS)
def test_quadrature_error_is_honest(model):
    tau = model.natural_times(2)
    fine = model.learning_curves(tau, nodes=1200)
    for nodes in (60, 156, 396):
        found = model.learning_curves(tau, nodes=nodes)
        difference = max(
            np.abs(found.train.value - fine.train.value).max(), np.abs(found.test.value - fine.test.value).max()
        )
        assert difference <= 2 * found.error + 1e-12
    assert found.error < 1e-5


@pytest.mark.parametrize("model", MODELS)
def test_limit_of_no_time(model):
    found = model.learning_curves([0.0, 1e-9])
    np.testing.assert_allclose(found.train.value, 1, atol=1e-9)
    np.testing.assert_allclose(found.test.value, 1, atol=1e-9)


@pytest.mark.parametrize("model", MODELS)
def test_limit_of_all_time(model):
    unit = model.psi_p / (2 * model.delta * model.support()[0][0])
    found = model.learning_curves([40 * unit])
    np.testing.assert_allclose([found.train.value[0], found.test.value[0]], model.final_losses(), rtol=1e-9)


def test_limit_of_many_samples_test_and_training_loss_agree():
    for model in (RandomFeatures(4, 1e7, 0.1), RandomFeatures(4, 1e7, 0.1, "relu", Covariance.atoms([0.5, 1.5]))):
        found = model.learning_curves(model.natural_times(2))
        assert np.abs(found.gap.value).max() < 1e-6
        assert (np.diff(found.train.value) < 1e-12).all()


def test_no_test_loss_below_that_of_the_true_score_and_training_loss_falls():
    for model in MODELS:
        found = model.learning_curves()
        assert (found.test.value > found.floor).all() and (found.score_error.value > 0).all()
        assert (np.diff(found.train.value) < 1e-10).all()


@pytest.mark.parametrize("ridge", [0.0, 0.05])
@pytest.mark.parametrize(
    "model",
    [RandomFeatures(6, 3, 0.05), RandomFeatures(2, 5, 0.2, "relu", Covariance.atoms([0.5, 1.5]))],
    ids=["tanh", "relu"],
)
def test_order_difference_from_finite_models_shrinks_with_d(model, ridge):
    """The mean over draws approaches the limit as d^-1 or faster (fluctuations fall as d^-1 too)."""
    tau = np.array([30.0, 300.0, 3000.0])
    limit = model.learning_curves(tau, dynamics=GradientFlow(ridge))
    sizes, draws = (15, 30, 60, 120), (160, 80, 40, 20)
    errors = []
    for d, count in zip(sizes, draws, strict=True):
        generator = np.random.default_rng(d)
        found = [GaussianEquivalent.draw(model, d, generator) for _ in range(count)]
        curves = [f.learning_curves(tau, dynamics=GradientFlow(ridge)) for f in found]
        means = [np.mean([getattr(c, part).value for c in curves], 0) for part in ("train", "test")]
        scale = limit.test.value.max()
        errors.append(
            max(np.abs(means[0] - limit.train.value).max(), np.abs(means[1] - limit.test.value).max()) / scale
        )
    order = -np.polyfit(np.log(sizes), np.log(errors), 1)[0]
    assert order > 0.8, (order, errors)
    assert errors[-1] < 3e-3


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_agrees_with_finite_models_under_finite_steps(momentum):
    model, rule = RandomFeatures(6, 3, 0.05), GradientDescent(2.0, momentum)
    tau = [10.0, 100.0, 1000.0]
    limit = model.learning_curves(tau, dynamics=rule)
    assert limit.error < 1e-6
    flow = model.learning_curves(tau)
    assert np.abs(limit.train.value - flow.train.value).max() > 1e-4  # the rule matters
    generator = np.random.default_rng(3)
    found = [GaussianEquivalent.draw(model, 150, generator).learning_curves(tau, dynamics=rule) for _ in range(6)]
    np.testing.assert_allclose(np.mean([f.train.value for f in found], 0), limit.train.value, atol=2e-3)
    np.testing.assert_allclose(np.mean([f.test.value for f in found], 0), limit.test.value, rtol=4e-3)


def first_passing(curve, level):
    i = int(np.flatnonzero(curve.value > level)[0])
    a, b = curve.value[i - 1 : i + 1]
    share = (level - a) / (b - a)
    return float(np.exp(np.log(curve.tau[i - 1]) * (1 - share) + np.log(curve.tau[i]) * share))


def test_tau_gen_is_constant_and_tau_mem_grows():
    """90 % of the best gain within a factor 1.5 while psi_n goes 2 -> 64; a gap of 0.01 at stored times.

    The stored times are the first points of a grid of 3.5 % spacing with a larger gap, so they are late by up to that.
    """
    tau, gen, mem = np.geomspace(1, 1e6, 1200), [], []
    for psi_n in (2, 4, 8, 16, 32, 64):
        model = RandomFeatures(64, psi_n, 0.01)
        gen.append(model.timescales().tau_gen.value)
        mem.append(first_passing(model.learning_curves(tau).gap, 0.01))
    assert 55 < min(gen) and max(gen) < 78 and max(gen) / min(gen) < 1.5
    late = np.array([130, 211, 660, 2547, 6487, 15416]) / mem
    assert (late > 1).all() and (late < 1.04).all()


def test_tau_mem_becomes_proportional_to_n():
    """psi_p = 512, gap 0.1: log-slopes per doubling 1.20, 1.13, 1.06 for psi_n from 8 to 64, read on a grid."""
    tau = np.geomspace(1e3, 1e6, 800)
    times = [first_passing(RandomFeatures(512, n, 0.01).learning_curves(tau).gap, 0.1) for n in (8, 16, 32, 64)]
    slopes = np.diff(np.log2(times))
    assert ((slopes > 1.0) & (slopes < 1.3)).all() and (np.diff(slopes) < 0).all()
    np.testing.assert_allclose(slopes, [1.20, 1.13, 1.06], atol=0.025)


def test_best_stop_is_the_minimum_and_regret_grows_away_from_it():
    model = RandomFeatures(64, 8, 0.01)
    stop = model.optimal_stopping()
    around = model.learning_curves(stop.tau.value * np.array([0.98, 1.0, 1.02])).test.value
    assert around[1] <= around[0] and around[1] <= around[2] and stop.test == pytest.approx(around[1], abs=1e-12)
    assert stop.floor < stop.test < stop.final and stop.tau.low < stop.tau.value < stop.tau.high
    assert stop.regret.value[0] == pytest.approx(1 - stop.test, abs=5e-3) and stop.regret.value.min() < 1e-5


def test_best_stop_statuses_at_the_ends():
    never = RandomFeatures(0.5, 50, 0.5).optimal_stopping(ridge=0.2)
    assert never.tau.status == "not_reached" and never.test <= never.regret.value.min() + never.test
    late = RandomFeatures(64, 2, 0.01).optimal_stopping([1e4, 2e4, 4e4])
    assert late.tau.status == "below_range" and late.tau.high == 1e4


@pytest.mark.parametrize(
    ("ask", "match"),
    [
        (lambda m: m.learning_curves([]), "tau must be increasing"),
        (lambda m: m.learning_curves([2.0, 1.0]), "tau must be increasing"),
        (lambda m: m.learning_curves([-1.0, 1.0]), "tau must be increasing"),
        (lambda m: m.learning_curves([1.0, np.nan]), "tau must be increasing"),
        (lambda m: m.learning_curves([1.0, np.inf]), "tau must be finite"),
        (lambda m: m.learning_curves([1.0], nodes=2), "nodes must be"),
        (lambda m: m.learning_curves([1.0], dynamics=GradientDescent(1e6)), "step must be below"),
        (lambda m: m.optimal_stopping([1.0, 2.0]), "at least three times"),
    ],
)
def test_rejects_bad_input(ask, match):
    with pytest.raises(GenwindowError, match=match):
        ask(RandomFeatures(4, 2, 0.1))


def test_step_at_the_stability_limit():
    model = RandomFeatures(4, 2, 0.1)
    fastest = 2 * model.delta / model.psi_p * model.support()[-1][1]
    just_stable = model.learning_curves([100.0], dynamics=GradientDescent(1.999 / fastest))
    assert np.isfinite(just_stable.test.value).all()
    with pytest.raises(GenwindowError, match="step must be below"):
        model.learning_curves([100.0], dynamics=GradientDescent(2.001 / fastest))
