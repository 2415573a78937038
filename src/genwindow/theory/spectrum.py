"""The spectrum of U: exact edges of every bulk, density, masses and the atom.

On the real axis outside the support the equations of `genwindow.theory.equations` have a real solution, and along it z
is an explicit function. With c = 1 + b^2 g and y = h/c real every e_k is c (1 + alpha y lambda_k), so equation (2)
becomes quadratic in g, (v^2 b^2/psi_n) g + 1/g = R(y), and (1) gives zeta. An edge is where zeta turns, dz/dq = 0
(Silverstein and Choi, J. Multivariate Anal. 54, 1995): there the determinant of the equations' Jacobian vanishes. We
collect every zero of the determinant on every real branch, and let the complex solution say which of the intervals
between them carry density; so edges are exact, and no threshold on a density is involved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq

from genwindow.theory.equations import Equations, Real, solve

SAMPLES = 400  # real points tried between two poles of the branch, to find every zero in between
DENSE = 1e-9  # zeta Im g, in which a bulk of mass 1/psi_p has about 1, above which an interval carries density


@dataclass(frozen=True)
class Bulk:
    """A stretch of eigenvalues with positive density.

    Attributes:
        low: lower edge.
        high: upper edge.
        mass: share of the eigenvalues of U inside.
    """

    low: float
    high: float
    mass: float


def edges(equations: Equations) -> list[tuple[float, float]]:
    """Lower and upper edge of every bulk as zeta = z - s^2, increasing.

    Cost grows linearly in the number K of covariance eigenvalues times the number of poles, so as K^2.
    """
    marks = np.unique(np.concatenate([[0.0], _turning_points(equations)]))
    marks = marks[np.concatenate([[True], np.diff(marks) > 1e-13 * marks[1:]])]
    if len(marks) < 2:
        return []
    middles = np.where(marks[:-1] > 0, np.sqrt(marks[:-1] * marks[1:]), marks[1:] / 2)
    found = solve(equations, middles.astype(np.complex128))
    inside = middles * found.g.imag > DENSE * np.maximum(middles * np.abs(found.g), 1.0)
    bulks: list[tuple[float, float]] = []
    for low, high, dense in zip(marks[:-1], marks[1:], inside, strict=True):
        if not dense:
            continue
        if bulks and bulks[-1][1] == low:
            low = bulks.pop()[0]
        bulks.append((float(low), float(high)))
    return bulks


def _turning_points(equations: Equations) -> Real:
    """Positive zeta at which zeta turns on some real branch."""
    found: list[float] = []
    for left, right in _branch_intervals(equations):
        y = _inside(left, right)
        for sign in (1.0, -1.0):
            found.extend(_zeros_on_branch(equations, y, sign))
    zeta = np.array(found)
    return zeta[np.isfinite(zeta) & (zeta > 0)]


def _share(equations: Equations, y: Real) -> Real:
    """(N,) sum_k w_k alpha y lambda_k / (1 + alpha y lambda_k)."""
    scaled = equations.alpha * equations.lam
    return y * (1 / (1 + y[:, None] * scaled) @ (equations.weights * scaled))


def _rate(equations: Equations, y: Real) -> Real:
    """(N,) right side R of kappa g + 1/g = R(y), kappa = v^2 b^2/psi_n."""
    slope = equations.b2 + equations.v2 / equations.psi_n
    return (1 - _share(equations, y) / equations.psi_n) / y - slope


def _kappa(equations: Equations) -> float:
    return equations.v2 * equations.b2 / equations.psi_n


def _on_branch(equations: Equations, y: Real, sign: float) -> tuple[Real, Real, Real]:
    """(N,) zeta, g and h at y: of the two roots g the one near 1/R for sign = +1, the other for -1."""
    kappa, rate = _kappa(equations), _rate(equations, y)
    root = np.sqrt(np.maximum(rate**2 - 4 * kappa, 0.0))
    near = 2 / (rate + np.copysign(root, rate))
    g = near if sign > 0 else 1 / (kappa * near)
    c, other = 1 + equations.b2 * g, 1 + equations.v2 * g / equations.psi_n
    h = np.where(np.abs(c) > np.abs(other), y * c, g * (1 - _share(equations, y) / equations.psi_n) / other)
    first = equations.linearised(np.zeros_like(g), g, h)[0]
    return -first / g, g, h


def _determinant(equations: Equations, y: Real, sign: float) -> Real:
    zeta, g, h = _on_branch(equations, y, sign)
    _, _, e1g, e1h, e2g, e2h = equations.linearised(zeta, g, h)
    return e1g * e2h - e1h * e2g


def _zeros_on_branch(equations: Equations, y: Real, sign: float) -> list[float]:
    if sign < 0 and _kappa(equations) == 0:
        return []
    with np.errstate(all="ignore"):
        value = _determinant(equations, y, sign)
        crossings = np.flatnonzero(np.isfinite(value[:-1]) & np.isfinite(value[1:]) & (value[:-1] * value[1:] < 0))
        zeros = []
        for i in crossings:
            root = _refine(lambda x: float(_determinant(equations, np.array([x]), sign)[0]), y[i], y[i + 1])
            zeros.append(float(_on_branch(equations, np.array([root]), sign)[0][0]))
    return zeros


def _refine(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function` changes sign: a zero, or a pole, whose zeta is then not finite and drops out."""

    def finite(x: float) -> float:
        value = function(x)
        return value if np.isfinite(value) else 0.0

    if not finite(low) * finite(high) < 0:  # a sign that rounding made: any point in between will do
        return _middle(low, high)
    return float(brentq(finite, low, high, xtol=1e-300, rtol=4 * np.finfo(float).eps, maxiter=300))


