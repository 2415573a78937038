import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwindow import GenwindowError
from genwindow.data import Images, split


def distinct(count, groups=None):
    raw = np.arange(count, dtype=np.uint16).reshape(count, 1, 1, 1)
    return Images.from_raw(raw, groups=groups)


def same(one, other):
    return all(np.array_equal(getattr(one, k), getattr(other, k)) for k in ("train", "heldout", "reference", "pool"))


def check_disjoint_and_complete(parts, count):
    everything = np.concatenate([parts.heldout, parts.reference, parts.pool])
    np.testing.assert_array_equal(np.sort(everything), np.arange(count))


@settings(deadline=None)
@given(st.integers(5, 200), st.integers(0, 1000), st.data())
def test_nested_disjoint_and_of_the_size_asked(count, seed, data):
    heldout = data.draw(st.integers(2, count - 3))
    reference = data.draw(st.integers(2, count - heldout - 1))
    room = count - heldout - reference
    small, large = sorted(data.draw(st.lists(st.integers(1, room), min_size=2, max_size=2)))
    one = split(count, small, seed=seed, heldout=heldout, reference=reference)
    two = split(count, large, seed=seed, heldout=heldout, reference=reference)
    assert (len(one.train), len(one.heldout), len(one.reference), len(one.pool)) == (small, heldout, reference, room)
    np.testing.assert_array_equal(one.train, two.train[:small])
    for part in ("heldout", "reference", "pool"):
        np.testing.assert_array_equal(getattr(one, part), getattr(two, part))
    check_disjoint_and_complete(one, count)
    np.testing.assert_array_equal(two.train, two.pool[:large])


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 9), min_size=8, max_size=60).filter(lambda g: len(set(g)) >= 3),
    st.lists(st.integers(0, 40), min_size=60, max_size=60),
    st.integers(0, 100),
)
def test_groups_and_duplicates_never_straddle(groups, contents, seed):
    count = len(groups)
    raw = np.array(contents[:count], dtype=np.uint8).reshape(count, 1, 1, 1)
    images = Images.from_raw(raw, groups=[f"g{g}" for g in groups])
    try:
        parts = split(images, 1, seed=seed)
    except GenwindowError as error:
        assert "groups cannot be divided" in str(error)  # duplicates have tied the groups together
        return
    check_disjoint_and_complete(parts, count)
    sets = (parts.heldout, parts.reference, parts.pool)
    assert min(map(len, sets)) >= 1
    for values in (np.array(groups), raw.ravel()):
        seen = [set(values[part]) for part in sets]
        assert sum(map(len, seen)) == len(set.union(*seen))


def test_equal_groups_give_the_closest_size():
    images = distinct(100, groups=[str(i // 10) for i in range(100)])
    for asked, expected in [(2, 10), (10, 10), (14, 10), (16, 20), (20, 20), (29, 30)]:
        parts = split(images, 10, heldout=asked, reference=20)
        assert (len(parts.heldout), len(parts.reference)) == (expected, 20)


def test_training_images_come_from_many_groups():
    images = distinct(400, groups=[str(i // 10) for i in range(400)])
    assert len(set(images.groups[split(images, 64).train])) > 12


def test_limit_three_groups_give_one_each():
    images = distinct(30, groups=[str(i % 3) for i in range(30)])
    parts = split(images, 10, heldout=14, reference=14)
    assert [len(p) for p in (parts.heldout, parts.reference, parts.pool)] == [10, 10, 10]


def test_defaults_are_a_fifth():
    parts = split(1797, 256)
    assert (len(parts.heldout), len(parts.reference), len(parts.pool)) == (359, 359, 1079)
    assert [len(p) for p in (split(5, 1).heldout, split(5, 1).reference)] == [2, 2]


def test_deterministic_and_different_for_other_seeds():
    np.random.seed(1)
    one = split(100, 10, seed=7)
    np.random.seed(2)
    assert same(one, split(100, 10, seed=7))
    assert same(one, split(distinct(100), 10, seed=7))
    assert not set(one.heldout) == set(split(100, 10, seed=8).heldout)


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()
    split(100, 10)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_every_image_is_held_out_equally_often():
    counts = np.zeros(20)
    for seed in range(2000):
        counts[split(20, 1, seed=seed, heldout=5, reference=5).heldout] += 1
    # binomial(2000, 1/4): six standard deviations are 116
    assert np.abs(counts - 500).max() < 116


def test_indices_are_read_only():
    with pytest.raises(ValueError, match="read-only"):
        split(10, 2).train[0] = 1


def test_rejects_sizes():
    message = (
        r"n=61 is more than the 60 training images that array has \(100 in all, 20 held out, 20 for reference\); lower"
    )
    with pytest.raises(GenwindowError, match=message):
        split(distinct(100), 61)
    with pytest.raises(GenwindowError, match="heldout=50 and reference=50 leave no training image of 100; lower them"):
        split(100, 1, heldout=50, reference=50)
    with pytest.raises(GenwindowError, match="heldout=2 and reference=2 leave no training image of 4"):
        split(4, 1)


def test_rejects_too_few_groups():
    with pytest.raises(GenwindowError, match="10 images in 2 groups cannot be divided .* give at least 3 groups"):
        split(distinct(10, groups=["a"] * 5 + ["b"] * 5), 1)
    with pytest.raises(GenwindowError, match="10 images in 1 groups cannot be divided"):
        split(Images.from_raw(np.zeros((10, 1, 2, 2), dtype=np.uint8)), 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": 0}, "n must be a whole number of at least 1, got 0"),
        ({"n": 1.5}, "n must be a whole number"),
        ({"n": 1, "seed": -1}, "seed must be a whole number of at least 0, got -1"),
        ({"n": 1, "heldout": 1}, "heldout must be a whole number of at least 2, got 1"),
        ({"n": 1, "reference": 1}, "reference must be a whole number of at least 2, got 1"),
    ],
)
def test_rejects_arguments(arguments, message):
    with pytest.raises(GenwindowError, match=message):
        split(100, **arguments)
    with pytest.raises(GenwindowError, match="images must be a whole number of at least 1"):
        split(0, 1)
