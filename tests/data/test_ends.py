import numpy as np
import pytest

from genwindow.data import Images
from genwindow.data.ends import black_and_white, narrowed


@pytest.mark.parametrize(
    ("dtype", "smallest", "largest", "ends"),
    [
        (np.int64, 3, 250, (0, 255)),  # 8 bits, widened on the way
        (np.uint32, 0, 40000, (0, 65535)),
        (np.int16, 0, 1, (0, 1)),
        (np.uint8, 0, 1, (0, 255)),
        (np.int32, 0, 100, (0, 100)),
        (np.int16, -1000, 3000, (-1000, 3000)),
        (np.uint16, 3, 250, (0, 65535)),
        (float, 3, 250, (3, 250)),
        (float, 0.25, 0.25, (0, 1)),
        (float, -0.25, -0.25, (-1, 1)),
    ],
)
def test_black_and_white_of_values_that_come_without_them(dtype, smallest, largest, ends):
    raw = np.array([smallest, largest], dtype).reshape(2, 1, 1, 1)
    images = Images.from_raw(raw)
    assert (images.low, images.high) == black_and_white(raw, None, None, "array") == ends


@pytest.mark.parametrize(
    ("dtype", "largest", "becomes"),
    [
        (np.int64, 250, np.uint8),
        (np.uint32, 40000, np.uint16),
        (np.int32, 100, np.int32),
        (np.int32, 1, np.int32),
        (np.uint16, 250, np.uint16),
        (float, 250, float),
        (bool, 1, bool),
    ],
)
def test_values_that_are_taken_for_8_or_16_bits_become_these(dtype, largest, becomes):
    raw = np.array([0, largest], dtype)
    assert narrowed(raw).dtype == becomes and np.array_equal(narrowed(raw), raw)
    assert black_and_white(raw, None, None, "array") == black_and_white(narrowed(raw), None, None, "array")
