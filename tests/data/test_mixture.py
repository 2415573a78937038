import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from genwindow import GenwindowError
from genwindow.data import GaussianMixture

F64 = torch.float64


def draw(*shape, seed=0, dtype=F64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def general(seed=0):
    """Four components of different width (one a point) and weight in three dimensions."""
    return GaussianMixture(
        draw(4, 3, seed=seed), torch.tensor([0.5, 1.3, 0.0, 0.2]), torch.tensor([1.0, 2.0, 3.0, 0.5])
    )


def test_closed_form_single_gaussian():
    mean, std, alpha, sigma = draw(1, 5), 0.7, 0.6, 0.4
    mixture, x = GaussianMixture(mean, std), draw(9, 5, seed=1)
    variance = alpha**2 * std**2 + sigma**2
    torch.testing.assert_close(mixture.score(x, alpha, sigma), -(x - alpha * mean) / variance)
    expected = -((x - alpha * mean) ** 2).sum(1) / (2 * variance) - 2.5 * math.log(2 * math.pi * variance)
    torch.testing.assert_close(mixture.log_density(x, alpha, sigma), expected)
    posterior_mean = mean + alpha * std**2 / variance * (x - alpha * mean)
    torch.testing.assert_close(mixture.data_mean(x, alpha, sigma), posterior_mean)
    torch.testing.assert_close(mixture.posterior(x, alpha, sigma), torch.ones(9, 1, dtype=F64))


def test_closed_form_two_clusters():
    # P_0 = (N(m, I) + N(-m, I)) / 2 with m = (1, ..., 1); at alpha^2 + sigma^2 = 1 the score is
    # alpha m tanh(alpha m.x) - x
    alpha = math.exp(-0.3)
    sigma = math.sqrt(1 - alpha**2)
    mixture, x = GaussianMixture.two_clusters(8), draw(50, 8)
    expected = alpha * torch.tanh(alpha * x.sum(1, keepdim=True)) - x
    torch.testing.assert_close(mixture.score(x, alpha, sigma), expected.expand(50, 8))
    assert len(mixture) == 2 and mixture.shape == (8,)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.floats(0.05, 3.0))
def test_agrees_with_scipy_density(seed, alpha, sigma):
    mixture, x = general(seed), draw(6, 3, seed=seed + 1)
    variances = alpha**2 * mixture.std.numpy() ** 2 + sigma**2
    parts = [
        np.log(w) + multivariate_normal.logpdf(x.numpy(), alpha * m, v * np.eye(3))
        for w, m, v in zip(mixture.weights.numpy(), mixture.means.numpy(), variances, strict=True)
    ]
    total = logsumexp(parts, axis=0)
    np.testing.assert_allclose(mixture.log_density(x, alpha, sigma), total, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mixture.posterior(x, alpha, sigma), np.exp(np.array(parts) - total).T, atol=1e-9)


