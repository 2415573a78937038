import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genwindow.analysis import binomial_interval
from genwindow.errors import GenwindowError
from genwindow.metrics import TrainingSet, memorized_fraction


def normal(*shape, seed=0, dtype=np.float32):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def test_closed_form_ratio_on_a_line():
    found = memorized_fraction([0.1, 0.5, 2.0, 0.25], [0.0, 1.0])
    np.testing.assert_allclose(found.ratio, [1 / 9, 1, 1 / 2, 1 / 3], rtol=1e-15)
    assert found.nearest.tolist() == [0, 0, 1, 0] and found.second.tolist() == [1, 1, 0, 1]
    np.testing.assert_allclose(found.distance[2], [1, 2])
    assert found.fraction.value == 1 / 4  # the ratio 1/3 itself is not below 1/3
    assert found.curve([1 / 9, 1 / 3, 0.5, 1]).value.tolist() == [0, 1 / 4, 1 / 2, 3 / 4]


@pytest.mark.parametrize("noise", [0.0, 1e-4, 1e-6])
def test_closed_form_copies_are_found_and_fresh_images_are_not(noise):
    train, fresh = normal(400, 64), normal(60, 64, seed=1)
    copies = train[:40] + np.float32(noise) * normal(40, 64, seed=2)
    found = memorized_fraction(np.concatenate([copies, fresh]), train, heldout=normal(200, 64, seed=3))
    assert found.fraction.value == 0.4
    assert (found.fraction.low, found.fraction.high) == tuple(map(float, binomial_interval(40, 100)))
    assert found.nearest[:40].tolist() == list(range(40))
    assert found.floor.value == 0 and found.floor.high == pytest.approx(1 - 0.025 ** (1 / 200))


@pytest.mark.parametrize("copies", [2, 5])
def test_closed_form_a_copy_of_a_duplicated_image_is_found(copies):
    """Fault 5 of the paper's code: with duplicates counted apart d1/d2 is 1, and the copy is missed."""
    distinct = normal(50, 16)
    train = np.concatenate([distinct] * copies)[np.random.default_rng(0).permutation(50 * copies)]
    noisy = train + np.float32(1e-3) * normal(*train.shape, seed=1)
    found = memorized_fraction(noisy, train)
    assert found.fraction.value == 1
    first = [int(np.flatnonzero((train == image).all(axis=1))[0]) for image in train]
    assert found.nearest.tolist() == first
    assert (train[found.second] != train[found.nearest]).any(axis=1).all()


def test_limit_floor_in_d_dimensions_is_three_to_the_minus_d():
    """In a locally uniform cloud the ball of the nearest point holds (1/3)^d of the ball of the second."""
    for d in (1, 2):
        rng = np.random.default_rng(d)
        found = memorized_fraction(rng.uniform(size=(20_000, d)), rng.uniform(size=(2_000, d)))
        share = found.fraction
        assert share.value == pytest.approx(3.0**-d, abs=0.03)  # 5 sigma is 0.017; the shared training set adds to it


def test_agrees_with_a_training_set_made_once():
    train, generated, heldout = normal(80, 3, 4, 4), normal(30, 3, 4, 4, seed=1), normal(20, 3, 4, 4, seed=2)
    train[7] = train[3]
    known = TrainingSet(train)
    assert len(known) == 80 and known.distinct.tolist() == [i for i in range(80) if i != 7]
    one = memorized_fraction(generated, train, heldout=heldout)
    for other in (
        memorized_fraction(generated, known, heldout=heldout),
        memorized_fraction(torch.from_numpy(generated), TrainingSet(torch.from_numpy(train)), heldout=heldout),
    ):
        assert other.fraction == one.fraction and other.floor == one.floor
        for field in ("ratio", "nearest", "second", "distance", "heldout_ratio"):
            np.testing.assert_array_equal(getattr(other, field), getattr(one, field))


def test_roundtrip_curve_holds_the_fraction():
    found = memorized_fraction(normal(200, 2, seed=1), normal(50, 2), heldout=normal(90, 2, seed=2))
    for curve, ratio, share in (
        (found.curve([1 / 3]), found.ratio, found.fraction),
        (found.floor_curve([1 / 3]), found.heldout_ratio, found.floor),
    ):
        assert (curve.value[0], curve.low[0], curve.high[0]) == (share.value, share.low, share.high)
        assert share.value == (ratio < 1 / 3).mean() and 0 < share.value < 1
    curve = found.curve()
    assert curve.threshold.tolist() == np.linspace(0.01, 1, 100).tolist()
    np.testing.assert_array_equal(curve.value, (found.ratio[:, None] < curve.threshold).mean(axis=0))
    assert (np.diff(curve.value) >= 0).all()
    assert (curve.low <= curve.value).all() and (curve.value <= curve.high).all()
    assert curve.high[0] > 0


