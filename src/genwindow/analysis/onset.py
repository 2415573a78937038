"""An onset: the training time at which a curve passes a level; tau_gen and tau_mem are read this way.

Crossings are interpolated linearly in log tau. The interval of an onset is where the band of the curve passes the
level, widened to the two measuring times around the crossing: between them nothing was seen.

Definitions after Bonnaire, Urfin, Biroli, Mezard, arXiv 2505.17638, section 2; the thresholds are ours, as arguments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genwindow.curve import Curve, Estimate, short
from genwindow.errors import check, check_number


def first_above(tau: NDArray[np.float64], value: NDArray[np.float64], level: float) -> float | None:
    """First time at which `value` rises above `level`, interpolated in log tau.

    Returns `tau[0]` when the first value is already above, and None when no value is.
    """
    i = _first(value > level)
    if i is None:
        return None
    return float(tau[0]) if i == 0 else _crossing(tau, value, level, i)


def onset(curve: Curve, level: float, *, method: str, what: str, certain: bool = False) -> Estimate:
    """Training time at which `curve` rises above `level`, with interval and status.

    A curve that is read with noise crosses a level near it many times before it rises. So the answer is the last
    crossing before the band is first above the level too. Where the value is above from the first measurement on, it is
    `below_range`, bounded by the first time at which the band is. Where the band never is, the first crossing counts,
    without an upper end, or with `certain` none does: `not_reached`, bounded by the last time at which the band is
    below the level: 0, which says nothing, where it never is, or where the first value is above, but not surely.

    The band holds for each measurement by itself, not for all of them at once: among many one is above by chance now
    and then. Where the values begin near the level, as f_mem does from a floor of 5 % or more, the interval and the
    bounds hold less often than the band (`benchmarks/onset_bounds.py`).

    Args:
        curve: the curve; its band, when it has one, gives the interval.
        level: the level to pass.
        method: name of the estimator, kept in the answer.
        what: what passes the level, for the sentence, for example `copies`.
        certain: whether only a rise counts that the band shows.
    """
    if len(curve) == 0:
        return Estimate(None, None, None, "ill_posed", method, f"no measurement of {curve.name} yet")
    tau, value = curve.tau, curve.value
    upper = value if curve.high is None else curve.high
    lower = value if curve.low is None else curve.low
    sure, above = _first(lower > level), _first(value > level)
    if above is None or (sure is None and (certain or above == 0)):
        rest = len(curve) if above is None or certain else above  # what is below again later says nothing
        below = np.flatnonzero(upper[:rest] <= level)
        bound = float(tau[below[-1]]) if len(below) else 0.0
        word = "reached" if above is None else "certain"
        return Estimate(None, bound, None, "not_reached", method, f"{what} not {word} by tau = {short(tau[-1])}")
    i = above if sure is None else _rise(value > level, sure)
    if i == 0:
        assert sure is not None
        known = float(tau[sure])
        text = f"{what} already at tau = {short(tau[0])}" + ("" if sure == 0 else f", its band by {short(known)}")
        return Estimate(None, None, known, "below_range", method, text)
    at, first = _crossing(tau, value, level, i), _rise(upper > level, i)
    low = 0.0 if first == 0 else min(_crossing(tau, upper, level, first), float(tau[i - 1]))
    high = None if sure is None else max(_crossing(tau, lower, level, sure), float(tau[i]))
    return Estimate(at, low, high, "found", method, f"{what} at tau = {short(at)}")


def _first(holds: NDArray[np.bool_]) -> int | None:
    """The first place at which something holds."""
    places = np.flatnonzero(holds)
    return int(places[0]) if len(places) else None


def _rise(holds: NDArray[np.bool_], place: int) -> int:
    """The place from which on something holds up to `place`."""
    broken = np.flatnonzero(~holds[:place])
    return int(broken[-1]) + 1 if len(broken) else 0


def _crossing(tau: NDArray[np.float64], value: NDArray[np.float64], level: float, i: int) -> float:
    """The time between places i - 1 and i at which `value` rises above the level, interpolated in log tau."""
    before, after = float(tau[i - 1]), float(tau[i])
    share = min(max((level - value[i - 1]) / (value[i] - value[i - 1]), 0.0), 1.0)
    at = before + share * (after - before) if before <= 0 else before * (after / before) ** share
    return min(max(float(at), before), after)


def falling_onset(curve: Curve, level: float, *, method: str, what: str) -> Estimate:
    """Training time at which `curve` falls below `level`, with interval and status; see `onset`."""
    low = None if curve.high is None else -curve.high
    high = None if curve.low is None else -curve.low
    mirrored = Curve(curve.name, curve.tau, -curve.value, low=low, high=high)
    return onset(mirrored, -level, method=method, what=what)


def tau_mem(f_mem: Curve, floor: float | Estimate = 0.0, *, eps: float = 0.01) -> Estimate:
    """Training time at which the memorized fraction exceeds its floor by more than `eps`.

    Args:
        f_mem: memorized fraction along training.
        floor: f_mem of held-out real images: a number known exactly, or an `Estimate`, whose interval then counts too:
            the band of the difference is Newcombe's (Statistics in Medicine 17, 873, 1998).
        eps: how far above the floor; 0.01 means one sample in a hundred is a copy beyond chance.

    Returns:
        `not_reached` with its lower bound when the run never surely copies; `below_range` when it copied from the first
        measurement on; `ill_posed` when the floor is unknown.
    """
    check_number("eps", eps, low=0, high=1)
    below = above = 0.0  # how far the true floor may lie below and above the measured one
    if isinstance(floor, Estimate):
        if floor.value is None:
            return Estimate(None, None, None, "ill_posed", "threshold", f"the floor of f_mem is unknown: {floor.text}")
        below = 0.0 if floor.low is None else floor.value - floor.low
        above = 0.0 if floor.high is None else floor.high - floor.value
        floor = floor.value
    check_number("floor", floor, low=0, high=1)
    if floor + eps >= 1:
        text = f"held-out images score {floor:.3g} themselves: the ratio test cannot tell copies here"
        return Estimate(None, None, None, "ill_posed", "threshold", text)
    value = f_mem.value
    low = value if f_mem.low is None else value - np.hypot(value - f_mem.low, above)
    high = value if f_mem.high is None else value + np.hypot(f_mem.high - value, below)
    curve = Curve(f_mem.name, f_mem.tau, value, low=low, high=high)
    return onset(curve, floor + eps, method="threshold", what=f"f_mem above {floor + eps:.3g}", certain=True)


def tau_mem_from_loss(train: Curve, heldout: Curve, *, split: float = 0.1) -> Estimate:
    """Training time at which train and held-out denoising loss have split: the early sign of memorization.

    The split is (heldout - train) / heldout at one fixed diffusion time, less its value at the first measurement,
    which only says that the two sets of images are not equally hard. Source: arXiv 2505.16959 for the estimator.

    Args:
        train: denoising loss on training images at one fixed diffusion time.
        heldout: the same on held-out images, at the same training times.
        split: the level, as a share of the held-out loss.
    """
    check(bool(np.array_equal(train.tau, heldout.tau)), "train and heldout must be measured at the same training times")
    check(train.t == heldout.t, f"train and heldout must share one diffusion time, got t = {train.t} and {heldout.t}")
    check_number("split", split, low=0, high=1, low_open=True)
    if len(train) == 0 or (heldout.value <= 0).any():
        return Estimate(None, None, None, "ill_posed", "loss_split", "needs positive held-out losses")
    gap = 1 - train.value / heldout.value
    bands = [c.low is not None and (c.low > 0).all() for c in (train, heldout)]
    low = high = None
    if all(bands):
        low = np.minimum(gap, 1 - train.high / heldout.low) - gap[0]  # type: ignore[operator]
        high = np.maximum(gap, 1 - train.low / heldout.high) - gap[0]  # type: ignore[operator]
    curve = Curve("loss_split", train.tau, gap - gap[0], low=low, high=high, t=train.t)
    return onset(curve, split, method="loss_split", what=f"loss split above {split:.0%}")


def tau_gen(quality: Curve, noise: float | Estimate, *, fraction: float = 0.9) -> Estimate:
    """Training time at which sample quality has come `fraction` of the way from pure noise to the best of the run.

    Args:
        quality: a distance to held-out data along training (smaller is better), for example the Frechet distance.
        noise: the same distance for pure noise: a constant of the data, not of the network's start.
        fraction: share of the way.

    Returns:
        `ill_posed` when the run is never better than noise.
    """
    start = noise.value if isinstance(noise, Estimate) else noise
    check_number("fraction", fraction, low=0, high=1, low_open=True, high_open=True)
    if start is None:
        return Estimate(None, None, None, "ill_posed", "distance", "the distance of pure noise is unknown")
    check_number("noise", start)
    return _way_to_best(
        quality, start, fraction, "distance", f"{fraction:.0%} of the way from noise to the best sample"
    )


def tau_gen_from_loss(heldout: Curve, *, start: float = 1.0, fraction: float = 0.9) -> Estimate:
    """Training time at which the held-out denoising loss has made `fraction` of its best gain.

    Args:
        heldout: held-out denoising loss at one fixed diffusion time.
        start: the loss before anything is learned; 1 for a predictor of unit noise that outputs zero.
        fraction: share of the gain.
    """
    check_number("start", start)
    check_number("fraction", fraction, low=0, high=1, low_open=True, high_open=True)
    return _way_to_best(heldout, start, fraction, "heldout_loss", f"{fraction:.0%} of the best gain in held-out loss")


def _way_to_best(curve: Curve, start: float, fraction: float, method: str, what: str) -> Estimate:
    if len(curve) == 0:
        return Estimate(None, None, None, "ill_posed", method, f"no measurement of {curve.name} yet")
    best = float(curve.value.min())
    if best >= start:
        return Estimate(None, None, None, "ill_posed", method, "the run is never better than its start")
    return falling_onset(curve, best + (1 - fraction) * (start - best), method=method, what=what)
