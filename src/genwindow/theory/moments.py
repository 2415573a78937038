"""The four numbers that replace an activation in the limit of many features (Gaussian equivalence).

With Gamma^2 = e^(-2t) sigma_x^2 + Delta, Delta = 1 - e^(-2t), u and v standard normal, and sigma centred by its mean:

    mu_1 = E[u sigma(Gamma u)],   a = mu_1 / Gamma,   b = sqrt(Delta) mu_1 / Gamma
    v^2  = E_u[(E_v sigma(e^(-t) sigma_x u + sqrt(Delta) v))^2] - a^2 e^(-2t) sigma_x^2
    s^2  = E[sigma(Gamma u)^2] - a^2 e^(-2t) sigma_x^2 - v^2 - b^2

a and b are the linear part seen by the data and by the noise, v^2 what the nonlinearity makes of the data, s^2 what it
makes of the noise. Source: George, Veiga, Macris, arXiv 2502.00336; Bonnaire et al., arXiv 2505.17638, appendix C.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from genwindow.errors import check, check_integer, check_number
from genwindow.theory.activations import Activation, Array, activation_name, named_activation

REACH = 10.0
"""Integrals over a normal variable run to ten standard deviations; beyond lies a mass of 2e-23."""


@dataclass(frozen=True)
class Moments:
    """The four numbers, and how well they are known.

    Attributes:
        mean: E sigma(Gamma u), subtracted from the activation everywhere.
        a: linear part seen by the data.
        b: linear part seen by the noise, sqrt(Delta) a.
        v2: variance of what the nonlinearity makes of the data, not negative.
        s2: variance of what the nonlinearity makes of the noise, not negative.
        error: largest difference between two orders of quadrature.
    """

    mean: float
    a: float
    b: float
    v2: float
    s2: float
    error: float


def moments(activation: Activation, t: float, variance: float = 1.0, *, order: int = 80) -> Moments:
    """Moments of `activation` at diffusion time t for data of mean square `variance` per coordinate.

    Gauss-Legendre quadrature against the normal density, split where the activation's argument changes sign, so a kink
    there (ReLU) costs no accuracy, where Gauss-Hermite nodes would leave three digits.

    Args:
        activation: a name or a vectorised callable.
        t: diffusion time, positive.
        variance: trace of the covariance over d, not negative.
        order: nodes on each side of the kink; the answer uses twice as many, the difference is the error estimate.

    Raises:
        GenwindowError: for an unknown activation, t or variance out of range, or an activation that is not finite.
    """
    check_number("t", t, low=0, low_open=True)
    check_number("variance", variance, low=0)
    check_integer("order", order, low=2)
    sigma = named_activation(activation)
    probe = np.asarray(sigma(np.linspace(-REACH, REACH, 7)))
    name = activation_name(activation)
    check(probe.shape == (7,), f"activation {name} must return an array of its argument's shape, got {probe.shape}")
    check(bool(np.isfinite(probe).all()), f"activation {name} must be finite on [-10, 10], got {probe}")
    coarse, fine = _at_order(sigma, t, variance, order), _at_order(sigma, t, variance, 2 * order)
    error = float(np.abs(np.subtract(coarse, fine)).max())
    return Moments(*fine, error=error)


@lru_cache(maxsize=16)
def _legendre(order: int) -> tuple[Array, Array]:
    x, w = np.polynomial.legendre.leggauss(order)
    return (x + 1) / 2, w / 2


def normal_rule(order: int, split: Array) -> tuple[Array, Array]:
    """(..., 2 order) nodes and weights for E f(v), v ~ N(0, 1), where f may have a kink at `split` (...)."""
    x, w = _legendre(order)
    middle = np.clip(split, -REACH, REACH)[..., None]
    nodes = np.concatenate([-REACH + (middle + REACH) * x, middle + (REACH - middle) * x], axis=-1)
    weights = np.concatenate([(middle + REACH) * w, (REACH - middle) * w], axis=-1)
    weights = weights * np.exp(-0.5 * nodes**2)
    return nodes, weights / weights.sum(-1, keepdims=True)


def _at_order(
    sigma: Callable[[Array], Array], t: float, variance: float, order: int
) -> tuple[float, float, float, float, float]:
    delta, signal = -math.expm1(-2 * t), math.exp(-t) * math.sqrt(variance)
    gamma = math.sqrt(signal**2 + delta)
    u, w = normal_rule(order, np.zeros(()))
    y = np.asarray(sigma(gamma * u), dtype=np.float64)
    mean = float(w @ y)
    y = y - mean
    a = float(w @ (u * y)) / gamma
    b = math.sqrt(delta) * a
    total = float(w @ y**2)
    v, weights = normal_rule(order, -signal * u / math.sqrt(delta))
    smoothed = (weights * (np.asarray(sigma(signal * u[:, None] + math.sqrt(delta) * v)) - mean)).sum(1)
    linear = (a * signal) ** 2
    v2 = float(w @ smoothed**2) - linear
    s2 = total - linear - v2 - b**2
    dust = 1e-13 * total  # what rounding leaves of an exact zero
    return mean, a, b, v2 if v2 > dust else 0.0, s2 if s2 > dust else 0.0
