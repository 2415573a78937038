"""The Gaussian-equivalent model of finite size: what the limit theory describes, at any d.

    U = G G^T/n + b^2 W W^T/d + s^2 I,    G = e^(-t) a W X/sqrt(d) + v Omega,    V = b W/sqrt(d)
    Utilde = a^2 e^(-2t) W Sigma W^T/d + b^2 W W^T/d + (v^2 + s^2) I

with W, Omega normal and the columns of X drawn from N(0, Sigma). U - s^2 I = F F^T, F = [G/sqrt(n), b W/sqrt(d)], so
the eigenproblem has the size min(p, n + d). Source: George, Veiga, Macris, arXiv 2502.00336.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from genwindow.errors import check, check_integer
from genwindow.theory.activations import Array
from genwindow.theory.dynamics import Dynamics, GradientFlow
from genwindow.theory.finite import closed_form
from genwindow.theory.learning_curves import LearningCurves, lowest_loss
from genwindow.theory.model import RandomFeatures


@dataclass(frozen=True, eq=False)
class GaussianEquivalent:
    """One draw of the Gaussian-equivalent model.

    Attributes:
        model: the limit it approaches.
        d: dimension.
        weights: (p, d) W.
        features: (p, n) G.
        sigma: (d,) eigenvalues of the data covariance, along the coordinate axes.
    """

    model: RandomFeatures
    d: int
    weights: Array
    features: Array
    sigma: Array

    @classmethod
    def draw(cls, model: RandomFeatures, d: int, generator: np.random.Generator) -> GaussianEquivalent:
        """A model of dimension d with p = psi_p d features and n = psi_n d samples, each at least one."""
        check_integer("d", d, low=1)
        p, n = max(1, round(model.psi_p * d)), max(1, round(model.psi_n * d))
        sigma = model.covariance.eigenvalues(d)
        found = model.moments
        weights = generator.standard_normal((p, d))
        data = np.sqrt(sigma)[:, None] * generator.standard_normal((d, n))
        linear = math.exp(-model.t) * found.a / math.sqrt(d) * (weights @ data)
        return cls(model, d, weights, linear + math.sqrt(found.v2) * generator.standard_normal((p, n)), sigma)

    def _factor(self) -> Array:
        n = self.features.shape[1]
        return np.concatenate(
            [self.features / math.sqrt(n), self.model.moments.b / math.sqrt(self.d) * self.weights], 1
        )

    def _modes(self) -> tuple[Array, Array]:
        """(r,) eigenvalues of F F^T and (r, d) C = Q^T V."""
        factor, n = self._factor(), self.features.shape[1]
        if len(factor) <= factor.shape[1]:
            lam, q = np.linalg.eigh(factor @ factor.T)
            return np.maximum(lam, 0.0), q.T @ factor[:, n:]
        lam, q = np.linalg.eigh(factor.T @ factor)
        lam = np.maximum(lam, 0.0)
        return lam, np.sqrt(lam)[:, None] * q[n:].T

    def eigenvalues(self) -> Array:
        """(r,) eigenvalues of U other than the p - r ones equal to s^2, r = min(p, n + d), increasing."""
        return self._modes()[0] + self.model.moments.s2

    def overlaps(self) -> Array:
        """(r,) |Q_i^T V|^2/d: how much of the noise each mode of `eigenvalues` can learn to predict."""
        return (self._modes()[1] ** 2).sum(1) / self.d

    def learning_curves(
        self, tau: ArrayLike, *, dynamics: Dynamics | None = None, lowest: float = 0.0
    ) -> LearningCurves:
        """Losses along training at times tau (T,), from one eigendecomposition.

        Args:
            tau: training times.
            dynamics: gradient flow unless given.
            lowest: modes of U with eigenvalues below this are left untrained, to see what they do.
        """
        found, t, d = self.model.moments, self.model.t, self.d
        zeta, c = self._modes()
        kept = zeta + found.s2 >= lowest
        check(
            bool(kept.any()), f"lowest must be below the largest eigenvalue, {zeta.max() + found.s2:g}, got {lowest:g}"
        )
        zeta, c = zeta[kept], c[kept]
        seen = c / found.b
        gram = c @ c.T
        signal = found.a**2 * math.exp(-2 * t)
        utilde = (seen * (signal * self.sigma)) @ seen.T + gram + (found.v2 + found.s2) * np.eye(len(zeta))
        law = type(self.model.covariance).atoms(self.sigma)
        return closed_form(
            zeta + found.s2, (c**2).sum(1) / d, utilde * gram / d, (c**2).sum(1) / d, (1.0, 1.0),
            tau=tau, relaxation=2 * self.model.delta * d / len(self.weights),
            dynamics=GradientFlow() if dynamics is None else dynamics, floor=lowest_loss(law, t), t=t,
        )  # fmt: skip
