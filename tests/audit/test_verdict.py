"""The verdict and its statistics, on scores: simulated ones of known law, and those of real digits."""

import re

import numpy as np
import pytest
from scipy import stats
from tests.audit.planted import SMALL

from genwindow.analysis import binomial_interval
from genwindow.audit.match import Matcher
from genwindow.audit.verdict import ACCUSED, decide, excess
from genwindow.data import named_set
from genwindow.metrics import copied_images, data_copying_test, nearest_neighbours, tail_p_values

STRICT = 1 / 3


def within(hits, audits, rate):
    """Whether `hits` of `audits` are compatible with a rate of at most `rate`."""
    return binomial_interval(int(hits), audits, 0.999)[0] <= rate


# Honest generators are accused no more often than stated.


@pytest.mark.parametrize(
    ("dimension", "samples", "real"),
    [(1, 300, 300), (2, 10_000, 5), (2, 2000, 40), (4, 5000, 100), (8, 1000, 1000), (8, 10_000, 30), (30, 400, 400)],
)
def test_honest_generators_are_accused_no_more_often_than_stated(dimension, samples, real):
    """Scores U^(1/D), the law of d1/d2 in D dimensions: at D = 2 a ninth of all real images are "clear copies"."""
    rng = np.random.default_rng(dimension)
    audits = 400

    def scores(count):
        return rng.random(count) ** (1 / dimension)

    hits = sum(decide(scores(samples), scores(real)).verdict == "copies_found" for _ in range(audits))
    assert within(hits, audits, ACCUSED)


def test_honest_generators_that_repeat_themselves_are_not_accused_either():
    """50 scores, each given by 20 samples; counted as 1000 independent ones, a tenth of the audits would accuse."""
    rng = np.random.default_rng(0)
    audits, wrong, naive = 300, 0, 0
    for _ in range(audits):
        score, null = np.repeat(rng.random(50) ** (1 / 8), 20), rng.random(500) ** (1 / 8)
        first = np.arange(1000) % 20 == 0
        wrong += decide(score, null, distinct=first).verdict == "copies_found"
        naive += decide(score, null).verdict == "copies_found"
    assert within(wrong, audits, ACCUSED) and not within(naive, audits, ACCUSED)


def test_clear_copies_convict_nobody_where_real_images_show_nothing():
    """One score below 1/3 among 10,000, against five real images: no test can tell, and the verdict says so."""
    score = np.full(10_000, 0.9)
    score[0] = 0.2
    found = decide(score, np.linspace(0.8, 1, 5), target=1e-3)
    assert found.verdict == "none_found" and found.excess.high < 1e-3
    found = decide(score[:500], np.linspace(0.8, 1, 5), target=1e-3)
    assert found.verdict == "not_enough" and "which chance may give: 0 of 5" in found.words[0]
    assert "real images would show it" in found.words[0]


