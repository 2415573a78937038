import numpy as np
import pytest

from genwindow import Estimate, GenwindowError
from genwindow.analysis.forecast import Pilot, back_test, forecast


def found(value, error=0.0):
    low, high = (value * np.exp(sign * error) for sign in (-1, 1))
    return Estimate(value, low, high, "found", "test")


def late(bound):
    return Estimate(None, bound, None, "not_reached", "test")


def early(bound):
    return Estimate(None, None, bound, "below_range", "test")


def pilots(beta, *, scatter=0.0, sizes=(16, 16, 32, 32, 64, 64), rng=None):
    rng = rng or np.random.default_rng(0)
    return [Pilot(n, found(10.0 * n**beta * np.exp(scatter * rng.normal()))) for n in sizes]


def test_limit_exact_pilots_give_the_line_back():
    line = forecast(pilots(1.25))
    assert line.exponent.value == pytest.approx(1.25, abs=0.05)
    assert line.exponent.low < 1.25 < line.exponent.high and line.slope_one_p < 0.05
    predicted = line.predict(1024)
    assert predicted.value == pytest.approx(10 * 1024**1.25, rel=0.15)


def test_prediction_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(60):
        beta = rng.uniform(0.7, 1.6)
        predicted = forecast(pilots(beta, scatter=0.15, rng=rng)).predict(512)
        truth = 10 * 512**beta * np.exp(0.15 * rng.normal())
        inside += predicted.low <= truth <= predicted.high
    assert inside >= 48  # 90 % of 60 is 54; below 48 has probability 0.5 %


def test_runs_that_did_not_copy_push_the_line_up():
    short = [Pilot(16, found(100.0)), Pilot(32, found(200.0)), Pilot(32, found(210.0))]
    free, held = forecast(short), forecast([*short, Pilot(64, late(2000.0))])
    assert held.predict(64).value > 2 * free.predict(64).value
    assert held.predict(64).high > free.predict(64).high
    useless = forecast([*short, Pilot(64, late(0.0))])
    assert useless.predict(64) == free.predict(64) and len(useless.pilots) == 3


def test_runs_that_copied_from_the_start_pull_it_down():
    base = [Pilot(32, found(200.0)), Pilot(64, found(400.0))]
    assert forecast([*base, Pilot(8, early(5.0))]).exponent.value > forecast(base).exponent.value


def test_far_forecasts_are_less_certain_than_near_ones():
    line = forecast(pilots(1.0, scatter=0.2))
    near, far = line.predict(64), line.predict(10_000)
    assert far.high / far.low > 1.5 * near.high / near.low


def test_a_bent_line_keeps_its_shape_and_needs_one_size():
    bend = lambda n: np.log(n) + 0.1 * np.log(n) ** 2  # noqa: E731
    made = [Pilot(n, found(float(3 * np.exp(bend(n))))) for n in (16.0, 32.0, 64.0)]
    line = forecast(made, bend=bend, shape="bent")
    assert line.predict(512).value == pytest.approx(3 * np.exp(bend(512.0)), rel=0.05)
    assert forecast(made[:1], bend=bend).predict(64).value == pytest.approx(3 * np.exp(bend(64.0)), rel=0.1)


def test_back_test_leaves_the_largest_size_out():
    made = [*pilots(1.0), Pilot(256, found(10 * 256 * 3.0))]
    test = back_test(made)
    assert test.n == 256 and test.factor == pytest.approx(1 / 3, rel=0.1) and not test.inside
    assert back_test(pilots(1.0, sizes=(16, 32))) is None and back_test([]) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([Pilot(16, late(100.0)), Pilot(32, late(100.0))], "none of 2 pilots began to copy"),
        ([Pilot(16, found(100.0)), Pilot(16, found(110.0))], "two sizes at least"),
        ([], "none of 0 pilots"),
    ],
)
def test_rejects(given, message):
    with pytest.raises(GenwindowError, match=message):
        forecast(given)
    with pytest.raises(GenwindowError, match="n must be a number"):
        Pilot(0, found(1.0))
