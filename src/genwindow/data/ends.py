"""The ends of a range: the raw values that are black and white, where nobody says which they are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genwindow.errors import GenwindowError, check, check_number

WHOLE_ENDS = {np.dtype(bool): (0.0, 1.0), np.dtype(np.uint8): (0.0, 255.0), np.dtype(np.uint16): (0.0, 65535.0)}
"""Black and white of whole numbers of 1, 8 and 16 bits."""


def black_and_white(raw: NDArray[Any], low: float | None, high: float | None, source: str) -> tuple[float, float]:
    """The raw values to map on -1 and +1, and the check that all values lie between them.

    Args:
        raw: (N, ...) values.
        low: what becomes -1, or None.
        high: what becomes +1, or None.
        source: where they come from, used in messages.

    Raises:
        GenwindowError: NaN or infinite, outside [low, high], or one value throughout that does not tell black from
            white.
    """
    first, last = float(raw.min()), float(raw.max())
    if not (np.isfinite(first) and np.isfinite(last)):
        bad = ~np.isfinite(raw).reshape(len(raw), -1).all(axis=1)
        raise GenwindowError(
            f"{source}: NaN or infinite values in {bad.sum()} of {len(raw)} images, the first is image "
            f"{int(np.argmax(bad))}; remove or repair them"
        )
    lowest, highest = _usual_ends(raw.dtype, first, last)
    low = lowest if low is None else check_number("low", low)
    high = highest if high is None else check_number("high", high)
    check(
        low < high,
        f"{source}: every value is {first:g}, which does not tell black from white; bring it into [-1, 1], or say what "
        "they are: Images.from_raw(x, low=-1, high=1)"
        if low == first == last == high
        else f"{source}: low must be below high, got low={low:g} and high={high:g}; pass both",
    )
    check(
        low <= first and last <= high,
        f"{source}: values run from {first:g} to {last:g}, outside low={low:g} and high={high:g}; pass low and high "
        "that contain them",
    )
    return low, high


def _usual_ends(dtype: np.dtype[Any], first: float, last: float) -> tuple[float, float]:
    """Black and white of values from `first` to `last` that come without them.

    Whole numbers of wider types that use the upper half of 8 or 16 bits are taken for these, as arrays often are
    widened on the way; others, and real numbers, run from their smallest to their largest value. Where that is one
    value, black and white are the ends of [0, 1] or [-1, 1] if it lies inside.
    """
    if dtype in WHOLE_ENDS:
        return WHOLE_ENDS[dtype]
    if dtype.kind in "iu":
        for low, high in WHOLE_ENDS.values():
            if low <= first and high / 2 < last <= high:
                return low, high
    if first == last and abs(first) <= 1:
        return (0.0, 1.0) if first >= 0 else (-1.0, 1.0)
    return first, last


def narrowed(raw: NDArray[Any]) -> NDArray[Any]:
    """Whole numbers of wider types that are taken for 8 or 16 bits, as these; anything else as it is."""
    if raw.dtype in WHOLE_ENDS or raw.dtype.kind not in "iu":
        return raw
    ends = _usual_ends(raw.dtype, float(raw.min()), float(raw.max()))
    kind = next((dtype for dtype, known in WHOLE_ENDS.items() if dtype.kind == "u" and known == ends), raw.dtype)
    return raw.astype(kind, copy=False)
