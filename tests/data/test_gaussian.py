import pytest
import torch

from genwindow.data import GaussianMixture, power_law_variances
from genwindow.data.gaussian import DiagonalGaussian
from genwindow.errors import GenwindowError


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_agrees_with_the_mixture_of_one_component_where_all_variances_are_equal(dtype):
    law, one = DiagonalGaussian([0.5] * 5), GaussianMixture(torch.zeros(1, 5, dtype=torch.float64), 0.5**0.5)
    x, levels = normal(7, 5, dtype=dtype), torch.linspace(0.1, 0.9, 7)
    for name in ("score", "data_mean"):
        for alpha, sigma in ((levels, levels.flip(0)), (0.6, 0.8), (1.0, 0.0), (0.0, 1.0)):
            found = getattr(law, name)(x, alpha, sigma)
            assert found.dtype == dtype
            torch.testing.assert_close(found, getattr(one, name)(x, alpha, sigma))


def test_closed_form_score_is_the_gradient_of_the_log_density():
    variances, alpha, sigma = torch.from_numpy(power_law_variances(6, 1.5)), 0.7, 0.4
    law, x = DiagonalGaussian(variances), normal(3, 6).requires_grad_()
    density = torch.distributions.Normal(0.0, (alpha**2 * variances + sigma**2).sqrt())
    (gradient,) = torch.autograd.grad(density.log_prob(x).sum(), x)
    torch.testing.assert_close(law.score(x.detach(), alpha, sigma), gradient)
    tweedie = (x.detach() + sigma**2 * gradient) / alpha
    torch.testing.assert_close(law.data_mean(x.detach(), alpha, sigma), tweedie)


def test_limit_a_coordinate_that_does_not_vary_is_known():
    """A steep power law underflows to 0 in its last coordinates."""
    law, x = DiagonalGaussian([1.0, 0.0]), normal(4, 2)
    assert (law.data_mean(x, 0.8, 0.6)[:, 1] == 0).all() and torch.isfinite(law.score(x, 0.8, 0.6)).all()


def test_rejects():
    with pytest.raises(GenwindowError, match=r"x must have the shape \(B, 3\), got \(2, 4\)"):
        DiagonalGaussian([1.0, 2.0, 3.0]).score(torch.zeros(2, 4), 1.0, 0.5)
    with pytest.raises(GenwindowError, match="variances must be"):
        DiagonalGaussian([1.0, -1.0])
    with pytest.raises(GenwindowError, match="x must be floating-point numbers, got torch.int64"):
        DiagonalGaussian([1.0, 2.0]).score(torch.ones(2, 2, dtype=torch.int64), 1.0, 0.5)
