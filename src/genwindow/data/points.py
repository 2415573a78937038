"""Synthetic points: laws by name, drawn afresh, with their exact score where one is known.

`LAWS` is the registry. To add a law, write a function (dimension, n, parameter, generator) -> `Drawn` and name it
there; `parameter` is the setting `data.parameter`, None for the default of the law. The function gets a generator of
its own for every block of points, so it may draw from it in any order; what all points share (a covariance, the law
itself) must follow from dimension and parameter alone. Points are not squeezed into [-1, 1]: noise levels refer to data
of about unit variance in each coordinate.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from genwindow.data.classes import choose_by_class
from genwindow.data.gaussian import DiagonalGaussian
from genwindow.data.heavy_tails import heavy_tailed
from genwindow.data.mixture import GaussianMixture
from genwindow.data.power_law import power_law_points, power_law_variances
from genwindow.errors import GenwindowError, check, check_choice, check_integer

BLOCK = 256
"""Points drawn from one generator."""


class Law(Protocol):
    """What is known exactly of x_t = alpha x_0 + sigma xi; `alpha` and `sigma` are one number or (B,)."""

    def score(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """(B, ...) gradient of the log density at x (B, ...)."""
        ...

    def data_mean(self, x: Tensor, alpha: float | Tensor, sigma: float | Tensor) -> Tensor:
        """(B, ...) mean of x_0 given x_t = x."""
        ...


@dataclass(frozen=True, eq=False)
class Drawn:
    """Points of a law.

    Attributes:
        points: (n, d) float32.
        labels: (n,) class of each, or None.
        law: exact, or None.
        classes: how many classes the law has, whether or not these points have them all; 0 without classes.
    """

    points: Tensor
    labels: Tensor | None = None
    law: Law | None = None
    classes: int = 0

    @property
    def digest(self) -> str:
        """SHA-256 of the points, in hexadecimal digits."""
        content = np.ascontiguousarray(self.points.numpy(), dtype="<f4")
        return hashlib.sha256(repr(content.shape).encode() + content.tobytes()).hexdigest()


def _mixture(dimension: int, n: int, parameter: float | None, generator: torch.Generator) -> Drawn:
    """Two clusters of unit variance (arXiv 2505.17638, appendix B); labels 0 and 1.

    The parameter is the coordinate c of the centres +(c, ..., c) and -(c, ..., c), 1 by default.
    """
    law = GaussianMixture.two_clusters(dimension, 1.0 if parameter is None else parameter)
    points, labels = law.sample(n, generator)
    return Drawn(points.float(), labels, law, len(law))


def _power_law(dimension: int, n: int, parameter: float | None, generator: torch.Generator) -> Drawn:
    """Gaussian points of power-law covariance; the parameter is its exponent, 1 by default."""
    exponent = 1.0 if parameter is None else parameter
    points = power_law_points(n, dimension, exponent, _numpy(generator))
    return Drawn(torch.from_numpy(points).float(), law=DiagonalGaussian(power_law_variances(dimension, exponent)))


def _heavy_tails(dimension: int, n: int, parameter: float | None, generator: torch.Generator) -> Drawn:
    """Student's t of unit variance; the parameter is its number of degrees of freedom, 3 by default."""
    tail = 3.0 if parameter is None else parameter
    return Drawn(torch.from_numpy(heavy_tailed(n, dimension, tail, _numpy(generator))).float())


def _numpy(generator: torch.Generator) -> np.random.Generator:
    """A NumPy generator that depends on the state of a torch one."""
    return np.random.default_rng(int(torch.randint(2**62, (), generator=generator)))


LAWS: dict[str, Callable[[int, int, float | None, torch.Generator], Drawn]] = {
    "mixture": _mixture,
    "power-law": _power_law,
    "heavy-tails": _heavy_tails,
}
"""Name of each law, and how to draw from it."""


def draw_points(
    name: str,
    dimension: int,
    n: int,
    generators: Callable[[int], torch.Generator],
    parameter: float | None = None,
    weights: Sequence[float] | None = None,
) -> Drawn:
    """N points of a named law. A smaller set is the beginning of a larger one.

    Args:
        name: in `LAWS`.
        dimension: d.
        n: how many.
        generators: a CPU generator for each block, by its number.
        parameter: of the law; None for its default.
        weights: share of each class, instead of that of the law; exact to a point.

    Raises:
        GenwindowError: an unknown law, weights for a law without classes, or for more classes than it has.
    """
    check_choice("law", name, LAWS)
    check_integer("dimension", dimension, low=1)
    check_integer("n", n, low=1)
    blocks: list[Drawn] = []
    wanted = math.ceil(n / BLOCK)
    while True:
        blocks += [LAWS[name](dimension, BLOCK, parameter, generators(i)) for i in range(len(blocks), wanted)]
        points = torch.cat([block.points for block in blocks])
        labels = None if blocks[0].labels is None else torch.cat([b.labels for b in blocks if b.labels is not None])
        law, classes = blocks[0].law, blocks[0].classes
        if weights is None:
            return Drawn(points[:n], None if labels is None else labels[:n], law, classes)
        if labels is None:
            raise GenwindowError(f"{name} has no classes, so class weights mean nothing there")
        check(len(weights) <= classes, f"{name} has {classes} classes, got weights for {len(weights)}")
        chosen = choose_by_class(labels.numpy(), weights, n)
        if len(chosen) == n:
            return Drawn(points[chosen], labels[chosen], _reweighted(law, weights), classes)
        wanted += wanted // 2 + 1


def _reweighted(law: Law | None, weights: Sequence[float]) -> Law | None:
    """The law with other shares of its classes, where its classes are its components."""
    if isinstance(law, GaussianMixture) and len(law) == len(weights):
        return GaussianMixture(law.means, law.std, torch.tensor(weights, dtype=torch.float64))
    return None
