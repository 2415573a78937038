import warnings

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import cdist

from genwindow import GenwindowError
from genwindow.analysis import binomial_interval
from genwindow.metrics import frechet_distance
from genwindow.metrics.copies import (
    adaptive_ratio,
    authentic,
    combined_p_values,
    conformal_p_values,
    cosine_distance,
    coverage,
    data_copying_test,
    discoveries,
    nearer_share,
    repeated,
    samples_needed,
    threshold_at,
)


def test_closed_form_adaptive_ratio():
    assert adaptive_ratio([[1.0, 3.0], [0.0, 2.0], [0.0, 0.0]]).tolist() == [1.0, 0.0, 2.0]


def features(rng, n, shift=0.0):
    return rng.normal(size=(n, 8)) + 3 * np.eye(8)[0] + shift


def test_agrees_with_the_memorization_distance_of_mifid():
    """Its definition, all pairs written out."""
    rng = np.random.default_rng(0)
    train, generated = features(rng, 5000), features(rng, 70)
    norm = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in (generated, train)]
    theirs = (1 - np.abs(norm[0] @ norm[1].T)).min(axis=1)
    np.testing.assert_allclose(cosine_distance(generated, train), theirs, atol=1e-12)


@pytest.mark.parametrize("near", [True, False])
def test_agrees_with_torchmetrics_mifid(near):
    """The whole score on the same features: our Frechet distance over our memorization distance, where it is small.

    torchmetrics averages over the training images what the paper averages over the samples.
    """
    mifid = pytest.importorskip("torchmetrics.image.mifid")

    class Through(torch.nn.Module):
        num_features = 8

        def forward(self, x):
            return x.flatten(1)

    rng = np.random.default_rng(1)
    train, generated = features(rng, 400), features(rng, 300, 0.2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = mifid.MemorizationInformedFrechetInceptionDistance(
            feature=Through(), normalize=True, cosine_distance_eps=1.0 if near else 1e-6
        ).set_dtype(torch.float64)
        theirs.update(torch.from_numpy(train)[:, :, None, None], real=True)
        theirs.update(torch.from_numpy(generated)[:, :, None, None], real=False)
        score = float(theirs.compute())
    ours = frechet_distance(generated, train).value / (cosine_distance(train, generated).mean() if near else 1.0)
    assert ours == pytest.approx(score, rel=1e-6)


def test_agrees_with_the_definition_of_authenticity():
    """As in the authors' code: all pairs of distances, float64."""
    rng = np.random.default_rng(0)
    train, generated = rng.normal(size=(60, 4)), rng.normal(size=(80, 4))
    between, within = cdist(generated, train), cdist(train, train)
    np.fill_diagonal(within, np.inf)
    nearest = between.argmin(axis=1)
    theirs = np.array([between[i, j] > within[j].min() for i, j in enumerate(nearest)])
    assert (authentic(between.min(axis=1), within.min(axis=1)[nearest]) == theirs).all()


def test_limit_the_data_copying_test_is_uniform_under_the_null():
    rng = np.random.default_rng(0)
    p = [data_copying_test(rng.gamma(3, size=120), rng.gamma(3, size=90)).p for _ in range(1000)]
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_the_data_copying_test_sees_samples_that_are_nearer():
    rng = np.random.default_rng(0)
    found = data_copying_test(0.8 * rng.gamma(9, size=300), rng.gamma(9, size=300))
    assert found.z < -3 and found.p < 0.01
    assert data_copying_test(np.ones(5), np.ones(7)) == (0.0, 1.0)


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


def test_intervals_cover_the_true_copy_rate_in_94_of_100_audits():
    rng = np.random.default_rng(0)
    for rate in (0.002, 0.02, 0.3):
        low, high = binomial_interval(rng.binomial(1000, rate, 500), 1000)
        assert ((low <= rate) & (rate <= high)).mean() >= 0.94


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


def test_repeated_samples_are_within_the_radius():
    assert repeated([0.0, 0.1, 0.3], 0.1).tolist() == [True, True, False]


def test_closed_form_coverage_and_its_thinning():
    assert coverage([0, 0, 3], 4).value == 0.5
    assert coverage([0, 1, 2, 3], 4, 2).value == pytest.approx(0.5)  # any two of four distinct ones
    assert coverage([0, 0, 1], 10, 2).value == pytest.approx((1 + 2 / 3) / 10)  # one pair of three is {0, 0}
    assert coverage([0, 0, 0], 5, 1).value == pytest.approx(1 / 5)


def test_agrees_with_thinning_by_hand_and_covers_its_expectation():
    rng = np.random.default_rng(0)
    law = rng.dirichlet(np.full(50, 0.3))
    expected = (1 - (1 - law) ** 40).mean()
    found = [coverage(rng.choice(50, 40, p=law), 50) for _ in range(500)]
    assert np.mean([one.low <= expected <= one.high for one in found]) >= 0.94
    index = rng.choice(50, 60, p=law)
    by_hand = np.mean([len(np.unique(rng.permutation(index)[:40])) / 50 for _ in range(4000)])
    assert coverage(index, 50, 40).value == pytest.approx(by_hand, abs=0.005)


def test_closed_form_nearer_share():
    found = nearer_share([1.0, 2.0], [3.0, 4.0, 2.0])
    assert found.value == pytest.approx(5.5 / 6)
    sure = nearer_share(np.zeros(50), np.ones(40))
    assert sure.value == 1 and 0.85 < sure.low < 0.99 and sure.high == 1  # never [1, 1]
    assert nearer_share(np.ones(50), np.zeros(40)).value == 0


@pytest.mark.parametrize("shift", [0.0, 0.5, 1.5])
def test_the_interval_of_the_nearer_share_covers_it(shift):
    rng = np.random.default_rng(0)
    true = stats.norm.cdf(shift / np.sqrt(2))
    found = [nearer_share(np.exp(rng.normal(-shift, 1, 80)), np.exp(rng.normal(0, 1, 60))) for _ in range(500)]
    assert np.mean([one.low <= true <= one.high for one in found]) >= 0.93


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: adaptive_ratio([[np.nan, 1.0]]), "finite and not negative"),
        (lambda: adaptive_ratio([1.0]), "2 axes"),
        (lambda: authentic([1.0], [1.0, 2.0]), "one length"),
        (lambda: data_copying_test([], [1.0]), "non-empty"),
        (lambda: discoveries([0.0], 0.1), r"in \(0, 1\]"),
        (lambda: discoveries([0.5], 1.0), "rate must be"),
        (lambda: threshold_at([1.0], 1.0), "false_positive_rate must be"),
        (lambda: coverage([3], 3), "indices below 3"),
    ],
)
def test_rejects(call, message):
    with pytest.raises(GenwindowError, match=message):
        call()
