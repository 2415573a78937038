"""A covariance: the spectral law of the data's covariance matrix, as eigenvalues with weights.

The theory sees the data only through this law; continuous laws are represented by quadrature nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh_tridiagonal

from genwindow.errors import check, check_integer, check_number


@dataclass(frozen=True, eq=False)
class Covariance:
    """Eigenvalues of the data covariance and the share of directions that has each.

    Attributes:
        values: (K,) eigenvalues, increasing, not negative, not all zero; variance per coordinate.
        weights: (K,) positive shares of the d directions, with sum 1.
        text: where it comes from, for titles.
    """

    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    text: str = "atoms"

    def __post_init__(self) -> None:
        values, weights = (np.array(x, dtype=np.float64) for x in (self.values, self.weights))
        check(values.ndim == 1 and len(values) > 0, f"covariance values must be a list, got shape {values.shape}")
        check(weights.shape == values.shape, f"covariance has {len(values)} values and {weights.size} weights")
        check(bool(np.isfinite(values).all() and (values >= 0).all()), f"covariance values must be >= 0, got {values}")
        check(bool(np.isfinite(weights).all() and (weights > 0).all()), f"covariance weights must be > 0: {weights}")
        check(float(weights @ values) > 0, "covariance must have a positive trace, got all eigenvalues 0")
        order = np.argsort(values)
        values, weights = values[order], weights[order] / weights.sum()
        for name, array in (("values", values), ("weights", weights)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @property
    def variance(self) -> float:
        """Trace over d: the mean square of a coordinate."""
        return float(self.weights @ self.values)

    @classmethod
    def isotropic(cls, variance: float = 1.0) -> Covariance:
        """The identity times `variance`."""
        check_number("variance", variance, low=0, low_open=True)
        return cls(np.array([variance]), np.ones(1), f"{variance:g} I")

    @classmethod
    def atoms(cls, values: ArrayLike, weights: ArrayLike | None = None) -> Covariance:
        """Some eigenvalues, with equal weights unless given (any positive scale)."""
        given = np.asarray(values, dtype=np.float64)
        return cls(given, np.ones(given.shape) if weights is None else np.asarray(weights, dtype=np.float64))

    @classmethod
    def power_law(cls, exponent: float, d: int | None = None, *, nodes: int = 48) -> Covariance:
        """The k-th largest of d eigenvalues proportional to k^(-exponent), scaled to variance 1.

        Args:
            exponent: decay, not negative. Without `d` it must be below 1, else the limit has no trace.
            d: number of eigenvalues; None for the limit d -> infinity at fixed k/d.
            nodes: quadrature nodes that stand for the limit law.
        """
        check_number("exponent", exponent, low=0)
        if d is None:
            check(
                exponent < 1, f"exponent must be below 1 in the limit of many dimensions, got {exponent:g}; or give d"
            )
            check_integer("nodes", nodes, low=1)
            x, w = np.polynomial.legendre.leggauss(nodes)
            u = (x + 1) / 2  # the quantile is u^2: the law is unbounded, its large values need the finer nodes
            values, weights = u ** (-2 * exponent), u * w
        else:
            check_integer("d", d, low=1)
            values, weights = np.arange(1, d + 1, dtype=np.float64) ** -exponent, np.full(d, 1 / d)
        return cls(values / (weights @ values), weights, f"power law, exponent {exponent:g}")

    @classmethod
    def marchenko_pastur(cls, ratio: float, *, nodes: int = 48) -> Covariance:
        """The law of the sample covariance of d-dimensional white noise from d/ratio samples.

        Gauss quadrature for this law, whose orthogonal polynomials have the recurrence coefficients 1, 1 + ratio,
        1 + ratio, ... and sqrt(ratio). For ratio > 1 a share 1 - 1/ratio of the eigenvalues is 0.
        """
        check_number("ratio", ratio, low=0, low_open=True)
        check_integer("nodes", nodes, low=1)
        diagonal = np.full(nodes, 1 + ratio)
        diagonal[0] = 1.0
        values, vectors = eigh_tridiagonal(diagonal, np.full(nodes - 1, np.sqrt(ratio)))
        keep = vectors[0] ** 2 > 1e-30
        return cls(np.maximum(values, 0.0)[keep], vectors[0, keep] ** 2, f"Marchenko-Pastur, ratio {ratio:g}")

    @classmethod
    def from_data(cls, x: ArrayLike, *, shrink: bool = True) -> Covariance:
        """Eigenvalues measured on data, shrunk towards their mean.

        The sample covariance of few samples spreads its eigenvalues too far. Linear shrinkage pulls them to their mean
        by the share that minimises the expected squared error (Ledoit and Wolf, J. Multivariate Anal. 88, 2004); the
        share is noted in `text`.

        Args:
            x: (n, ...) samples; the mean is subtracted, the scale kept.
            shrink: False keeps the raw eigenvalues.

        Raises:
            GenwindowError: for fewer than two samples, values that are not finite, or samples that are all equal.
        """
        data = np.asarray(x, dtype=np.float64)
        check(data.ndim >= 2 and len(data) >= 2, f"x must hold at least two samples, (n, ...), got shape {data.shape}")
        data = data.reshape(len(data), -1)
        check(bool(np.isfinite(data).all()), "x must be finite")
        n, d = data.shape
        data = data - data.mean(0)
        check(bool((data != 0).any()), "x must vary: all samples are equal")
        sample = data.T @ data / n
        mean = float(np.trace(sample)) / d
        eigenvalues = np.clip(np.linalg.eigvalsh(sample), 0.0, None)
        spread = float(((eigenvalues - mean) ** 2).sum())
        noise = float((data**2).sum(1) @ (data**2).sum(1)) / n**2 - float((sample**2).sum()) / n
        share = min(max(noise / spread, 0.0), 1.0) if shrink and spread > 0 else 0.0
        text = f"measured on {n} samples, d = {d}, shrinkage {share:.2g}"
        return cls((1 - share) * eigenvalues + share * mean, np.full(d, 1 / d), text)

    def eigenvalues(self, d: int) -> NDArray[np.float64]:
        """(d,) eigenvalues of a matrix with this law: each value as often as its weight says, rounded fairly."""
        check_integer("d", d, low=1)
        middles = (np.arange(d) + 0.5) / d
        return self.values[np.minimum(np.searchsorted(np.cumsum(self.weights), middles), len(self.values) - 1)]
