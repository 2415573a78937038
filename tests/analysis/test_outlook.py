import math

import numpy as np
import pytest
from scipy.special import betaincinv, xlogy

from genwindow import GenwindowError
from genwindow.analysis.outlook import Look, above_floor, outlook
from genwindow.curve import Estimate

STEPS = [int(100 * 2 ** (k / 2)) for k in range(15)]


def rise(step, tau, growth, floor=0.0, eps=0.01):
    return floor + (1 - floor) * -math.expm1(-eps * (step / tau) ** growth)


def looks(tau, growth, rng, last, drawn=512, floor=0.0):
    steps = [s for s in STEPS if s <= last]
    return [Look(s, int(rng.binomial(drawn, rise(s, tau, growth, floor))), drawn) for s in steps]


def test_closed_form_many_samples_find_the_onset():
    counted = [Look(s, round(1e7 * rise(s, 2000.0, 3.0)), 10**7) for s in STEPS if s <= 3200]
    found = outlook(counted, 0, 10**7)
    assert found.tau_mem.value == pytest.approx(2000, rel=0.005)
    assert found.tau_mem.high / found.tau_mem.low < 1.2


def quantiles_by_plain_sum(counted, floor_copies, floor_total, times, growths, at):
    """Shares of the posterior below the times `at`, summed over 300 times, 200 growths and 60 floors."""
    log_tau, kappa = np.linspace(*np.log(times), 300), np.geomspace(*growths, 200)
    middles = (np.arange(60) + 0.5) / 60
    total = []
    for floor in betaincinv(floor_copies + 0.5, floor_total - floor_copies + 0.5, middles):
        log_weight = np.zeros((300, 200))
        for look in counted:
            copied = floor + (1 - floor) * -np.expm1(-0.01 * np.exp(kappa * (np.log(look.step) - log_tau[:, None])))
            log_weight += xlogy(look.copies, copied) + xlogy(look.drawn - look.copies, 1 - copied)
        total.append(log_weight)
    weight = np.exp(np.array(total) - np.max(total)).sum(axis=(0, 2))
    edges = log_tau + (log_tau[1] - log_tau[0]) / 2
    return np.interp(np.log(at), edges, np.cumsum(weight) / weight.sum())


@pytest.mark.parametrize(
    ("tau", "growth", "drawn", "floor", "times", "growths"),
    [
        (30.0, 1.5, 512, (3, 5000), (10, 100), (1, 3)),  # long past
        (800.0, 3.0, 2000, (0, 360), (500, 1200), (2, 5)),
        (21.0, 2.7, 20_000, (10, 5000), (17, 26), (2.4, 3.0)),  # far narrower than any grid over the whole range
        (900.0, 1.2, 512, (5, 100), (20, 9000), (1, 8)),
    ],
)
def test_agrees_with_a_plain_sum_over_a_fine_grid(tau, growth, drawn, floor, times, growths):
    counted = looks(tau, growth, np.random.default_rng(4), last=6400, drawn=drawn, floor=floor[0] / floor[1])
    found = outlook(counted, *floor).tau_mem
    at = [found.low, found.value, found.high]
    assert quantiles_by_plain_sum(counted, *floor, times, growths, at) == pytest.approx([0.05, 0.5, 0.95], abs=0.03)


def test_the_interval_covers_the_onset_of_runs_drawn_from_the_priors():
    rng = np.random.default_rng(0)
    steps, inside, runs = STEPS[:9], 0, 150
    for _ in range(runs):
        tau, growth = math.exp(rng.uniform(math.log(10), math.log(100 * steps[-1]))), 8 ** rng.uniform()
        floor = rng.beta(0.5, 0.5)
        counted = looks(tau, growth, rng, last=steps[-1], floor=floor)
        found = outlook(counted, int(rng.binomial(400, floor)), 400)
        inside += found.tau_mem.low <= tau <= found.tau_mem.high
    assert inside >= 0.9 * runs - 2.6 * math.sqrt(runs * 0.09)  # 90 % nominal, within binomial error


