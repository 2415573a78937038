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
    cosine_distance,
    coverage,
    data_copying_test,
    nearer_share,
    repeated,
)
from genwindow.metrics.evidence import discoveries, threshold_at


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


def test_intervals_cover_the_true_copy_rate_in_94_of_100_audits():
    rng = np.random.default_rng(0)
    for rate in (0.002, 0.02, 0.3):
        low, high = binomial_interval(rng.binomial(1000, rate, 500), 1000)
        assert ((low <= rate) & (rate <= high)).mean() >= 0.94


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
