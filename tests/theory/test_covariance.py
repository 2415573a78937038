"""Spectral laws of the data covariance."""

import numpy as np
import pytest
from scipy.integrate import quad
from sklearn.covariance import LedoitWolf

from genwindow.errors import GenwindowError
from genwindow.theory import Covariance


def test_isotropic_and_atoms_are_normalised():
    assert Covariance.isotropic(2.0).variance == 2.0
    law = Covariance.atoms([1.5, 0.5], [3, 1])
    assert law.values.tolist() == [0.5, 1.5] and law.weights.tolist() == [0.25, 0.75]
    assert law.variance == pytest.approx(1.25)


@pytest.mark.parametrize("exponent", [0.0, 0.3, 0.7])
def test_power_law_quadrature_agrees_with_its_integrals(exponent):
    law = Covariance.power_law(exponent, nodes=200)
    assert law.variance == pytest.approx(1.0)
    inverse = quad(lambda u: 1 / ((1 - exponent) * u**-exponent + 0.1), 0, 1)[0]
    assert law.weights @ (1 / (law.values + 0.1)) == pytest.approx(inverse, rel=0.02)


def test_power_law_of_finite_dimension():
    law = Covariance.power_law(2.0, d=5)
    np.testing.assert_allclose(law.values[::-1] / law.values[-1], np.arange(1, 6) ** -2.0)
    assert law.variance == pytest.approx(1.0)


@pytest.mark.parametrize("ratio", [0.3, 1.0, 2.5])
def test_closed_form_marchenko_pastur_moments(ratio):
    """Moments 1, 1 + c, 1 + 3c + c^2 of the law; Gauss quadrature has them exactly."""
    law = Covariance.marchenko_pastur(ratio, nodes=12)
    assert law.weights.sum() == pytest.approx(1.0)
    for k, expected in ((1, 1.0), (2, 1 + ratio), (3, 1 + 3 * ratio + ratio**2)):
        assert law.weights @ law.values**k == pytest.approx(expected)
    if ratio > 1:
        assert law.values[0] < 1e-4 and law.weights[0] == pytest.approx(1 - 1 / ratio, abs=1e-3)


def test_agrees_with_sklearn_ledoit_wolf():
    x = np.random.default_rng(0).standard_normal((40, 25)) * np.linspace(0.5, 2, 25)
    expected = np.linalg.eigvalsh(LedoitWolf().fit(x).covariance_)
    np.testing.assert_allclose(Covariance.from_data(x).values, expected, rtol=1e-10)
    assert "shrinkage" in Covariance.from_data(x).text


def test_from_data_fewer_samples_than_dimensions_and_without_shrinkage():
    x = np.random.default_rng(0).standard_normal((5, 4, 4))
    raw = Covariance.from_data(x, shrink=False)
    assert (raw.values < 1e-12).sum() == 12
    assert Covariance.from_data(x).values.min() > 0.01


def test_eigenvalues_repeat_each_value_by_its_weight():
    law = Covariance.atoms([0.5, 1.5], [1, 3])
    assert law.eigenvalues(8).tolist() == [0.5] * 2 + [1.5] * 6
    assert Covariance.power_law(0.7, d=20).eigenvalues(20) == pytest.approx(Covariance.power_law(0.7, d=20).values)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: Covariance.isotropic(0.0), "variance must be"),
        (lambda: Covariance.atoms([0.0, 0.0]), "positive trace"),
        (lambda: Covariance.atoms([-1.0, 2.0]), ">= 0"),
        (lambda: Covariance.atoms([1.0, np.nan]), ">= 0"),
        (lambda: Covariance.atoms([1.0, 2.0], [1.0]), "2 values and 1 weights"),
        (lambda: Covariance.atoms([1.0, 2.0], [1.0, 0.0]), "> 0"),
        (lambda: Covariance.atoms([]), "must be a list"),
        (lambda: Covariance.power_law(1.0), "below 1"),
        (lambda: Covariance.marchenko_pastur(0.0), "ratio must be"),
        (lambda: Covariance.from_data(np.zeros((1, 3))), "at least two samples"),
        (lambda: Covariance.from_data(np.ones((4, 3))), "must vary"),
        (lambda: Covariance.from_data(np.full((4, 3), np.inf)), "must be finite"),
    ],
)
def test_rejects_bad_input(make, match):
    with pytest.raises(GenwindowError, match=match):
        make()
