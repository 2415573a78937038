import numpy as np
import pytest

from genwindow.data import power_law_points, power_law_variances
from genwindow.errors import GenwindowError
from genwindow.theory import Covariance


@pytest.mark.parametrize("exponent", [0.0, 0.7, 2.0])
def test_agrees_with_the_covariance_of_the_theory(exponent):
    law = Covariance.power_law(exponent, 12)
    np.testing.assert_allclose(np.sort(power_law_variances(12, exponent)), law.values, rtol=1e-14)
    assert power_law_variances(12, exponent).mean() == pytest.approx(1)


def test_closed_form_covariance():
    n, variances = 100_000, power_law_variances(6, 1.5)
    x = power_law_points(n, 6, 1.5, np.random.default_rng(0))
    scale = np.sqrt(np.outer(variances, variances))
    np.testing.assert_allclose(x.T @ x / n / scale, np.eye(6), atol=5 * np.sqrt(2 / n))
    assert variances[0] / variances[3] == pytest.approx(8)


def test_roundtrip_the_first_points_do_not_depend_on_how_many():
    few, many = (power_law_points(n, 6, 1.0, np.random.default_rng(1)) for n in (4, 9))
    np.testing.assert_array_equal(few, many[:4])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((3, 3, -1.0), "exponent must be a number in"), ((0, 3, 1.0), "n must be"), ((3, 0, 1.0), "d must be")],
)
def test_rejects(arguments, message):
    with pytest.raises(GenwindowError, match=message):
        power_law_points(*arguments, np.random.default_rng(0))
