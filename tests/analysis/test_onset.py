import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genwindow import Curve, Estimate, GenwindowError
from genwindow.analysis import (
    binomial_estimate,
    binomial_interval,
    onset,
    tau_gen,
    tau_gen_from_loss,
    tau_mem,
    tau_mem_from_loss,
)

TAU = np.array([100.0, 200.0, 400.0, 800.0])


def curve(value, low=None, high=None, tau=TAU, name="f_mem", t=None):
    return Curve(name, tau, value, low=low, high=high, t=t)


def test_closed_form_crossing_is_linear_in_log_tau():
    found = tau_mem(curve([0, 0, 0.02, 0.5]), 0.0)
    assert found.value == pytest.approx(math.sqrt(200 * 400), rel=1e-12)
    assert (found.low, found.high) == (200, 400)
    assert found.status == "found"


@given(st.floats(0.02, 0.9), st.floats(0.2, 3.0))
def test_agrees_with_exact_crossing_of_a_log_line(level, slope):
    tau = np.geomspace(1, 1e4, 40)
    value = slope * np.log(tau) / np.log(1e4)
    found = onset(curve(value, tau=tau), level, method="m", what="w")
    exact = 1e4 ** (level / slope)
    if exact < 1e4 and level > 0:
        assert found.value == pytest.approx(exact, rel=1e-9)
        assert found.low <= found.value <= found.high


def test_the_band_widens_the_interval():
    value = np.array([0, 0.005, 0.05, 0.5])
    found = tau_mem(curve(value, low=[0, 0, 0.001, 0.4], high=[0.002, 0.03, 0.1, 0.6]), 0.0)
    assert found.low < 200 < found.value < 400 < found.high < 800


def test_no_copies_gives_not_reached_with_the_last_time_as_bound():
    found = tau_mem(curve(np.zeros(4), low=np.zeros(4), high=np.full(4, 0.004)), 0.0)
    assert (found.value, found.low, found.high, found.status) == (None, 800, None, "not_reached")


def test_too_few_samples_to_exclude_copies_gives_no_better_bound_than_the_band_allows():
    found = tau_mem(curve(np.zeros(4), low=np.zeros(4), high=np.full(4, 0.3)), 0.0)
    assert (found.status, found.low) == ("not_reached", 0.0)


def test_copying_from_the_start_is_below_range():
    found = tau_mem(curve([0.5, 0.6, 0.7, 0.8]), 0.0)
    assert (found.value, found.high, found.status) == (None, 100, "below_range")


def test_a_share_above_the_level_that_chance_explains_is_no_onset_but_a_distance_has_one_with_an_open_end():
    value, high = [0, 0, 0, 0.02], [0.005, 0.005, 0.005, 0.05]
    found = tau_mem(curve(value, low=np.zeros(4), high=high), 0.0)
    assert (found.status, found.low) == ("not_reached", 400) and "not certain" in found.text
    quality = curve([10, 2, 0, 1], low=[8, 0.5, 0, 0], high=[12, 4, 3, 3], name="frechet")
    assert tau_gen(quality, 20.0).status == "found" and tau_gen(quality, 20.0).high is None


def test_the_last_crossing_before_copies_are_sure_counts():
    value = [0.0, 0.011, 0.0, 0.2]
    found = tau_mem(curve(value, low=[0, 0.001, 0, 0.15], high=[0.004, 0.02, 0.004, 0.25]), 0.0)
    assert found.status == "found" and 400 <= found.low < found.value < 800 == found.high


def test_rounding_at_a_level_that_is_just_met_is_no_error():
    assert tau_mem(Curve("f_mem", [1008, 1270], [0, 0.07]), 0.06).status in ("found", "not_reached")


