import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from genwindow.data import Images, find_duplicates


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=30))
def test_agrees_with_pairwise_comparison(kinds):
    images = np.random.default_rng(0).normal(size=(6, 1, 3, 3))[kinds]
    found = find_duplicates(images)
    expected = [next(j for j in range(len(images)) if np.array_equal(images[i], images[j])) for i in range(len(images))]
    np.testing.assert_array_equal(found.representative, expected)
    assert found.count == len(kinds) - len(set(kinds))
    assert found.groups == tuple(
        tuple(np.flatnonzero(np.array(expected) == r).tolist()) for r in sorted(set(expected)) if expected.count(r) > 1
    )


def test_signed_zeros_are_equal():
    assert find_duplicates(np.array([[0.0], [-0.0], [1.0]])).groups == ((0, 1),)


def test_one_bit_makes_a_difference():
    images = np.ones((2, 4), dtype=np.float32)
    images[1, 3] = np.nextafter(np.float32(1), np.float32(2))
    assert find_duplicates(images).count == 0


def test_equal_hashes_are_compared(monkeypatch):
    class Same:
        def __init__(self, data, digest_size):
            pass

        def digest(self):
            return b"same"

    monkeypatch.setattr("genwindow.data.duplicates.hashlib.blake2b", Same)
    assert find_duplicates(np.array([[1], [2], [1], [3], [2]])).groups == ((0, 2), (1, 4))


def test_takes_images():
    raw = np.array([3, 4, 3], dtype=np.uint8).reshape(3, 1, 1, 1)
    found = find_duplicates(Images.from_raw(raw))
    assert found.groups == ((0, 2),) and found.count == 1
    np.testing.assert_array_equal(found.representative, [0, 1, 0])
