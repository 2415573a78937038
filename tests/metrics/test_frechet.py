import time

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from scipy.stats import ortho_group

from genwindow.errors import GenwindowError
from genwindow.metrics import FrechetReference, frechet_distance, principal_components


def with_moments(mean, covariance, count, seed=0):
    """Samples whose mean and (unbiased) covariance are exactly these."""
    dim = len(mean)
    x = np.random.default_rng(seed).normal(size=(count, dim))
    x -= x.mean(axis=0)
    x = x @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T).reshape(dim, dim))).T
    values, axes = np.linalg.eigh(covariance)
    return x @ (axes * np.sqrt(np.maximum(values, 0))).T + mean


def random_covariance(dim, seed, rank=None):
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(dim, rank or dim))
    return factor @ factor.T


def test_closed_form_commuting_covariances():
    axes = ortho_group.rvs(7, random_state=0)
    a, b = np.linspace(0.1, 2, 7), np.linspace(3, 0.5, 7)
    shift = np.arange(7.0)
    one = with_moments(shift, axes * a @ axes.T, 40)
    other = with_moments(np.zeros(7), axes * b @ axes.T, 90, seed=1)
    wanted = (shift**2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    assert frechet_distance(one, other).value == pytest.approx(wanted, rel=1e-12)


def test_agrees_with_sqrtm_where_covariances_do_not_commute():
    c1, c2 = random_covariance(9, 0), random_covariance(9, 1)
    shift = np.linspace(-1, 1, 9)
    wanted = (shift**2).sum() + np.trace(c1 + c2 - 2 * sqrtm(c1 @ c2).real)
    found = frechet_distance(with_moments(shift, c1, 50), with_moments(np.zeros(9), c2, 60, seed=1))
    assert found.value == pytest.approx(wanted, rel=1e-8)


@pytest.mark.parametrize("count", [2, 10, 30])
def test_closed_form_rank_deficient_covariances(count):
    """Fewer images than dimensions. On orthogonal subspaces the overlap is 0, on the same one the distance is."""
    rng = np.random.default_rng(count)
    axes = ortho_group.rvs(60, random_state=1)
    one, other = rng.normal(size=(count, 30)) @ axes[:30], rng.normal(size=(40, 30)) @ axes[30:]
    shift = one.mean(axis=0) - other.mean(axis=0)
    wanted = shift @ shift + np.trace(np.cov(one.T)) + np.trace(np.cov(other.T))
    assert frechet_distance(one, other).value == pytest.approx(wanted, rel=1e-12)
    assert frechet_distance(one, one).value == pytest.approx(0, abs=1e-11)


def test_closed_form_scaled_copies():
    images = np.random.default_rng(0).normal(size=(80, 12))
    images -= images.mean(axis=0)
    wanted = (1 - 0.3) ** 2 * np.trace(np.cov(images.T))
    assert frechet_distance(0.3 * images, images).value == pytest.approx(wanted, rel=1e-12)


def test_closed_form_invariant_under_rotation_shift_and_order_and_symmetric():
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(60, 8)) * 2, rng.normal(size=(70, 8)) + 1
    rotation = ortho_group.rvs(8, random_state=2)
    wanted = frechet_distance(a, b).value
    for one, other in ((a @ rotation + 5, b @ rotation + 5), (a[::-1], b[::-1]), (b, a)):
        assert frechet_distance(one, other).value == pytest.approx(wanted, rel=1e-10)
    assert frechet_distance(3 * a, 3 * b).value == pytest.approx(9 * wanted, rel=1e-10)


@pytest.mark.parametrize("size", [(6,), (1, 9, 9)])
def test_limit_no_single_image_comes_nearer_than_the_spread(size):
    heldout = np.random.default_rng(0).normal(size=(30, *size)) + 2
    reference = FrechetReference(heldout)
    mean = np.repeat(heldout.mean(axis=0, keepdims=True), 5, axis=0)
    assert reference.distance(mean).value == pytest.approx(reference.spread, rel=1e-9)
    assert reference.distance(mean + 0.1).value > reference.spread


def test_limit_identical_heldout_images_leave_mean_and_spread():
    generated = np.random.default_rng(0).normal(size=(30, 4))
    wanted = np.square(generated.mean(axis=0) - 1).sum() + np.trace(np.cov(generated.T))
    found = frechet_distance(generated, np.ones((5, 4)))
    assert found.value == pytest.approx(wanted, rel=1e-12)


def test_agrees_with_jackknife_by_hand():
    rng = np.random.default_rng(4)
    generated, heldout = rng.normal(size=(53, 6)) * 1.5, rng.normal(size=(80, 6))
    found = frechet_distance(generated, heldout, folds=5)
    left_out = [frechet_distance(np.delete(generated, np.arange(j, 53, 5), axis=0), heldout).value for j in range(5)]
    error = np.sqrt(4 / 5 * np.square(np.array(left_out) - np.mean(left_out)).sum())
    assert found.high - found.value == pytest.approx(2.7764451 * error, rel=1e-6)
    assert found.value - found.low == pytest.approx(2.7764451 * error, rel=1e-6)


def test_limit_the_interval_covers_the_spread_of_fresh_samples():
    """Over many sets of one size, the mean distance lies in the interval about as often as promised."""
    rng = np.random.default_rng(5)
    known = FrechetReference(rng.normal(size=(400, 5)))
    found = [known.distance(rng.normal(size=(200, 5)) * 1.3 + 0.5) for _ in range(200)]
    middle = np.mean([e.value for e in found])
    covered = np.mean([e.low <= middle <= e.high for e in found])
    assert 0.88 <= covered <= 1  # 0.95 minus 4.5 standard errors of 200 trials


