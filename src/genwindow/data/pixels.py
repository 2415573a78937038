"""The geometry and colours of one pixel array (C, H, W): grey or colour, centre crop, resize."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genwindow.errors import check, check_integer

MOST_SIZE = 4096
"""Largest side that images are resized to: one grey image is 64 MiB as pixels then."""

Channels = Literal["grey", "colour"]

LUMA = np.array([19595, 38470, 7471]) / 65536  # ITU-R 601-2, the whole-number weights Pillow uses


def convert_channels(pixels: NDArray[Any], channels: Channels | None, where: str) -> NDArray[Any]:
    """`pixels` (..., C, H, W) with one channel (`grey`) or three (`colour`); None changes nothing.

    Grey is the ITU-R 601-2 luma, rounded when the values are whole numbers; colour from grey repeats the channel.
    """
    count = pixels.shape[-3]
    if channels is None or count == {"grey": 1, "colour": 3}[channels]:
        return pixels
    check(count in (1, 3), f"{where}: only 1 or 3 channels can be made {channels}, got {count}; leave channels out")
    if channels == "colour":
        return np.repeat(pixels, 3, axis=-3)
    grey = (np.moveaxis(pixels, -3, -1) @ LUMA)[..., None, :, :]
    return np.floor(grey + 0.5).astype(pixels.dtype) if pixels.dtype.kind in "iu" else grey


def check_size(size: int | None) -> None:
    """Raise where images cannot be resized to this side."""
    if size is not None:
        check_integer("size", size, low=1, high=MOST_SIZE)


def crop_and_resize(pixels: NDArray[Any], size: int | None) -> NDArray[Any]:
    """The centre square of `pixels` (C, H, W), resized to (C, size, size); None changes nothing.

    Pillow's box filter shrinks and its bicubic filter enlarges. 8-bit and 16-bit values are rounded to whole numbers
    again, all others become float32; enlarging never leaves the range of the image.
    """
    if size is None:
        return pixels
    height, width = pixels.shape[1:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = pixels[:, top : top + side, left : left + side]
    if side == size:
        return square
    exact = pixels.dtype == np.uint8
    method = Image.Resampling.BOX if size < side else Image.Resampling.BICUBIC
    planes = np.ascontiguousarray(square if exact else square.astype(np.float32))
    resized = np.stack([np.asarray(Image.fromarray(p).resize((size, size), method)) for p in planes])
    resized = np.clip(resized, planes.min(), planes.max())
    return np.round(resized).astype(np.uint16) if pixels.dtype == np.uint16 else resized
