"""The random-features score model at one diffusion time, in the limit of many dimensions.

    s_A(x) = A sigma(W x/sqrt(d))/sqrt(p),  W frozen and normal, A trained from 0,  psi_p = p/d,  psi_n = n/d

Everything that training does is in the spectrum of U = (1/n) sum_nu E_xi[phi phi^T], phi = sigma(W x_t/sqrt(d)): an
eigenvalue lambda is learned on the time psi_p/(2 Delta lambda). Large eigenvalues carry the data distribution, small
ones the individual samples. Source: George, Veiga, Macris, arXiv 2502.00336; Bonnaire et al., arXiv 2505.17638.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from genwindow.analysis import tau_gen_from_loss, tau_mem_from_loss
from genwindow.curve import Estimate
from genwindow.errors import check, check_integer, check_number
from genwindow.theory.activations import Activation, activation_name
from genwindow.theory.covariance import Covariance
from genwindow.theory.dynamics import Dynamics, GradientFlow, Real, check_times
from genwindow.theory.equations import Equations, Solution, solve
from genwindow.theory.learning_curves import (
    LearningCurves,
    Losses,
    Stopping,
    as_curves,
    losses,
    lowest_loss,
    optimal_stopping,
)
from genwindow.theory.moments import Moments, moments
from genwindow.theory.spectrum import Bulk, density, edges, mass

if TYPE_CHECKING:
    from genwindow.theory.phase import PhasePlane

NODES = 396
"""Nodes of the contour of a learning curve; ten digits."""

LATEST = 300.0
"""Diffusion time from which the signal e^(-2t) is too small a number to compute with."""


class Atom(NamedTuple):
    """Eigenvalues that are all equal.

    Attributes:
        location: where, s^2.
        mass: share of all eigenvalues; 0 when there is no atom.
    """

    location: float
    mass: float


class RelaxationTimes(NamedTuple):
    """Training times on which the two ends of a bulk are learned, psi_p/(2 Delta lambda).

    Attributes:
        fastest: of the upper edge.
        slowest: of the lower edge.
        mass: share of the eigenvalues in the bulk.
    """

    fastest: float
    slowest: float
    mass: float


@dataclass(frozen=True)
class Timescales:
    """The times of training.

    Attributes:
        bulks: relaxation times of every bulk, fastest bulk first.
        tau_gen: when the test loss has made most of its best gain, read from the curve as from a measured one.
        tau_mem: when training and test loss have split.
    """

    bulks: tuple[RelaxationTimes, ...]
    tau_gen: Estimate
    tau_mem: Estimate


@dataclass(frozen=True)
class RandomFeatures:
    """The model; every result is computed when asked for.

    Attributes:
        psi_p: features per dimension, positive.
        psi_n: samples per dimension, positive.
        t: diffusion time, positive, at most 300.
        activation: a name (`tanh`, `erf`, `sin`, `relu`, `gelu`, `hermite1`, ...) or a vectorised callable.
        covariance: spectral law of the data covariance.
    """

    psi_p: float
    psi_n: float
    t: float
    activation: Activation = "tanh"
    covariance: Covariance = field(default_factory=Covariance.isotropic)

    def __post_init__(self) -> None:
        for name, high in (("psi_p", math.inf), ("psi_n", math.inf), ("t", LATEST)):
            object.__setattr__(self, name, check_number(name, getattr(self, name), low=0, low_open=True, high=high))
        check(isinstance(self.covariance, Covariance), f"covariance must be a Covariance, got {self.covariance!r}")
        found = self.moments
        linear = found.b**2 > 1e-20 * (found.s2 + found.v2 + found.b**2)
        text = f"activation {activation_name(self.activation)} has no linear part (E[u sigma(u)] = 0)"
        check(linear, text + ": it cannot learn a score; use an activation that is not even")

    @property
    def delta(self) -> float:
        """Noise variance 1 - e^(-2t)."""
        return -math.expm1(-2 * self.t)

    @cached_property
    def moments(self) -> Moments:
        """The four numbers of the activation."""
        return moments(self.activation, self.t, self.covariance.variance)

    @cached_property
    def equations(self) -> Equations:
        """Coefficients of the self-consistent equations."""
        found = self.moments
        signal = found.a**2 * math.exp(-2 * self.t)
        law = self.covariance
        return Equations(self.psi_p, self.psi_n, signal, found.b**2, found.v2, found.s2, law.values, law.weights)

    @cached_property
    def _edges(self) -> tuple[tuple[float, float], ...]:
        return tuple(edges(self.equations))

    def support(self) -> tuple[tuple[float, float], ...]:
        """Lower and upper edge of every bulk of U, increasing; exact, however many there are."""
        s2 = self.moments.s2
        return tuple((low + s2, high + s2) for low, high in self._edges)

    @property
    def atom(self) -> Atom:
        """Eigenvalues equal to s^2: the directions that neither data nor noise reach."""
        reached = 1 + (self.psi_n if self.moments.v2 > 0 else 0.0)
        return Atom(self.moments.s2, max(0.0, 1 - reached / self.psi_p))

    @cached_property
    def bulks(self) -> tuple[Bulk, ...]:
        """The bulks with their masses, increasing."""
        s2, equations = self.moments.s2, self.equations
        return tuple(Bulk(low + s2, high + s2, mass(equations, low, high)) for low, high in self._edges)

    def bulk_masses(self) -> tuple[float, ...]:
        """Share of the eigenvalues in each bulk; with the atom they sum to 1."""
        return tuple(bulk.mass for bulk in self.bulks)

    def stieltjes(self, z: ArrayLike) -> Solution:
        """q(z) = (1/p) Tr (U - z)^(-1) at points of the upper half plane, as g/psi_p of the solution.

        Args:
            z: (N,) complex, Im z >= 0; real points mean the limit from above.

        Returns:
            The solution with its residual and, for every point, whether it converged.
        """
        points = np.atleast_1d(np.asarray(z, dtype=np.complex128))
        check(points.ndim == 1, f"z must be one-dimensional, got shape {points.shape}")
        check(bool(np.isfinite(points).all() and (points.imag >= 0).all()), "z must be finite with Im z >= 0")
        return solve(self.equations, points - self.moments.s2)

    def density(self, lam: ArrayLike) -> Real:
        """(N,) density of the eigenvalues of U at lam (N,), without the atom; exactly 0 outside the bulks.

        A point where the equations could not be solved is nan.
        """
        points = np.atleast_1d(np.asarray(lam, dtype=np.float64))
        check(points.ndim == 1, f"lam must be one-dimensional, got shape {points.shape}")
        check(bool(np.isfinite(points).all()), "lam must be finite")
        inside = np.zeros(points.shape, dtype=bool)
        for low, high in self.support():
            inside |= (points > low) & (points < high)
        value = np.zeros(points.shape)
        if inside.any():
            value[inside] = density(self.equations, points[inside] - self.moments.s2)[0]
        return value

    def _ends(self) -> tuple[float, float]:
        """Lower edge of the lowest bulk and upper edge of the highest."""
        support = self.support()
        sizes = f"psi_p = {self.psi_p:g}, psi_n = {self.psi_n:g}, t = {self.t:g}"
        check(bool(support), f"no bulk of the spectrum can be told at {sizes}; choose less extreme ones")
        return support[0][0], support[-1][1]

    def _losses(self, dynamics: Dynamics, nodes: int) -> Losses:
        relaxation = 2 * self.delta / self.psi_p
        return losses(self.equations, self._ends(), relaxation, dynamics, nodes)

    def learning_curves(
        self, tau: ArrayLike | None = None, *, dynamics: Dynamics | None = None, nodes: int = NODES
    ) -> LearningCurves:
        """Training loss, test loss and score error in the limit d -> infinity.

        Args:
            tau: (T,) training times, (steps x learning rate)/d^2, increasing; None for `natural_times()`.
            dynamics: gradient flow unless given.
            nodes: nodes of the contour; `error` of the answer estimates what they are good for.

        Raises:
            GenwindowError: for bad times, or a step size at which training diverges.
        """
        dynamics = GradientFlow() if dynamics is None else dynamics
        check_integer("nodes", nodes, low=12)
        times = dynamics.times(self.natural_times() if tau is None else check_times(tau))
        check(bool(np.isfinite(times).all()), "tau must be finite; see `final_losses` for tau = inf")
        at = self._losses(dynamics, nodes)
        train, test = at(times)
        coarse = at(times, thinned=True)
        scale = float(np.abs(test).max())
        change = float(max(np.abs(train - coarse[0]).max(), np.abs(test - coarse[1]).max()))
        error = max(change**2 / scale, 1e-15 * scale)  # geometric convergence would allow the third power
        floor = lowest_loss(self.covariance, self.t)
        return as_curves(times, train, test, floor=floor, t=self.t, error=error)

    def final_losses(self, *, ridge: float = 0.0, nodes: int = NODES) -> tuple[float, float]:
        """Training and test loss at tau = inf."""
        train, test = self._losses(GradientFlow(ridge), nodes)(np.array([np.inf]))
        return float(train[0]), float(test[0])

    def natural_times(self, per_octave: int = 12) -> Real:
        """(T,) training times from well before the fastest mode to well after the slowest."""
        low, high = self._ends()
        unit = self.psi_p / (2 * self.delta)
        first, last = 1e-2 * unit / high, 30 * unit / low
        return np.geomspace(first, last, 1 + math.ceil(per_octave * math.log2(last / first)))

    def timescales(self, *, fraction: float = 0.9, split: float = 0.1, ridge: float = 0.0) -> Timescales:
        """Relaxation times of the bulks, and tau_gen and tau_mem read from the learning curves.

        Args:
            fraction: tau_gen is when the test loss has made this share of its best gain.
            split: tau_mem is when (test - train)/test has passed this.
            ridge: weight decay.
        """
        unit = self.psi_p / (2 * self.delta)
        bulks = tuple(RelaxationTimes(unit / b.high, unit / b.low, b.mass) for b in reversed(self.bulks))
        found = self.learning_curves(dynamics=GradientFlow(ridge))
        gen = tau_gen_from_loss(found.test, fraction=fraction)
        return Timescales(bulks, gen, tau_mem_from_loss(found.train, found.test, split=split))

    def optimal_stopping(self, tau: ArrayLike | None = None, *, ridge: float = 0.0) -> Stopping:
        """The training time of lowest test loss, the loss there, and the regret of stopping earlier or later."""
        times = self.natural_times() if tau is None else check_times(tau)
        at = self._losses(GradientFlow(ridge), NODES)
        return optimal_stopping(at, times, floor=lowest_loss(self.covariance, self.t), t=self.t)

    def with_sizes(self, psi_n: float, psi_p: float) -> RandomFeatures:
        """The same data and activation at other numbers of samples and features."""
        return RandomFeatures(psi_p, psi_n, self.t, self.activation, self.covariance)

    def phase(
        self, psi_n: Sequence[float], psi_p: Sequence[float], tau: float = math.inf, *, level: float = 0.1
    ) -> PhasePlane:
        """Generalization gap and excess test loss over a grid; see `genwindow.theory.phase_plane`."""
        from genwindow.theory.phase import phase_plane  # the plane is made of models

        return phase_plane(self, psi_n, psi_p, tau, level=level)
