"""The error to an exact score, on laws where it is known."""

import math

import numpy as np
import pytest
import torch

from genwindow.data import GaussianMixture
from genwindow.diffusion import (
    ExactDenoiser,
    NetworkDenoiser,
    OrnsteinUhlenbeck,
    Prediction,
    named_schedule,
    noise_error,
)
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import GenwindowError
from genwindow.metrics import denoising_loss, score_error

OU = OrnsteinUhlenbeck()
GAUSSIAN = GaussianMixture(torch.full((1, 6), 0.5, dtype=torch.float64), 0.8)


def points(count=400, law=GAUSSIAN, seed=0):
    return law.sample(count, keyed_generator("points", seed))[0]


class Shifted:
    """An exact denoiser whose noise is off by a constant."""

    def __init__(self, exact, by):
        self.exact, self.schedule, self.by = exact, exact.schedule, by

    def __call__(self, x, t, label=None):
        noise, data = self.exact(x, t, label)
        return Prediction(noise + self.by, data)


@pytest.mark.parametrize("name", ["linear", "ou", "flow"])
def test_closed_form_the_exact_denoiser_has_no_error(name):
    schedule = named_schedule(name)
    exact = ExactDenoiser(GaussianMixture.two_clusters(6), schedule)
    found = score_error(exact, exact, points(), [0.02 * schedule.t_max, 0.5 * schedule.t_max])
    assert found.value.tolist() == found.low.tolist() == found.high.tolist() == [0, 0]


def test_closed_form_a_constant_error():
    exact = ExactDenoiser(GAUSSIAN, OU)
    found = score_error(Shifted(exact, 0.1), exact, points(), [0.01, 0.5, 2.0], draws=1)
    np.testing.assert_allclose(found.value * found.sigma**2, 0.01, rtol=1e-9)
    np.testing.assert_allclose(found.value, 0.01 / -np.expm1(-2 * found.t), rtol=1e-9)
    np.testing.assert_allclose(found.high - found.low, 0, atol=1e-9)


def test_closed_form_two_gaussians():
    """Scores -(x - alpha m)/v differ by a line: its mean square over x_t ~ N(alpha m, v) is known."""
    other = GaussianMixture(torch.full((1, 6), -0.2, dtype=torch.float64), 0.3)
    times = np.array([0.05, 0.4, 1.5])
    found = score_error(ExactDenoiser(other, OU), ExactDenoiser(GAUSSIAN, OU), points(20_000), times, draws=4)
    alpha2, sigma2 = np.exp(-2 * times), -np.expm1(-2 * times)
    v, w = alpha2 * 0.64 + sigma2, alpha2 * 0.09 + sigma2
    wanted = alpha2 * 0.7**2 / w**2 + v * (1 / v - 1 / w) ** 2  # E (c + b z)^2 = c^2 + b^2 v
    np.testing.assert_allclose(found.value, wanted, rtol=0.02)
    assert ((found.high - found.value) < 0.03 * found.value).all() and (found.low < found.value).all()


def test_limit_the_empirical_score_far_from_its_neighbours():
    """At small t a noised training point is told from all others: the empirical noise is the true one, so the error of
    the population score is (1/d) E |xi/sigma + s|^2, which for one Gaussian is known given the points."""
    training = points(12)
    memorizing = ExactDenoiser(GaussianMixture.from_points(training), OU)
    t = 1e-4
    found = score_error(ExactDenoiser(GAUSSIAN, OU), memorizing, training, [t], draws=400)
    alpha, sigma2 = math.exp(-t), -math.expm1(-2 * t)
    v = alpha**2 * 0.64 + sigma2
    away = float((training - 0.5).square().mean())
    # s + xi/sigma = -alpha (x_0 - m)/v + xi (1/sigma - sigma/v)
    wanted = alpha**2 * away / v**2 + (1 - sigma2 / v) ** 2 / sigma2
    np.testing.assert_allclose(found.value, wanted, rtol=0.02)