@given(
    train=hnp.arrays(
        np.float64, st.tuples(st.integers(1, 8), st.just(2)), elements=st.floats(-1e299, 1e299, allow_subnormal=True)
    ),
    data=st.data(),
)
@settings(deadline=None)
def test_limit_zero_over_zero_cannot_occur(train, data):
    """Every ratio is a number in [0, 1], for copies too, unless there are not two distinct training images."""
    pick = data.draw(st.lists(st.integers(0, len(train) - 1), min_size=1, max_size=5))
    found = memorized_fraction(train[pick], train)
    if len(np.unique(train, axis=0)) < 2:
        assert found.fraction.status == "ill_posed" and np.isnan(found.ratio).all()
    else:
        assert (found.ratio == 0).all() and (found.distance[:, 1] > 0).all()
        assert found.fraction.value == 1


def test_limit_images_that_differ_by_the_smallest_number_are_distinct():
    train = np.array([[1.0, 0.0], [1.0, 5e-324], [-0.0, 1.0], [0.0, 1.0]])
    found = memorized_fraction(train, train)
    assert found.ratio.tolist() == [0, 0, 0, 0] and found.nearest.tolist() == [0, 1, 2, 2]


@pytest.mark.parametrize("train", [np.ones((1, 4)), np.ones((6, 4))])
def test_limit_one_distinct_image_is_ill_posed(train):
    found = memorized_fraction(normal(5, 4), train, heldout=normal(3, 4))
    for share in (found.fraction, found.floor):
        assert share.status == "ill_posed" and share.value is None
        assert "two distinct training images" in share.text
    assert np.isnan(found.ratio).all() and (found.nearest == 0).all() and (found.second == -1).all()
    assert np.isfinite(found.distance[:, 0]).all() and np.isnan(found.distance[:, 1]).all()
    with pytest.raises(GenwindowError, match="no ratio curve: the training set has fewer than two distinct images"):
        found.curve()


@pytest.mark.parametrize("which", ["generated", "train", "heldout"])
def test_rejects_missing_samples(which):
    """Fault 1 of the paper's code: NaN ratios counted as not memorized."""
    arrays = {"generated": normal(9, 4), "train": normal(8, 4), "heldout": normal(7, 4)}
    arrays[which][5] = np.nan
    with pytest.raises(GenwindowError, match=f"{which} holds NaN or infinite values, first in row 5"):
        memorized_fraction(**arrays)
    arrays[which] = np.empty((0, 4))
    with pytest.raises(GenwindowError, match=rf"{which} must hold at least one image, got shape \(0, 4\)"):
        memorized_fraction(**arrays)


@pytest.mark.parametrize("which", ["generated", "heldout"])
def test_rejects_other_shapes(which):
    arrays = {"generated": normal(9, 4), "heldout": normal(7, 4), which: normal(5, 3)}
    with pytest.raises(GenwindowError, match=rf"{which} and train must hold images of one shape, got \(5, 3\)"):
        memorized_fraction(train=normal(8, 4), **arrays)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0}, r"threshold must be a number in \(0, 1\]"),
        ({"threshold": 1.2}, r"threshold must be a number in \(0, 1\]"),
        ({"confidence": 1}, r"confidence must be a number in \(0, 1\)"),
        ({"memory": 10}, "memory must be at least"),
    ],
)
def test_rejects_options(options, message):
    with pytest.raises(GenwindowError, match=message):
        memorized_fraction(normal(5, 4), normal(8, 4), **options)


def test_rejects_curves_that_are_not_there():
    found = memorized_fraction(normal(5, 4), normal(8, 4))
    assert found.floor is None and found.heldout_ratio is None
    with pytest.raises(GenwindowError, match="floor_curve needs held-out images"):
        found.floor_curve()
    with pytest.raises(GenwindowError, match=r"thresholds must lie in \(0, 1\]"):
        found.curve([0.5, 1.5])
