import numpy as np
import pytest

from genwindow.data import heavy_tailed
from genwindow.errors import GenwindowError


@pytest.mark.parametrize("tail", [6.0, 12.0, np.inf])
def test_closed_form_covariance_is_the_identity(tail):
    x = heavy_tailed(100_000, 3, tail, np.random.default_rng(0))
    spread = np.sqrt(5.0 if tail == 6 else 2.5)  # of x^2 - 1 at most: kurtosis 6, 4 and 3, minus 1
    np.testing.assert_allclose(x.T @ x / len(x), np.eye(3), atol=5 * spread / np.sqrt(len(x)))


def test_closed_form_kurtosis_and_shared_scale():
    tail = 12.0  # E r^2 = (nu - 2)/(nu - 4) = 1.25
    x = heavy_tailed(400_000, 2, tail, np.random.default_rng(1))
    assert (x**4).mean() == pytest.approx(3 * 1.25, rel=0.02)
    assert (x[:, 0] ** 2 * x[:, 1] ** 2).mean() == pytest.approx(1.25, rel=0.02)  # 1 if they were independent


def test_closed_form_tail_index():
    """|x| of one coordinate beyond u falls as u^(-nu): Hill's estimator over the largest."""
    x = np.sort(np.abs(heavy_tailed(2_000_000, 1, 3.0, np.random.default_rng(2))[:, 0]))[::-1]
    hill = 1 / np.log(x[:1000] / x[1000]).mean()
    assert hill == pytest.approx(3.0, rel=0.12)  # standard error nu / sqrt(1000), and a bias at finite u


def test_agrees_with_scipy_student_t():
    from scipy.stats import kstest, t

    x = heavy_tailed(20_000, 1, 5.0, np.random.default_rng(3))[:, 0]
    assert kstest(x, t(5, scale=np.sqrt(3 / 5)).cdf).pvalue > 1e-3


def test_limit_an_infinite_index_is_gaussian():
    gaussian = np.random.default_rng(4).standard_normal((5, 2))
    np.testing.assert_array_equal(heavy_tailed(5, 2, np.inf, np.random.default_rng(4)), gaussian)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 3, 2.0), "tail must be a number in"), ((0, 3, 4.0), "n must be"), ((3, 0, 4.0), "d must be")],
)
def test_rejects(arguments, message):
    with pytest.raises(GenwindowError, match=message):
        heavy_tailed(*arguments, np.random.default_rng(0))
