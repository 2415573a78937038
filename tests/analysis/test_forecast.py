import numpy as np
import pytest
from scipy.stats import binom

from genwindow import Estimate, GenwindowError
from genwindow.analysis.blend import back_test
from genwindow.analysis.forecast import Pilot, forecast, prior_from_json


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


def test_a_time_that_was_never_sure_counts_as_the_bound_it_is():
    small = [Pilot(n, found(12 * n**1.2, 0.1)) for n in (16, 16, 32, 32)]
    unsure = [Pilot(64, Estimate(200.0, 150.0, None, "found", "test"))] * 2
    bounds = [Pilot(64, late(150.0))] * 2
    assert forecast([*small, *unsure]).predict(512) == forecast([*small, *bounds]).predict(512)
    mute = Pilot(64, Estimate(200.0, 0.0, None, "found", "test"))
    assert not mute.informative and forecast([*small, mute]).predict(512) == forecast(small).predict(512)


def test_a_time_with_an_open_lower_end_is_read_from_its_upper_half():
    sharp = [Pilot(n, found(12 * n**1.2, 0.05)) for n in (16, 16, 32, 32, 64)]
    wide = Pilot(64, Estimate(300.0, 0.0, 3000.0, "found", "test"))
    without, given = forecast(sharp).predict(512), forecast([*sharp, wide]).predict(512)
    assert given.value == pytest.approx(without.value, rel=0.35)  # far off, but hardly read


def test_limit_exact_pilots_give_the_line_back():
    line = forecast(pilots(1.25))
    assert line.exponent.value == pytest.approx(1.25, abs=0.01)
    assert line.exponent.low < 1.25 < line.exponent.high and line.slope_one_p < 0.01
    assert line.predict(1024).value == pytest.approx(10 * 1024**1.25, rel=0.02)
    assert line.width_exponent is None and line.sigma < 0.05


def coverage(rng, trials, make):
    inside = 0
    for _ in range(trials):
        beta = rng.uniform(0.7, 1.6)
        predicted = forecast(make(beta)).predict(512)
        inside += predicted.low <= 10 * 512**beta * np.exp(0.15 * rng.normal()) <= predicted.high
    return inside


def test_prediction_intervals_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(1)
    inside = coverage(rng, 120, lambda beta: pilots(beta, scatter=0.15, rng=rng))
    low, high = binom(120, 0.9).ppf([0.005, 0.995])
    assert low <= inside <= high


def test_prediction_intervals_hold_the_truth_where_runs_ended_too_early():
    """Every second run ends at a fixed time, which the largest size mostly does not live to see copied."""
    rng = np.random.default_rng(2)

    def make(beta):
        end = 10 * 64**beta * 0.95
        made = pilots(beta, scatter=0.15, rng=rng, sizes=(16, 16, 32, 32, 64, 64, 64))
        return [Pilot(p.n, late(end)) if p.tau.value > end else p for p in made]

    inside = coverage(rng, 120, make)
    low, high = binom(120, 0.9).ppf([0.005, 0.995])
    assert low <= inside <= high


def test_times_that_are_read_badly_keep_their_coverage():
    """Each time, the true one too, is read with an error of 20 % that its interval states; runs scatter by 15 %."""
    rng = np.random.default_rng(3)
    inside = 0
    for _ in range(120):
        made = [Pilot(p.n, found(p.tau.value * np.exp(0.2 * rng.normal()), 0.2 * 1.96))
                for p in pilots(1.1, scatter=0.15, rng=rng)]  # fmt: skip
        predicted = forecast(made).predict(512)
        inside += predicted.low <= 10 * 512**1.1 * np.exp(np.hypot(0.15, 0.2) * rng.normal()) <= predicted.high
    low, high = binom(120, 0.9).ppf([0.005, 0.995])
    assert low <= inside <= high


def test_few_pilots_lean_on_what_is_known_of_the_exponent_and_many_do_not():
    few = [Pilot(n, found(100.0 * f)) for n, f in ((48, 1.0), (48, 1.3), (64, 0.9), (64, 1.2))]  # hardly a slope
    told, alone = forecast(few), forecast(few, slope=None)
    assert 0.7 < told.exponent.value < 1.3 and alone.exponent.value < 0.2
    assert told.predict(512).high / told.predict(512).low < 0.2 * alone.predict(512).high / alone.predict(512).low
    assert forecast(few, slope=(2.0, 0.01)).exponent.value == pytest.approx(2, abs=0.02)
    many = pilots(1.6, scatter=0.05, sizes=(16, 32, 64, 128, 256) * 4)
    assert forecast(many).exponent.value == pytest.approx(forecast(many, slope=None).exponent.value, abs=0.01)


def test_prediction_intervals_hold_the_truth_over_exponents_as_scattered_as_is_believed():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(120):
        beta = rng.normal(1, 0.3)
        predicted = forecast(pilots(beta, scatter=0.15, sizes=(32, 32, 48, 48, 64, 64), rng=rng)).predict(1024)
        inside += predicted.low <= 10 * 1024**beta * np.exp(0.15 * rng.normal()) <= predicted.high
    low, high = binom(120, 0.9).ppf([0.005, 0.995])
    assert low <= inside <= high