def test_the_interval_covers_the_onset_with_many_samples_at_each_look():
    """Posteriors far narrower than the range of the prior are resolved."""
    rng = np.random.default_rng(0)
    inside, runs = 0, 60
    for _ in range(runs):
        tau, growth = 100 * 2 ** rng.uniform(1, 6), math.exp(rng.uniform(0, math.log(8)))
        found = outlook(looks(tau, growth, rng, last=1.6 * tau + 100, drawn=10_000), 0, 10_000)
        inside += found.tau_mem.low <= tau <= found.tau_mem.high
    assert inside >= 0.9 * runs - 2.6 * math.sqrt(runs * 0.09)


def test_few_heldout_images_do_not_make_an_honest_run_look_dangerous():
    """The floor is 10 %, known from ten images only; 20,000 samples tell it far better than those."""
    rng = np.random.default_rng(0)
    wrong = 0
    for _ in range(20):
        counted = [Look(s, int(rng.binomial(2048, 0.1)), 2048) for s in STEPS[:10]]
        wrong += outlook(counted, int(rng.binomial(10, 0.1)), 10).share_before(STEPS[10]) > 0.6
    assert wrong <= 1


def test_limit_without_copies_the_onset_lies_ahead():
    found = outlook([Look(s, 0, 512) for s in STEPS], 0, 400)
    assert found.tau_mem.low > STEPS[-1] and found.share_before(STEPS[-1]) < 0.02


def test_share_before_is_a_distribution_function():
    found = outlook([Look(100, 0, 500), Look(200, 1, 500), Look(400, 7, 500)], 0, 500)
    shares = [found.share_before(s) for s in np.geomspace(1, 1e6, 60)]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert found.share_before(found.tau_mem.value) == pytest.approx(0.5, abs=1e-6)


def test_a_forecast_narrows_the_outlook_and_the_run_can_overrule_it():
    prior = Estimate(2000.0, 1400.0, 2800.0, "found", "power law", "")
    early = [Look(s, 0, 512) for s in STEPS[:4]]
    plain, told = outlook(early, 0, 400), outlook(early, 0, 400, prior=prior)
    assert told.tau_mem.high < plain.tau_mem.high and 1300 < told.tau_mem.low < told.tau_mem.high < 3500
    later = [Look(s, 0, 512) for s in STEPS]  # no copy up to step 12,800: the forecast was wrong
    assert outlook(later, 0, 400, prior=prior).tau_mem.low > 8000


def test_looking_often_accuses_an_honest_run_in_at_most_one_of_twenty():
    rng = np.random.default_rng(1)
    runs, wrong = 400, 0
    for _ in range(runs):
        floor = int(rng.binomial(300, 0.01))
        counted = [Look(s, int(rng.binomial(512, 0.01)), 512) for s in range(1, 31)]
        wrong += above_floor(counted, floor, 300) is not None
    assert wrong <= 0.05 * runs + 2.6 * math.sqrt(runs * 0.05 * 0.95)


def test_copies_beyond_the_floor_are_seen_and_named_by_their_look():
    counted = [Look(100, 0, 512), Look(200, 1, 512), Look(400, 60, 512), Look(800, 300, 512)]
    assert above_floor(counted, 2, 300) == 2
    assert above_floor(counted[:2], 2, 300) is None
    assert above_floor(counted, 300, 300) is None  # held-out images pass as copies themselves


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"looks": []}, "one measuring time at least"),
        ({"looks": [Look(200, 0, 9), Look(100, 0, 9)]}, r"steps must increase, got \[200, 100\]"),
        ({"eps": 0.0}, "eps must be"),
    ],
)
def test_rejects(change, message):
    with pytest.raises(GenwindowError, match=message):
        outlook(**{"looks": [Look(100, 0, 9)], "floor_copies": 0, "floor_total": 9, **change})


def test_rejects_more_copies_than_images():
    with pytest.raises(GenwindowError, match="copies must be at most drawn, got 3 of 2"):
        Look(1, 3, 2)
