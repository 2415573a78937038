r"""The self-consistent equations of the spectrum of U (Theorem 3.1), reduced to two scalar unknowns.

q(z) = (1/p) Tr (U - z)^(-1) and D(z) solve, with alpha = a^2 e^(-2t), m_k = alpha lambda_k / D + b^2 and
e_k = 1 + psi_p m_k q,

    q (v^2/D + s^2 - z + sum_k w_k m_k/e_k) = 1
    D = 1 + (psi_p/psi_n) q (alpha sum_k w_k lambda_k/e_k + v^2).

We solve for g = psi_p q and h = g/D. Then e_k = 1 + b^2 g + alpha lambda_k h, and with zeta = z - s^2 and
M = sum_k w_k alpha lambda_k/e_k the equations are

    zeta g - h (v^2 + M) - b^2 g sum_k w_k/e_k + psi_p = 0                    (1)
    h - g + (g h/psi_n) (v^2 + M) = 0                                         (2)

with a Jacobian of few terms. The branch has Im q > 0 and Im D > 0 for Im z > 0, and q ~ -1/z far out. Source:
Bonnaire et al., arXiv 2505.17638, Theorem 3.1, whose three equations these are, eliminated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

TOLERANCE = 1e-10
"""A point counts as solved when both original equations hold to this relative accuracy."""

ATTEMPTS = ((0.1, 1e-2), (0.3, 1e-6), (0.6, 1e-12))
"""Factor by which the height shrinks, and last height over |zeta|: quick first, careful for the points that fail."""


@dataclass(frozen=True, eq=False)
class Equations:
    """The coefficients: everything the spectrum depends on.

    Attributes:
        psi_p: features per dimension.
        psi_n: samples per dimension.
        alpha: a^2 e^(-2t).
        b2: b^2.
        v2: v^2.
        s2: s^2.
        lam: (K,) eigenvalues of the data covariance.
        weights: (K,) their shares.
    """

    psi_p: float
    psi_n: float
    alpha: float
    b2: float
    v2: float
    s2: float
    lam: Real
    weights: Real

    def inverse(self, g: NDArray, h: NDArray) -> NDArray:
        """(N, K) 1/e_k at g and h (N,), real or complex."""
        return 1 / ((1 + self.b2 * g)[:, None] + h[:, None] * (self.alpha * self.lam))

    @cached_property
    def _first(self) -> Real:
        return np.stack([self.weights, self.weights * self.alpha * self.lam], 1)

    @cached_property
    def _second(self) -> Real:
        return np.stack([self.weights * (self.alpha * self.lam) ** k for k in (0, 1, 2)], 1)

    def linearised(self, zeta: NDArray, g: NDArray, h: NDArray) -> tuple[NDArray, ...]:
        """(N,) each: left sides of (1) and (2), then d(1)/dg, d(1)/dh, d(2)/dg, d(2)/dh."""
        inverse = self.inverse(g, h)
        total, linear = (inverse @ self._first).T
        plain, once, twice = (inverse**2 @ self._second).T
        seen, share = self.v2 + linear, g / self.psi_n
        return (
            zeta * g - h * seen - self.b2 * g * total + self.psi_p,
            h - g + share * h * seen,
            zeta - self.b2 * plain,
            -self.v2 - once,
            -1 + h / self.psi_n * seen - (self.b2 * share) * h * once,
            1 + share * (seen - h * twice),
        )

    def residual(self, zeta: NDArray, g: NDArray, h: NDArray) -> Real:
        """(N,) larger relative error of the two original equations for (q, D)."""
        q, d = g / self.psi_p, g / h
        m = self.alpha * self.lam / d[:, None] + self.b2
        e = 1 + self.psi_p * m * q[:, None]
        terms = np.stack([q * self.v2 / d, -q * zeta, q * ((m / e) @ self.weights), -np.ones_like(q)])
        first = np.abs(terms.sum(0)) / np.maximum(np.abs(terms).max(0), 1)
        right = 1 + self.psi_p / self.psi_n * q * (self.alpha * ((self.lam / e) @ self.weights) + self.v2)
        return np.maximum(first, np.abs(d - right) / np.maximum(np.abs(d), 1))


@dataclass(frozen=True, eq=False)
class Solution:
    """The equations solved at N points.

    Attributes:
        zeta: (N,) z - s^2.
        g: (N,) psi_p q.
        h: (N,) g / D.
        residual: (N,) relative error in the original equations.
        converged: (N,) whether the residual is below `TOLERANCE` and the branch is the physical one.
        psi_p: features per dimension.
    """

    zeta: Complex
    g: Complex
    h: Complex
    residual: Real
    converged: NDArray[np.bool_]
    psi_p: float

    @property
    def q(self) -> Complex:
        """(N,) (1/p) Tr (U - z)^(-1)."""
        return self.g / self.psi_p


def solve(equations: Equations, zeta: Complex) -> Solution:
    """Solve at points of the closed upper half plane: Newton at all of them at once, continued down from far above.

    A point that fails is tried again in smaller steps; what then fails is reported in `converged`, never filled in.
    Cost grows as N K.

    Args:
        equations: the coefficients.
        zeta: (N,) complex, Im zeta >= 0; real points mean the limit from above.
    """
    zeta = np.asarray(zeta, dtype=np.complex128)
    with np.errstate(all="ignore"):  # a diverging iterate is caught by the residual
        found = _descend(equations, zeta, *ATTEMPTS[0])
        for shrink, lowest in ATTEMPTS[1:]:
            again = ~found.converged
            if not again.any():
                break
            retried = _descend(equations, zeta[again], shrink, lowest)
            for field in ("g", "h", "residual", "converged"):
                getattr(found, field)[again] = getattr(retried, field)
    return found


def _descend(equations: Equations, zeta: Complex, shrink: float, lowest: float) -> Solution:
    """Continue from far above by factors `shrink` of the height down to `lowest` |zeta|, then go to `zeta` itself."""
    psi_p = equations.psi_p
    spread = equations.alpha * float(equations.lam.max()) + equations.b2 + equations.v2
    height = 3.0 * ((1 + psi_p) * (1 + psi_p / equations.psi_n) * spread + np.abs(zeta))
    last = np.maximum(zeta.imag, lowest * np.abs(zeta))
    levels = int(np.ceil(np.log((height / np.maximum(last, 1e-300)).max()) / -np.log(shrink)))
    point = zeta.real + 1j * height
    g: Complex = np.asarray(-psi_p / point, dtype=np.complex128)
    g, h = _newton(equations, point, g, g.copy(), 12, 1e-3)
    for level in range(1, levels + 1):
        target = zeta.real + 1j * np.maximum(height * shrink**level, last)
        _, _, e1g, e1h, e2g, e2h = equations.linearised(point, g, h)
        move = (target - point) * g / (e1g * e2h - e1h * e2g)
        guess_g, guess_h = g - move * e2h, h + move * e2g
        fine = np.isfinite(guess_g) & np.isfinite(guess_h) & (guess_g.imag > 0)
        g, h = _newton(equations, target, np.where(fine, guess_g, g), np.where(fine, guess_h, h), 5, 1e-3)
        point = target
    g, h = _newton(equations, zeta, g, h, 40, 1e-13)
    residual = equations.residual(zeta, g, h)
    converged = np.isfinite(residual) & (residual < TOLERANCE) & _physical(equations, zeta, g, h)
    return Solution(zeta, g, h, np.where(np.isfinite(residual), residual, np.inf), converged, psi_p)


def _physical(equations: Equations, zeta: Complex, g: Complex, h: Complex) -> NDArray[np.bool_]:
    """(N,) whether q and D are in the upper half plane, or, where both are real up to rounding, increase with z."""
    d, dust = g / h, 1e-9
    tilt_g, tilt_d = g.imag / np.abs(g), d.imag / np.abs(d)
    _, _, e1g, e1h, e2g, e2h = equations.linearised(zeta, g, h)
    rate = g / (e1g * e2h - e1h * e2g)
    rate_g, rate_h = -rate * e2h, rate * e2g
    rising = (rate_g.real > 0) & (((rate_g * h - g * rate_h) / h**2).real > 0)
    return (tilt_g > -dust) & (tilt_d > -dust) & (rising | (tilt_g > dust) | (tilt_d > dust))


def _newton(
    equations: Equations, zeta: Complex, g: Complex, h: Complex, most: int, settled: float
) -> tuple[Complex, Complex]:
    """At most `most` Newton steps, at all points until none moves by more than the share `settled`."""
    for _ in range(most):
        first, second, e1g, e1h, e2g, e2h = equations.linearised(zeta, g, h)
        determinant = e1g * e2h - e1h * e2g
        step_g = (first * e2h - second * e1h) / determinant
        step_h = (second * e1g - first * e2g) / determinant
        g, h = g - step_g, h - step_h
        moved = np.maximum(np.abs(step_g) / np.abs(g), np.abs(step_h) / np.abs(h))
        if not (moved > settled).any():
            break
    return g, h
