import numpy as np
import pytest

from genwindow.analysis import binomial_interval
from genwindow.metrics.evidence import (
    combined_p_values,
    conformal_p_values,
    discoveries,
    samples_needed,
    threshold_at,
)


def test_false_discoveries_stay_at_the_stated_rate_over_200_repetitions():
    """40 of 400 samples are copies with small scores; the null sample has 500 images."""
    rng = np.random.default_rng(0)
    shares, found = [], []
    for _ in range(200):
        scores = np.concatenate([rng.beta(1, 30, 40), rng.beta(20, 4, 360)])
        hit = discoveries(conformal_p_values(scores, rng.beta(20, 4, 500)), 0.05)
        shares.append(hit[40:].sum() / max(hit.sum(), 1))
        found.append(hit[:40].mean())
    assert np.mean(shares) <= 0.05 + 2 * np.std(shares) / np.sqrt(200)
    assert np.mean(found) > 0.95


@pytest.mark.parametrize("images", [10, 100])
def test_false_discoveries_among_training_images_stay_at_the_stated_rate(images):
    """100 samples copy 10 or 100 of 1000 training images; 300 others are matched with images at random."""
    rng = np.random.default_rng(0)
    shares, found = [], []
    for _ in range(200):
        index = np.concatenate([np.arange(100) % images, rng.integers(100, 1000, 300)])
        scores = np.concatenate([rng.beta(1, 30, 100), rng.beta(20, 4, 300)])
        p = conformal_p_values(scores, rng.beta(20, 4, 2000))
        named, combined = combined_p_values(p, index)
        hit = named[discoveries(combined, 0.05)]
        shares.append((hit >= 100).sum() / max(len(hit), 1))
        found.append((hit < 100).sum() / images)
    assert np.mean(shares) <= 0.05 + 2 * np.std(shares) / np.sqrt(200)
    assert np.mean(found) > 0.9


def test_closed_form_simes():
    images, p = combined_p_values([0.01, 0.04, 0.5, 0.2], [3, 3, 3, 1])
    assert images.tolist() == [1, 3] and p.tolist() == pytest.approx([0.2, 0.03])


def test_nothing_is_discovered_among_real_images():
    rng = np.random.default_rng(0)
    hits = [discoveries(conformal_p_values(rng.random(300), rng.random(400)), 0.05).any() for _ in range(200)]
    low, _ = binomial_interval(int(np.sum(hits)), 200)
    assert low <= 0.05


def test_thresholds_keep_their_false_positive_rate():
    null = np.arange(1.0, 101.0)
    assert threshold_at(null, 0.01) == 1.0 and threshold_at(null, 0.05) == 5.0
    assert threshold_at(null, 0.0) == 0.0
    assert threshold_at(null[:98], 0.01) == 0.0  # too few to allow one: none is


@pytest.mark.parametrize(("m", "rate"), [(50, 0.01), (99, 0.01), (150, 0.01), (400, 0.01), (30, 0.1)])
def test_thresholds_keep_their_false_positive_rate_on_fresh_scores(m, rate):
    rng = np.random.default_rng(0)
    shares = [threshold_at(rng.random(m), rate) for _ in range(4000)]  # of uniform fresh scores below it
    assert np.mean(shares) <= rate + 3 * np.std(shares) / np.sqrt(4000)
    assert np.mean(shares) == pytest.approx(np.floor(rate * (m + 1)) / (m + 1), rel=0.06)


def test_p_values_are_never_zero_and_count_ties():
    assert conformal_p_values([0.0, 1.0, 9.0], [1.0, 2.0, 3.0]).tolist() == [0.25, 0.5, 1.0]


def test_samples_needed_is_the_inverse_of_the_exact_interval():
    for rate in (0.5, 0.01, 3.7e-4):
        n = samples_needed(rate)
        assert binomial_interval(0, n)[1] <= rate < binomial_interval(0, n - 1)[1]
