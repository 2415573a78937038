r"""The error of a denoiser to an exact one: how far its score is from that of a known law, at fixed diffusion times.

    E(t) = (1/d) E |s_A(x_t, t) - s(x_t, t)|^2,    x_t = alpha x_0 + sigma xi

s is the score of the population (a Gaussian mixture) or of the training set (the same with the training points as
centres); both are an `ExactDenoiser`. A model that generalizes comes close to the first, one that copies leaves it for
the second. With s = -xi/sigma, sigma^2 E is the error of the predicted noise: where x_0 comes from the law of s, it is
the denoising loss above the lowest one, E = (L - L*)/sigma^2, the `score_error` of `genwindow.theory`.
Source: Bonnaire et al., arXiv 2505.17638, section 3 and appendix B.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from genwindow.data.classes import as_labels
from genwindow.diffusion import Denoiser, noised
from genwindow.diffusion.draws import keyed_generator
from genwindow.errors import NotFinite, check, check_integer
from genwindow.metrics.loss import mean_interval
from genwindow.metrics.rows import as_rows


@dataclass(frozen=True, eq=False)
class ScoreError:
    """The error over a set of points.

    Attributes:
        t: (T,) diffusion times.
        value: (T,) mean squared error of a coordinate of the score, over points and draws; unit 1/(data value)^2.
        low: (T,) lower end of the 95 % interval over points.
        high: (T,) upper end.
        sigma: (T,) noise level; sigma^2 times any of these is the error of the predicted noise, a pure number.
        per_point: (T, N) mean over draws.
    """

    t: NDArray[np.float64]
    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    sigma: NDArray[np.float64]
    per_point: NDArray[np.float64]


def score_error(
    denoiser: Denoiser,
    exact: Denoiser,
    points: Any,
    times: ArrayLike | Sequence[float],
    *,
    label: Tensor | None = None,
    draws: int = 4,
    seed: int = 0,
    batch: int = 1024,
) -> ScoreError:
    """Measure the distance between two scores where noised points fall.

    The noise depends only on (seed, position of the time, draw), so an error to the population and one to the training
    set, early and late in training, use the same noise. Differences are taken in float64.

    Args:
        denoiser: the model; it sees points in their own dtype, and is called without gradients.
        exact: what it is compared with, an `ExactDenoiser` of the population or of the training points.
        points: (N, ...) clean points x_0, at least two: fresh ones for the error under the population's P_t, training
            points for that under the empirical P_t.
        times: T diffusion times, in (0, t_max] of the schedule of both.
        label: (N,) classes of the points, given to both; None for none.
        draws: noise draws per point and time.
        seed: of the noise.
        batch: points per call; the answer does not depend on it.

    Raises:
        GenwindowError: when the two have different schedules, a time lies outside, or an answer is not finite.
    """
    draws, batch = check_integer("draws", draws, low=1), check_integer("batch", batch, low=1)
    seed = check_integer("seed", seed)
    rows = as_rows("points", points)
    count = rows.shape[0]
    check(count >= 2, f"points must hold at least two points for an interval, got {count}")
    label = None if label is None else as_labels("label", label, count)
    x = rows.matrix.reshape(rows.shape)
    check(x.is_floating_point(), f"points must be floating-point numbers, got {x.dtype}")
    at = torch.as_tensor(np.asarray(times, dtype=np.float64))
    schedule = denoiser.schedule
    longest = min(schedule.t_max, exact.schedule.t_max)
    inside = at.ndim == 1 and len(at) > 0 and bool(((at > 0) & (at <= longest)).all())
    check(inside, f"times must lie in (0, {longest:g}], got {times!r}")
    same = torch.equal(schedule.alpha(at), exact.schedule.alpha(at)) and torch.equal(
        schedule.sigma(at), exact.schedule.sigma(at)
    )
    check(same, f"both need one schedule, got {schedule.name} for the model and {exact.schedule.name}")
    wide = x.cpu().double()  # not every device has float64
    squared = np.zeros((len(at), count))
    with torch.no_grad():
        for i, time in enumerate(at):
            t = time.expand(count)
            for draw in range(draws):
                noise = torch.randn(rows.shape, generator=keyed_generator("score", seed, i, draw), dtype=torch.float64)
                x_t = noised(wide, t, noise, schedule).to(x)
                for start in range(0, count, batch):
                    part = slice(start, start + batch)
                    classes = None if label is None else label[part]
                    made = denoiser(x_t[part], t[part], classes).noise.cpu().double()
                    wanted = exact(x_t[part].cpu().double(), t[part], classes).noise.cpu()
                    gap = (made - wanted).square().flatten(1).mean(1).numpy()
                    for bad in np.flatnonzero(~np.isfinite(gap))[:1]:
                        raise NotFinite(f"the error is {gap[bad]} at t = {float(time):g} for point {start + bad}")
                    squared[i, part] += gap
    sigma = schedule.sigma(at).numpy()
    per_point = squared / draws / sigma[:, None] ** 2
    return ScoreError(at.numpy(), *mean_interval(per_point), sigma, per_point)