def test_the_real_images_asked_for_are_distinct_ones_and_would_convict():
    """Three samples of 60 with clear copies; a real image 300 times over is one, and the number named suffices."""
    score = np.full(60, 0.9)
    score[:3] = 0.3
    null, one = np.full(300, 0.9), np.arange(300) == 0
    said = decide(score, null, null_distinct=one).words[0]
    asked = int(re.search(r"about (\d+) real images", said).group(1))
    assert decide(score, np.full(asked + 20, 0.9)).verdict == "copies_found"
    assert decide(score, np.full(asked // 2, 0.9)).verdict == "not_enough"


def test_an_exact_copy_convicts_and_the_words_say_what_that_rests_on():
    rng = np.random.default_rng(0)
    score, null = rng.random(400) ** (1 / 10), rng.random(400) ** (1 / 10)
    score[7] = 0.0
    found = decide(score, null)
    assert found.verdict == "copies_found" and "Copies found: 1 of 400" in found.words[0]
    assert "Look at the pairs" in found.words[1]
    score[:40] = 0.01
    found = decide(score, null)
    assert found.evidence["clear"] < 1e-6 and len(found.words) == 1


def test_a_shifted_distribution_convicts_without_any_clear_copy():
    rng = np.random.default_rng(0)
    found = decide(0.5 + 0.3 * rng.random(400), 0.6 + 0.4 * rng.random(400))
    assert (
        found.strict.value == 0 and found.verdict == "copies_found" and "real images come by chance" in found.words[0]
    )


# Its parts.


def test_closed_form_fisher_is_exact_for_a_calibrated_threshold():
    """P-values of the count below an order statistic of the real scores are never too small, and nearly uniform."""
    rng = np.random.default_rng(0)
    p = np.array([decide(rng.random(500), rng.random(700)).evidence["suspicious"] for _ in range(2000)])
    for level in (0.01, 0.05, 0.2):
        assert within((p <= level).sum(), len(p), level)
    assert (p <= 0.2).mean() > 0.1


@pytest.mark.parametrize("dimension", [1, 7, 40])
def test_limit_tail_p_values_are_uniform_for_any_power(dimension):
    rng = np.random.default_rng(0)
    p = np.concatenate(
        [tail_p_values(rng.random(1) ** (1 / dimension), rng.random(300) ** (1 / dimension)) for _ in range(20_000)]
    )
    small = p[p < 0.1]  # at or above the tail they are 1
    assert stats.kstest(small / 0.1, "uniform").pvalue > 0.01
    assert abs(len(small) / len(p) - 0.1) < 0.01


def test_tail_p_values_do_not_extrapolate_from_too_little():
    assert tail_p_values([0.0], np.linspace(0.5, 1, 29)).tolist() == [1.0]
    assert tail_p_values([0.0, 0.6], np.linspace(0.5, 1, 100)).tolist() == [0.0, 1.0]
    with_copy = np.concatenate([[0.0], np.linspace(0.5, 1, 99)])  # a real image that is a copy itself
    assert tail_p_values([0.0], with_copy)[0] == pytest.approx(11 / 101)


def test_closed_form_excess_without_copies_by_chance_is_the_exact_bound():
    found = excess(0, 400, 0, 400)
    assert found.low == 0 and found.value == 0 and found.high == pytest.approx(1 - 0.025 ** (1 / 400))
    found = excess(150, 1000, 100, 1000)
    assert found.value == pytest.approx((0.15 - 0.1) / 0.9) and 0 < found.low < 0.001 and 0.1 < found.high < 0.11


@pytest.mark.parametrize(("rate", "floor"), [(0.0, 0.1), (0.01, 0.0), (0.05, 0.02), (0.5, 0.3)])
def test_excess_covers_the_true_copy_rate_in_94_of_100_audits(rate, floor):
    rng = np.random.default_rng(0)
    hits = rng.binomial(800, rate + (1 - rate) * floor, 500)
    found = [excess(int(k), 800, int(j), 600) for k, j in zip(hits, rng.binomial(600, floor, 500), strict=True)]
    assert np.mean([one.low <= rate <= one.high for one in found]) >= 0.94


# Whole audits of digits, by the scores that the search gave their images.


@pytest.fixture(scope="module")
def pool():
    """Scores and matches of 1297 real digits, and of a copy of each of 500 training images, of five kinds in turn."""
    digits = named_set("digits").pixels
    order = np.random.default_rng(0).permutation(len(digits))
    train, real = digits[order[:500]], digits[order[500:]]
    kinds = list(SMALL.values())
    copies = np.stack([kinds[i % len(kinds)](train[i : i + 1])[0] for i in range(500)]).astype(np.float32)
    matcher = Matcher(train, np.arange(500))
    distance = nearest_neighbours(real, train, 1).distances[:, 0]
    return matcher.match(real), matcher.match(copies), distance


def divided(pool, rng, samples, real):
    order = rng.permutation(len(pool[0].score))
    return order[:samples], order[samples : samples + real]


def test_real_digits_are_accused_no_more_often_than_stated(pool):
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        samples, real = divided(pool, rng, 600, 600)
        wrong += decide(pool[0].score[samples], pool[0].score[real]).verdict == "copies_found"
    assert within(wrong, 400, ACCUSED)


@pytest.mark.parametrize("planted", [1, 10, 100])
def test_planted_copies_convict(pool, planted):
    """In at least 95 of 100 audits of 400 samples, whatever the kinds of the copies."""
    rng = np.random.default_rng(2)
    found = 0
    for _ in range(100):
        samples, real = divided(pool, rng, 400, 600)
        score = pool[0].score[samples]
        score[:planted] = rng.choice(pool[1].score, planted, replace=False)
        found += decide(score, pool[0].score[real]).verdict == "copies_found"
    assert found >= 95


@pytest.mark.parametrize("rate", [0.005, 0.05, 0.3])
def test_intervals_cover_the_true_copy_rate_in_94_of_100_audits(pool, rate):
    """500 audits of 600 samples, each a copy with the probability `rate`; the rate of clear copies, and the excess."""
    rng = np.random.default_rng(3)
    plain, corrected = 0, 0
    for _ in range(500):
        samples, real = divided(pool, rng, 600, 600)
        score = np.where(rng.random(600) < rate, rng.choice(pool[1].score, 600), pool[0].score[samples])
        found = decide(score, pool[0].score[real])
        plain += found.strict.low <= rate <= found.strict.high
        corrected += found.excess.low <= rate <= found.excess.high
    assert plain >= 0.94 * 500 and corrected >= 0.94 * 500


@pytest.mark.parametrize(("copies", "sources"), [(10, 10), (60, 60), (100, 10)])
def test_false_discoveries_among_copied_images_stay_at_the_stated_rate(pool, copies, sources):
    """200 audits of 500 samples against 700 real images, at a rate of 10 %."""
    rng = np.random.default_rng(4)
    shares, found = [], []
    for _ in range(200):
        samples, real = divided(pool, rng, 500, 700)
        score, index = pool[0].score[samples].copy(), pool[0].index[samples].copy()
        true = rng.choice(500, sources, replace=False)
        source = np.resize(true, copies)
        score[:copies], index[:copies] = pool[1].score[source], source
        named = copied_images(score, index, pool[0].score[real], 0.1)
        shares.append((~np.isin(named, true)).sum() / max(len(named), 1))
        found.append(np.isin(true, named).mean())
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / np.sqrt(200)
    assert copies == 10 or np.mean(found) > 0.9  # ten p-values of 1/701 are just too few for this rate


def test_limit_the_data_copying_test_is_uniform_among_real_digits(pool):
    rng = np.random.default_rng(5)
    p = []
    for _ in range(1000):
        samples, real = divided(pool, rng, 200, 250)
        p.append(data_copying_test(pool[2][samples], pool[2][real]).p)
    assert stats.kstest(p, "uniform").pvalue > 0.01


@pytest.mark.parametrize("kinds", [((0.9, 15.0), (0.1, 5.0)), ((0.1, 5.0), (0.2, 10.0), (0.3, 20.0), (0.4, 40.0))])
def test_images_of_several_kinds_are_not_taken_for_copies(kinds):
    """Scores of each kind thin out as a power of its own; all sets have the same mixture."""
    rng = np.random.default_rng(0)
    share, dimension = map(np.array, zip(*kinds, strict=True))

    def scores(count):
        return rng.random(count) ** (1 / rng.choice(dimension, count, p=share))

    accused = sum(decide(scores(2000), scores(400)).verdict == "copies_found" for _ in range(150))
    assert accused <= stats.binom(150, 0.01).ppf(0.995)
