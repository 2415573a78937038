"""The four numbers of an activation, against closed forms, other quadratures and sampling."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from genwindow.errors import GenwindowError
from genwindow.theory import moments


def arrange(mean_square, product, mu_1, t, variance):
    """a, b, v2, s2 from E sigma^2, E sigma(x) sigma(y) at equal data, both centred, and E u sigma(Gamma u)."""
    delta, signal = 1 - math.exp(-2 * t), math.exp(-2 * t) * variance
    a = mu_1 / math.sqrt(signal + delta)
    v2 = product - a**2 * signal
    return a, math.sqrt(delta) * a, v2, mean_square - a**2 * signal - v2 - delta * a**2


def assert_close(found, expected, **tolerance):
    np.testing.assert_allclose([found.a, found.b, found.v2, found.s2], expected, **tolerance)


def test_tanh_at_small_time():
    found = moments("tanh", 0.01)  # stored: 60-digit quadrature elsewhere, ten digits
    assert_close(found, [0.6057055096, 0.0852331754, 0.0255417764, 0.0018735496], rtol=0, atol=1e-10)
    assert found.error < 1e-12


@pytest.mark.parametrize(("t", "variance"), [(0.01, 1.0), (0.5, 2.0), (2.0, 0.3)])
def test_closed_form_erf(t, variance):
    # Williams 1997: E erf(x) erf(y) = (2/pi) asin(2 <xy> / sqrt((1 + 2<xx>)(1 + 2<yy>)))
    signal = math.exp(-2 * t) * variance
    gamma2 = signal + 1 - math.exp(-2 * t)
    square, product = (2 / math.pi * math.asin(2 * c / (1 + 2 * gamma2)) for c in (gamma2, signal))
    mu_1 = math.sqrt(gamma2) * 2 / math.sqrt(math.pi) / math.sqrt(1 + 2 * gamma2)
    assert_close(moments("erf", t, variance), arrange(square, product, mu_1, t, variance), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("t", "variance"), [(0.01, 1.0), (0.5, 2.0), (2.0, 0.3)])
def test_closed_form_sin(t, variance):
    signal = math.exp(-2 * t) * variance
    gamma2 = signal + 1 - math.exp(-2 * t)
    square, product = (math.exp(-gamma2) * math.sinh(c) for c in (gamma2, signal))
    mu_1 = math.sqrt(gamma2) * math.exp(-gamma2 / 2)
    assert_close(moments("sin", t, variance), arrange(square, product, mu_1, t, variance), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize(("t", "variance"), [(0.001, 1.0), (0.01, 1.0), (0.5, 2.0), (2.0, 0.3)])
def test_closed_form_relu(t, variance):
    # Cho and Saul 2009: the arc-cosine kernel of degree 1
    signal = math.exp(-2 * t) * variance
    gamma2 = signal + 1 - math.exp(-2 * t)
    rho = signal / gamma2
    mean2 = gamma2 / (2 * math.pi)
    square = gamma2 / 2 - mean2
    product = gamma2 / (2 * math.pi) * (math.sqrt(1 - rho**2) + rho * (math.pi - math.acos(rho))) - mean2
    found = moments("relu", t, variance)
    assert_close(found, arrange(square, product, math.sqrt(gamma2) / 2, t, variance), rtol=1e-8)
    assert found.mean == pytest.approx(math.sqrt(mean2), rel=1e-12)


def test_closed_form_hermite():
    """With Gamma = 1 and sigma = He_k/sqrt(k!), v^2 = rho^k and s^2 = 1 - rho^k (Mehler)."""
    rho = math.exp(-2 * 0.3)
    for k in (2, 3, 5):
        assert_close(moments(f"hermite{k}", 0.3), [0, 0, rho**k, 1 - rho**k], atol=1e-12)
    assert_close(moments("hermite1", 0.3), [1, math.sqrt(1 - rho), 0, 0], atol=1e-12)


def test_agrees_with_adaptive_quadrature_for_gelu():
    t, density = 0.2, lambda u: math.exp(-(u**2) / 2) / math.sqrt(2 * math.pi)
    delta, signal = 1 - math.exp(-2 * t), math.exp(-t)

    def gelu(x):
        return x * (1 + math.erf(x / math.sqrt(2))) / 2

    mean = quad(lambda u: gelu(u) * density(u), -12, 12)[0]
    square = quad(lambda u: (gelu(u) - mean) ** 2 * density(u), -12, 12)[0]
    mu_1 = quad(lambda u: u * gelu(u) * density(u), -12, 12)[0]

    def smoothed(u):
        return quad(lambda v: (gelu(signal * u + math.sqrt(delta) * v) - mean) * density(v), -12, 12)[0]

    product = quad(lambda u: smoothed(u) ** 2 * density(u), -12, 12)[0]
    assert_close(moments("gelu", t), arrange(square, product, mu_1, t, 1.0), rtol=1e-7)


def test_agrees_with_sampling_for_a_callable():
    generator = np.random.default_rng(0)
    t, count = 0.4, 2_000_000
    z, v, w = generator.standard_normal((3, count))
    x, y = (math.exp(-t) * z + math.sqrt(1 - math.exp(-2 * t)) * g for g in (v, w))

    def sigma(x):
        return np.tanh(2 * x + 0.5)

    a, b = sigma(x), sigma(y)
    a, b = a - a.mean(), b - b.mean()
    expected = arrange((a * a).mean(), (a * b).mean(), (x * a).mean(), t, 1.0)
    assert_close(moments(sigma, t), expected, atol=4e-3)


def test_error_estimate_sees_an_activation_too_sharp_for_the_nodes():
    sharp = moments(lambda x: np.tanh(60 * (x - 0.3)), 0.5, order=30)
    finer = moments(lambda x: np.tanh(60 * (x - 0.3)), 0.5, order=300)
    assert abs(sharp.a - finer.a) > 1e-6
    assert abs(sharp.a - finer.a) < 10 * sharp.error


def test_constant_activation_has_no_part_left():
    assert_close(moments(lambda x: np.full_like(x, 3.0), 0.1), [0, 0, 0, 0], atol=1e-13)


def test_rejects_bad_input():
    with pytest.raises(GenwindowError, match="activation must be one of tanh"):
        moments("selu", 0.1)
    with pytest.raises(GenwindowError, match="t must be"):
        moments("tanh", 0.0)
    with pytest.raises(GenwindowError, match="variance must be"):
        moments("tanh", 0.1, -1.0)
    with pytest.raises(GenwindowError, match="must return an array"):
        moments(lambda x: 1.0, 0.1)
    with pytest.raises(GenwindowError, match="must be finite"):
        moments(lambda x: np.where(x > 0, np.nan, x), 0.1)