@pytest.mark.parametrize("samples", [512, 1000])
def test_a_run_that_never_copies_is_seldom_said_to(samples):
    """A floor of 1 % of 400 held-out images, and looks that are all drawn from the floor."""
    rng = np.random.default_rng(1)
    tau = np.round(50 * 2 ** (np.arange(30) / 4))
    found = []
    for _ in range(300):
        count = rng.binomial(samples, 0.01, len(tau))
        low, high = binomial_interval(count, samples)
        floor = binomial_estimate(int(rng.binomial(400, 0.01)), 400)
        found.append(tau_mem(Curve("f_mem", tau, count / samples, low=low, high=high), floor))
    said = sum(one.status == "found" or one.status == "below_range" for one in found)
    assert said <= 0.05 * 300
    bounds = [one.low or 0.0 for one in found if one.status == "not_reached"]
    assert np.median(bounds) >= tau[-8]


def test_the_floor_is_subtracted():
    value = [0.0, 0.05, 0.1, 0.4]
    assert tau_mem(curve(value), 0.2).value > tau_mem(curve(value), 0.0).value
    floor = Estimate(0.2, 0.1, 0.3, "found", "binomial")
    assert tau_mem(curve(value), floor) == tau_mem(curve(value), 0.2)


def test_ill_posed_when_the_floor_is_unknown_or_full():
    unknown = Estimate(None, None, None, "ill_posed", "binomial", "one image")
    assert tau_mem(curve([0, 0, 0, 1.0]), unknown).status == "ill_posed"
    assert tau_mem(curve([0, 0, 0, 1.0]), 0.995).status == "ill_posed"


def test_no_measurement_is_ill_posed():
    empty = Curve("f_mem", [], [])
    assert tau_mem(empty).status == "ill_posed"
    assert tau_gen(empty, 1.0).status == "ill_posed"
    assert tau_gen_from_loss(empty).status == "ill_posed"


def test_a_run_that_only_seems_to_copy_from_the_start_is_bounded_by_when_it_surely_does():
    found = tau_mem(curve([0.02, 0.02, 0.3, 0.5], low=[0.005, 0.005, 0.2, 0.4], high=[0.05, 0.05, 0.4, 0.6]), 0.0)
    assert (found.status, found.high) == ("below_range", 400)
    never = tau_mem(curve([0.02, 0.01, 0.0, 0.0], low=np.zeros(4), high=np.full(4, 0.05)), 0.0)
    assert (never.status, never.low) == ("not_reached", 0.0)


@pytest.mark.parametrize(
    ("floor", "m", "samples"), [(0.0, 500, 500), (0.01, 100, 500), (0.02, 100, 2000), (0.05, 500, 10_000)]
)
def test_the_interval_holds_the_onset_whatever_the_floor_and_its_error(floor, m, samples):
    """Growth as a square from a floor that is read from m held-out images."""
    rng = np.random.default_rng(3)
    tau = np.round(100 * 2 ** (np.arange(24) / 3))
    f = np.minimum(floor + 0.01 * (tau / 3000) ** 2, 1.0)
    inside, runs = 0, 300
    for _ in range(runs):
        count = rng.binomial(samples, f)
        low, high = binomial_interval(count, samples)
        found = tau_mem(
            Curve("f_mem", tau, count / samples, low=low, high=high), binomial_estimate(int(rng.binomial(m, floor)), m)
        )
        ends = found.low or 0.0, np.inf if found.high is None else found.high
        inside += ends[0] <= 3000 <= ends[1]
    assert inside >= 0.95 * runs - 2.6 * np.sqrt(runs * 0.95 * 0.05)


def test_closed_form_tau_gen():
    quality = curve([10, 2, 0, 1], name="frechet")
    found = tau_gen(quality, 20.0)  # level 0 + 10 % of 20 = 2: reached between 200 and 400
    assert found.value == pytest.approx(200)
    assert tau_gen(quality, 20.0, fraction=0.4).status == "below_range"


