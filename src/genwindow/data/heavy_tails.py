r"""Heavy-tailed points: x = sqrt(r) z, z normal and r inverse-gamma, of covariance I.

With tail index nu (shape nu/2, mean 1 for r) x is Student's t of nu degrees of freedom scaled to variance 1: the
probability of |x| > u falls as u^(-nu), moments below nu are finite, and a coordinate has the kurtosis
3 (nu - 2)/(nu - 4) for nu > 4. The coordinates of one point share r: they are uncorrelated, not independent, so such
points lie outside the theory of `genwindow.theory`, which sees the same covariance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwindow.errors import check_integer, check_number


def heavy_tailed(n: int, d: int, tail: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """(n, d) points.

    Args:
        n: number of points.
        d: dimension.
        tail: index nu of the tail, above 2 so that there is a covariance; inf is Gaussian.
        generator: of the draws.
    """
    check_integer("n", n, low=1)
    check_integer("d", d, low=1)
    if tail == np.inf:
        return generator.standard_normal((n, d))
    shape = check_number("tail", tail, low=2, low_open=True) / 2
    r = (shape - 1) / generator.gamma(shape, size=(n, 1))
    return np.sqrt(r) * generator.standard_normal((n, d))
