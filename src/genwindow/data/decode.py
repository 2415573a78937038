"""One image file, decoded: bytes in, pixel array (C, H, W) out.

Grey files give one channel, everything else three. Transparent pixels are composited onto white. 16-bit grey files keep
their 16 bits; files with 16 bits per colour are read with 8, as Pillow does. The camera's orientation tag is obeyed.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from genwindow.errors import GenwindowError, check

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".pbm", ".pnm")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP", "PPM")  # decoders that only decode


def _flatten(image: Image.Image) -> Image.Image:
    """Grey (`L`) or colour (`RGB`) without transparency."""
    plain = "L" if image.mode in ("1", "L", "LA") else "RGB"
    if image.mode in ("LA", "PA", "RGBA") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(plain)


def _array(image: Image.Image) -> NDArray[Any]:
    check(image.mode != "F", "has floating-point pixels; save the set as .npy")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        check(values.min() >= 0 and values.max() <= 65535, "has more than 16 bits per pixel; save the set as .npy")
        return values.astype(np.uint16)[None]
    values = np.asarray(_flatten(image))
    return values[None] if values.ndim == 2 else values.transpose(2, 0, 1)


def decode(open_file: Callable[[], BinaryIO]) -> NDArray[Any]:
    """The image in a file.

    Args:
        open_file: opens the file for reading.

    Returns:
        (1 or 3, H, W) uint8, or (1, H, W) uint16 for 16-bit grey files.

    Raises:
        GenwindowError: why the file cannot be used, without its name: broken, truncated, several frames, too large.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # remarks of the decoders about metadata
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            with open_file() as file, Image.open(file, formats=_FORMATS) as image:
                frames = getattr(image, "n_frames", 1)
                still = frames == 1 or image.format == "MPO"  # a phone's MPO is one photo with extras
                check(still, f"has {frames} frames; save the frame you want as a file of its own")
                return _array(ImageOps.exif_transpose(image))
        except GenwindowError:
            raise
        except UnidentifiedImageError:
            raise GenwindowError(f"is not one of {', '.join(_FORMATS)}") from None
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            raise GenwindowError(f"has more than {Image.MAX_IMAGE_PIXELS} pixels; shrink it first") from None
        except Exception as error:  # decoders of damaged files raise nearly every type there is
            reason = (str(error) or type(error).__name__).splitlines()[0]
            raise GenwindowError(reason[:80]) from None
