r"""How a mode of the linear problem relaxes: gradient flow, gradient descent, heavy-ball momentum; each with ridge.

Training time tau counts (steps x learning rate)/d^2. An eigenvalue lambda of U then relaxes at the rate
r = 2 Delta (lambda + ridge)/psi_p, and with A(0) = 0 the trained weights are

    A(tau)/sqrt(p) = Delta^(-1/2) V^T h_tau(U),     h_tau(lambda) = (f_tau(r) - 1)/(lambda + ridge),

where f_tau(r), the part not yet learned, is exp(-r tau) for gradient flow, (1 - r eta)^k for k steps of size eta, and
the solution of a two-term recursion for momentum. All are analytic in lambda, so they can be put on a contour.
Source: Bonnaire et al., arXiv 2505.17638, section 4, for gradient flow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from typing_extensions import override

from genwindow.errors import check, check_number

Real = NDArray[np.float64]


class Dynamics(ABC):
    """A rule of training, linear in the weights."""

    ridge: float

    @abstractmethod
    def times(self, tau: Real) -> Real:
        """(T,) the training times nearest to `tau` at which the rule has made whole steps."""

    @abstractmethod
    def remaining(self, rate: NDArray, tau: Real) -> NDArray:
        """(T, N) f_tau(r) - 1 at rates r (N,), real or complex; -1 at tau = inf."""

    @abstractmethod
    def decays(self, rate: NDArray) -> NDArray[np.bool_]:
        """(N,) whether modes of complex rate r (N,) stay bounded."""

    @abstractmethod
    def check_stable(self, fastest: float) -> None:
        """Raise when a mode of rate `fastest` would grow."""

    @property
    def limit(self) -> float:
        """The rate from which modes grow; inf for gradient flow."""
        return np.inf

    def response(self, lam: NDArray, tau: Real, relaxation: float) -> NDArray:
        """(T, N) h_tau at eigenvalues lam (N,), with rates `relaxation` (lam + ridge), relaxation = 2 Delta/psi_p."""
        shifted = lam + self.ridge
        return self.remaining(relaxation * shifted, np.asarray(tau, dtype=np.float64)) / shifted


def check_times(tau: ArrayLike) -> Real:
    """`tau` as (T,) float64, strictly increasing, not negative; inf allowed at the end."""
    array = np.atleast_1d(np.asarray(tau, dtype=np.float64))
    ok = array.ndim == 1 and len(array) > 0 and not np.isnan(array).any() and array[0] >= 0
    ok = bool(ok and (np.diff(array[np.isfinite(array)]) > 0).all() and np.isfinite(array[:-1]).all())
    shown = " ".join(np.array2string(array, threshold=6, edgeitems=2).split())
    check(ok, f"tau must be increasing training times, not negative, got {shown}")
    return array


@final
@dataclass(frozen=True)
class GradientFlow(Dynamics):
    """Infinitesimal steps.

    Attributes:
        ridge: weight decay, in units of the eigenvalues of U.
    """

    ridge: float = 0.0

    def __post_init__(self) -> None:
        check_number("ridge", self.ridge, low=0)

    @override
    def times(self, tau: Real) -> Real:
        return tau

    @override
    def remaining(self, rate: NDArray, tau: Real) -> NDArray:
        with np.errstate(over="ignore", invalid="ignore", under="ignore"):
            value = np.expm1(-tau[:, None] * rate)
        value[np.isinf(tau)] = -1
        return value

    @override
    def decays(self, rate: NDArray) -> NDArray[np.bool_]:
        return rate.real >= 0

    @override
    def check_stable(self, fastest: float) -> None:
        pass


@final
@dataclass(frozen=True)
class GradientDescent(Dynamics):
    """Steps of finite size, with or without momentum (heavy ball).

    Attributes:
        step: training time of one step, learning rate / d^2.
        momentum: share of the last move that is added to the next, in [0, 1).
        ridge: weight decay, in units of the eigenvalues of U.
    """

    step: float
    momentum: float = 0.0
    ridge: float = 0.0

    def __post_init__(self) -> None:
        check_number("step", self.step, low=0, low_open=True)
        check_number("momentum", self.momentum, low=0, high=1, high_open=True)
        check_number("ridge", self.ridge, low=0)

    @property
    @override
    def limit(self) -> float:
        return 2 * (1 + self.momentum) / self.step

    @override
    def times(self, tau: Real) -> Real:
        steps = np.unique(np.round(tau / self.step))
        return steps * self.step

    @override
    def decays(self, rate: NDArray) -> NDArray[np.bool_]:
        """Both roots of x^2 - (1 + m - kick) x + m lie in the unit disc when the kick lies in an ellipse."""
        kick, m = self.step * rate, self.momentum
        return ((kick.real - 1 - m) / (1 + m)) ** 2 + (kick.imag / (1 - m)) ** 2 <= 1

    @override
    def check_stable(self, fastest: float) -> None:
        allowed = self.step * self.limit / fastest
        check(fastest < self.limit, f"step must be below {allowed:.4g}, or the fastest mode grows; got {self.step:g}")

    @override
    def remaining(self, rate: NDArray, tau: Real) -> NDArray:
        steps = np.round(tau / self.step)[:, None]
        kick = self.step * np.asarray(rate, dtype=np.complex128)
        with np.errstate(all="ignore"):
            value = self._powers(kick, steps) if self.momentum == 0 else self._heavy_ball(kick, steps)
        value[np.isinf(tau)] = -1
        return value if np.iscomplexobj(rate) else value.real

    def _powers(self, kick: NDArray, steps: Real) -> NDArray:
        """(1 - kick)^k - 1, exact for small kicks; at kick = 1, where the logarithm ends, one step learns all."""
        return np.where(kick == 1, -(steps > 0).astype(float), np.expm1(steps * np.log1p(-kick)))

    def _heavy_ball(self, kick: NDArray, steps: Real) -> NDArray:
        """x_k - 1 for x_(k+1) = (1 + m - kick) x_k - m x_(k-1), x_0 = x_(-1) = 1, by its two roots u and v.

        x_k = P_k - m P_(k-1) with P_k = (u^(k+1) - v^(k+1))/(u - v) and u v = m, written so that equal roots are no
        special case.
        """
        middle = (1 + self.momentum - kick) / 2
        root = np.sqrt(middle**2 - self.momentum)
        large = np.where(np.abs(middle + root) >= np.abs(middle - root), middle + root, middle - root)
        ratio = np.log(self.momentum / large**2)  # of the smaller root to the larger one
        ratio = np.where(np.abs(ratio) < 1e-12, 1e-12, ratio)

        def power(k: Real) -> NDArray:
            return large**k * np.expm1((k + 1) * ratio) / np.expm1(ratio)

        value = power(steps) - self.momentum * power(steps - 1)
        return np.where(steps == 0, 0.0, value - 1)
