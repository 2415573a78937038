r"""Gaussian points whose covariance has power-law eigenvalues: lambda_k proportional to k^(-exponent), mean 1.

Coordinate k has variance lambda_k, largest first. Exponent 0 is white noise; natural images and embeddings lie between
about 0.5 and 2. The same law as `genwindow.theory.Covariance.power_law(exponent, d)`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwindow.errors import check_integer, check_number


def power_law_variances(d: int, exponent: float) -> NDArray[np.float64]:
    """(d,) variances of the coordinates, decreasing, with mean 1."""
    check_integer("d", d, low=1)
    check_number("exponent", exponent, low=0)
    values = np.arange(1, d + 1, dtype=np.float64) ** -exponent
    return values / values.mean()


def power_law_points(n: int, d: int, exponent: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """(n, d) points.

    Args:
        n: number of points.
        d: dimension.
        exponent: decay of the eigenvalues, not negative.
        generator: of the draws.
    """
    check_integer("n", n, low=1)
    return np.sqrt(power_law_variances(d, exponent)) * generator.standard_normal((n, d))