def _branch_intervals(equations: Equations) -> list[tuple[float, float]]:
    """Stretches of real y between poles on which g is real."""
    scaled = equations.alpha * equations.lam[equations.lam > 0]
    far = 1e12 / scaled.min()
    near = 1e-12 / max(scaled.max(), equations.b2, equations.v2)
    poles = np.unique(-1 / scaled)
    stops = [-far, *poles, -near]
    stretches = [(a, b) for a, b in zip(stops[:-1], stops[1:], strict=True) if a < b] + [(near, far)]
    return [part for stretch in stretches for part in _real_parts(equations, *stretch)]


def _real_parts(equations: Equations, left: float, right: float) -> list[tuple[float, float]]:
    """Parts of (left, right) where equation (2) has real roots g: where R is not within 2 sqrt(kappa) of 0."""
    y, bound = _inside(left, right), 2 * np.sqrt(_kappa(equations))
    with np.errstate(all="ignore"):
        rate, cuts = _rate(equations, y), [left, right]
        for level in (-bound, bound):
            for i in np.flatnonzero((rate[:-1] < level) != (rate[1:] < level)):
                cuts.append(_refine(partial(_excess, equations, level), y[i], y[i + 1]))
        cuts = sorted(set(cuts))
        parts = list(zip(cuts[:-1], cuts[1:], strict=True))
        real = np.abs(_rate(equations, np.array([_middle(*part) for part in parts]))) >= bound
    return [part for part, keep in zip(parts, real, strict=True) if keep]


def _excess(equations: Equations, level: float, y: float) -> float:
    return float(_rate(equations, np.array([y]))[0] - level)


def _middle(left: float, right: float) -> float:
    return float(np.copysign(np.sqrt(left * right), left)) if left * right > 0 else (left + right) / 2


def _inside(left: float, right: float) -> Real:
    """Points of (left, right), both of one sign, geometric in the distance to both ends."""
    ratio = np.log(right / left)  # negative on the negative side
    share = 1 / (1 + np.exp(-np.linspace(-34, 34, SAMPLES)))
    low, high = share <= 0.5, share > 0.5
    y = np.empty(SAMPLES)
    y[low] = left * np.exp(ratio * share[low])
    y[high] = right * np.exp(-ratio * (1 - share[high]))
    return np.unique(y)


def density(equations: Equations, zeta: Real) -> tuple[Real, Real]:
    """(N,) density of the eigenvalues of U at zeta + s^2 per unit eigenvalue, and (N,) residuals.

    A point without a solution has the residual inf and the density nan.
    """
    found = solve(equations, np.asarray(zeta, dtype=np.float64).astype(np.complex128))
    value = np.maximum(found.g.imag, 0.0) / (np.pi * equations.psi_p)
    return np.where(found.converged, value, np.nan), found.residual


def mass(equations: Equations, low: float, high: float, *, tolerance: float = 1e-9) -> float:
    """Share of the eigenvalues between two edges (zeta), by quadrature that removes the square roots at the edges.

    The nodes are doubled until the answer settles to `tolerance`.
    """
    last, count = np.inf, 32
    while True:
        theta = np.pi * (np.arange(count) + 0.5) / count
        if low > 0:
            half = np.log(high / low) / 2
            zeta = np.sqrt(low * high) * np.exp(-half * np.cos(theta))
            jacobian = zeta * half * np.sin(theta)
        else:
            zeta = high * (1 - np.cos(theta)) / 2
            jacobian = high * np.sin(theta) / 2
        value = float((density(equations, zeta)[0] * jacobian).sum() * np.pi / count)
        if abs(value - last) < tolerance or count >= 4096:
            return value
        last, count = value, 2 * count