@pytest.mark.parametrize("points", [False, True])
@pytest.mark.parametrize("sigma", [0.03, 0.5, 2.0])
def test_agrees_with_autograd(points, sigma):
    mixture = GaussianMixture.from_points(draw(20, 2, 3)) if points else general()
    x = draw(7, *mixture.shape, seed=3).requires_grad_()
    (gradient,) = torch.autograd.grad(mixture.log_density(x, 0.8, sigma).sum(), x)
    torch.testing.assert_close(mixture.score(x.detach(), 0.8, sigma), gradient, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("points", [False, True])
def test_agrees_with_tweedie(points):
    # E[x_0 | x_t] = (x_t + sigma^2 score) / alpha
    mixture = GaussianMixture.from_points(draw(20, 3)) if points else general()
    x, alpha, sigma = draw(7, 3, seed=3), 0.8, 0.6
    expected = (x + sigma**2 * mixture.score(x, alpha, sigma)) / alpha
    torch.testing.assert_close(mixture.data_mean(x, alpha, sigma), expected)


def test_agrees_with_sampling():
    mixture, alpha, sigma = general(), 0.8, 0.6
    generator = torch.Generator().manual_seed(0)
    x0, component = mixture.sample(200_000, generator)
    xt = alpha * x0 + sigma * torch.randn(x0.shape, generator=generator, dtype=F64)
    # E[(x_0 - E[x_0|x_t]) x_t] = 0: the posterior mean is the orthogonal projection on functions of x_t
    products = (x0 - mixture.data_mean(xt, alpha, sigma)) * xt
    assert (products.mean(0).abs() < 6 * products.std(0) / math.sqrt(len(x0))).all()
    gap = torch.nn.functional.one_hot(component, 4) - mixture.posterior(xt, alpha, sigma)
    assert (gap.mean(0).abs() < 6 * gap.std(0) / math.sqrt(len(x0))).all()


@pytest.mark.parametrize("sigma", [0.0, 1e-300, 1e-12, 1e-4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_limit_small_noise_reproduces_points(sigma, dtype):
    points = draw(50, 3, 8, 8, dtype=dtype)
    x = 0.7 * points + sigma * draw(50, 3, 8, 8, seed=1, dtype=dtype)
    assert torch.equal(GaussianMixture.from_points(points).data_mean(x, 0.7, sigma), points)


def test_limit_no_noise_takes_the_nearest_point():
    points, x = draw(30, 4), draw(100, 4, seed=1)
    nearest = torch.cdist(x, 0.9 * points).argmin(dim=1)
    mixture = GaussianMixture.from_points(points)
    assert torch.equal(mixture.data_mean(x, 0.9, 0.0), points[nearest])
    assert torch.equal(mixture.posterior(x, 0.9, 0.0), torch.nn.functional.one_hot(nearest, 30).to(F64))


def test_limit_no_noise_with_width_divides_by_alpha():
    mixture, x = GaussianMixture.two_clusters(4), draw(10, 4)
    torch.testing.assert_close(mixture.data_mean(x, 0.5, 0.0), 2 * x)


def test_limit_no_noise_beside_a_point_component():
    # component 2 is a point: it explains x exactly there and nowhere else
    mixture = general()
    x = torch.stack([0.9 * mixture.means[2], 0.9 * mixture.means[2] + 1e-3])
    posterior = mixture.posterior(x, 0.9, 0.0)
    assert posterior[0, 2] == 1 and posterior[1, 2] == 0
    torch.testing.assert_close(mixture.data_mean(x, 0.9, 0.0), x / 0.9)


@pytest.mark.parametrize("alpha", [0.0, 1e-200, 1e-30])
def test_limit_no_signal_gives_the_prior(alpha):
    points, x = draw(30, 4), draw(10, 4, seed=1)
    mixture = GaussianMixture.from_points(points)
    torch.testing.assert_close(mixture.score(x, alpha, 0.8), -x / 0.64)
    torch.testing.assert_close(mixture.posterior(x, alpha, 0.8), torch.full((10, 30), 1 / 30, dtype=F64))
    torch.testing.assert_close(mixture.data_mean(x, alpha, 0.8), points.mean(0).expand(10, 4))


@pytest.mark.parametrize("sigma", [1e-6, 1e-3, 1.0, 100.0])
def test_large_dimension_does_not_underflow(sigma):
    points = draw(40, 1, 32, 32)
    x = points[:5] + sigma * draw(5, 1, 32, 32, seed=1)
    mixture = GaussianMixture.from_points(points)
    for answer in (mixture.score(x, 1.0, sigma), mixture.log_density(x, 1.0, sigma), mixture.data_mean(x, 1.0, sigma)):
        assert torch.isfinite(answer).all()
    if sigma <= 1e-3:  # only the point beneath counts
        squares = (x - points[:5]).reshape(5, -1).square().sum(1)
        expected = -squares / (2 * sigma**2) - 512 * math.log(2 * math.pi * sigma**2) - math.log(40)
        torch.testing.assert_close(mixture.log_density(x, 1.0, sigma), expected)
        torch.testing.assert_close(mixture.score(x, 1.0, sigma), (points[:5] - x) / sigma**2)


def test_near_copies_are_told_apart():
    # Two points 1e-9 apart at distance 32 from the origin: an expanded |x|^2 - 2 x.m + |m|^2 would see none of it.
    points = torch.ones(2, 1024, dtype=F64)
    points[:, 0] = torch.tensor([0.0, 1e-9])
    posterior = GaussianMixture.from_points(points).posterior(0.5 * points[:1], 0.5, 0.5e-9)
    expected = 1 / (1 + math.exp(-0.5))
    torch.testing.assert_close(posterior, torch.tensor([[expected, 1 - expected]], dtype=F64))


def test_single_and_duplicated_points():
    points, x = draw(6, 4), draw(9, 4, seed=1)
    twice = GaussianMixture.from_points(points.repeat(2, 1))
    once = GaussianMixture.from_points(points)
    torch.testing.assert_close(twice.score(x, 0.9, 0.3), once.score(x, 0.9, 0.3))
    assert torch.equal(twice.posterior(points, 1.0, 0.0)[:, :6], 0.5 * torch.eye(6, dtype=F64))
    assert torch.equal(twice.data_mean(points, 1.0, 0.0), points)
    single = GaussianMixture.from_points(points[:1])
    assert torch.equal(single.data_mean(x, 0.9, 0.3), points[:1].expand(9, 4))
    torch.testing.assert_close(single.score(x, 0.9, 0.3), (0.9 * points[:1] - x) / 0.09)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_dtype_and_shape_are_the_callers(dtype):
    mixture = GaussianMixture.from_points(draw(5, 1, 4, 4, dtype=torch.float32))
    x = draw(3, 1, 4, 4, seed=1).to(dtype)
    shapes = {"score": x.shape, "data_mean": x.shape, "log_density": (3,), "posterior": (3, 5)}
    for name, shape in shapes.items():
        answer = getattr(mixture, name)(x, 0.8, 0.6)
        assert answer.dtype == dtype and answer.shape == shape and answer.device == x.device
        torch.testing.assert_close(answer, getattr(mixture, name)(x.double(), 0.8, 0.6).to(dtype), rtol=0, atol=0)
    assert mixture.sample(2, torch.Generator().manual_seed(0))[0].dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("points_on", ["cpu", "cuda"])
def test_agrees_with_cpu_on_cuda(points_on):
    points, x = draw(20, 1, 4, 4, dtype=torch.float32), draw(6, 1, 4, 4, seed=1, dtype=torch.float32)
    here, there = GaussianMixture.from_points(points), GaussianMixture.from_points(points.to(points_on))
    for name in ("score", "data_mean", "log_density", "posterior"):
        answer = getattr(there, name)(x.cuda(), torch.full((6,), 0.8), 0.6)
        assert answer.is_cuda and answer.dtype == torch.float32
        torch.testing.assert_close(answer.cpu(), getattr(here, name)(x, 0.8, 0.6))


def test_levels_may_differ_between_queries():
    mixture, x = general(), draw(6, 3, seed=1)
    alpha, sigma = torch.linspace(0, 1, 6), torch.linspace(1, 0.1, 6, dtype=F64)
    for name in ("score", "data_mean", "log_density", "posterior"):
        together = getattr(mixture, name)(x, alpha, sigma)
        alone = [getattr(mixture, name)(x[i : i + 1], float(alpha[i]), sigma[i]) for i in range(6)]
        torch.testing.assert_close(together, torch.cat(alone))


def test_blocks_change_nothing(monkeypatch):
    mixture, x = general(), draw(11, 3, seed=1)
    whole = {name: getattr(mixture, name)(x, 0.5, 0.5) for name in ("score", "data_mean", "log_density", "posterior")}
    monkeypatch.setattr("genwindow.data.mixture._BLOCK", 12)
    for name, expected in whole.items():
        torch.testing.assert_close(getattr(mixture, name)(x, 0.5, 0.5), expected, rtol=1e-14, atol=1e-14)


def test_samples_have_the_moments_of_the_mixture():
    mixture, n = general(), 100_000
    points, component = mixture.sample(n, torch.Generator().manual_seed(0))
    shares = torch.bincount(component, minlength=4) / n
    assert ((shares - mixture.weights).abs() < 6 * (mixture.weights * (1 - mixture.weights) / n).sqrt()).all()
    for k in range(4):
        own, std = points[component == k] - mixture.means[k], mixture.std[k]
        assert (own.mean(0).abs() <= 6 * std / math.sqrt(len(own))).all()
        assert ((own.square().mean(0) - std**2).abs() <= 6 * std**2 * math.sqrt(2 / len(own))).all()


def test_samples_of_points_are_the_points_and_depend_on_the_generator_only():
    points = draw(10, 1, 3, 3, dtype=torch.float32)
    mixture = GaussianMixture.from_points(points)
    before = torch.get_rng_state()
    sampled, component = mixture.sample(100, torch.Generator().manual_seed(4))
    again, _ = mixture.sample(100, torch.Generator().manual_seed(4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(sampled, points[component]) and torch.equal(sampled, again)


def test_weights_of_any_scale():
    one = GaussianMixture(draw(2, 3), 1.0, torch.tensor([1, 3]))
    torch.testing.assert_close(one.weights, torch.tensor([0.25, 0.75], dtype=F64))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(3), 1.0), r"means must have the shape \(K, ...\), got \(3,\)"),
        ((torch.zeros(0, 3), 1.0), r"means must have the shape \(K, ...\), got \(0, 3\)"),
        ((torch.zeros(2, 3, dtype=torch.int64), 1.0), "means must be floating-point numbers, got torch.int64"),
        ((torch.full((2, 3), math.nan), 1.0), "means must be finite"),
        ((torch.zeros(2, 3), -1.0), "std must not be negative, got -1"),
        ((torch.zeros(2, 3), math.inf), "std must be finite, got inf"),
        ((torch.zeros(2, 3), torch.ones(3)), r"std must be one number or \(2,\), got shape \(3,\)"),
        ((torch.zeros(2, 3), 1.0, torch.tensor([1.0, 0.0])), "weights must be positive, got 0"),
        ((torch.zeros(2, 3), 1.0, torch.ones(3)), r"weights must be one number or \(2,\)"),
    ],
)
def test_rejects_mixtures(arguments, message):
    with pytest.raises(GenwindowError, match=message):
        GaussianMixture(*arguments)


@pytest.mark.parametrize(
    ("x", "alpha", "sigma", "message"),
    [
        (torch.zeros(2, 4), 1.0, 1.0, r"x must be floating-point of shape \(B, 3\), got torch.float32 \(2, 4\)"),
        (torch.zeros(3), 1.0, 1.0, r"x must be floating-point of shape \(B, 3\), got torch.float32 \(3,\)"),
        (torch.zeros(0, 3), 1.0, 1.0, r"got torch.float32 \(0, 3\)"),
        (torch.zeros(2, 3, dtype=torch.int64), 1.0, 1.0, "got torch.int64"),
        (torch.zeros(2, 3), -1.0, 1.0, "alpha must be finite and not negative, got -1.0"),
        (torch.zeros(2, 3), 1.0, math.nan, "sigma must be finite and not negative, got nan"),
        (torch.zeros(2, 3), torch.ones(3), 1.0, r"alpha must be one number or \(2,\), got shape \(3,\)"),
    ],
)
def test_rejects_queries(x, alpha, sigma, message):
    with pytest.raises(GenwindowError, match=message):
        general().score(x, alpha, sigma)


@pytest.mark.parametrize("name", ["score", "log_density"])
def test_rejects_density_of_points(name):
    for mixture in (general(), GaussianMixture.from_points(draw(5, 3))):
        with pytest.raises(GenwindowError, match="sigma must be above 0 where a component has std = 0"):
            getattr(mixture, name)(draw(2, 3), 0.5, torch.tensor([0.1, 0.0]))


def test_rejects_counts():
    with pytest.raises(GenwindowError, match="d must be a whole number of at least 1, got 0"):
        GaussianMixture.two_clusters(0)
    with pytest.raises(GenwindowError, match="n must be a whole number of at least 1, got 0"):
        general().sample(0, torch.Generator())
