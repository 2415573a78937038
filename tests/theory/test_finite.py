"""Models of finite size: exact averages over the noise, closed forms against step-by-step training."""

import math

import numpy as np
import pytest
from scipy.integrate import dblquad

from genwindow.data import heavy_tailed
from genwindow.errors import GenwindowError
from genwindow.theory import (
    Covariance,
    FiniteModel,
    GradientDescent,
    RandomFeatures,
)

TAU = [10.0, 100.0, 1000.0]


def small(activation="tanh", t=0.1, seed=0, p=30, d=6, n=12):
    generator = np.random.default_rng(seed)
    return FiniteModel.draw(p, d, t, generator, activation), generator.standard_normal((n, d)), generator


@pytest.mark.parametrize(("activation", "t"), [("tanh", 0.01), ("relu", 0.1), ("sin", 1.0)])
def test_agrees_with_sampling_of_the_noise(activation, t):
    model, x, generator = small(activation, t)
    found, draws = model.data_moments(x), 20_000
    u, v, squares = np.zeros((30, 30)), np.zeros((30, 6)), np.zeros((30, 30))
    for _ in range(draws // 100):
        noise = generator.standard_normal((1200, 6))
        phi = model.features(np.repeat(x, 100, 0), noise)
        u += phi @ phi.T / 1200
        v += phi @ noise / 1200
        squares += phi**2 @ (phi**2).T / 1200
    chunks = draws // 100
    error = np.sqrt(np.maximum(squares / chunks - (u / chunks) ** 2, 0) / (12 * draws))
    assert (np.abs(u / chunks - found.u) < 5.5 * error + 1e-9).all()
    assert np.abs(v / chunks - found.v).max() < 5.5 * np.abs(found.u).max() ** 0.5 / math.sqrt(12 * draws)
    assert found.bound < 1e-5


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_agrees_with_quadrature_for_one_pair(activation):
    model, x, _ = small(activation, 0.3, p=2, d=3, n=1)
    found = model.data_moments(x)
    w = model.weights / math.sqrt(3)
    noise = np.linalg.cholesky(model.delta * w @ w.T)
    mean, sigma = math.exp(-0.3) * w @ x[0], model.centred()

    def value(b, a):
        y = mean + noise @ [a, b]
        return float(np.prod(sigma(y))) * math.exp(-(a * a + b * b) / 2) / (2 * math.pi)

    assert found.u[0, 1] == pytest.approx(dblquad(value, -9, 9, -9, 9, epsabs=1e-9)[0], abs=2e-7)


def test_bound_holds():
    model, x, _ = small("sin", 1.0)
    best = model.data_moments(x, tolerance=1e-15).u
    for tolerance in (1e-1, 1e-3, 1e-6):
        rough = model.data_moments(x, tolerance=tolerance)
        assert np.abs(rough.u - best).max() <= rough.bound + 1e-12


def test_agrees_with_sampling_of_the_population():
    model, _, generator = small("relu", 0.2)
    covariance = np.diag(np.linspace(0.2, 2, 6))
    covariance[0, 1] = covariance[1, 0] = 0.3
    found = model.gaussian_moments(covariance)
    x = generator.multivariate_normal(np.zeros(6), covariance, 400_000)
    noise = generator.standard_normal(x.shape)
    phi = model.features(x, noise)
    np.testing.assert_allclose(found.u, phi @ phi.T / len(x), atol=0.02)
    np.testing.assert_allclose(found.v, phi @ noise / len(x), atol=0.01)


def test_limit_many_samples_are_the_population():
    model, _, generator = small("tanh", 0.2, p=10, d=4)
    errors = []
    for n in (400, 6400):
        x = generator.standard_normal((n, 4))
        errors.append(np.abs(model.data_moments(x).u - model.gaussian_moments(np.ones(4)).u).max())
    assert errors[1] < errors[0] / 2


def written_out_loss(model, weights, x, noise):
    """(1/d) mean |sqrt(Delta) s_A(x_t) + xi|^2 from its definition."""
    p, d = model.weights.shape
    score = weights @ model.features(x, noise) / math.sqrt(p)
    return float(((math.sqrt(model.delta) * score + noise.T) ** 2).mean())


@pytest.mark.parametrize(("momentum", "ridge"), [(0.0, 0.0), (0.0, 0.01), (0.9, 0.0), (0.5, 0.02)])
def test_agrees_with_gradient_descent_on_the_written_out_loss(momentum, ridge):
    model, x, generator = small(p=20, d=4, n=9)
    draws, (p, d) = 3, (20, 4)
    train = model.drawn_moments(x, draws, np.random.default_rng(5))
    repeated, noise = np.repeat(x, draws, 0), np.random.default_rng(5).standard_normal((27, 4))
    test = model.gaussian_moments(np.ones(4))
    rule = GradientDescent(3.0, momentum, ridge)
    steps = [1, 2, 40, 200]
    found = model.learning_curves(train, test, np.array(steps) * 3.0, dynamics=rule)

    phi = model.features(repeated, noise)
    weights = before = np.zeros((d, p))
    expected = []
    for step in range(1, max(steps) + 1):
        residual = math.sqrt(model.delta) * weights @ phi / math.sqrt(p) + noise.T
        gradient = 2 * math.sqrt(model.delta / p) * residual @ phi.T / (d * len(noise))
        gradient += 2 * model.delta * ridge / (d * p) * weights
        weights, before = weights - 3.0 * d**2 * gradient + momentum * (weights - before), weights
        if step in steps:
            expected.append((written_out_loss(model, weights, repeated, noise), model.loss(weights, test)))
    np.testing.assert_allclose(np.stack([found.train.value, found.test.value], 1), expected, atol=1e-10)


def test_test_loss_agrees_with_fresh_samples():
    model, x, generator = small(p=20, d=4, n=9)
    weights = 0.3 * generator.standard_normal((4, 20))
    fresh = generator.standard_normal((2, 500_000, 4))
    assert model.loss(weights, model.gaussian_moments(np.ones(4))) == pytest.approx(
        written_out_loss(model, weights, fresh[0], fresh[1]), rel=0.01
    )


def test_order_exact_tanh_model_approaches_the_limit():
    model, tau, errors = RandomFeatures(3, 6, 0.3), np.array([3.0, 30.0, 300.0]), []
    limit = model.learning_curves(tau)
    for d, draws in ((12, 24), (96, 3)):
        generator, found = np.random.default_rng(d), []
        for _ in range(draws):
            finite = FiniteModel.draw(3 * d, d, 0.3, generator)
            train, test = (
                finite.data_moments(generator.standard_normal((6 * d, d))),
                finite.gaussian_moments(np.ones(d)),
            )
            found.append(finite.learning_curves(train, test, tau))
        difference = [
            np.mean([getattr(c, part).value for c in found], 0) - getattr(limit, part).value
            for part in ("train", "test")
        ]  # fmt: skip
        errors.append(np.abs(difference).max())
    assert errors[1] < errors[0] / 3 and errors[1] < 0.01


def test_the_slow_directions_carry_the_overfitting():
    """Without Gaussian equivalence too: leaving the last d of n + d modes untrained leaves almost no overfitting."""
    d, generator = 40, np.random.default_rng(0)
    finite = FiniteModel.draw(16 * d, d, 0.01, generator)
    train = finite.data_moments(generator.standard_normal((4 * d, d)))
    test = finite.gaussian_moments(np.ones(d))
    lam, q = np.linalg.eigh(train.u)
    c = q.T @ train.v
    h = -1 / lam
    losses = []
    for kept in (d, 4 * d, 5 * d):
        some = np.where(np.arange(16 * d) >= 11 * d + (5 * d - kept), h, 0.0)
        trained = finite.learning_curves(train, test, [0.0])  # the untrained loss is 1
        weights = (c.T * some) @ q.T * math.sqrt(16 * d / finite.delta)
        losses.append((finite.loss(weights, train), finite.loss(weights, test)))
        assert trained.train.value[0] == pytest.approx(1)
    (fast, _), (middle, middle_test), (slow, slow_test) = losses
    assert fast - middle < 0.05 < 0.2 < middle - slow
    assert middle_test < 1.2 and slow_test > 3


def test_interpolation_peak_at_p_equal_to_n_m():
    """With m noise draws per sample the final test loss peaks near p = n m (George, Veiga, Macris, 2502.00336)."""
    d, n, m = 12, 18, 2
    final = []
    for p in (12, 36, 108):
        losses = []
        for seed in range(5):
            generator = np.random.default_rng(seed)
            model = FiniteModel.draw(p, d, 0.5, generator)
            train = model.drawn_moments(generator.standard_normal((n, d)), m, generator)
            test = model.gaussian_moments(np.ones(d))
            losses.append(model.learning_curves(train, test, [1e9]).test.value[0])
        final.append(np.median(losses))
    assert final[1] > 3 * final[0] and final[1] > 3 * final[2]


def test_more_samples_than_features_and_one_sample():
    for n in (1, 50):
        model, x, _ = small(p=8, d=3, n=n)
        found = model.learning_curves(model.data_moments(x), model.gaussian_moments(np.ones(3)), TAU)
        assert (np.diff(found.train.value) <= 1e-12).all() and np.isfinite(found.test.value).all()


def test_duplicated_samples_are_the_same_data():
    model, x, _ = small()
    np.testing.assert_allclose(model.data_moments(x).u, model.data_moments(np.repeat(x, 3, 0)).u, atol=1e-12)


def test_heavy_tailed_data_run_through_the_same_path():
    generator = np.random.default_rng(0)
    model = FiniteModel.draw(40, 10, 0.1, generator)
    train = model.data_moments(heavy_tailed(30, 10, 6.0, generator))
    test = model.data_moments(heavy_tailed(2000, 10, 6.0, generator))
    found = model.learning_curves(train, test, TAU)
    assert found.score_error is None and found.floor is None and found.test.value[-1] > found.train.value[-1]


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda m, x: m.data_moments(x[:, :3]), r"x must be \(n, 6\)"),
        (lambda m, x: m.data_moments(x * np.nan), "x must be finite"),
        (lambda m, x: m.gaussian_moments(np.ones(3)), "covariance must have the shape"),
        (lambda m, x: m.drawn_moments(x, 0, np.random.default_rng(0)), "draws must be"),
        (lambda m, x: FiniteModel(np.ones(3), 0.1), "weights must have the shape"),
        (lambda m, x: m.loss(np.ones((2, 2)), m.data_moments(x)), "weights must be"),
        (lambda m, x: m.learning_curves(m.data_moments(x), m.data_moments(x), [np.inf]), "tau must be finite"),
    ],
)
def test_rejects_bad_input(make, match):
    model, x, _ = small()
    with pytest.raises(GenwindowError, match=match):
        make(model, x)


def test_covariance_of_digits_is_used():
    from genwindow.data import named_set

    pixels = named_set("digits").pixels.reshape(-1, 64)
    law = Covariance.from_data(pixels)
    assert law.variance == pytest.approx(pixels.var(0).mean(), rel=1e-6)
