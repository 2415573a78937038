r"""Learning curves in the limit d -> infinity: training loss, test loss and score error at every training time.

With h the response of the dynamics and s, T the traces of `genwindow.theory.contour`,

    L_train = 1 + b^2 psi_p oint z h^2 s + 2 b^2 psi_p oint h s
    L_test  = 1 + b^2 oint oint h(z_1) h(z_2) T(z_1, z_2) + 2 b^2 psi_p oint h s
    E_score = (L_test - L*)/Delta,    L* = 1 - Delta sum_k w_k/(e^(-2t) lambda_k + Delta)

(oint short for -(1/2 pi i) times the contour integral). One contour serves all times: a whole curve is two matrix
products. The losses are those of the noise, L = (1/d) E |sqrt(Delta) s_A(x_t) + xi|^2; 1 is knowing nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from genwindow.curve import Curve, Estimate, short
from genwindow.errors import GenwindowError, check
from genwindow.theory.contour import TILT, Contour, contour, double, ellipse, single
from genwindow.theory.covariance import Covariance
from genwindow.theory.dynamics import Dynamics, Real
from genwindow.theory.equations import Equations

MOST_NODES = 3600


@dataclass(frozen=True)
class LearningCurves:
    """Losses along training.

    Attributes:
        train: training loss.
        test: loss on fresh data.
        score_error: mean squared distance to the true score per coordinate; None where that is not known.
        floor: the loss of the true score, L*; no test loss is lower. None where it is not known.
        error: estimated error of the quadrature, from what changes when two of three nodes are left out; 0 for finite
            matrices.
    """

    train: Curve
    test: Curve
    score_error: Curve | None
    floor: float | None
    error: float

    @property
    def gap(self) -> Curve:
        """Test loss less training loss."""
        return Curve("gap", self.train.tau, self.test.value - self.train.value, t=self.train.t)


def lowest_loss(covariance: Covariance, t: float) -> float:
    """L*: the loss of the true score of Gaussian data at diffusion time t."""
    delta = -math.expm1(-2 * t)
    return 1 - delta * float(covariance.weights @ (1 / (math.exp(-2 * t) * covariance.values + delta)))


def as_curves(
    tau: Real, train: Real, test: Real, *, floor: float | None, t: float, error: float = 0.0
) -> LearningCurves:
    """Losses (T,) as named curves."""
    delta = -math.expm1(-2 * t)
    return LearningCurves(
        Curve("train", tau, train, t=t),
        Curve("test", tau, test, t=t),
        None if floor is None else Curve("score_error", tau, (test - floor) / delta, t=t),
        floor,
        error,
    )


@dataclass(frozen=True, eq=False)
class Losses:
    """Training and test loss at any time, from one contour.

    Attributes:
        equations: the coefficients.
        around: the contour.
        relaxation: 2 Delta/psi_p, rate per eigenvalue.
        dynamics: the rule of training.
    """

    equations: Equations
    around: Contour
    relaxation: float
    dynamics: Dynamics

    def __call__(self, tau: Real, *, thinned: bool = False) -> tuple[Real, Real]:
        """(T,) training and test loss; `thinned` uses every third node, to see how much that changes."""
        b2, psi_p = self.equations.b2, self.equations.psi_p
        found = _thinned(self.around) if thinned else self.around
        h = self.dynamics.response(found.z, tau, self.relaxation)
        linear = 2 * b2 * psi_p * single(found.weight, h * found.trace)
        train = 1 + b2 * psi_p * single(found.weight, found.z * h**2 * found.trace) + linear
        return train, 1 + b2 * double(found, found.weight, h) + linear


def _thinned(found: Contour) -> Contour:
    keep = slice(1, None, 3)  # the middle one of three midpoints is the midpoint of the coarser grid
    return Contour(
        found.z[keep], found.weight[keep] * 3, found.trace[keep], found.straight[keep, keep],
        found.crossed[keep, keep], found.residual, found.converged,
    )  # fmt: skip


def losses(
    equations: Equations, support: tuple[float, float], relaxation: float, dynamics: Dynamics, nodes: int
) -> Losses:
    """Build the contour around the spectrum, inside the region where the dynamics does not grow.

    Args:
        equations: the coefficients.
        support: lowest and highest edge of the bulks of U.
        relaxation: 2 Delta/psi_p.
        dynamics: the rule of training.
        nodes: number of nodes of a round contour; a flat one, which momentum needs, gets more.

    Raises:
        GenwindowError: when a mode grows, or a node of the contour could not be solved.
    """
    low, high = support
    dynamics.check_stable(relaxation * (high + dynamics.ridge))
    bound = dynamics.limit / relaxation - dynamics.ridge
    right = min(1.5 * high, high + 0.5 * (bound - high))
    left = equations.s2 / 2 if equations.s2 > 0 else low / 2
    for tilt in TILT * 0.75 ** np.arange(14):
        if dynamics.decays(relaxation * (ellipse(left, right, tilt, 200)[0] + dynamics.ridge)).all():
            break
    else:
        raise GenwindowError("the step is so near the largest stable one that no contour fits; take a smaller step")
    count = 12 * math.ceil(min(nodes * TILT / tilt, MOST_NODES) / 12)
    around = contour(equations, left, right, tilt, count)
    if not around.converged:
        raise GenwindowError(f"the equations were not solved on the contour, residual {around.residual:.1e}")
    return Losses(equations, around, relaxation, dynamics)


@dataclass(frozen=True)
class Stopping:
    """The best time to stop.

    Attributes:
        tau: argmin of the test loss; `not_reached` when it still falls at the end of the search.
        test: the test loss there (or at the end of the search).
        final: the test loss at tau = inf.
        floor: the loss of the true score.
        regret: test loss less its minimum, along the training times searched.
    """

    tau: Estimate
    test: float
    final: float
    floor: float
    regret: Curve


def optimal_stopping(at: Losses, tau: Real, *, floor: float, t: float) -> Stopping:
    """Minimise the test loss over training time: on the grid `tau` (T,), then between the neighbours of its best point.

    Raises:
        GenwindowError: for fewer than three times.
    """
    check(len(tau) >= 3, f"tau must hold at least three times to search, got {len(tau)}")
    test = at(tau)[1]
    final = float(at(np.array([np.inf]))[1][0])
    i = int(test.argmin())
    resolution = 1e-9
    if i == len(tau) - 1 or final <= test[i] + resolution:
        best = min(float(test[i]), final)
        text = f"the test loss never turns up by tau = {short(tau[-1])}"
        estimate = Estimate(None, float(tau[i]), None, "not_reached", "argmin", text)
    elif i == 0:
        best = float(test[0])
        text = f"the test loss is lowest before tau = {short(tau[0])}"
        estimate = Estimate(None, None, float(tau[0]), "below_range", "argmin", text)
    else:

        def value(x: float) -> float:
            return float(at(np.array([math.exp(x)]))[1][0])

        ends = (math.log(tau[i - 1]), math.log(tau[i + 1]))
        found = minimize_scalar(value, bounds=ends, method="bounded", options={"xatol": 1e-6})
        best, place = float(found.fun), math.exp(found.x)
        text = f"lowest test loss {best:.4g} at tau = {short(place)}"
        estimate = Estimate(place, float(tau[i - 1]), float(tau[i + 1]), "found", "argmin", text)
    return Stopping(estimate, best, final, floor, Curve("regret", tau, np.maximum(test - best, 0.0), t=t))
