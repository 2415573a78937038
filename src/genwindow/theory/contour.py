r"""Functions of U as contour integrals, and the two-point function that the test loss needs.

For f analytic around the spectrum f(U) = -(1/2 pi i) oint f(z) (U - z)^(-1) dz, counter-clockwise. The contour is an
ellipse in log z, on which the trapezoid rule converges geometrically. With w = W/sqrt(d), R(z) = (U - z)^(-1) and
averages over the law of the data covariance written < >, two traces are enough:

    s(z) = (1/p) Tr w^T R w = q <1/e>,      T(z_1, z_2) = (1/d) Tr w^T R(z_1) Utilde R(z_2) w,

for which `two_point` has closed forms. Derived by leaving out one sample, then one column of W; checked against finite
matrices in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from genwindow.theory.equations import Complex, Equations, Real, solve

TILT = 1.25  # largest half height of the ellipse in log z; below pi/2 every node has a positive real part


@dataclass(frozen=True, eq=False)
class Contour:
    """The upper half of the contour, with the traces on it; the lower half is its mirror image.

    Attributes:
        z: (N,) nodes.
        weight: (N,) complex weights, so that Re sum(weight f) is -(1/2 pi i) oint f dz for f real on the real axis.
        trace: (N,) s(z).
        straight: (N, N) T(z_i, z_j).
        crossed: (N, N) T(z_i, conj z_j).
        residual: largest residual of the equations on it.
        converged: whether every node was solved.
    """

    z: Complex
    weight: Complex
    trace: Complex
    straight: Complex
    crossed: Complex
    residual: float
    converged: bool


def ellipse(low: float, high: float, tilt: float, nodes: int) -> tuple[Complex, Complex]:
    """(nodes/2,) upper nodes of the ellipse in log z through `low` and `high`, and dz/dtheta there."""
    half = np.log(high / low) / 2
    theta = 2 * np.pi * (np.arange(nodes // 2) + 0.5) / nodes
    z = np.sqrt(low * high) * np.exp(half * np.cos(theta) + 1j * tilt * np.sin(theta))
    return z, z * (-half * np.sin(theta) + 1j * tilt * np.cos(theta))


def contour(equations: Equations, low: float, high: float, tilt: float, nodes: int) -> Contour:
    """Traces on the ellipse that crosses the real axis at `low` and `high`, with `nodes` nodes in all (even).

    Cost grows as nodes^2 K, from products of matrices.
    """
    z, tangent = ellipse(low, high, tilt, nodes)
    weight = -tangent * (2 * np.pi / nodes) / (2j * np.pi) * 2
    found = solve(equations, z - equations.s2)
    inverse = equations.inverse(found.g, found.h)
    trace = found.g / equations.psi_p * (inverse @ equations.weights)
    straight = two_point(equations, (found.g, found.h, inverse), (found.g, found.h, inverse))
    mirrored = (found.g.conj(), found.h.conj(), inverse.conj())
    crossed = two_point(equations, (found.g, found.h, inverse), mirrored)
    return Contour(z, weight, trace, straight, crossed, float(found.residual.max()), bool(found.converged.all()))


def two_point(
    equations: Equations, one: tuple[Complex, Complex, Complex], two: tuple[Complex, Complex, Complex]
) -> Complex:
    """(N, M) T at pairs of points, each set given as g (N,), h (N,) and 1/e (N, K).

    With A_j = <lambda^j/(e_1 e_2)>, m = alpha lambda/D + b^2 and

        G     = (g_1 g_2/psi_p)/(1 - (g_1 g_2/psi_p) <m_1 m_2/(e_1 e_2)>),
        Q[f h] = g_1 g_2 <f h/(e_1 e_2)> + G <f/(e_1 e_2)><h/(e_1 e_2)>,

    it is

        T_C   = alpha Q[lambda 1] + v^2 G A_0
        T_B   = b^2 Q[1 1] + s^2 G A_0
        gamma = (alpha^2 Q[lambda lambda] + 2 alpha v^2 G A_1 + v^4 G)/(psi_n D_1 D_2)
        beta  = (alpha b^2 Q[lambda 1] + alpha s^2 G A_1 + v^2 b^2 G A_0 + v^2 s^2 G)/(psi_n D_1 D_2)
        T     = (1 + beta) T_C/(1 - gamma) + T_B
    """
    (g1, h1, inverse1), (g2, h2, inverse2) = one, two
    w, lam, alpha, b2, v2, s2 = (
        equations.weights, equations.lam, equations.alpha, equations.b2, equations.v2, equations.s2,
    )  # fmt: skip
    a0, a1, a2 = ((inverse1 * (w * lam**j)) @ inverse2.T for j in (0, 1, 2))
    gg = np.outer(g1, g2)
    r1, r2 = (h1 / g1)[:, None], (h2 / g2)[None, :]  # 1/D
    product = alpha**2 * r1 * r2 * a2 + alpha * b2 * (r1 + r2) * a1 + b2**2 * a0
    big = gg / equations.psi_p / (1 - gg / equations.psi_p * product)
    mixed = gg * a1 + big * a1 * a0
    t_c = alpha * mixed + v2 * big * a0
    t_b = b2 * (gg * a0 + big * a0**2) + s2 * big * a0
    per_sample = r1 * r2 / equations.psi_n
    gamma = per_sample * (alpha**2 * (gg * a2 + big * a1**2) + 2 * alpha * v2 * big * a1 + v2**2 * big)
    beta = per_sample * (alpha * b2 * mixed + alpha * s2 * big * a1 + v2 * b2 * big * a0 + v2 * s2 * big)
    return (1 + beta) * t_c / (1 - gamma) + t_b


def single(weight: Complex, values: Complex) -> Real:
    """(T,) -(1/2 pi i) oint f dz for values (T, N) of f on the upper half."""
    return (values @ weight).real


def double(found: Contour, weight: Complex, response: Complex) -> Real:
    """(T,) double integral of h(z_1) h(z_2) T(z_1, z_2) for the response h (T, N) on the upper half."""
    h = response * weight / 2
    straight = np.einsum("ti,ij,tj->t", h, found.straight, h, optimize=True)
    crossed = np.einsum("ti,ij,tj->t", h, found.crossed, h.conj(), optimize=True)
    return 2 * (straight + crossed).real
