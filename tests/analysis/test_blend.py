"""Several lines as one forecast, and the back-test that weighs them."""

import numpy as np
import pytest
from scipy.stats import binom
from tests.analysis.test_forecast import found, pilots

from genwindow.analysis.blend import back_test, blend
from genwindow.analysis.forecast import Pilot, forecast


def test_back_test_leaves_the_largest_size_out():
    made = [*pilots(1.0), Pilot(256, found(10 * 256 * 3.0))]
    test = back_test(made)
    assert test.n == 256 and test.factor == pytest.approx(1 / 3, rel=0.1) and not test.inside
    assert back_test(pilots(1.0, sizes=(16, 32))) is None and back_test([]) is None


def bend(n):
    return np.log(n) + 0.06 * np.log(n) ** 2


def both(made):
    """Straight and bent line of these pilots as one."""
    lines = forecast(made), forecast(made, bend=bend, shape="bent")
    return lines, blend(lines, (back_test(made), back_test(made, bend=bend, shape="bent")))


def test_a_back_test_that_tells_decides_and_one_that_does_not_leaves_both():
    sizes = (16, 32, 64, 256)
    for made, right in (
        ([Pilot(n, found(10.0 * n)) for n in sizes], 0),
        ([Pilot(n, found(float(np.exp(bend(n))))) for n in sizes], 1),
    ):
        lines, one = both(made)
        assert one.weights[right] > 0.8 and sum(one.weights) == pytest.approx(1)
        assert one.predict(1024).value == pytest.approx(lines[right].predict(1024).value, rel=0.1)
    lines, one = both(pilots(1.2, scatter=0.4, rng=np.random.default_rng(1)))
    assert 0.2 < one.weights[0] < 0.8
    alone, together = [line.predict(2048) for line in lines], one.predict(2048)
    assert min(a.value for a in alone) < together.value < max(a.value for a in alone)
    assert min(a.low for a in alone) < together.low and together.high < max(a.high for a in alone)


def test_without_a_back_test_the_odds_alone_count():
    made = pilots(1.0, sizes=(16, 32))
    for shape, weights in (("bent", (0.5, 0.5)), ("theory", (0.25, 0.75))):
        lines = forecast(made), forecast(made, bend=bend, shape=shape)
        assert blend(lines, (back_test(made), back_test(made, bend=bend))).weights == pytest.approx(weights)


def test_a_back_test_that_tells_overcomes_the_odds():
    made = [Pilot(n, found(10.0 * n)) for n in (16, 32, 64, 256)]
    lines = forecast(made), forecast(made, bend=bend, shape="theory")
    assert blend(lines, (back_test(made), back_test(made, bend=bend, shape="theory"))).weights[0] > 0.8


def test_of_the_same_line_twice_the_blend_is_that_line():
    made = pilots(1.1, scatter=0.1)
    line, test = forecast(made), back_test(made)
    one = blend((line, line), (test, test))
    assert one.weights == (0.5, 0.5)
    assert one.predict(512).low == pytest.approx(line.predict(512).low, rel=1e-4)


def test_coverage_where_either_line_may_hold():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(80):
        log_tau = rng.choice([bend, np.log])
        made = [Pilot(n, found(10 * np.exp(log_tau(n) + 0.15 * rng.normal()))) for n in (16, 16, 32, 32, 64, 64)]
        predicted = both(made)[1].predict(512)
        inside += predicted.low <= 10 * np.exp(log_tau(512) + 0.15 * rng.normal()) <= predicted.high
    low, high = binom(80, 0.9).ppf([0.005, 0.995])
    assert low <= inside <= high


def test_a_back_test_holds_the_density_of_all_runs_left_out():
    """By Monte Carlo over the new runs the line expects."""
    made = pilots(1.0, scatter=0.1)
    line = forecast([p for p in made if p.n < 64])
    truth = np.log([p.tau.value for p in made if p.n == 64])
    rng = np.random.default_rng(0)
    run = line.new_run(64)
    drawn = rng.choice(len(run.weight), 200_000, p=run.weight)
    each = np.exp(-0.5 * ((truth[:, None] - run.middle[drawn]) / run.spread[drawn]) ** 2) / run.spread[drawn]
    density = np.log((each.prod(0) / (2 * np.pi)).mean())
    assert back_test(made).log_density == pytest.approx(density, abs=0.05)
