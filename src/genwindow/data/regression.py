r"""A regression task: labels of a fixed two-layer teacher at normal points, with noise.

    y = f(x) + sigma eps,    f(x) = sum_j a_j erf(w_j . x/sqrt(d)),    x ~ N(0, I_d)

The teacher is odd, so its mean is 0, and its variance is known (Williams, Neural Computation 10, 1998): with
K_ij = w_i . w_j/d,

    E f^2 = (2/pi) sum_ij a_i a_j arcsin( 2 K_ij/sqrt((1 + 2 K_ii)(1 + 2 K_jj)) ),

which is scaled to 1. No predictor of noisy labels has an error below sigma^2 on fresh points; one that does on its
training points has learned their noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from genwindow.errors import check, check_integer, check_number

Array = NDArray[np.float64]


class Labelled(NamedTuple):
    """Points with their labels.

    Attributes:
        x: (n, d) points.
        y: (n,) labels with noise.
        clean: (n,) labels without.
    """

    x: Array
    y: Array
    clean: Array


@dataclass(frozen=True, eq=False)
class RegressionTask:
    """The law of the points and labels.

    Attributes:
        weights: (k, d) w, the teacher's hidden units.
        readout: (k,) a.
        noise: variance of the label noise, sigma^2; the teacher's own variance is 1.
    """

    weights: Array
    readout: Array
    noise: float

    def __post_init__(self) -> None:
        shape, units = np.shape(self.weights), np.shape(self.readout)
        check(len(shape) == 2 and units == shape[:1], f"weights (k, d) and readout (k,) do not fit: {shape}, {units}")
        check_number("noise", self.noise, low=0)

    @classmethod
    def draw(cls, d: int, units: int, noise: float, generator: np.random.Generator) -> RegressionTask:
        """A teacher with normal weights, scaled to variance 1."""
        check_integer("d", d, low=1)
        check_integer("units", units, low=1)
        weights, readout = generator.standard_normal((units, d)), generator.standard_normal(units)
        return cls(weights, readout / np.sqrt(teacher_variance(weights, readout)), noise)

    def teacher(self, x: Array) -> Array:
        """(n,) labels without noise at points x (n, d)."""
        return erf(x @ self.weights.T / np.sqrt(self.weights.shape[1])) @ self.readout

    def sample(self, n: int, generator: np.random.Generator) -> Labelled:
        """N fresh labelled points; of one generator state, a smaller set is the beginning of a larger one."""
        check_integer("n", n, low=1)
        of_points, of_noise = generator.spawn(2)
        x = of_points.standard_normal((n, self.weights.shape[1]))
        clean = self.teacher(x)
        return Labelled(x, clean + np.sqrt(self.noise) * of_noise.standard_normal(n), clean)


def teacher_variance(weights: Array, readout: Array) -> float:
    """E f^2 of a teacher with hidden units (k, d) and readout (k,)."""
    inner = weights @ weights.T / weights.shape[1]
    own = 1 + 2 * np.diag(inner)
    return float(2 / np.pi * readout @ np.arcsin(2 * inner / np.sqrt(np.outer(own, own))) @ readout)
