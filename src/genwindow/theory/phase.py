"""The phase plane: generalization gap and excess test loss over (psi_n, psi_p) at one training time.

Below a boundary n*(p) the model memorizes: the gap between test and training loss is open. At tau = inf the boundary
that is left is architectural regularization: with few features the model cannot memorize however long it is trained.
Source: Bonnaire et al., arXiv 2505.17638, Fig. 3 (right), there by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genwindow.curve import Estimate, short
from genwindow.errors import check, check_number
from genwindow.theory.dynamics import GradientFlow, Real
from genwindow.theory.learning_curves import lowest_loss

if TYPE_CHECKING:
    from genwindow.theory.model import RandomFeatures


@dataclass(frozen=True, eq=False)
class PhasePlane:
    """A grid of models at one training time.

    Attributes:
        psi_n: (N,) samples per dimension, increasing.
        psi_p: (P,) features per dimension, increasing.
        tau: the training time; inf for the end of training.
        gap: (P, N) test loss less training loss.
        excess: (P, N) test loss less that of the true score.
        level: the gap at which the boundary is read.
        boundary: for every psi_p the psi_n at which the gap falls below `level`: `below_range` when it is below
            everywhere (no memorization at any n), `not_reached` when it is above everywhere.
    """

    psi_n: Real
    psi_p: Real
    tau: float
    gap: NDArray[np.float64]
    excess: NDArray[np.float64]
    level: float
    boundary: tuple[Estimate, ...]


def _grid(name: str, values: Sequence[float]) -> Real:
    array = np.asarray(values, dtype=np.float64)
    check(array.ndim == 1 and len(array) > 0, f"{name} must be a list of positive numbers, got {values}")
    ok = bool(np.isfinite(array).all() and (array > 0).all() and (np.diff(array) > 0).all())
    check(ok, f"{name} must be positive and increasing, got {values}")
    return array


def phase_plane(
    model: RandomFeatures,
    psi_n: Sequence[float],
    psi_p: Sequence[float],
    tau: float = math.inf,
    *,
    level: float = 0.1,
    nodes: int = 156,
    on_progress: Callable[[float], None] = lambda _: None,
) -> PhasePlane:
    """Evaluate the losses of `model` over a grid of sizes.

    Args:
        model: gives diffusion time, activation and covariance.
        psi_n: (N,) samples per dimension.
        psi_p: (P,) features per dimension.
        tau: training time, or inf.
        level: gap at which the boundary is read, interpolated in log psi_n.
        nodes: nodes of each contour; 156 give about five digits.
        on_progress: called with the share done.

    Raises:
        GenwindowError: when the grid is not increasing, or the equations of a cell cannot be solved.
    """
    columns, rows = _grid("psi_n", psi_n), _grid("psi_p", psi_p)
    check(tau > 0, f"tau must be positive or inf, got {tau!r}")
    check_number("level", level, low=0, low_open=True)
    floor = lowest_loss(model.covariance, model.t)
    gap, excess = np.full((2, len(rows), len(columns)), np.nan)
    for i, p in enumerate(rows):
        for j, n in enumerate(columns):
            at = model.with_sizes(float(n), float(p))._losses(GradientFlow(), nodes)
            train, test = at(np.array([tau]))
            gap[i, j], excess[i, j] = test[0] - train[0], test[0] - floor
            on_progress((i * len(columns) + j + 1) / gap.size)
    boundary = tuple(_boundary(columns, row, level) for row in gap)
    return PhasePlane(columns, rows, float(tau), gap, excess, level, boundary)


def _boundary(psi_n: Real, gap: Real, level: float) -> Estimate:
    """The largest psi_n at which the gap still passes `level`, interpolated in log psi_n."""
    above = np.flatnonzero(gap > level)
    if not len(above):
        text = f"the gap stays below {level:g}: no memorization from psi_n = {short(psi_n[0])} on"
        return Estimate(None, None, float(psi_n[0]), "below_range", "gap", text)
    i = int(above[-1])
    if i == len(psi_n) - 1:
        text = f"the gap is above {level:g} up to psi_n = {short(psi_n[-1])}"
        return Estimate(None, float(psi_n[-1]), None, "not_reached", "gap", text)
    share = (gap[i] - level) / (gap[i] - gap[i + 1])
    value = float(psi_n[i] * (psi_n[i + 1] / psi_n[i]) ** share)
    text = f"gap {level:g} at psi_n = {short(value)}"
    return Estimate(value, float(psi_n[i]), float(psi_n[i + 1]), "found", "gap", text)
