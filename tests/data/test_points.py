import math

import pytest
import torch

from genwindow import GenwindowError
from genwindow.data.points import LAWS, draw_points
from genwindow.diffusion.draws import keyed_generator


def drawn(name, n, **more):
    return draw_points(name, 8, n, lambda block: keyed_generator("test", block), **more)


@pytest.mark.parametrize("name", LAWS)
def test_a_smaller_set_is_the_beginning_of_a_larger_one(name):
    large, small = drawn(name, 600), drawn(name, 100)
    assert large.points.shape == (600, 8) and large.points.dtype == torch.float32
    assert torch.equal(large.points[:100], small.points) and large.digest != small.digest
    assert len(torch.unique(large.points, dim=0)) == 600


def test_closed_form_moments_of_the_mixture():
    found = drawn("mixture", 8000)
    side = 1.0 - 2.0 * found.labels[:, None]  # component 0 lies at +1
    within = found.points - side
    assert within.mean().abs() < 4.5 / math.sqrt(8000 * 8)
    assert within.std().item() == pytest.approx(1.0, rel=0.02)
    assert found.labels.double().mean().item() == pytest.approx(0.5, abs=4.5 * 0.5 / math.sqrt(8000))


def test_class_weights_are_exact_nested_and_in_the_law():
    large, small = drawn("mixture", 300, weights=(4, 1)), drawn("mixture", 50, weights=(4, 1))
    assert torch.bincount(large.labels).tolist() == [240, 60] and torch.bincount(small.labels).tolist() == [40, 10]
    assert torch.equal(large.points[:50], small.points)
    assert large.law.weights.tolist() == pytest.approx([0.8, 0.2])


def test_a_parameter_changes_the_law():
    near, far = drawn("mixture", 500, parameter=0.5), drawn("mixture", 500, parameter=3.0)
    assert near.points.abs().mean() < far.points.abs().mean() - 1
    flat, steep = drawn("power-law", 500, parameter=0.0), drawn("power-law", 500, parameter=2.0)
    assert steep.points[:, 0].var() > 3 * flat.points[:, 0].var()


def test_rejects_unknown_laws_and_classes_that_are_not_there():
    with pytest.raises(GenwindowError, match="law must be one of mixture, .*; got 'moons'"):
        drawn("moons", 3)
    with pytest.raises(GenwindowError, match="power-law has no classes"):
        drawn("power-law", 3, weights=(1, 1))
    with pytest.raises(GenwindowError, match="mixture has 2 classes, got weights for 3"):
        drawn("mixture", 3, weights=(1, 1, 1))