def test_closed_form_copies_of_the_training_set_score_best_only_against_it():
    """Fault 8 of the paper's code: against the training set a copying machine beats every honest generator."""
    rng = np.random.default_rng(6)
    train, heldout, fresh = (rng.normal(size=(100, 10)) for _ in range(3))
    copies = train[rng.permutation(100)]
    assert frechet_distance(copies, train).value == pytest.approx(0, abs=1e-12)
    assert frechet_distance(fresh, train).value > 0.1
    known = FrechetReference(heldout)
    assert known.distance(copies).value > known.floor(fresh).value / 2


def test_roundtrip_floor_takes_images_evenly():
    rng = np.random.default_rng(7)
    known, reference = FrechetReference(rng.normal(size=(50, 6))), rng.normal(size=(40, 6))
    assert known.floor(reference, 20) == known.distance(reference[::2])
    assert known.floor(torch.from_numpy(reference)) == known.distance(reference)
    with pytest.raises(GenwindowError, match="size must be a whole number of at least 1 and at most 40, got 41"):
        known.floor(reference, 41)


def test_agrees_with_principal_components_for_larger_images():
    rng = np.random.default_rng(8)
    heldout, generated = rng.normal(size=(90, 1, 10, 10)), rng.normal(size=(70, 1, 10, 10))
    found = frechet_distance(generated, heldout)
    features = principal_components(heldout, 64)
    assert found.value == pytest.approx(frechet_distance(features(generated), features(heldout)).value, rel=1e-10)
    assert "64 principal components, 70 images against 90 held-out real images" in found.text
    few = frechet_distance(generated, heldout[:8])
    assert "7 principal components" in few.text and few.found


def test_agrees_with_an_embedding_given_as_callable():
    rng = np.random.default_rng(9)
    heldout, generated = (torch.from_numpy(rng.normal(size=(300, 3, 4, 4))).float() for _ in range(2))
    layer = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5))
    seen = []

    def embed(batch):
        seen.append(tuple(batch.shape[1:]))
        return layer(batch)

    found = frechet_distance(generated, heldout, embedding=embed)
    with torch.no_grad():
        wanted = frechet_distance(layer(generated), layer(heldout))
    assert found.value == pytest.approx(wanted.value, rel=1e-4)  # float32 products of other batch sizes
    assert set(seen) == {(3, 4, 4)} and "in 5 features" in found.text


def test_limit_few_images_say_what_is_missing():
    heldout = np.random.default_rng(0).normal(size=(20, 4))
    one = frechet_distance(heldout[:1], heldout)
    assert one.status == "ill_posed" and "at least two images, got 1" in one.text
    two = frechet_distance(heldout[:2], heldout)
    assert two.found and two.low is None and two.high is None
    assert frechet_distance(heldout[:3], heldout, folds=2).low is None
    three = frechet_distance(heldout[:3], heldout)
    assert 0 <= three.low <= three.value <= three.high


def test_order_cost_with_interval_is_below_50_ms():
    rng = np.random.default_rng(0)
    known, generated = FrechetReference(rng.normal(size=(1000, 64))), rng.normal(size=(512, 64))
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        known.distance(generated)
        taken.append(time.perf_counter() - begin)
    assert min(taken) < 0.05


@pytest.mark.parametrize("which", ["generated", "heldout"])
def test_rejects_missing_images(which):
    arrays = {"generated": np.ones((6, 3)), "heldout": np.eye(6, 3)}
    arrays[which][2] = np.nan
    with pytest.raises(GenwindowError, match=f"{which} holds NaN or infinite values, first in row 2"):
        frechet_distance(**arrays)


def test_rejects_other_counts_and_shapes():
    with pytest.raises(GenwindowError, match="heldout must hold at least two images, got 1"):
        FrechetReference(np.ones((1, 3)))
    with pytest.raises(GenwindowError, match="generated must hold at least one image, got 0"):
        frechet_distance(np.empty((0, 3)), np.eye(3))
    with pytest.raises(GenwindowError, match=r"generated and heldout must hold images of one shape, got \(5, 4\) and"):
        frechet_distance(np.ones((5, 4)), np.eye(3))
    with pytest.raises(GenwindowError, match="folds must be a whole number of at least 2, got 1"):
        frechet_distance(np.eye(3), np.eye(3), folds=1)


@pytest.mark.parametrize(
    ("embedding", "message"),
    [
        (lambda x: x.sum(), "the embedding of heldout must be a batch of images"),
        (lambda x: x[:3], r"the embedding must return \(20, k\) numbers for 20 images, got \(3, 4\)"),
        (lambda x: x[:, :, None], r"must return \(20, k\) numbers for 20 images, got \(20, 4, 1\)"),
        (lambda x: x * np.nan, "the embedding of heldout holds NaN or infinite values, first in row 0"),
        (lambda x: x[:, : len(x) // 5], "as many features for generated as for heldout, got 2 and 4"),
    ],
)
def test_rejects_embeddings_of_wrong_shape(embedding, message):
    images = np.random.default_rng(0).normal(size=(20, 4))
    with pytest.raises(GenwindowError, match=message):
        frechet_distance(images[:10], images, embedding=embedding)
