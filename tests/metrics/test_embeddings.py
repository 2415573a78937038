import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from genwindow.errors import GenwindowError
from genwindow.metrics import principal_components


def correlated(count, dim, rank=None, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, rank or dim)) @ rng.normal(size=(rank or dim, dim)) + 3


@pytest.mark.parametrize(("count", "dim"), [(200, 20), (20, 200)])
def test_agrees_with_scikit_learn(count, dim):
    images = correlated(count, dim)
    found = principal_components(images, 5)
    wanted = PCA(5, svd_solver="full").fit(images)
    np.testing.assert_allclose(found.mean, wanted.mean_, rtol=1e-12)
    np.testing.assert_allclose(found.variance, wanted.explained_variance_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.axes.T @ wanted.components_.T), np.eye(5), atol=1e-7)


def test_roundtrip_all_components_keep_distances():
    images = correlated(50, 6)
    features = principal_components(images.reshape(50, 2, 3), 6)(torch.from_numpy(images).reshape(50, 2, 3))
    gram = features @ features.T
    centred = images - images.mean(axis=0)
    np.testing.assert_allclose(gram, centred @ centred.T, rtol=1e-9, atol=1e-9)


def test_limit_directions_without_variance_are_left_out():
    for count, dim in ((40, 10), (10, 40)):
        assert principal_components(correlated(count, dim, rank=3), 6).axes.shape == (dim, 3)


def test_limit_a_large_set_is_thinned_out():
    images = np.zeros((10_000, 2))
    images[:, 0] = np.linspace(-1, 1, 10_000)
    images[::2, 1] = 1e-3
    found = principal_components(images, 1)
    np.testing.assert_allclose(found.axes, [[1], [0]], atol=1e-3)


def test_rejects_what_has_no_components():
    with pytest.raises(GenwindowError, match="at least two images, got 1"):
        principal_components(np.ones((1, 3)), 1)
    with pytest.raises(GenwindowError, match="all are the same"):
        principal_components(np.ones((4, 3)), 1)
    with pytest.raises(GenwindowError, match="k must be a whole number of at least 1 and at most 3, got 4"):
        principal_components(np.ones((4, 9)), 4)
    with pytest.raises(GenwindowError, match=r"images must have 9 numbers each, got shape \(2, 8\)"):
        principal_components(correlated(20, 9), 4)(np.ones((2, 8)))