def test_tau_gen_does_not_depend_on_the_start_of_the_network():
    worse_start = curve([1000, 2, 0, 1], name="frechet")
    better_start = curve([15, 2, 0, 1], name="frechet")
    level = 1.0
    first = tau_gen(worse_start, 10.0)
    second = tau_gen(better_start, 10.0)
    assert first.value == second.value == pytest.approx(200 * 2 ** ((2 - level) / 2))


def test_tau_gen_is_ill_posed_when_never_better_than_noise():
    assert tau_gen(curve([10, 9, 8, 7], name="frechet"), 5.0).status == "ill_posed"


def test_a_rising_tail_does_not_change_tau_gen_from_loss():
    falling = tau_gen_from_loss(curve([0.9, 0.5, 0.3, 0.3], name="heldout_loss"))
    turning = tau_gen_from_loss(curve([0.9, 0.5, 0.3, 0.9], name="heldout_loss"))
    assert falling.value == turning.value


def test_a_tail_that_rises_again_is_no_bound_of_tau_gen():
    """Low from the first measurement on, though not surely; that the loss is surely high in the end bounds nothing."""
    value = np.array([0.52, 0.5, 0.6, 0.9, 1.2])
    curve = Curve("heldout_loss", 2.0 ** np.arange(5), value, low=value - 0.08, high=value + 0.08, t=1.0)
    found = tau_gen_from_loss(curve)
    assert found.status == "not_reached" and found.low == 0 and str(found) == "not reached"


def test_loss_split_ignores_a_constant_difference_between_the_sets():
    heldout = np.array([1.0, 0.8, 0.7, 0.7])
    gap = np.array([0.3, 0.3, 0.3, 0.6])
    found = tau_mem_from_loss(
        curve(heldout * (1 - gap), name="train_loss", t=5.0), curve(heldout, name="heldout_loss", t=5.0), split=0.15
    )
    assert found.value == pytest.approx(math.sqrt(400 * 800))


def test_loss_split_not_reached_and_ill_posed():
    same = curve([1, 0.8, 0.7, 0.6], name="train_loss", t=5.0)
    assert tau_mem_from_loss(same, curve(same.value, name="heldout_loss", t=5.0)).status == "not_reached"
    zero = curve([1, 0.5, 0.1, 0.0], name="heldout_loss", t=5.0)
    assert tau_mem_from_loss(same, zero).status == "ill_posed"


def test_rejects_curves_that_do_not_belong_together():
    one = curve([1, 1, 1, 1], t=5.0)
    with pytest.raises(GenwindowError, match="one diffusion time, got t = 5.0 and 6.0"):
        tau_mem_from_loss(one, curve([1, 1, 1, 1], t=6.0))
    with pytest.raises(GenwindowError, match="same training times"):
        tau_mem_from_loss(one, curve([1, 1, 1], tau=TAU[:3], t=5.0))


def test_rejects_bad_levels():
    with pytest.raises(GenwindowError, match=r"eps must be a number in \[0, 1\], got 2"):
        tau_mem(curve([0, 0, 0, 1]), eps=2)
    with pytest.raises(GenwindowError, match=r"fraction must be a number in \(0, 1\), got 1"):
        tau_gen(curve([3, 2, 1, 0]), 5.0, fraction=1)


def test_intervals_cover_the_true_onset():
    """f_mem from 1,000 samples at three measuring times per octave; the interval promises 95 %."""
    draws, covered, made = np.random.default_rng(0), 0, 300
    tau = 50 * 2 ** (np.arange(25) / 3)
    for _ in range(made):
        true = np.exp(draws.uniform(np.log(400), np.log(4000)))
        share = 1 / (1 + 99 * (tau / true) ** -draws.uniform(1, 3))  # 1 % at the true time
        copies = draws.binomial(1000, share)
        low, high = binomial_interval(copies, 1000)
        found = tau_mem(curve(copies / 1000, low, high, tau=tau))
        covered += found.low <= true <= (found.high or np.inf)
    assert covered / made >= 0.95
