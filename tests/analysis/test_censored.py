import numpy as np
import pytest
from scipy import stats

from genwindow import Estimate
from genwindow.analysis.censored import own_error, posterior, times_of


def found(log_tau, own=0.0):
    tau = float(np.exp(log_tau))
    ends = [tau * float(np.exp(sign * 1.96 * own)) for sign in (-1, 1)] if own else [None, None]
    return Estimate(tau, *ends, "found", "test")


def late(log_tau):
    return Estimate(None, float(np.exp(log_tau)), None, "not_reached", "test")


def line(seed, scatter, n=(8, 8, 16, 16, 32, 32)):
    rng = np.random.default_rng(seed)
    x = np.log(np.array(n)) - np.log(n).mean()
    return np.column_stack([np.ones(len(x)), x]), 3 + 1.1 * x + scatter * rng.normal(size=len(x))


WIDE = [(-5.0, 12.0), (-1.0, 4.0)]


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_students_t_where_nothing_is_censored(seed):
    design, y = line(seed, 0.1)
    got = posterior(design, times_of([found(v) for v in y]), WIDE)
    row = np.array([1.0, 3.5])
    best, *_ = np.linalg.lstsq(design, y, rcond=None)
    variance = ((y - design @ best) ** 2).sum() / 4
    spread = np.sqrt(variance * (1 + row @ np.linalg.inv(design.T @ design) @ row))
    expected = row @ best + spread * stats.t(4).ppf([0.05, 0.5, 0.95])
    # the prior of sigma ends at 2 % and 150 %, Student's t knows no such ends
    assert np.abs(np.array(got.new_run(row).quantiles((0.05, 0.5, 0.95))) - expected).max() < 0.08 * spread


def test_closed_form_known_reading_errors_alone():
    """With reading errors far above the scatter's upper end the line is a weighted mean, in closed form."""
    y, own = np.array([1.0, 2.0, 4.0]), np.array([20.0, 10.0, 40.0])
    got = posterior(np.ones((3, 1)), times_of([found(v, e) for v, e in zip(y, own, strict=True)]), [(-100.0, 100.0)])
    weight = 1 / own**2
    middle, spread = (weight @ y) / weight.sum(), 1 / np.sqrt(weight.sum())
    ends = [got.quantile(0, p) for p in (0.16, 0.5, 0.84)]
    assert ends == pytest.approx([middle - spread, middle, middle + spread], abs=0.03 * spread)
    assert own_error(found(1.0, 0.3)) == pytest.approx(0.3) and own_error(late(1.0)) == 0


def test_closed_form_a_gaussian_prior_beside_known_reading_errors():
    """With one reading error above all scatter the posterior of two Gaussians' product is Gaussian, in closed form."""
    design, y = line(1, 0.0)
    y, own = 20 * y, 10.0
    wide = [(-400.0, 400.0), (-400.0, 400.0)]
    got = posterior(design, times_of([found(v, own) for v in y]), wide, {1: (-5.0, 6.0)})
    precision = design.T @ design / own**2 + np.diag([0, 1 / 6.0**2])
    middle = np.linalg.solve(precision, design.T @ y / own**2 + [0, -5.0 / 6.0**2])
    spread = np.sqrt(np.diag(np.linalg.inv(precision)))
    for i in range(2):
        expected = middle[i] + spread[i] * np.array([-1, 0, 1])
        assert [got.quantile(i, p) for p in stats.norm.cdf([-1, 0, 1])] == pytest.approx(expected, abs=0.04 * spread[i])


def test_agrees_with_sampling_where_runs_are_censored():
    """Draws from the prior weighted by a likelihood written out anew, one run at a time."""
    design, y = line(5, 0.2)
    tau = [*(found(v) for v in y[:4]), late(y[4] + 0.3), late(y[5])]
    got = posterior(design, times_of(tau), WIDE)
    rng = np.random.default_rng(0)
    draws = 400_000
    best, *_ = np.linalg.lstsq(design[:4], y[:4], rcond=None)
    c = best + rng.uniform(-1, 1, (draws, 2)) * [1.5, 2.0]
    sigma = np.exp(rng.uniform(np.log(0.02), np.log(1.5), draws))
    weight = np.ones(draws)
    for row, value, one in zip(design, [*y[:4], y[4] + 0.3, y[5]], tau, strict=True):
        z = (value - c @ row) / sigma
        weight *= stats.norm.pdf(z) / sigma if one.found else stats.norm.sf(z)
    keep = (c[:, 1] > -1) & (c[:, 1] < 4)
    weight, c = weight[keep] / weight[keep].sum(), c[keep]
    mean, spread = weight @ c, np.sqrt(weight @ (c - weight @ c) ** 2)
    ours = got.weight @ got.coefficients
    assert np.abs(ours - mean).max() < 0.15 * spread.min()
    assert np.sqrt(got.weight @ (got.coefficients - ours) ** 2) == pytest.approx(spread, rel=0.1)


def test_limit_exact_times_are_resolved():
    design, y = line(0, 0.0)
    got = posterior(design, times_of([found(v) for v in y]), WIDE)
    low, value, high = got.new_run(np.array([1.0, 4.0])).quantiles((0.05, 0.5, 0.95))
    assert value == pytest.approx(3 + 1.1 * 4, abs=0.01) and high - low < 0.4


def test_a_further_time_is_read_with_an_error_too():
    design, y = line(1, 0.05)
    sharp = posterior(design, times_of([found(v) for v in y]), WIDE)
    blunt = posterior(design, times_of([found(v, 0.3) for v in y]), WIDE)
    row = np.array([1.0, 0.0])
    wide, narrow = (np.diff(p.new_run(row).quantiles((0.05, 0.95)))[0] for p in (blunt, sharp))
    assert sharp.reading == 0 and blunt.reading == pytest.approx(0.3) and wide > 2 * 1.64 * 0.3 > narrow
