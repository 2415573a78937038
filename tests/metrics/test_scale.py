import numpy as np
import pytest
import torch

from genwindow.metrics.scale import ends_of, other_scale

SIGNED = np.array([[-1.0, 1.0], [-0.9, 0.9], [-0.7, 1.0], [-1.0, 0.2]])
BYTES = np.array([[0.0, 255.0], [12.0, 240.0], [0.0, 3.0]])


def test_agrees_with_minimum_and_maximum_of_each_image():
    images = np.random.default_rng(0).normal(size=(5, 2, 3, 3)).astype(np.float32)
    expected = np.stack([images.min(axis=(1, 2, 3)), images.max(axis=(1, 2, 3))], axis=1)
    np.testing.assert_array_equal(ends_of(images), expected)
    np.testing.assert_array_equal(ends_of(torch.from_numpy(images)), expected)
    assert ends_of(torch.from_numpy(images).bfloat16()).dtype == np.float64


@pytest.mark.parametrize(
    ("low", "high", "ends", "scale"),
    [
        (0.0, 1.0, SIGNED, "[0, 1]"),
        (-0.2, 1.2, SIGNED, "[0, 1]"),  # that nobody clipped
        (0.3, 0.3, SIGNED, "[0, 1]"),
        (0.0, 1.0, BYTES, "[0, 1]"),
        (-1.0, 1.0, BYTES, "[-1, 1]"),
        (-1.0, 1.0, SIGNED, ""),
        (-0.6, 1.0, SIGNED, ""),
        (0.0, 1.0, np.array([[-0.3, 1.3], [0.0, 1.0]]), ""),  # overshoot
        (-0.1, 0.1, SIGNED, ""),  # an untrained network, of images around 0
        (-1.0, 1.0, np.array([[-2.1, 2.6], [-1.8, 2.2]]), ""),  # low contrast
        (-4.0, 4.0, SIGNED, ""),  # noise
        (0.0, 255.0, BYTES, ""),
    ],
)
def test_two_scales_are_told_apart_and_one_is_left_alone(low, high, ends, scale):
    assert other_scale(low, high, 50, ends) == scale


def test_limit_of_chance():
    """Where half of the images stay in [0, 1], six of them all do so by chance, and seven hardly."""
    ends = np.array([[-1.0, 1.0], [0.1, 1.0]])
    assert other_scale(0.0, 1.0, 6, ends) == "" and other_scale(0.0, 1.0, 7, ends) == "[0, 1]"


def test_outliers_are_no_scale():
    ends = np.tile([[0.0, 1.0]], (100, 1))
    ends[:9, 0] = -5.0
    assert other_scale(0.0, 1.0, 10_000, ends) == ""
    ends[:10, 0] = -5.0
    assert other_scale(0.0, 1.0, 10_000, ends) == "[0, 1]"
