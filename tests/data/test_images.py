import numpy as np
import pytest
import torch

from genwindow import GenwindowError
from genwindow.data import Images, load_images

LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)


def test_roundtrip_all_256_levels():
    images = Images.from_raw(LEVELS)
    assert (images.low, images.high, images.whole) == (0, 255, True)
    assert images.pixels.dtype == np.float32
    assert images.pixels.min() == -1 and images.pixels.max() == 1
    np.testing.assert_array_equal(images.display(images.pixels)[..., 0], LEVELS[:, 0])
    np.testing.assert_array_equal(images.raw(images.pixels), LEVELS)


def test_roundtrip_16_bits():
    raw = np.arange(65536, dtype=np.uint16).reshape(1, 1, 256, 256)
    images = Images.from_raw(raw)
    np.testing.assert_array_equal(images.raw(images.pixels), raw)


def test_roundtrip_float_range():
    raw = np.random.default_rng(0).normal(5, 30, (7, 2, 3, 3))
    images = Images.from_raw(raw)
    assert (images.low, images.high, images.whole) == (raw.min(), raw.max(), False)
    np.testing.assert_allclose(images.raw(images.pixels), raw, atol=1e-7 * np.ptp(raw))


def test_roundtrip_pixels_already_in_place_are_untouched():
    raw = np.random.default_rng(0).uniform(-1, 1, (3, 1, 4, 4)).astype(np.float32)
    images = Images.from_raw(raw, low=-1, high=1)
    np.testing.assert_array_equal(images.pixels, raw)
    np.testing.assert_array_equal(images.raw(images.pixels), raw)


def test_display_clips_and_survives_nan():
    images = Images.from_raw(LEVELS)
    shown = images.display(np.array([-7.0, 7.0, np.nan, np.inf]).reshape(1, 1, 2, 2))
    np.testing.assert_array_equal(shown.ravel(), [0, 255, 0, 255])


@pytest.mark.parametrize(("channels", "shown"), [(1, 1), (2, 1), (3, 3), (5, 3)])
def test_display_channels(channels, shown):
    raw = np.random.default_rng(0).integers(0, 256, (2, channels, 3, 4), dtype=np.uint8)
    images = load_images(raw)
    assert images.shape == (channels, 3, 4)
    np.testing.assert_array_equal(images.display(images.pixels), raw.transpose(0, 2, 3, 1)[..., :shown])


def test_display_takes_tensors():
    images = Images.from_raw(LEVELS)
    tensor = torch.tensor(images.pixels).requires_grad_()
    np.testing.assert_array_equal(images.display(tensor)[..., 0], LEVELS[:, 0])
    np.testing.assert_array_equal(
        images.display(torch.ones(1, 1, 2, 2, dtype=torch.bfloat16)), np.full((1, 2, 2, 1), 255)
    )


def test_arrays_are_read_only_and_owned():
    mine = np.zeros((2, 1, 2, 2), dtype=np.float32)
    images = Images(mine, 0, 1, False, ("a", "b"), groups=np.array(["p", "q"]), labels=np.array([0, 1]))
    mine[:] = 1
    assert images.pixels.max() == 0
    for array in (images.pixels, images.groups, images.labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[1]
    images.pixels[[0, 1]][0] = 1  # an indexed copy may be written to


def test_select_keeps_everything_together():
    raw = np.arange(12, dtype=np.uint8).reshape(3, 1, 2, 2)
    images = Images.from_raw(raw, names=["a", "b", "c"], groups=["p", "q", "r"], labels=[5, 6, 7], source="here")
    part = images.select([2, 0])
    assert part.names == ("c", "a") and list(part.groups) == ["r", "p"] and list(part.labels) == [7, 5]
    assert (part.low, part.high, part.whole, part.source, len(part)) == (0, 255, True, "here", 2)
    np.testing.assert_array_equal(part.raw(part.pixels), raw[[2, 0]])


def test_digest_depends_on_pixels_and_shape_only():
    raw = np.arange(8, dtype=np.uint8).reshape(2, 1, 2, 2)
    one = Images.from_raw(raw)
    assert one.digest == Images.from_raw(raw, names=["x", "y"], source="elsewhere").digest
    assert len(one.digest) == 64
    others = {one.digest, one.select([1, 0]).digest, Images.from_raw(raw.reshape(2, 1, 1, 4)).digest}
    assert len(others) == 3


@pytest.mark.parametrize(
    ("raw", "options", "message"),
    [
        (np.zeros((2, 2, 2)), {}, r"must have the shape \(N, C, H, W\), got \(2, 2, 2\)"),
        (np.zeros((0, 1, 2, 2)), {}, "there are no pixels"),
        (np.full((2, 1, 2, 2), 7.0), {}, "every value is 7, which does not tell black from white"),
        (np.full((2, 1, 2, 2), 7.0), {"low": 8}, "low must be below high, got low=8 and high=7; pass both"),
        (np.zeros((2, 1, 2, 2), dtype=complex), {}, "must be real numbers, got an array of complex128"),
        (LEVELS, {"high": 16}, "values run from 0 to 255, outside low=0 and high=16"),
        (LEVELS, {"low": "x"}, "low must be a number"),
        (LEVELS, {"names": ["a", "b"]}, "names must have one entry for each of 1 images"),
        (LEVELS, {"labels": [0.5]}, "labels must be whole numbers, got float64"),
        (LEVELS, {"labels": np.array([2**63], dtype=np.uint64)}, "labels must lie in .*, got 0 to 9223372036854775808"),
        (LEVELS, {"labels": [1e30]}, "labels must lie in"),
        (LEVELS, {"groups": ["a", "b"]}, r"groups must have one entry for each of 1 images, got \(2,\)"),
    ],
)
def test_rejects_raw_values(raw, options, message):
    with pytest.raises(GenwindowError, match=message):
        Images.from_raw(raw, **options)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_rejects_values_that_are_not_finite(bad):
    raw = np.zeros((5, 1, 2, 2))
    raw[3, 0, 1, 1] = bad
    with pytest.raises(GenwindowError, match="array: NaN or infinite values in 1 of 5 images, the first is image 3"):
        load_images(raw)


def test_rejects_pixels_out_of_range():
    with pytest.raises(GenwindowError, match=r"must lie in \[-1, 1\], got \[2, 2\]"):
        Images(np.full((1, 1, 1, 1), 2, dtype=np.float32), 0, 1, False, ("a",))
    with pytest.raises(GenwindowError, match="must be float32 of shape"):
        Images(np.zeros((1, 1, 1, 1)), 0, 1, False, ("a",))


@pytest.mark.parametrize("indices", [[], [[0]], [0.5], [True]])
def test_rejects_indices(indices):
    with pytest.raises(GenwindowError, match="indices must be a list of at least one whole number"):
        Images.from_raw(LEVELS).select(indices)


@pytest.mark.parametrize("indices", [[1], [-1]])
def test_rejects_indices_out_of_range(indices):
    with pytest.raises(GenwindowError, match=r"indices must lie in \[0, 0\]"):
        Images.from_raw(LEVELS).select(indices)


def test_rejects_other_shapes():
    images = Images.from_raw(LEVELS)
    with pytest.raises(GenwindowError, match=r"must have the shape \(M, C, H, W\), got \(16, 16\)"):
        images.display(images.pixels[0, 0])
