r"""Random-features models of finite size: a training curve from one eigendecomposition, whatever the number of steps.

With U, V over the training set (and Utilde, Vtilde over fresh data) as in `genwindow.theory.model`,

    B(tau) = Delta^(-1/2) V^T h_tau(U)
    L_train = N + (1/d) sum_i (lambda_i h_i^2 + 2 h_i) |C_i|^2,                    C = Q^T V, U = Q lambda Q^T
    L_test  = Ntilde + (1/d) sum_ij h_i h_j (Q^T Utilde Q)_ij (C C^T)_ij + (2/d) sum_i h_i C_i . (Q^T Vtilde)_i

where N is the mean square of the noise, 1 when the noise is averaged over. The average of phi phi^T over the noise is
exact, by Mehler's expansion: with m_i = e^(-t) (W x)_i/sqrt(d), noise covariance Delta K, K = W W^T/d, and rho its
correlations,

    E_xi[phi_i phi_j] = sum_k rho_ij^k c_k(m_i) c_k(m_j),    E_xi[phi_i xi] = (W_i/sqrt(d)) c_1(m_i)/sqrt(K_ii)

c_k the coefficients of g -> sigma(m + sqrt(Delta K_ii) g) in normalised Hermite polynomials.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from genwindow.errors import check, check_integer, check_number
from genwindow.theory.activations import Activation, Array, named_activation
from genwindow.theory.dynamics import Dynamics, GradientFlow, check_times
from genwindow.theory.learning_curves import LearningCurves, as_curves
from genwindow.theory.moments import moments, normal_rule

ORDERS = 40  # most orders of Mehler's expansion
BLOCK = 1 << 24  # entries held at a time
PROBE = 8  # samples from which the number of orders is chosen


@dataclass(frozen=True, eq=False)
class SecondMoments:
    """What training sees of the data.

    Attributes:
        u: (p, p) mean of phi phi^T.
        v: (p, d) mean of phi xi^T.
        noise: mean square of a coordinate of the noise: 1 when averaged over, else that of the draws.
        bound: proven bound on the error of every entry of `u` from cutting the expansion off.
    """

    u: Array
    v: Array
    noise: float
    bound: float


@dataclass(frozen=True, eq=False)
class FiniteModel:
    """Frozen features at one diffusion time.

    Attributes:
        weights: (p, d) W.
        t: diffusion time.
        activation: a name or a vectorised callable.
        variance: mean square of a coordinate of the data, with which the activation is centred.
    """

    weights: Array
    t: float
    activation: Activation = "tanh"
    variance: float = 1.0

    def __post_init__(self) -> None:
        weights = np.asarray(self.weights, dtype=np.float64)
        check(weights.ndim == 2 and weights.size > 0, f"weights must have the shape (p, d), got {weights.shape}")
        object.__setattr__(self, "weights", weights)
        check_number("t", self.t, low=0, low_open=True)
        check_number("variance", self.variance, low=0)

    @classmethod
    def draw(
        cls,
        p: int,
        d: int,
        t: float,
        generator: np.random.Generator,
        activation: Activation = "tanh",
        variance: float = 1,
    ) -> FiniteModel:
        """Features with normal weights."""
        check_integer("p", p, low=1)
        check_integer("d", d, low=1)
        return cls(generator.standard_normal((p, d)), t, activation, variance)

    @property
    def delta(self) -> float:
        """Noise variance."""
        return -math.expm1(-2 * self.t)

    @cached_property
    def mean(self) -> float:
        """Mean of the activation over Gaussian data, subtracted from it everywhere."""
        return moments(self.activation, self.t, self.variance).mean

    def centred(self) -> Callable[[Array], Array]:
        """The activation less its mean over Gaussian data."""
        sigma = named_activation(self.activation)
        return lambda x: sigma(x) - self.mean

    def features(self, x: Array, noise: Array) -> Array:
        """(p, n) phi at x_t = e^(-t) x + sqrt(Delta) noise for x and noise (n, d)."""
        noised = math.exp(-self.t) * x + math.sqrt(self.delta) * noise
        return self.centred()(self.weights @ noised.T / math.sqrt(x.shape[1]))

    def data_moments(self, x: ArrayLike, *, tolerance: float = 1e-9) -> SecondMoments:
        """Moments over the samples x (n, d), the noise averaged over exactly.

        Cost grows as n p^2 per order of the expansion; orders are added until the bound is below `tolerance`, at most
        `ORDERS`.
        """
        data = self._data(x)
        means = math.exp(-self.t) * (self.weights @ data.T) / math.sqrt(data.shape[1])
        spread = np.sqrt(self.delta * (self.weights**2).mean(1))
        return self._mehler(means, spread, self.weights @ self.weights.T, tolerance)

    def gaussian_moments(self, covariance: ArrayLike, *, tolerance: float = 1e-9) -> SecondMoments:
        """Moments over fresh Gaussian data of covariance (d, d), or (d,) its diagonal."""
        given, d = np.asarray(covariance, dtype=np.float64), self.weights.shape[1]
        check(given.shape in ((d,), (d, d)), f"covariance must have the shape ({d},) or ({d}, {d}), got {given.shape}")
        matrix = np.diag(given) if given.ndim == 1 else given
        total = math.exp(-2 * self.t) * matrix + self.delta * np.eye(d)
        joint = self.weights @ total @ self.weights.T / d
        spread = np.sqrt(np.diag(joint))
        found = self._mehler(np.zeros((len(spread), 1)), spread, joint, tolerance)
        # _mehler takes all randomness for noise; only the part along xi counts in E[phi xi]
        own = np.sqrt(self.delta * (self.weights**2).mean(1))
        return SecondMoments(found.u, found.v * (own / spread)[:, None], 1.0, found.bound)

    def drawn_moments(self, x: ArrayLike, draws: int, generator: np.random.Generator) -> SecondMoments:
        """Moments over the samples x (n, d) with `draws` noise draws for each, kept for the whole of training."""
        data = self._data(x)
        check_integer("draws", draws, low=1)
        repeated = np.repeat(data, draws, axis=0)
        noise = generator.standard_normal(repeated.shape)
        phi = self.features(repeated, noise)
        count = len(repeated)
        return SecondMoments(phi @ phi.T / count, phi @ noise / count, float((noise**2).mean()), 0.0)

    def _data(self, x: ArrayLike) -> Array:
        data, d = np.asarray(x, dtype=np.float64), self.weights.shape[1]
        check(data.ndim == 2 and data.shape[1] == d and len(data) > 0, f"x must be (n, {d}), got {data.shape}")
        check(bool(np.isfinite(data).all()), "x must be finite")
        return data

    def _mehler(self, means: Array, spread: Array, inner: Array, tolerance: float) -> SecondMoments:
        """Average over g of sigma(means + spread g), means (p, n), spread (p,), with correlations of `inner` (p, p)."""
        p, n = means.shape
        scale = np.sqrt(np.diag(inner))
        rho = np.clip(inner / np.outer(scale, scale), -1, 1)
        np.fill_diagonal(rho, 0.0)
        largest = float(np.abs(rho).max()) if p > 1 else 0.0
        u, slope, tail, diagonal = np.zeros((p, p)), np.zeros(p), np.zeros(p), np.zeros(p)
        start, width, orders = 0, PROBE, ORDERS
        while start < n:
            c, square = _hermite(self.centred(), means[:, start : start + width], spread, orders)
            if start == 0:  # a few samples say how many orders are worth computing
                rest = np.maximum(square - (c**2).cumsum(0), 0.0).mean(2).max(1)  # (orders + 1,) after each order
                small = np.flatnonzero(rest * largest ** np.arange(1, orders + 2) <= tolerance)
                orders = int(small[0]) if len(small) else orders
                c = c[: orders + 1]
            start, width = start + width, max(1, BLOCK // (p * (orders + 4)))
            for k, coefficient in enumerate(c):
                u += rho**k * (coefficient @ coefficient.T)
            tail += np.maximum(square - (c**2).sum(0), 0.0).sum(1)
            diagonal += square.sum(1)
            slope += (c[1] if orders >= 1 else 0.0 * c[0]).sum(1)
        np.fill_diagonal(u, diagonal)
        # d = number of columns of the weights; E[phi xi] = (W_i / sqrt(d)) c_1 / sqrt(K_ii)
        unit = self.weights / np.sqrt((self.weights**2).sum(1))[:, None]
        return SecondMoments(u / n, unit * (slope / n)[:, None], 1.0, largest ** (orders + 1) * float(tail.max()) / n)

    def loss(self, weights: ArrayLike, of: SecondMoments) -> float:
        """Loss of trained weights A (d, p) on the data of `of`: N + (1/d) Tr(Delta B U B^T + 2 sqrt(Delta) B V)."""
        b = np.asarray(weights, dtype=np.float64) / math.sqrt(len(self.weights))
        check(b.shape == self.weights.T.shape, f"weights must be {self.weights.T.shape}, got {b.shape}")
        quadratic = self.delta * float(((b @ of.u) * b).sum())
        return of.noise + (quadratic + 2 * math.sqrt(self.delta) * float((b * of.v.T).sum())) / b.shape[0]

    def learning_curves(
        self,
        train: SecondMoments,
        test: SecondMoments,
        tau: ArrayLike,
        *,
        dynamics: Dynamics | None = None,
        floor: float | None = None,
    ) -> LearningCurves:
        """Losses along training on the data of `train`, tested on those of `test`, from one eigendecomposition.

        Args:
            train: moments of the training data.
            test: moments of fresh data.
            tau: (T,) training times, finite.
            dynamics: gradient flow unless given.
            floor: loss of the true score, where it is known; without it there is no score error.
        """
        p, d = self.weights.shape
        dynamics = GradientFlow() if dynamics is None else dynamics
        lam, q = np.linalg.eigh(train.u)
        c = q.T @ train.v
        mixed = (q.T @ test.u @ q) * (c @ c.T) / d
        cross = (c * (q.T @ test.v)).sum(1) / d
        return closed_form(
            lam, (c**2).sum(1) / d, mixed, cross, (train.noise, test.noise),
            tau=tau, relaxation=2 * self.delta * d / p, dynamics=dynamics, floor=floor, t=self.t,
        )  # fmt: skip


def _hermite(sigma: Callable[[Array], Array], means: Array, spread: Array, orders: int) -> tuple[Array, Array]:
    """(orders + 1, p, n) Hermite coefficients of g -> sigma(means + spread g), and (p, n) its mean square."""
    nodes, weights = normal_rule(24, -means / spread[:, None])
    c, square = np.zeros((orders + 1, *means.shape)), np.zeros(means.shape)
    for q in range(nodes.shape[-1]):
        g = nodes[..., q]
        value = sigma(means + spread[:, None] * g)
        weighted = weights[..., q] * value
        square += weighted * value
        before, polynomial = np.zeros_like(g), np.ones_like(g)
        for k in range(orders + 1):
            c[k] += weighted * polynomial
            before, polynomial = polynomial, (g * polynomial - math.sqrt(k) * before) / math.sqrt(k + 1)
    return c, square


def closed_form(
    lam: Array,
    power: Array,
    mixed: Array,
    cross: Array,
    noise: tuple[float, float],
    *,
    tau: ArrayLike,
    relaxation: float,
    dynamics: Dynamics,
    floor: float | None,
    t: float,
) -> LearningCurves:
    """Losses from the eigenvalues of U.

    Args:
        lam: (r,) eigenvalues; those that are 0 up to rounding are never learned.
        power: (r,) |C_i|^2/d.
        mixed: (r, r) (Q^T Utilde Q)_ij (C C^T)_ij/d.
        cross: (r,) C_i . (Q^T Vtilde)_i/d.
        noise: mean square of the training and of the test noise.
        tau: (T,) training times.
        relaxation: 2 Delta/psi_p.
        dynamics: the rule of training.
        floor: loss of the true score or None.
        t: diffusion time.
    """
    times = dynamics.times(check_times(tau))
    check(bool(np.isfinite(times).all()), "tau must be finite")
    alive = lam > 1e-13 * lam.max()
    dynamics.check_stable(relaxation * (float(lam.max()) + dynamics.ridge))
    lam, power, cross, mixed = lam[alive], power[alive], cross[alive], mixed[np.ix_(alive, alive)]
    h = dynamics.response(lam, times, relaxation)
    train = noise[0] + (lam * h**2 + 2 * h) @ power
    test = noise[1] + np.einsum("ti,ij,tj->t", h, mixed, h, optimize=True) + 2 * h @ cross
    return as_curves(times, train, test, floor=floor, t=t)
