import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from genwindow import GenwindowError
from genwindow.data.classes import as_labels, choose_by_class, classes_in_shares


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=6), st.integers(1, 200))
def test_no_class_is_a_whole_place_above_its_share_and_prefixes_agree(weights, count):
    order = classes_in_shares(weights, count)
    places = np.arange(1, count + 1)[:, None]
    above = (order[:, None] == np.arange(len(weights))).cumsum(0) - np.array(weights) / sum(weights) * places
    assert (above < 1).all() and np.abs(above.sum(1)).max() < 1e-9
    assert (classes_in_shares(weights, count // 2) == order[: count // 2]).all()


def test_closed_form_four_to_one():
    assert np.bincount(classes_in_shares((4, 1), 100)).tolist() == [80, 20]
    assert np.bincount(classes_in_shares((0, 2, 1), 30), minlength=3).tolist() == [0, 20, 10]


def test_chosen_images_have_the_shares_keep_their_order_and_are_nested():
    labels = np.random.default_rng(0).integers(0, 3, 300)
    large, small = choose_by_class(labels, (4, 1), 60), choose_by_class(labels, (4, 1), 25)
    assert np.bincount(labels[large]).tolist() == [48, 12] and (large[:25] == small).all()
    for k in (0, 1):
        assert (large[labels[large] == k] == np.flatnonzero(labels == k)[: (labels[large] == k).sum()]).all()


def test_limit_a_class_that_runs_out_ends_the_set():
    labels = np.array([0] * 50 + [1] * 3)
    assert np.bincount(labels[choose_by_class(labels, (1, 1))]).tolist() == [4, 3]


def test_rejects_weights_that_are_no_shares():
    for weights in ((0, 0), (-1, 2), (float("nan"), 1)):
        with pytest.raises(GenwindowError, match="weights must be numbers of at least 0, not all of them 0"):
            classes_in_shares(weights, 3)


@pytest.mark.parametrize("given", [[1, 0, -1], np.array([1, 0, -1], dtype=np.int8), torch.tensor([1, 0, -1])])
def test_classes_come_as_lists_arrays_and_tensors(given):
    found = as_labels("label", given, 3, 2)
    assert found.dtype == torch.int64 and found.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([0.0, 1.0, 0.0], "label must be whole numbers, got float32"),
        ([True, False, True], "label must be whole numbers, got bool"),
        (["cat", "dog", "cat"], "label must be whole numbers, one for each image, got"),
        ([0, 1], r"label must be one for each of 3 images, got \(2,\)"),
        ([[0, 1, 0]], r"label must be one for each of 3 images, got \(1, 3\)"),
        (0, r"label must be one for each of 3 images, got \(\)"),
        ([0, 1, 2], r"label must be classes 0 to 1 or -1, got \[2\]"),
        ([0, 1, -2], r"label must be classes 0 to 1 or -1, got \[-2\]"),
        (torch.tensor([0, 1, 255], dtype=torch.uint8), r"label must be classes 0 to 1 or -1, got \[255\]"),
    ],
)
def test_rejects_what_names_no_class(given, message):
    with pytest.raises(GenwindowError, match=message):
        as_labels("label", given, 3, 2)