def test_proportional_times_are_seldom_called_otherwise():
    rng = np.random.default_rng(4)
    rejected = sum(forecast(pilots(1.0, scatter=0.15, rng=rng)).slope_one_p < 0.05 for _ in range(100))
    assert rejected <= binom(100, 0.05).ppf(0.995)
    assert forecast(pilots(1.6, scatter=0.1, rng=rng)).slope_one_p < 0.05


def test_runs_that_did_not_copy_push_the_line_up():
    short = [Pilot(16, found(100.0)), Pilot(32, found(200.0)), Pilot(32, found(210.0))]
    free, held = (forecast(made, slope=None) for made in (short, [*short, Pilot(64, late(2000.0))]))
    assert held.predict(64).value > 2 * free.predict(64).value
    assert held.predict(64).high > free.predict(64).high
    useless = forecast([*short, Pilot(64, late(0.0))], slope=None)
    assert useless.predict(64) == free.predict(64) and len(useless.pilots) == 3


def test_runs_that_copied_from_the_start_pull_it_down():
    base = [Pilot(32, found(200.0)), Pilot(64, found(400.0))]
    assert forecast([*base, Pilot(8, early(5.0))]).exponent.value > forecast(base).exponent.value


def test_far_forecasts_are_less_certain_than_near_ones():
    line = forecast(pilots(1.0, scatter=0.2))
    near, far = line.predict(64), line.predict(10_000)
    assert far.high / far.low > 1.5 * near.high / near.low


def test_a_bent_line_has_the_curvature_of_its_shape_and_the_slope_of_the_pilots():
    bend = lambda n: 0.5 * np.log(n) + 0.1 * np.log(n) ** 2  # noqa: E731
    sizes = (16.0, 32.0, 64.0)
    as_told = forecast([Pilot(n, found(float(3 * np.exp(bend(n))))) for n in sizes], bend=bend, shape="bent")
    assert as_told.predict(512).value == pytest.approx(3 * np.exp(bend(512.0)), rel=0.02)
    assert as_told.exponent.value == pytest.approx(1, abs=0.01)
    steeper = [Pilot(n, found(float(3 * n**0.4 * np.exp(bend(n))))) for n in sizes]
    line = forecast(steeper, bend=bend, shape="bent", slope=None)
    assert line.predict(512).value == pytest.approx(3 * 512**0.4 * np.exp(bend(512.0)), rel=0.02)
    assert line.exponent.value == pytest.approx(1.4, abs=0.01) and line.slope_one_p < 0.05


def test_a_width_term_is_found_and_used():
    rng = np.random.default_rng(0)
    made = [Pilot(n, found(50 * n**1.1 * w**-0.9 * np.exp(0.05 * rng.normal())), w)
            for n in (16, 32, 64) for w in (32, 64, 128)]  # fmt: skip
    line = forecast(made)
    assert line.width_exponent.low < -0.9 < line.width_exponent.high
    predicted = line.predict(512, width=256)
    assert predicted.low < 50 * 512**1.1 * 256**-0.9 < predicted.high
    assert line.predict(512, width=32).value > 3 * predicted.value
    test = back_test(made)
    assert test.n == 64 and test.inside


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([Pilot(16, late(100.0)), Pilot(32, late(100.0))], "none of 2 pilots had surely begun to copy"),
        (
            [Pilot(n, Estimate(None, None, 9.0, "below_range", "")) for n in (16, 32)],
            "all 2 pilots had begun to copy by",
        ),
        ([Pilot(16, found(100.0)), Pilot(16, found(110.0))], "two sizes at least"),
        ([], "none of 0 pilots"),
        ([Pilot(16, found(100.0), 8), Pilot(32, found(210.0))], "1 of 2 pilots have a width"),
        ([Pilot(16, found(100.0), 8), Pilot(32, found(210.0), 16), Pilot(64, found(400.0), 32)], "vary one at a time"),
    ],
)
def test_rejects(given, message):
    with pytest.raises(GenwindowError, match=message):
        forecast(given)
    with pytest.raises(GenwindowError, match="n must be a number"):
        Pilot(0, found(1.0))
    with pytest.raises(GenwindowError, match="width is needed exactly"):
        forecast(pilots(1.0)).predict(64, width=8)


def test_roundtrip_a_prior_for_the_long_run():
    expected = forecast(pilots(1.0)).predict(512)
    assert prior_from_json({"tau_mem": expected.to_json(), "n": 512}) == expected


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "no forecast: it has no tau_mem"),
        ([], "no forecast"),
        ({"tau_mem": 3.0}, "no forecast"),
        ({"tau_mem": {"value": 3.0}}, "low is missing"),
        ({"tau_mem": late(5.0).to_json()}, r"no value with an interval for tau_mem \(not_reached\)"),
        ({"tau_mem": {**late(5.0).to_json(), "low": "five"}}, "damaged"),
    ],
)
def test_rejects_what_is_no_forecast(data, message):
    with pytest.raises(GenwindowError, match=message):
        prior_from_json(data)
