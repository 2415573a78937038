import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from genwindow import Curve, Estimate, GenwindowError
from genwindow.analysis import collapse, fit_power_law

SIZES = [32, 64, 128, 256]


@given(st.floats(0.1, 3.0), st.floats(1e-3, 1e3))
def test_closed_form_exact_power_law(beta, prefactor):
    n = np.array(SIZES, dtype=float)
    law = fit_power_law(SIZES, list(prefactor * n**beta))
    assert law.exponent.value == pytest.approx(beta, rel=1e-9)
    assert law.prefactor == pytest.approx(prefactor, rel=1e-7)
    assert law.local_slopes == pytest.approx(np.full(3, beta), rel=1e-9)
    assert law.predict(1024) == pytest.approx(prefactor * 1024**beta, rel=1e-7)
    assert law.exponent.high - law.exponent.low < 1e-6


def test_agrees_with_scipy_regression():
    tau = [300, 700, 1500, 4000]
    reference = stats.linregress(np.log(SIZES), np.log(tau))
    half = stats.t.ppf(0.975, 2) * reference.stderr
    law = fit_power_law(SIZES, tau)
    assert law.exponent.value == pytest.approx(reference.slope)
    assert law.exponent.high - law.exponent.value == pytest.approx(half)


def test_intervals_cover_the_true_exponent():
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        tau = 20 * np.array(SIZES) ** 1.1 * np.exp(0.1 * generator.standard_normal(4))
        law = fit_power_law(SIZES, list(tau))
        covered += law.exponent.low <= 1.1 <= law.exponent.high
    assert covered / 400 >= 0.92  # 0.95 expected, standard error 0.011


def test_uncertain_times_widen_the_interval():
    exact = [Estimate(10.0 * n, 9.9 * n, 10.1 * n, "found", "threshold") for n in SIZES]
    vague = [Estimate(10.0 * n, 5.0 * n, 20.0 * n, "found", "threshold") for n in SIZES]
    width = [e.exponent.high - e.exponent.low for e in (fit_power_law(SIZES, exact), fit_power_law(SIZES, vague))]
    assert width[0] < 0.1 < width[1]


@pytest.mark.parametrize(("low", "high"), [(0.0, 8000.0), (None, 8000.0), (2000.0, None)])
def test_an_interval_with_an_open_end_does_not_narrow_that_of_the_exponent(low, high):
    known = [Estimate(1000.0 * k, 500.0 * k, 2000.0 * k, "found", "threshold") for k in (1, 2)]
    closed = fit_power_law([64, 128, 256], [*known, Estimate(4010.0, 2000.0, 8000.0, "found", "threshold")])
    opened = fit_power_law([64, 128, 256], [*known, Estimate(4010.0, low, high, "found", "threshold")])
    assert opened.exponent.high - opened.exponent.low == pytest.approx(closed.exponent.high - closed.exponent.low, 0.02)
    assert closed.exponent.high - closed.exponent.low > 1


@pytest.mark.parametrize("unknown", [(None, None), (0.0, None)])
def test_a_time_of_unknown_error_does_not_narrow_the_interval(unknown):
    """It is not exact: with both ends open two points say nothing, and a plain number is as unsure as the others."""
    known = Estimate(310.0, 300.0, 320.0, "found", "threshold")
    pair = fit_power_law([64, 128], [Estimate(300.0, *unknown, "found", "threshold"), known]).exponent
    alike = fit_power_law([64, 128], [Estimate(300.0, 300 * 300 / 310, 310.0, "found", "threshold"), known]).exponent
    if unknown == (None, None):
        assert pair.high - pair.low == pytest.approx(alike.high - alike.low, rel=0.02)
    else:
        assert pair.value is not None and pair.low is None and pair.high is None
    three = fit_power_law([1, 2, 4], [1.0, Estimate(2.0, 1.0, 4.0, "found", "threshold"), 4.0]).exponent
    assert three.high - three.low > 1
    line = [Estimate(100.0 * k, *unknown, "found", "threshold") for k in (1, 2)]
    assert fit_power_law([1, 2, 4], [*line, known]).exponent.high < np.inf


def test_a_time_that_is_none_is_named_with_its_value():
    assert "n = 2 (a time of 0)" in fit_power_law([1, 2, 4], [1.0, 0.0, 4.0]).text


def test_unreached_times_stay_out_and_are_named():
    tau = [Estimate(10.0 * n, None, None, "found", "threshold") for n in SIZES[:3]]
    tau.append(Estimate(None, 5000.0, None, "not_reached", "threshold"))
    law = fit_power_law(SIZES, tau)
    assert law.exponent.value == pytest.approx(1)
    assert "n = 256 (not_reached)" in law.text
    assert len(law.n) == 3 and law.without == ("256",)
    some = fit_power_law([*SIZES, 256], [*tau, Estimate(2000.0, None, None, "found", "threshold")])
    assert some.without == ("256 (1 of 2)",)


def test_one_size_is_ill_posed():
    law = fit_power_law([32, 32], [100.0, 120.0])
    assert law.exponent.status == "ill_posed"
    assert np.isnan(law.predict(64))


def test_two_exact_sizes_have_no_interval():
    law = fit_power_law([32, 64], [100.0, 200.0])
    assert law.exponent.value == pytest.approx(1)
    assert law.exponent.low is None


def test_rejects_bad_sizes():
    with pytest.raises(GenwindowError, match="n and tau must have one length, got 2 and 1"):
        fit_power_law([1, 2], [1.0])
    with pytest.raises(GenwindowError, match="n must be a number in"):
        fit_power_law([0, 2], [1.0, 2.0])


def sigmoid(n, exponent=1.0):
    tau = np.geomspace(1, 1e6, 200)
    value = 1 / (1 + (1000 * n**exponent / tau / 10) ** 2)
    return Curve("f_mem", tau, value)


def test_closed_form_collapse_of_curves_that_do_scale():
    curves = [sigmoid(n) for n in SIZES]
    good, none = collapse(curves, SIZES), collapse(curves, SIZES, exponent=0.0)
    assert good.spread < 1e-3
    assert none.spread == pytest.approx(np.std(np.log(SIZES)), rel=1e-2)
    assert good.curves[0].tau == pytest.approx(curves[0].tau / 32)


def test_collapse_without_common_height_has_no_spread():
    flat = Curve("f_mem", [1.0, 2.0], [0.0, 0.0])
    assert collapse([flat, sigmoid(64)], [32, 64]).spread is None
    with pytest.raises(GenwindowError, match="curves and n must have one length"):
        collapse([flat], [1, 2])
