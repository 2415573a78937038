"""Rows: any batch of images seen as a matrix with one image a row, checked to be finite.

Nothing is copied where the images can be seen as a matrix in place.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from genwindow.errors import GenwindowError, NotFinite, check

_SHORT = (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16)
_KNOWN_AS = {  # types that few torch operations know
    torch.bool: torch.uint8,
    torch.uint16: torch.float32,
    torch.uint32: torch.float64,
    torch.uint64: torch.float64,
}
_BLOCK = 1 << 22  # numbers checked at a time


class Rows(NamedTuple):
    """Images as a matrix.

    Attributes:
        matrix: (N, d) real, finite numbers, on the device they came from.
        shape: (N, ...) of the images as given.
        largest: largest absolute value.
    """

    matrix: Tensor
    shape: tuple[int, ...]
    largest: float

    @property
    def fits_float32(self) -> bool:
        """Whether float32 holds every number of this type exactly."""
        return self.matrix.dtype in _SHORT


def as_rows(name: str, images: Any) -> Rows:
    """The images as a matrix.

    Args:
        name: of the argument, for messages.
        images: (N, ...) torch tensor, NumPy array, or anything NumPy makes an array of.

    Raises:
        GenwindowError: when they are no images of real numbers, or some are not finite (names the first row).
    """
    tensor = images.detach() if isinstance(images, Tensor) else _from_numpy(name, images)
    check(tensor.ndim >= 1, f"{name} must be a batch of images (N, ...), got a single number")
    check(not tensor.is_complex(), f"{name} must hold real numbers, got dtype {tensor.dtype}")
    tensor = tensor.to(_KNOWN_AS[tensor.dtype]) if tensor.dtype in _KNOWN_AS else tensor
    matrix = tensor[:, None] if tensor.ndim == 1 else tensor.flatten(1)
    check(matrix.shape[1] > 0, f"{name} must hold at least one number per image, got shape {tuple(tensor.shape)}")
    largest = _largest(name, matrix)
    most = 1e300 if tensor.is_floating_point() else 2.0**53  # beyond, differences leave the range of float64
    check(largest < most, f"{name} must hold numbers below {most:g} in size, got {largest:g}")
    return Rows(matrix, tuple(tensor.shape), largest)


def _from_numpy(name: str, images: Any) -> Tensor:
    try:
        array = np.asarray(images)
    except ValueError:
        raise GenwindowError(f"{name} must be rectangular: its rows have different lengths") from None
    check(array.dtype.kind in "biuf", f"{name} must hold real numbers, got dtype {array.dtype}")
    if array.itemsize > 8:
        array = array.astype(np.float64)
    if any(stride < 0 for stride in array.strides) or not array.dtype.isnative:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable")  # nothing here writes
        return torch.from_numpy(array)


def _largest(name: str, matrix: Tensor) -> float:
    """The largest absolute value, 0 without images; raises when one is not finite."""
    found = 0.0
    step = max(1, _BLOCK // matrix.shape[1])
    for start in range(0, len(matrix), step):
        block = matrix[start : start + step]
        ends = [abs(float(end)) for end in torch.aminmax(block)]  # carries NaN, and needs no memory
        if not all(map(math.isfinite, ends)):
            bad = start + int((~torch.isfinite(block)).any(1).nonzero()[0])
            raise NotFinite(
                f"{name} holds NaN or infinite values, first in row {bad} of {len(matrix)}; a missing or broken image "
                "must be removed, not counted"
            )
        found = max(found, *ends)
    return found


def check_same_images(first: str, a: Rows, second: str, b: Rows) -> None:
    """Raise unless the two batches hold images of one shape; a flattened batch goes with any shape of its size."""
    one, other = ([n for n in rows.shape[1:] if n != 1] for rows in (a, b))
    check(
        math.prod(one) == math.prod(other) and (one == other or min(len(one), len(other)) <= 1),
        f"{first} and {second} must hold images of one shape, got {a.shape} and {b.shape}",
    )