def test_agrees_with_the_denoising_loss_above_its_lowest():
    """Where x_0 comes from the law itself, sigma^2 E = L - L*; each side has noise of its own."""
    law = GaussianMixture.two_clusters(6, 1.0, 0.5)
    exact, wrong = ExactDenoiser(law, OU), ExactDenoiser(GAUSSIAN, OU)
    x, times = points(20_000, law), [0.1, 0.5]
    found = score_error(wrong, exact, x, times, draws=2)
    losses = [
        denoising_loss(lambda a, t, g, d=d: noise_error(d, a, t.double(), g), x, times, draws=2) for d in (wrong, exact)
    ]
    excess = losses[0].per_image - losses[1].per_image
    error = np.hypot(excess.std(axis=1), (found.per_point * found.sigma[:, None] ** 2).std(axis=1)) / math.sqrt(len(x))
    assert (np.abs(excess.mean(axis=1) - found.value * found.sigma**2) < 4.5 * error).all()


def test_agrees_with_scores_taken_directly():
    """The same draws through `GaussianMixture.score` of two mixtures."""
    model, law, x, t = GaussianMixture.from_points(points(30, seed=3)), GaussianMixture.two_clusters(6), points(50), 0.3
    found = score_error(ExactDenoiser(model, OU), ExactDenoiser(law, OU), x, [t], draws=1, seed=7)
    noise = torch.randn(50, 6, generator=keyed_generator("score", 7, 0, 0), dtype=torch.float64)
    alpha, sigma = math.exp(-t), math.sqrt(-math.expm1(-2 * t))
    x_t = alpha * x + sigma * noise
    wanted = (model.score(x_t, alpha, sigma) - law.score(x_t, alpha, sigma)).square().mean(1)
    np.testing.assert_allclose(found.per_point[0], wanted.numpy(), rtol=1e-9)


def test_roundtrip_batches_and_global_random_state():
    training = points(33)
    model, law = ExactDenoiser(GaussianMixture.from_points(training), OU), ExactDenoiser(GAUSSIAN, OU)
    before = torch.random.get_rng_state()
    one = score_error(model, law, training, [0.2, 0.7])
    for batch in (1, 7, 33):
        again = score_error(model, law, training, [0.2, 0.7], batch=batch)
        np.testing.assert_allclose(again.per_point, one.per_point, rtol=1e-12)
    assert torch.equal(before, torch.random.get_rng_state())
    assert (score_error(model, law, training, [0.2], seed=1).per_point != one.per_point[:1]).all()


def test_roundtrip_a_float32_network_gets_float32():
    class Seen(torch.nn.Module):
        def forward(self, x, conditioning, label=None):
            kinds.append((x.dtype, tuple(x.shape), label is not None))
            return torch.zeros_like(x)

    kinds: list = []
    exact, x = ExactDenoiser(GAUSSIAN, OU), points(10).float()
    found = score_error(NetworkDenoiser(Seen(), OU), exact, x, [0.5], draws=1, batch=8, label=torch.arange(10))
    assert kinds == [(torch.float32, (8, 6), True), (torch.float32, (2, 6), True)]
    assert found.value.dtype == np.float64


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"times": [0.0, 0.5]}, r"times must lie in \(0, 5\], got \[0.0, 0.5\]"),
        ({"times": []}, r"times must lie in \(0, 5\]"),
        ({"times": [math.nan]}, "times must lie in"),
        ({"times": [6.0]}, "times must lie in"),
        (
            {"exact": ExactDenoiser(GAUSSIAN, named_schedule("flow"))},
            "both need one schedule, got ou for the model and",
        ),
        ({"points": torch.zeros(1, 6)}, "points must hold at least two points for an interval, got 1"),
        ({"points": torch.zeros(3, 6, dtype=torch.int64)}, "points must be floating-point numbers, got torch.int64"),
        ({"label": torch.zeros(3, dtype=torch.int64)}, "label must be one for each of 400 images, got \\(3,\\)"),
        ({"draws": 0}, "draws must be a whole number of at least 1"),
        ({"denoiser": Shifted(ExactDenoiser(GAUSSIAN, OU), math.nan)}, "the error is nan at t = 0.5 for point 0"),
    ],
)
def test_rejects(changed, message):
    exact = ExactDenoiser(GAUSSIAN, OU)
    given = {"denoiser": exact, "exact": exact, "points": points(), "times": [0.5], **changed}
    with pytest.raises(GenwindowError, match=message):
        score_error(**given)
