import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genwindow import GenwindowError
from genwindow.data import Centring, Images


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_roundtrip(seed, n):
    raw = np.random.default_rng(seed).integers(0, 256, (n, 3, 4, 5), dtype=np.uint8)
    images = Images.from_raw(raw)
    centring = Centring.fit(images.pixels)
    centred = centring.apply(images.pixels)
    assert centred.dtype == np.float32
    restored = centring.invert(centred)
    assert restored.dtype == np.float32
    np.testing.assert_array_equal(images.raw(restored), raw)
    np.testing.assert_array_equal(images.display(restored), raw.transpose(0, 2, 3, 1))


def test_closed_form_mean_is_accumulated_in_float64():
    pixels = np.full((20000, 1, 1, 2), 0.1, dtype=np.float32)
    np.testing.assert_allclose(Centring.fit(pixels).mean, np.float64(np.float32(0.1)), rtol=1e-13)


def test_rejects_other_shapes():
    with pytest.raises(GenwindowError, match=r"must have the shape \(M, 1, 16, 16\), got \(2, 1, 8, 8\)"):
        Centring.fit(np.zeros((3, 1, 16, 16))).apply(np.zeros((2, 1, 8, 8)))
    with pytest.raises(GenwindowError, match="at least one image"):
        Centring.fit(np.zeros((0, 1, 2, 2)))
